import { execFile, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";

/** Where in a process's life it is killed, or which of its calls fails. Numbers count boundaries from 1. */
export type Blow =
  | { readonly kind: "none" }
  | {
      readonly kind: "kill";
      readonly at: number;
      readonly when: "before" | "after";
      /** What the page cache loses besides, as in a power cut; nothing when absent. */
      readonly power?: "all" | "data" | "names";
    }
  | {
      readonly kind: "fail";
      readonly at: number;
      readonly errno: "EIO" | "ENOSPC";
      /** Every later call that needs room fails as well: the disk stays full. */
      readonly onwards?: boolean;
    };

export interface Boundary {
  readonly n: number;
  readonly call: string;
  readonly path: string;
}

/** Calls that change no content and no name: they are failed, and there is nothing to kill at. */
export const quietCalls: ReadonlySet<string> = new Set([
  "open-read",
  "read",
  "scandir",
  "stat",
  "chmod",
  "chown",
  "utimes",
]);

/** One call as the shim logged it, in the order in which calls took effect. `n` is 0 for calls that are no boundaries. */
export interface Call extends Boundary {
  /** Second path of a rename or link. */
  readonly to: string;
  /** Undefined when the process died in it. */
  readonly result: number | undefined;
}

/** Compiles the shim; undefined where there is no compiler or no LD_PRELOAD. */
export async function buildShim(folder: string): Promise<string | undefined> {
  if (process.platform !== "linux") return undefined;
  const output = join(folder, "shim.so");
  const sources = ["shim.c", "power.c"].map((name) => join(import.meta.dirname, name));
  for (const compiler of ["gcc", "cc", "clang"]) {
    try {
      await promisify(execFile)(compiler, ["-O2", "-shared", "-fPIC", "-o", output, ...sources, "-ldl", "-lpthread"]);
      return output;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  return undefined;
}

/**
 * The environment under which a process meets its blow. `wide` counts writes to every file, and calls that change nothing, for
 * fault injection.
 */
export function shimEnvironment(options: {
  readonly shim: string;
  readonly home: string;
  /** A folder outside of the home whose files count, too. */
  readonly also?: string;
  readonly log?: string;
  readonly blow: Blow;
  readonly wide?: boolean;
}): Record<string, string> {
  const { shim, home, also, log, blow, wide } = options;
  return {
    LD_PRELOAD: shim,
    CHAOS_HOME: home,
    UV_USE_IO_URING: "0",
    ...(also !== undefined && { CHAOS_ALSO: also }),
    ...(log !== undefined && { CHAOS_LOG: log }),
    ...(wide && { CHAOS_WIDE: "1" }),
    ...(blow.kind === "kill" && {
      CHAOS_KILL_AT: String(blow.at),
      CHAOS_WHEN: blow.when,
      ...(blow.power && { CHAOS_POWER: blow.power }),
    }),
    ...(blow.kind === "fail" && {
      [blow.onwards ? "CHAOS_FAIL_FROM" : "CHAOS_FAIL_AT"]: String(blow.at),
      CHAOS_ERRNO: blow.errno,
    }),
  };
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Whole lines; a line that the kill cut off is not among them. */
  readonly lines: readonly string[];
  readonly stderr: string;
}

/** Runs one Node process to its end; killed after `timeoutMs`, as a last resort, with `signal` "SIGTERM". */
export function runNode(
  script: readonly string[],
  environment: Readonly<Record<string, string>>,
  options: { readonly timeoutMs?: number; readonly killAfterMs?: number } = {},
): Promise<Ended> {
  const { promise, resolve, reject } = Promise.withResolvers<Ended>();
  const child = spawn(process.execPath, [...script], {
    env: { ...inherited(), ...compileCache, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: options.timeoutMs ?? 60_000,
    killSignal: "SIGTERM",
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const timer =
    options.killAfterMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), options.killAfterMs);
  child.on("error", reject);
  child.on("close", (code, signal) => {
    clearTimeout(timer);
    resolve({ code, signal, lines: stdout.split("\n").slice(0, -1), stderr });
  });
  return promise;
}

/** Thousands of processes load the same modules; compiled once, they start in a third of the time. */
const { directory } = enableCompileCache();
const compileCache = directory === undefined ? {} : { NODE_COMPILE_CACHE: directory };

/** Nothing of the caller's own Benchtop reaches the processes under test. */
function inherited(): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    ([name, value]) => value !== undefined && !/^(BENCHTOP_|CHAOS_|LD_PRELOAD|NODE_OPTIONS)/.test(name),
  );
  return Object.fromEntries(kept) as Record<string, string>;
}

export function readCalls(log: string): Call[] {
  if (!existsSync(log)) return [];
  const calls: { n: number; call: string; path: string; to: string; result: number | undefined }[] = [];
  for (const line of readFileSync(log, "utf8").split("\n")) {
    const [mark, n = "", call = "", path = "", to = ""] = line.split("\t");
    if (mark === ">") calls.push({ n: Number(n), call, path, to, result: undefined });
    const last = calls.at(-1);
    if (mark === "<" && last) last.result = Number(path);
  }
  return calls;
}

export function boundariesOf(calls: readonly Call[]): Boundary[] {
  return calls
    .filter((call) => call.n > 0)
    .map(({ n, call, path, to }) => ({ n, call, path: to ? `${path} → ${to}` : path }));
}
