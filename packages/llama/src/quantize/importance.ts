import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { BenchtopError } from "@benchtop/protocol/errors";
import { ggufFacts } from "../gguf/facts.ts";
import { readGgufHeader } from "../gguf/read.ts";
import type { ImportanceInput, ImportanceTask } from "./importance-process.ts";
import { writeImportanceMatrix } from "./importance-matrix.ts";
import { runNativeTask } from "../ffi/native-task.ts";
import { refuseExisting } from "./partial-output.ts";
import type { ImportanceMatrixFacts } from "./quantization.ts";

export interface ImportanceOptions {
  /** The model as it was before quantizing: F32, F16 or BF16. */
  readonly modelPath: string;
  /** UTF-8, of the kind that the model is used for. */
  readonly textPath: string;
  /** A GGUF file for `quantize` or llama.cpp's own tools. Nothing may be there yet. */
  readonly outputPath: string;
  /** Tokens that are read at a time; 512 unless told, or what the model was trained with where that is less. */
  readonly contextTokens?: number;
  /** Pieces of `contextTokens` from the start of the text; as many as it has unless told. */
  readonly chunks?: number;
  /** All cores but one unless told. */
  readonly threads?: number;
}

export interface ImportanceProgress {
  /** Of `total` chunks. */
  readonly done: number;
  readonly total: number;
}

/**
 * Reads a text with a model and counts, for each matrix, how strongly each of its columns is used, so that quantizing can keep
 * what matters. The same file as llama.cpp's `llama-imatrix` makes. Experts of a mixture are counted each for itself.
 *
 * Throws `VALIDATION_FAILED` for a text that is too short, a model that does not write text, and an output that exists;
 * otherwise as `quantize` does.
 */
export async function computeImportanceMatrix(
  options: ImportanceOptions,
  { onProgress }: { readonly onProgress?: (progress: ImportanceProgress) => void },
  signal: AbortSignal,
): Promise<ImportanceMatrixFacts & { readonly bytes: number }> {
  const { modelPath, outputPath } = options;
  await refuseExisting(outputPath);
  const text = await textOf(options.textPath);
  const contextTokens = await contextTokensOf(options, signal);
  const input: ImportanceInput = {
    modelPath,
    text,
    contextTokens,
    chunks: options.chunks,
    threads: options.threads ?? Math.max(1, availableParallelism() - 1),
  };
  const { sums, chunks } = await runNativeTask<ImportanceTask>(
    new URL("./importance-process.ts", import.meta.url),
    input,
    onProgress,
    signal,
  );
  const dataset = `sha256:${createHash("sha256").update(text).digest("hex")}`;
  const file = await writeImportanceMatrix(outputPath, sums, { chunks, chunkTokens: contextTokens, dataset }, signal);
  return { ...file, entries: sums.size, chunks };
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw BenchtopError.from(cause, "FILE_READ_FAILED", { phase: "job", detail: { path } });
  }
}

async function contextTokensOf(options: ImportanceOptions, signal: AbortSignal): Promise<number> {
  const { modelPath, contextTokens, chunks, threads } = options;
  const facts = ggufFacts(await readGgufHeader(modelPath, signal));
  if (facts.kind !== "model" || facts.embeds)
    throw refusal("An importance matrix is made of a model that writes text.", modelPath);
  for (const count of [contextTokens, chunks, threads]) {
    if (count !== undefined && !(Number.isInteger(count) && count >= 1)) {
      throw refusal("Tokens of context, chunks and threads are whole numbers, 1 or more.");
    }
  }
  const trained = facts.contextTokens ?? Number.POSITIVE_INFINITY;
  const tokens = contextTokens ?? Math.min(512, trained);
  if (tokens <= trained) return tokens;
  throw refusal(`The model was trained with ${trained} tokens of context at most.`, modelPath);
}

function refusal(message: string, path?: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", message, {
    phase: "job",
    ...(path !== undefined && { detail: { path } }),
  });
}
