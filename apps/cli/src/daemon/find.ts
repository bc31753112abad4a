import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { BenchtopError } from "@benchtop/protocol/errors";
import { readCredentials, type ChosenWorkspace, type Credentials } from "./credentials.ts";
import { trustFor } from "./trust.ts";

/** A daemon that answers, and the token that it takes. `pid` is absent for one on another machine. */
export interface FoundDaemon {
  readonly url: string;
  readonly token: string;
  readonly pid?: number;
}

/** A daemon that commands were told to use instead of the one of this machine. */
export interface ChosenDaemon extends FoundDaemon {
  readonly by: "environment" | "login";
  /** What `workspaces use` chose for this token. */
  readonly workspace?: ChosenWorkspace;
}

/** `$BENCHTOP_HOME`, or `.benchtop` in the user's own folder. */
export function homeFolder(): string {
  const given = process.env["BENCHTOP_HOME"];
  return given === undefined || given === "" ? join(homedir(), ".benchtop") : resolve(given);
}

/**
 * The daemon that `BENCHTOP_URL` names, else the one that somebody logged in to last. Its token is `BENCHTOP_TOKEN`, else
 * the one that `login` keeps for that address. `undefined` means the daemon of this machine. Throws `AUTH_REQUIRED` when
 * there is no token.
 */
export function chosenDaemon(): ChosenDaemon | undefined {
  const given = process.env["BENCHTOP_URL"];
  const token = givenToken();
  if (given !== undefined && given !== "") {
    const url = daemonAddress(given, "BENCHTOP_URL");
    if (token !== undefined) return { url, token, by: "environment" };
    const kept = keptFor(readCredentials(), url);
    if (kept !== undefined) return { url, ...kept, by: "environment" };
    const message = "BENCHTOP_URL is set but BENCHTOP_TOKEN is not, and nobody logged in there.";
    throw new BenchtopError("AUTH_REQUIRED", message, settings);
  }
  const credentials = readCredentials();
  const url = credentials.current;
  if (url === null) return undefined;
  if (token !== undefined) return { url, token, by: "login" };
  const kept = keptFor(credentials, url);
  if (kept !== undefined) return { url, ...kept, by: "login" };
  throw new BenchtopError("AUTH_REQUIRED", `Nobody is logged in at ${url}.`, settings);
}

function keptFor({ daemons }: Credentials, url: string): Credentials["daemons"][string] | undefined {
  return Object.hasOwn(daemons, url) ? daemons[url] : undefined;
}

/** `BENCHTOP_TOKEN`: who commands are made by, on whichever daemon. */
export function givenToken(): string | undefined {
  const token = process.env["BENCHTOP_TOKEN"];
  return token === undefined || token === "" ? undefined : checkedToken(token, "BENCHTOP_TOKEN");
}

/** A token as a header can carry it. Throws `VALIDATION_FAILED` without repeating it. */
export function checkedToken(text: string, source: string): string {
  const token = text.trim();
  if (/^[\x21-\x7e]{1,500}$/.test(token)) return token;
  const why = token === "" ? "is empty" : "holds something that is no token";
  throw new BenchtopError("VALIDATION_FAILED", `${source} ${why}.`, settings);
}

/** The address of a daemon, in the one way that it is kept. Throws `VALIDATION_FAILED` for what is none. */
export function daemonAddress(text: string, source: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new BenchtopError("VALIDATION_FAILED", `${source} is no http:// or https:// address.`, settings);
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    const message = `${source} is to be an address alone: no user, password, query or fragment.`;
    throw new BenchtopError("VALIDATION_FAILED", message, settings);
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, "");
}

/** True when what is sent there stays on this machine. */
export function isLoopback(url: string): boolean {
  const { hostname } = new URL(url);
  return hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

/**
 * The daemon of a home: the one that `daemon.json` names, if that process lives and answers. `undefined` when there is
 * none; a file that a killed daemon left behind counts as none.
 */
export async function findDaemon(home: string): Promise<FoundDaemon | undefined> {
  const file = await readDaemonFile(home);
  if (file === undefined || !isOurProcess(file.pid)) return undefined;
  await trustFor(file.url, home);
  if (!(await answers(file.url))) return undefined;
  const token = await readText(join(home, "bootstrap-token"));
  return token === undefined ? undefined : { url: file.url, pid: file.pid, token: token.trim() };
}

export async function readDaemonFile(home: string): Promise<{ url: string; pid: number } | undefined> {
  const text = await readText(join(home, "daemon.json"));
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as { url?: unknown; pid?: unknown } | null;
    if (typeof value?.url === "string" && typeof value.pid === "number") return { url: value.url, pid: value.pid };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return undefined;
}

/** A process that lives and is ours: the token must not go to whoever took the port of a daemon that died. */
export function isOurProcess(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ESRCH" || code === "EPERM") return false;
    throw error;
  }
}

/** Ended, but its parent (in a container, process 1) has not asked how: Linux shows state Z after the name in parentheses. */
function isZombie(pid: number): boolean {
  if (process.platform !== "linux") return false;
  try {
    return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" || (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

/** Throws when what is wrong is its certificate: it will not become right by starting another. */
async function answers(url: string): Promise<boolean> {
  const { createClient } = await import("@benchtop/client");
  try {
    const options = { retry: false, signal: AbortSignal.timeout(3000) };
    return (await createClient({ url }).call("system.health", {}, options)).status === "ok";
  } catch (error) {
    if (BenchtopError.is(error) && error.info.subphase === "untrusted_certificate") throw error;
    // Refused, reset or silent all mean the same here: nobody to talk to.
    return false;
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new BenchtopError("FILE_READ_FAILED", `${path} cannot be read (${code}).`, { ...settings, cause: error });
  }
}

const settings = { phase: "settings" } as const;
