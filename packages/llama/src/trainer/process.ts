import { openNativeLibraries } from "../ffi/library.ts";
import { serveNativeTask } from "../ffi/native-process.ts";
import { runTraining } from "./run.ts";
import type { TrainingTask } from "./train.ts";

/** The process that trains. What it leaves behind when it is ended is the last checkpoint, which is whole. */
serveNativeTask<TrainingTask>(async (options, report) => {
  // Koffi gives calls in threads of their own a stack of 128 KiB, which can be changed only before the first library is opened.
  const koffi = await import("koffi").catch(() => undefined);
  koffi?.default.config({ ...koffi.default.config(), async_stack_size: 2 * 2 ** 20 });
  return await runTraining(await openNativeLibraries(), options, report);
});
