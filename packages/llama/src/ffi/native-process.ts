import { flushCompileCache } from "node:module";
import { BenchtopError } from "@benchtop/protocol/errors";
import { openNativeLibraries, type NativeLibraries } from "./library.ts";
import type { NativeOrder, NativeReply, NativeTask } from "./native-task.ts";

export type NativeWork<Task extends NativeTask> = (
  input: Task["input"],
  report: (progress: Task["progress"]) => void,
) => Promise<Task["result"]>;

/**
 * The other end of `runNativeTask`: waits for the input, works, answers and ends. `abandoned` ends and removes what
 * half-done work leaves behind, for when the parent aborts it, or is gone and nobody else can.
 */
export function serveNativeTask<Task extends NativeTask>(
  work: NativeWork<Task>,
  abandoned: (input: Task["input"]) => void = () => undefined,
): void {
  let input: Task["input"] | undefined;
  const end = (): void => {
    if (input !== undefined) abandoned(input);
    // Native threads may be computing: nothing is waited for.
    process.kill(process.pid, "SIGKILL");
  };
  process.once("disconnect", end);
  process.on("message", (message) => {
    const order = message as NativeOrder;
    if ("end" in order) {
      end();
      return;
    }
    input = order.input;
    void answer<Task>(work, input).then((reply) =>
      process.send?.(reply, () => {
        // What is answered is the parent's.
        input = undefined;
        // It would be written at a process's own end, and this one is ended.
        flushCompileCache();
        process.disconnect();
      }),
    );
  });
}

async function answer<Task extends NativeTask>(
  work: NativeWork<Task>,
  input: Task["input"],
): Promise<NativeReply<Task>> {
  try {
    return { result: await work(input, (progress) => void process.send?.({ progress })) };
  } catch (thrown) {
    const { message, info } = BenchtopError.from(thrown, "INTERNAL", { phase: "job" });
    return { failure: { message, ...info } };
  }
}

/**
 * Opens llama.cpp for calls that last. Koffi gives a call in a thread of its own a stack of 128 KiB, which llama.cpp, made
 * for threads of 8 MiB, would overrun; it can be changed only before the first library is opened.
 */
export async function openForLongCalls(): Promise<NativeLibraries> {
  const koffi = await import("koffi").catch(() => undefined);
  // Without koffi the next line says so, in words.
  koffi?.default.config({ ...koffi.default.config(), async_stack_size: 8 * 2 ** 20, resident_async_pools: 1 });
  return await openNativeLibraries();
}

/** Calls a native function in a thread of its own, so that the process can listen meanwhile. */
export async function callAside(
  called: { async: (...values: unknown[]) => unknown },
  ...values: unknown[]
): Promise<unknown> {
  return await new Promise((resolve, reject) => {
    called.async(...values, (error: unknown, result: unknown) => {
      if (error === null) resolve(result);
      else reject(error instanceof Error ? error : new Error("A native call failed.", { cause: error }));
    });
  });
}
