import { spawn } from "node:child_process";
import { stat } from "node:fs/promises";
import { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import { BenchtopError } from "@benchtop/protocol/errors";
import { checkOptions } from "./check-request.ts";
import { patience as defaultPatience } from "./limits.ts";
import type { LlamaModel, LlamaModelOptions } from "./llama-model.ts";
import { RunningModel } from "./running-model.ts";

/**
 * Starts a process of its own with one model. It is gone when this throws: `NOT_FOUND` without the file, `VALIDATION_FAILED` for
 * options out of range and files that are no sound models, `PROVIDER_UNAVAILABLE` where node-llama-cpp is missing or cannot load
 * the model (not retryable), where memory is short, and for a process that crashed or did not answer, and the signal's reason.
 */
export async function startLlamaModel(options: LlamaModelOptions, signal: AbortSignal): Promise<LlamaModel> {
  signal.throwIfAborted();
  checkOptions(options);
  for (const path of [options.modelPath, ...(options.adapters ?? []).map((adapter) => adapter.path)])
    await checkFile(path);
  signal.throwIfAborted();
  const patience = { ...defaultPatience, ...options.patience };
  const child = spawn(
    process.execPath,
    [...nodeOptions, fileURLToPath(new URL("./llama-process.ts", import.meta.url))],
    {
      env: environment(),
      // `overlapped` is `pipe` wherever pipes have no such choice.
      stdio: ["ignore", "ignore", "pipe", "overlapped"],
      windowsHide: true,
    },
  );
  const channel = child.stdio[3];
  if (!(channel instanceof Duplex)) throw new Error("The process with the model has no connection.");
  const model = new RunningModel(child, channel, { parallel: options.parallel ?? 1, patience });
  const abort = (): void => void model.close();
  signal.addEventListener("abort", abort, { once: true });
  try {
    model.send({ type: "load", options, beatMs: Math.min(1000, patience.silentMs / 5) });
    await model.loaded;
    signal.throwIfAborted();
    return model;
  } catch (error) {
    await model.close();
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** A file whose header asks for more is refused before; this holds whatever was not thought of. */
const nodeOptions = ["--max-old-space-size=2048"];

/** Nothing of ours, which may hold keys: what programs need to run at all, and what chooses a processor or its drivers. */
const passedOn = [
  "PATH",
  "HOME",
  "USERPROFILE",
  "LANG",
  "LC_ALL",
  "TMPDIR",
  "TEMP",
  "TMP",
  "SystemRoot",
  "LD_LIBRARY_PATH",
  "DYLD_LIBRARY_PATH",
  "CUDA_PATH",
  "CUDA_VISIBLE_DEVICES",
  "HIP_VISIBLE_DEVICES",
  "VK_ICD_FILENAMES",
  "GGML_VK_VISIBLE_DEVICES",
  "NODE_COMPILE_CACHE",
];

function environment(): NodeJS.ProcessEnv {
  const passed = passedOn.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  // A stack trace of ggml's would start a debugger, if there is one.
  return { ...Object.fromEntries(passed), GGML_NO_BACKTRACE: "1" };
}

async function checkFile(path: string): Promise<void> {
  try {
    if ((await stat(path)).isFile()) return;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") {
      throw BenchtopError.from(cause, "FILE_READ_FAILED", { detail: { path } });
    }
  }
  throw new BenchtopError("NOT_FOUND", "The file of the model is not there.", { detail: { path } });
}
