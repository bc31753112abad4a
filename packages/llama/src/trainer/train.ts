import { BenchtopError } from "@benchtop/protocol/errors";
import { runNativeTask } from "../ffi/native-task.ts";
import { settingsOf, type TrainingOptions } from "./options.ts";
import type { TrainingProgress, TrainingResult } from "./progress.ts";

export interface TrainingTask {
  readonly input: TrainingOptions;
  readonly progress: TrainingProgress;
  readonly result: TrainingResult;
}

/**
 * Trains a model, or an adapter for one, in a process of its own, on the processor. With a `checkpointDirectory`, a run that was
 * ended by whatever goes on where its last checkpoint is when it is called with the same options again, with the same losses as
 * if it had never ended; the checkpoint goes when the file is written.
 *
 * Throws `VALIDATION_FAILED` for options and data that cannot be (naming the setting or the line), `NOT_FOUND` and
 * `FILE_READ_FAILED` for data, `CHECKPOINT_CREATE_FAILED`, `CHECKPOINT_RESTORE_FAILED`, `FILE_WRITE_FAILED`, `DISK_FULL`,
 * `PROVIDER_UNAVAILABLE` when llama.cpp's libraries are missing or the process was killed, and the signal's reason.
 */
export async function train(
  options: TrainingOptions,
  { onProgress }: { readonly onProgress?: (progress: TrainingProgress) => void },
  signal: AbortSignal,
): Promise<TrainingResult> {
  settingsOf(options);
  try {
    return await runNativeTask<TrainingTask>(new URL("process.ts", import.meta.url), options, onProgress, signal);
  } catch (error) {
    throw BenchtopError.is(error) && isCrash(error) ? crashed(error) : error;
  }
}

/** `runNativeTask` suspects the model file, which here is rarely what it was. */
function isCrash({ code, info }: BenchtopError): boolean {
  return code === "FILE_READ_FAILED" && info.detail !== undefined && "exit" in info.detail;
}

function crashed({ info, cause }: BenchtopError): BenchtopError {
  return new BenchtopError(
    "INTERNAL",
    `llama.cpp crashed while it trained (${String(info.detail?.["exit"])}). If there is a checkpoint, training can go on from it.`,
    { phase: "job", ...(info.detail && { detail: info.detail }), cause },
  );
}
