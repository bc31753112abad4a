import type { Command } from "commander";
import type { Identity } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol/errors";
import { changeCredentials, readCredentials, type Credentials } from "../daemon/credentials.ts";
import { chosenDaemon, checkedToken, daemonAddress, isLoopback } from "../daemon/find.ts";
import { trustFor } from "../daemon/trust.ts";
import type { Invocation } from "../invocation.ts";
import { printable } from "../output/format.ts";
import { printFacts } from "../output/table.ts";
import { findWorkspace } from "../workspace.ts";
import { addCommand } from "./command.ts";

export function addLoginCommands(program: Command, invocation: Invocation): void {
  addCommand(
    program,
    "login [url]",
    "Use a daemon that runs elsewhere, or this one as somebody else: its token is checked, and kept for later commands.",
    [
      "benchtop login https://bench.example              # asks for the token, unseen",
      "benchtop login https://bench.example --token-env TEAM_TOKEN",
      "pass show benchtop | benchtop login https://bench.example --workspace research",
    ],
  )
    .option("--token-env <name>", "take the token from this environment variable")
    .option("--allow-http", "send the token over a network without TLS, where anybody on the way can read it")
    .action((url: string | undefined, options: LoginOptions) => login(invocation, url, options));

  addCommand(program, "logout [url]", "Forget the token of a daemon; commands are for this machine again.", [
    "benchtop logout",
    "benchtop keys revoke KEY && benchtop logout       # so that the key is of no use to anybody else either",
  ]).action((url: string | undefined) => logout(invocation, url));

  addCommand(program, "whoami", "Who commands are made by, in which workspace, and what they may do.").action(() =>
    whoami(invocation),
  );
}

interface LoginOptions {
  readonly tokenEnv?: string;
  readonly allowHttp?: boolean;
}

/** Nothing is kept until the daemon has said whose token it is. */
async function login(invocation: Invocation, given: string | undefined, options: LoginOptions): Promise<void> {
  const url = await whereTo(invocation, given);
  if (url.startsWith("http:") && !isLoopback(url) && options.allowHttp !== true) {
    throw new BenchtopError(
      "VALIDATION_FAILED",
      `${url} is without TLS: anybody on the way there could read the token. Use https://, or --allow-http if you know the network.`,
      settings,
    );
  }
  const token = await readToken(invocation, options);
  await trustFor(url);
  const { createClient } = await import("@benchtop/client");
  const asked = invocation.askedWorkspace;
  const own = createClient({ url, token });
  const chosen = asked === undefined ? undefined : await findWorkspace(own, asked);
  const client = chosen === undefined ? own : createClient({ url, token, workspace: chosen.workspaceId });
  const identity = await client.call("identity.whoami", {});
  const workspace = chosen === undefined ? {} : { workspace: { id: chosen.workspaceId, name: chosen.name } };
  await changeCredentials((before) => ({
    ...before,
    current: url,
    daemons: { ...before.daemons, [url]: { token, ...workspace } },
  }));
  if (invocation.json) return invocation.printJson({ ...identity, url });
  const { terminal } = invocation;
  terminal.line(`Logged in at ${url} as ${describe(identity)}.`);
  terminal.line("Commands go there from now on; `benchtop logout` ends that.");
}

/** The one that is named, else the one that commands go to anyway, whether the token for it is any good or not. */
async function whereTo(invocation: Invocation, given: string | undefined): Promise<string> {
  if (given !== undefined) return daemonAddress(given, "What to log in to");
  const { BENCHTOP_URL: named } = process.env;
  if (named !== undefined && named !== "") return daemonAddress(named, "BENCHTOP_URL");
  return readCredentials().current ?? (await invocation.daemon()).url;
}

async function logout(invocation: Invocation, given: string | undefined): Promise<void> {
  const { current, daemons } = readCredentials();
  const url = given === undefined ? current : daemonAddress(given, "What to log out of");
  const known = url !== null && Object.hasOwn(daemons, url);
  if (known || (url !== null && url === current)) await changeCredentials((before) => without(before, url));
  if (invocation.json) return invocation.printJson({ loggedOut: known, url });
  if (!known) return invocation.terminal.line(url === null ? "Nobody is logged in." : `Nobody is logged in at ${url}.`);
  invocation.terminal.line(`Logged out of ${url}. The token itself still works; \`benchtop keys revoke\` ends a key.`);
}

function without(before: Credentials, url: string): Credentials {
  const daemons = Object.fromEntries(Object.entries(before.daemons).filter(([address]) => address !== url));
  return { ...before, daemons, current: before.current === url ? null : before.current };
}

async function whoami(invocation: Invocation): Promise<void> {
  const client = await invocation.client();
  const identity = await client.call("identity.whoami", {});
  if (invocation.json) return invocation.printJson({ ...identity, url: client.url });
  const by = chosenDaemon()?.by;
  const how = { environment: ", by BENCHTOP_URL", login: ", by benchtop login", home: "" }[by ?? "home"];
  const { permissions, email } = identity;
  printFacts(invocation.terminal, [
    ["Name", email === null ? identity.displayName : `${identity.displayName} <${email}>`],
    ["User", identity.kind === "service" ? `${identity.userId}, a service` : identity.userId],
    ["Workspace", `${identity.workspaceName} (${identity.workspaceId})`],
    ["Role", roleOf(identity)],
    ["Known by", identity.keyId === null ? identity.via : `${identity.via} ${identity.keyId}`],
    ["May", permissions.filter((permission) => permission !== "self").join(", ")],
    ["Daemon", `${client.url}${how}`],
  ]);
}

function describe(identity: Identity): string {
  return printable(`${identity.displayName} (${roleOf(identity)}) in ${identity.workspaceName}`);
}

function roleOf({ operator, role }: Identity): string {
  return operator ? "operator of the installation" : (role ?? "no member");
}

async function readToken({ terminal, json }: Invocation, { tokenEnv }: LoginOptions): Promise<string> {
  if (tokenEnv !== undefined) {
    const value = process.env[tokenEnv];
    if (value === undefined) throw new BenchtopError("VALIDATION_FAILED", `${tokenEnv} is not set.`, settings);
    return checkedToken(value, tokenEnv);
  }
  if (!process.stdin.isTTY) return checkedToken(await readStart(process.stdin), "Standard input");
  if (!terminal.isInteractive || json) {
    throw new BenchtopError("VALIDATION_FAILED", "Hand the token over with --token-env or standard input.", settings);
  }
  const typed = await terminal.secret("Token (it is not shown):");
  if (typed === undefined) throw new BenchtopError("USER_CANCELED", "Nothing was changed.", settings);
  return checkedToken(typed, "What you typed");
}

/** More than any token has; who pipes something endless is not waited for. */
async function readStart(input: AsyncIterable<Buffer | string>): Promise<string> {
  let text = "";
  for await (const chunk of input) {
    text += String(chunk);
    if (text.length > 10_000) break;
  }
  return text;
}

const settings = { phase: "settings" } as const;
