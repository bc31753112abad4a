import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { WorkerResult, WorkerTask } from "./gguf-llama-worker.ts";

export type { WorkerResult, WorkerTask } from "./gguf-llama-worker.ts";

const worker = fileURLToPath(new URL("gguf-llama-worker.ts", import.meta.url));

/** Has the real llama.cpp do something with models, all in one process that is gone afterwards. Rejects where it crashes or hangs. */
export async function inLlama(tasks: readonly WorkerTask[]): Promise<WorkerResult[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [worker, JSON.stringify(tasks)], {
    timeout: 50_000,
    killSignal: "SIGKILL",
    maxBuffer: 64 * 2 ** 20,
  });
  return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "[]") as WorkerResult[];
}
