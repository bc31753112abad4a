import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { startModelServer, type ModelServer } from "../test/model-server.ts";
import { nameOf, parseName } from "./attempt.ts";
import { bootDaemon, type RunningDaemon } from "./daemon-process.ts";
import { inspect } from "./examine.ts";
import type { Outcome } from "./laboratory.ts";
import { evenly, randomFrom, type Options } from "./options.ts";
import type { Report } from "./report.ts";
import type { Acknowledgement } from "./scenario.ts";
import { boundariesOf, readCalls, shimEnvironment, type Blow, type Boundary } from "./shim.ts";

interface Input {
  readonly root: string;
  readonly shim: string | undefined;
  readonly options: Options;
  readonly report: Report;
}

/**
 * The whole daemon, driven over its API as the console drives it, with a model server on loopback: boot, an agent run that
 * is followed over server-sent events, publish, restore. Killed at boundaries, and at random instants with one home that
 * lives through all of it.
 */
export async function daemonChaos({ root, shim, options, report }: Input): Promise<void> {
  const wanted = options.only?.split(":")[0];
  if (wanted !== undefined && wanted !== "daemon") return;
  await using model = await startModelServer();
  const prepared = join(root, "daemon-prepared");
  await prepareHome(prepared, model);
  if (shim !== undefined) await enumerated({ root, shim, options, report }, prepared);
  const exact = options.only === undefined ? undefined : parseName(options.only);
  if (!exact) await survivor({ root, shim, options, report }, prepared);
}

async function prepareHome(folder: string, model: ModelServer): Promise<void> {
  const home = join(folder, "home");
  mkdirSync(home, { recursive: true });
  const { client, ...daemon } = await booted(home, {});
  await client.call("providers.add", { name: "local", kind: "openai-chat", baseUrl: model.url, local: true });
  await client.call("workbenches.create", { name: "budget" });
  const uploads = [];
  for (const [path, text] of Object.entries({
    "notes.md": "# Notes\n",
    "data.csv": "item,total\nrent,1000\nfood,300\n",
  })) {
    uploads.push({ path, sha256: (await client.upload(Buffer.from(text))).sha256 });
  }
  await client.call("files.add", { workbenchId: "budget", uploads });
  daemon.kill("SIGTERM");
  await daemon.exited;
}

async function booted(home: string, environment: Record<string, string>): Promise<RunningDaemon> {
  const { daemon, ...rest } = await bootDaemon(home, environment);
  if (!daemon) throw new Error(`the daemon did not start: ${JSON.stringify(rest)}`);
  return daemon;
}

async function enumerated({ root, shim, options, report }: Input & { shim: string }, prepared: string): Promise<void> {
  const whole = await strike(root, shim, prepared, { kind: "none" }, 0);
  report.section(`daemon: boot, agent run over SSE, publish, restore; ${whole.boundaries.length} boundaries`);
  report.take({ name: "daemon:whole", boundary: undefined, violations: whole.violations, kept: undefined });
  const exact = options.only === undefined ? undefined : parseName(options.only);
  const blows = whole.boundaries.flatMap(({ n: at }): Blow[] => [
    { kind: "kill", at, when: "before" },
    { kind: "kill", at, when: "after", power: "all" },
  ]);
  const chosen = exact ? [exact.blow] : evenly(blows, options.limit ?? (options.ci ? 8 : 150));
  if (!exact) console.log(`  ${chosen.length} of ${blows.length} kills, half of them with the power`);
  for (const [index, blow] of chosen.entries()) {
    const { violations, boundaries } = await strike(root, shim, prepared, blow, index + 1);
    const name = nameOf({ scenario: "daemon", blow });
    const boundary = blow.kind === "none" ? undefined : boundaries.find(({ n }) => n === blow.at);
    report.take({ name, boundary, violations, kept: undefined });
  }
}

async function strike(
  root: string,
  shim: string,
  prepared: string,
  blow: Blow,
  index: number,
): Promise<{ violations: string[]; boundaries: Boundary[] }> {
  const folder = join(root, `daemon-${index}`);
  cpSync(prepared, folder, { recursive: true, preserveTimestamps: true });
  const home = join(folder, "home");
  const log = join(folder, "calls.log");
  const history = new History();
  const { daemon } = await bootDaemon(home, shimEnvironment({ shim, home, log, blow }));
  if (daemon) await workUntilEnd(daemon, history, ["agent", "publish", "restore"]);
  const lostPower = blow.kind === "kill" && blow.power !== undefined;
  const violations = [
    ...(await examineBooted(home, history, lostPower)),
    ...(await inspectStopped(home, history, lostPower)),
  ];
  const boundaries = boundariesOf(readCalls(log));
  rmSync(folder, { recursive: true, force: true });
  return { violations, boundaries };
}

/** What a client was told, and what it may expect of Published since. */
class History {
  readonly said: Acknowledgement[] = [];
  /** The manifest that the last acknowledged change left; undefined while a change was asked for and not answered. */
  manifestHash: string | undefined;
}

type Step = "agent" | "publish" | "restore" | "discard";

/** Works until the steps are done or the daemon is gone; then sees to it that it is gone. */
async function workUntilEnd(daemon: RunningDaemon, history: History, steps: readonly Step[]): Promise<void> {
  try {
    for (const step of steps) await take(step, daemon, history);
  } catch (error) {
    if (!daemon.ended.aborted && !(await endsSoon(daemon))) throw error;
  }
  daemon.kill("SIGTERM");
  await daemon.exited;
}

/** A request fails as soon as the connection breaks; the end of the process is seen a moment later. */
async function endsSoon(daemon: RunningDaemon): Promise<boolean> {
  const timer = new Promise((resolve) => setTimeout(resolve, 2000, false).unref());
  return (await Promise.race([daemon.exited.then(() => true), timer])) === true;
}

/** A run that the kill cut off is driven on by the new daemon. */
async function comesToItsEnd(client: RunningDaemon["client"], runId: string): Promise<boolean> {
  for await (const event of client.follow(runId, { signal: AbortSignal.timeout(30_000) })) {
    if (event.type === "Completed" || event.type === "Error") return true;
  }
  return false;
}

async function take(step: Step, { client, ended }: RunningDaemon, history: History): Promise<void> {
  const workbenchId = "budget";
  const draft = await client.call("draft.getState", { workbenchId });
  if (step === "agent") {
    const task = `make the totals consistent and add a summary.md (${history.said.length})`;
    const { runId } = await client.call("workshop.runAgent", { workbenchId, model: "local/gpt-5.2", task });
    for await (const event of client.follow(runId, { signal: ended, giveUpAfterMs: 1000 })) {
      history.said.push({ kind: "event", runId, seq: event.seq, type: event.type, body: JSON.stringify(event) });
    }
    return;
  }
  if (step === "discard" && draft.exists) return void (await client.call("draft.discard", { workbenchId }));
  const checkpoints = await client.call("checkpoints.list", { workbenchId });
  if (step === "publish" ? !draft.exists : draft.exists || checkpoints.items.length === 0) return;
  history.manifestHash = undefined;
  await client.call(step === "publish" ? "draft.publish" : "checkpoints.restore", { workbenchId });
  history.manifestHash = (await client.call("workbenches.open", { workbenchId })).manifestHash;
}

/** Boots without chaos and asks the API: every run goes on to its end and verifies, and an acknowledged change is still there. */
async function examineBooted(home: string, history: History, lostPower: boolean): Promise<string[]> {
  const { daemon, ...failed } = await bootDaemon(home, {});
  if (!daemon) return [`the daemon does not start again: ${JSON.stringify(failed)}`];
  const { client } = daemon;
  const violations: string[] = [];
  const runs = await client.call("runs.list", { limit: 100 });
  for (const { runId, status } of runs.items) {
    if (status === "pending" && !(await comesToItsEnd(client, runId))) violations.push(`${runId} is still pending`);
    const verified = await client.call("runs.verify", { runId });
    if (!verified.ok) violations.push(`${runId}: ${verified.violations.join("; ")}`);
  }
  const { manifestHash } = await client.call("workbenches.open", { workbenchId: "budget" });
  if (history.manifestHash !== undefined && history.manifestHash !== manifestHash) {
    violations.push(`what was acknowledged as published is not published${lostPower ? " after the power cut" : ""}`);
  }
  history.manifestHash = manifestHash;
  const outside = await client.call("outsideChanges.list", { workbenchId: "budget" });
  if (outside.items.length > 0)
    violations.push(`published differs: ${outside.items.map(({ path }) => path).join(", ")}`);
  daemon.kill("SIGTERM");
  await daemon.exited;
  return violations;
}

function inspectStopped(home: string, history: History, lostPower: boolean): Promise<string[]> {
  const scenario = { check: () => [] };
  return inspect({ scenario, facts: {}, home, said: history.said, finished: false, lostPower });
}

/** One home that is killed again and again at random instants, and keeps what it acknowledged through all of it. */
async function survivor({ root, options, report }: Input, prepared: string): Promise<void> {
  const kills = options.ci ? 5 : Math.max(10, Math.round(options.random / 2));
  report.section(`daemon: ${kills} kills at random instants of one home (--seed ${options.seed} repeats the instants)`);
  const folder = join(root, "daemon-survivor");
  cpSync(prepared, folder, { recursive: true });
  const home = join(folder, "home");
  const history = new History();
  const next = randomFrom(options.seed);
  for (let kill = 1; kill <= kills; kill += 1) {
    const afterMs = Math.round(next() * 1500);
    const violations = await lifeUntilKilled(home, history, afterMs);
    violations.push(...(await examineBooted(home, history, false)), ...(await inspectStopped(home, history, false)));
    const outcome: Outcome = {
      name: `daemon:random:${kill} (${afterMs} ms)`,
      boundary: undefined,
      violations,
      kept: undefined,
    };
    report.take(outcome);
    if (violations.length > 0) break;
  }
}

async function lifeUntilKilled(home: string, history: History, afterMs: number): Promise<string[]> {
  const { daemon, ...failed } = await bootDaemon(home, {});
  if (!daemon) return [`the daemon does not start again: ${JSON.stringify(failed)}`];
  const timer = setTimeout(() => daemon.kill("SIGKILL"), afterMs);
  await workUntilEnd(daemon, history, ["discard", "agent", "publish", "restore", "agent", "publish", "restore"]);
  clearTimeout(timer);
  return [];
}
