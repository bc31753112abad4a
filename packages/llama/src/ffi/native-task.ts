import { fork, type ChildProcess } from "node:child_process";
import { BenchtopError } from "@benchtop/protocol/errors";

/** One kind of work: what it gets, what it tells on the way, what comes of it. All of it structured-cloneable. */
export interface NativeTask {
  readonly input: object;
  readonly progress: object;
  readonly result: object;
}

/** What the process is told: its work, or to end before it is done. */
export type NativeOrder = { readonly input: object } | { readonly end: true };

/** What a process that does one piece of native work tells: how far it is, and at the end one result or one failure. */
export type NativeReply<Task extends NativeTask> =
  | { readonly progress: Task["progress"] }
  | { readonly result: Task["result"] }
  | { readonly failure: { readonly message: string } & BenchtopError["info"] };

/**
 * Does one piece of native work in a process of its own, whose main file is `entry` (see `serveNativeTask`). The process is
 * gone when this settles: an abort ends it, whatever it computes, and its own crash is an error like any other.
 *
 * Throws what the work threw, the signal's reason, `FILE_READ_FAILED` when llama.cpp crashed (of what it was given, a file is
 * the likely cause), and `PROVIDER_UNAVAILABLE` (retryable) when something killed the process.
 */
export async function runNativeTask<Task extends NativeTask>(
  entry: URL,
  input: Task["input"],
  onProgress: ((progress: Task["progress"]) => void) | undefined,
  signal: AbortSignal,
): Promise<Task["result"]> {
  signal.throwIfAborted();
  const child = fork(entry, {
    env: environment(),
    execArgv: [],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  using ending = new Ending(child);
  const end = (): void => ending.begin();
  signal.addEventListener("abort", end, { once: true });
  try {
    const reply = await lastReply<Task>(child, input, onProgress, end);
    signal.throwIfAborted();
    if ("failure" in reply) throw BenchtopError.of(reply.failure);
    return reply.result;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", end);
  }
}

/** Tells a process to clean up and end (`abandoned` of `serveNativeTask`), and kills one that does not. */
class Ending {
  readonly #child: ChildProcess;
  #timer: NodeJS.Timeout | undefined;

  constructor(child: ChildProcess) {
    this.#child = child;
  }

  begin(): void {
    // Not `disconnect`: called while a message is being heard, it keeps `close` from ever coming.
    if (this.#child.connected) this.#child.send({ end: true } satisfies NativeOrder, () => undefined);
    this.#timer ??= setTimeout(() => this.#child.kill("SIGKILL"), 2000);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#child.kill("SIGKILL");
  }
}

/** Nothing of ours: the environment may hold keys. A stack trace of ggml's would start a debugger, if there is one. */
function environment(): NodeJS.ProcessEnv {
  const { NODE_COMPILE_CACHE, SystemRoot } = process.env;
  return {
    GGML_NO_BACKTRACE: "1",
    ...(NODE_COMPILE_CACHE !== undefined && { NODE_COMPILE_CACHE }),
    ...(SystemRoot !== undefined && { SystemRoot }),
  };
}

type LastReply<Task extends NativeTask> = Exclude<NativeReply<Task>, { readonly progress: unknown }>;

async function lastReply<Task extends NativeTask>(
  child: ChildProcess,
  input: Task["input"],
  onProgress: ((progress: Task["progress"]) => void) | undefined,
  end: () => void,
): Promise<LastReply<Task>> {
  let last: LastReply<Task> | undefined;
  let listenerFailure: Error | undefined;
  let output = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (output = (output + text).slice(-8192)));
  return await new Promise((resolve, reject) => {
    child.on("message", (message) => {
      const reply = message as NativeReply<Task>;
      if (!("progress" in reply)) {
        last = reply;
        return;
      }
      try {
        onProgress?.(reply.progress);
      } catch (error) {
        listenerFailure = error instanceof Error ? error : new Error("Progress was refused.", { cause: error });
        end();
      }
    });
    child.once("error", reject);
    // Not `exit`: messages and output may still be on their way then.
    child.once("close", (code, signal) => {
      if (listenerFailure === undefined && last !== undefined) resolve(last);
      else reject(listenerFailure ?? ended(code, signal, output));
    });
    // Should it be gone already, `close` says so.
    child.send({ input } satisfies NativeOrder, () => undefined);
  });
}

function ended(code: number | null, signal: NodeJS.Signals | null, output: string): BenchtopError {
  const [assertion] = /GGML_ASSERT\(.*\) failed/.exec(output) ?? [];
  const detail = { exit: signal ?? code, ...(assertion !== undefined && { assertion }) };
  if (signal === "SIGKILL" || signal === "SIGTERM") {
    return new BenchtopError(
      "PROVIDER_UNAVAILABLE",
      "The process that ran llama.cpp was killed. The machine may be short of memory: unload models, then try again.",
      { phase: "job", detail },
    );
  }
  return new BenchtopError(
    "FILE_READ_FAILED",
    `llama.cpp crashed (${signal ?? `exit code ${code}`}). The model file is probably damaged: get it again.`,
    { phase: "job", retryable: false, detail },
  );
}
