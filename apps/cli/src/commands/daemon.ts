import type { Command } from "commander";
import type { Client } from "@benchtop/client";
import type { Identity, SystemStatus } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol/errors";
import { openBrowser } from "../daemon/browser.ts";
import { chosenDaemon, findDaemon, isLoopback, type ChosenDaemon, type FoundDaemon } from "../daemon/find.ts";
import { trustFor } from "../daemon/trust.ts";
import { exitCodes } from "../failure.ts";
import type { Invocation } from "../invocation.ts";
import { formatBytes, formatCount, formatDuration, printable } from "../output/format.ts";
import { withProgress } from "../output/progress.ts";
import { printFacts } from "../output/table.ts";
import { addCommand, portNumber } from "./command.ts";

export function addDaemonCommands(program: Command, invocation: Invocation): void {
  addCommand(program, "up", "Start Benchtop here and open its console.", [
    "benchtop up                       # in the foreground; Ctrl-C stops it",
    "benchtop up --detach              # in the background; `benchtop down` stops it",
    'benchtop up --json --no-open      # prints {"url","token","pid"} once ready, for scripts',
    "BENCHTOP_HOME=/data BENCHTOP_PORT=0 benchtop up",
  ])
    .option("--detach", "leave it running in the background")
    .option("--no-open", "do not open a browser")
    .option(
      "--port <number>",
      "port to listen on; 0 takes any that is free (default: BENCHTOP_PORT, or 4747)",
      portNumber,
    )
    .action((options: UpOptions) => up(invocation, options));

  addCommand(program, "down", "Stop Benchtop. Runs in progress are aborted and their journals closed.").action(() =>
    down(invocation),
  );

  addCommand(
    program,
    "status",
    "Whether Benchtop runs here, where, and what it is doing. Exits with 1 when it does not.",
  ).action(() => status(invocation));
}

interface UpOptions {
  readonly detach?: boolean;
  readonly open: boolean;
  readonly port?: number;
}

/** When a daemon of this home runs already, that one is shown and nothing is started. */
async function up(invocation: Invocation, options: UpOptions): Promise<void> {
  refuseRemote("up");
  const running = await findDaemon(invocation.home);
  if (running !== undefined) return announce(invocation, running, options, "runs already");
  if (options.detach === true) {
    const { startDetached } = await import("../daemon/start.ts");
    const port = options.port === undefined ? {} : { port: options.port };
    const started = await withProgress(invocation.terminal, "Starting", () => startDetached(invocation.home, port));
    return announce(invocation, started, options, "runs in the background");
  }
  const { runInForeground } = await import("../daemon/foreground.ts");
  await runInForeground(invocation.home, options.port, (daemon) => announce(invocation, daemon, options, "is running"));
}

async function announce(invocation: Invocation, daemon: FoundDaemon, options: UpOptions, how: string): Promise<void> {
  const { terminal } = invocation;
  if (invocation.json) return invocation.printJson({ url: daemon.url, token: daemon.token, pid: daemon.pid });
  await trustFor(daemon.url, invocation.home);
  const { createClient } = await import("@benchtop/client");
  const client = createClient({ url: daemon.url, token: daemon.token });
  const [link, { warnings }] = await Promise.all([
    client.call("signIn.createLink", {}),
    client.call("system.status", {}),
  ]);
  const { bold, cyan, dim } = terminal.colours;
  terminal.line(`${bold(`Benchtop ${how}`)} (pid ${daemon.pid}).`);
  for (const warning of warnings) terminal.line(`${terminal.colours.yellow("!")} ${printable(warning)}`);
  terminal.line();
  terminal.line(`  Console  ${cyan(link.url)}`);
  terminal.line(dim("           (signs one browser in, once, within ten minutes; `benchtop up` prints a new one)"));
  terminal.line(`  Files    ${invocation.home}`);
  terminal.line();
  const opened = options.open && openBrowser(link.url);
  if (opened) terminal.line("The console opens in your browser.");
  terminal.line(how === "is running" ? "Ctrl-C stops it." : "`benchtop down` stops it.");
}

async function down(invocation: Invocation): Promise<void> {
  refuseRemote("down");
  const { stopDaemon } = await import("../daemon/stop.ts");
  const pid = await withProgress(invocation.terminal, "Stopping", () => stopDaemon(invocation.home));
  if (invocation.json) return invocation.printJson({ stopped: pid !== undefined, pid: pid ?? null });
  invocation.terminal.line(pid === undefined ? "Benchtop is not running." : `Stopped (pid ${pid}).`);
}

async function status(invocation: Invocation): Promise<void> {
  const { terminal, home } = invocation;
  const chosen = chosenDaemon();
  const daemon = chosen ?? (await findDaemon(home));
  if (daemon === undefined) {
    process.exitCode = exitCodes.runtime;
    if (invocation.json) return invocation.printJson({ running: false, home });
    terminal.line(`Benchtop is not running (home ${home}). \`benchtop up\` starts it.`);
    return;
  }
  const client = await invocation.client();
  const [state, identity] = await Promise.all([readStatus(client), client.call("identity.whoami", {})]);
  if (state === undefined) return await shortStatus(invocation, daemon.url, identity);
  if (invocation.json) return invocation.printJson({ running: true, ...state });
  terminal.line(terminal.colours.bold(`Benchtop ${state.version} runs at ${state.url}`));
  if (chosen !== undefined) terminal.line(terminal.colours.dim(chosenLine(chosen)));
  for (const warning of state.warnings) terminal.line(`${terminal.colours.yellow("!")} ${printable(warning)}`);
  printFacts(terminal, [
    [
      "Process",
      `${state.pid}, up ${formatDuration(Date.now() - Date.parse(state.startedAt))}, ${formatBytes(state.memoryBytes)}, Node ${state.nodeVersion}`,
    ],
    ["Network", networkLine(state.url)],
    ["You", youLine(identity)],
    ["Home", state.home],
    ["Database", `${state.database.dialect}, ${state.database.location} (schema ${state.database.migration})`],
    ["Runs", `${state.runs.active} active, ${state.runs.total} in all`],
    ["Workbenches", String(state.workbenches)],
    ["Providers", String(state.providers)],
    ["Traces", state.traces.length === 0 ? "not exported" : state.traces.map(traceLine).join("; ")],
    ["Secrets", `${state.secrets.backend}, ${state.secrets.location}`],
    [
      "Other sockets",
      state.otherConnections.length === 0
        ? "none"
        : state.otherConnections.map(({ purpose, target }) => `${purpose}: ${target}`).join("; "),
    ],
  ]);
  if (state.workbenches === 0) {
    terminal.line(`\n${formatCount(0, "workbench", "workbenches")} yet: \`benchtop workbench create NAME --add PATH\``);
  }
}

/** `undefined` for who may use the daemon but not see how it is doing. */
async function readStatus(client: Client): Promise<SystemStatus | undefined> {
  try {
    return await client.call("system.status", {});
  } catch (error) {
    if (BenchtopError.is(error) && error.code === "PERMISSION_DENIED") return undefined;
    throw error;
  }
}

/** What anybody may know who may use it at all. */
async function shortStatus(invocation: Invocation, url: string, identity: Identity): Promise<void> {
  const { version, uptimeSeconds } = await (await invocation.client()).call("system.health", {});
  if (invocation.json) return invocation.printJson({ running: true, url, version, uptimeSeconds });
  const { terminal } = invocation;
  terminal.line(terminal.colours.bold(`Benchtop ${version} runs at ${url}`));
  printFacts(terminal, [
    ["Up", formatDuration(uptimeSeconds * 1000)],
    ["You", youLine(identity)],
  ]);
}

function youLine({ displayName, operator, role, workspaceName, via }: Identity): string {
  const standing = operator ? "operator" : (role ?? "no member");
  return `${displayName}, ${standing}, in ${workspaceName}${via === "none" ? " (not asked to prove it)" : ""}`;
}

function networkLine(url: string): string {
  if (url.startsWith("https:")) return "TLS, with a certificate of its own";
  return isLoopback(url) ? "without TLS, for this machine alone" : "without TLS: anybody on the way can read it";
}

function chosenLine({ by }: ChosenDaemon): string {
  return by === "environment" ? "BENCHTOP_URL names it." : "You are logged in there; `benchtop logout` ends that.";
}

function traceLine(trace: SystemStatus["traces"][number]): string {
  const { target, passedOn, dropped, waiting, problem } = trace;
  const lost = dropped === 0 ? "" : `, ${dropped} dropped`;
  const open = waiting === 0 ? "" : `, ${waiting} waiting`;
  return `${target}: ${passedOn} passed on${lost}${open}${problem === undefined ? "" : ` (${problem})`}`;
}

/** A login is no hindrance: who types `up` means this machine. Who set `BENCHTOP_URL` may have forgotten it. */
function refuseRemote(command: string): void {
  if ((process.env["BENCHTOP_URL"] ?? "") === "") return;
  throw new BenchtopError(
    "VALIDATION_FAILED",
    `BENCHTOP_URL names a daemon elsewhere; \`benchtop ${command}\` is for the one of this machine. Unset BENCHTOP_URL first.`,
    { phase: "settings" },
  );
}
