import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { BenchtopError } from "@benchtop/protocol/errors";

/** A daemon that answers, and the token that it takes. `pid` is absent for one on another machine. */
export interface FoundDaemon {
  readonly url: string;
  readonly token: string;
  readonly pid?: number;
}

/** `$BENCHTOP_HOME`, or `.benchtop` in the user's own folder. */
export function homeFolder(): string {
  const given = process.env["BENCHTOP_HOME"];
  return given === undefined || given === "" ? join(homedir(), ".benchtop") : resolve(given);
}

/** The daemon named by `BENCHTOP_URL` and `BENCHTOP_TOKEN`. Throws `VALIDATION_FAILED` when the token is missing. */
export function namedDaemon(): FoundDaemon | undefined {
  const { BENCHTOP_URL: url, BENCHTOP_TOKEN: token } = process.env;
  if (url === undefined || url === "") return undefined;
  trustOwnAuthorities();
  if (!URL.canParse(url)) throw new BenchtopError("VALIDATION_FAILED", `BENCHTOP_URL is no address: ${url}`, settings);
  if (token === undefined || token === "") {
    throw new BenchtopError("AUTH_REQUIRED", `BENCHTOP_URL is set but BENCHTOP_TOKEN is not.`, settings);
  }
  return { url: url.replace(/\/+$/, ""), token };
}

/**
 * The daemon of a home: the one that `daemon.json` names, if that process lives and answers. `undefined` when there is
 * none; a file that a killed daemon left behind counts as none.
 */
export async function findDaemon(home: string): Promise<FoundDaemon | undefined> {
  const file = await readDaemonFile(home);
  if (file === undefined || !isOurProcess(file.pid) || !(await answers(file.url))) return undefined;
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

async function answers(url: string): Promise<boolean> {
  if (url.startsWith("https:")) trustOwnAuthorities();
  try {
    const response = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(3000) });
    await response.body?.cancel();
    return response.ok;
  } catch (error) {
    const code = certificateProblem(error);
    // Refused, reset or silent all mean the same here: nobody to talk to.
    if (code === undefined) return false;
    throw new BenchtopError(
      "NETWORK_UNAVAILABLE",
      `A daemon answers at ${url}, but its certificate is not trusted (${code}). Name its authority with BENCHTOP_CA_FILE.`,
      { ...settings, detail: { url, code } },
    );
  }
}

let trusted = false;

/** `BENCHTOP_CA_FILE`: authorities beside those that Node trusts (`NODE_EXTRA_CA_CERTS` included). */
function trustOwnAuthorities(): void {
  const path = process.env["BENCHTOP_CA_FILE"];
  if (trusted || path === undefined || path === "") return;
  trusted = true;
  try {
    const { getCACertificates, setDefaultCACertificates } = process.getBuiltinModule("node:tls");
    setDefaultCACertificates([...getCACertificates("default"), readFileSync(path, "utf8")]);
  } catch (cause) {
    throw new BenchtopError("FILE_READ_FAILED", `BENCHTOP_CA_FILE names no file of certificates (PEM): ${path}`, {
      ...settings,
      detail: { path },
      cause,
    });
  }
}

/** OpenSSL's or Node's word for what is wrong with a certificate, where that is why a request failed. */
function certificateProblem(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== undefined && /CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code)) return code;
  }
  return undefined;
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
