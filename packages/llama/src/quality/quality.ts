import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";
import { BenchtopError } from "@benchtop/protocol/errors";
import { ggufFacts } from "../gguf/facts.ts";
import { readGgufHeader } from "../gguf/read.ts";
import { runNativeTask } from "../ffi/native-task.ts";
import type { QualityInput, QualityTask } from "./quality-process.ts";

export interface QualityOptions {
  /** The model that is taken to be right. */
  readonly sourcePath: string;
  /** A model with the same tokens: the source, quantized. */
  readonly candidatePath: string;
  readonly text: string;
  /** Tokens that are read at a time; 512 unless told, or what the models were trained with where that is less. */
  readonly contextTokens?: number;
  /** Pieces of `contextTokens` from the start of the text; as many as it has unless told. */
  readonly chunks?: number;
  /** All cores but one unless told. */
  readonly threads?: number;
}

/** Of all chunks so far. */
export interface QualityProgress {
  readonly done: number;
  readonly total: number;
  readonly sourcePerplexity: number;
  readonly candidatePerplexity: number;
  readonly meanKL: number;
}

export interface QualityReport {
  readonly text: { readonly sha256: string; readonly bytes: number };
  readonly contextTokens: number;
  readonly chunks: number;
  /** Tokens whose distributions were compared: those of the second half of each chunk, but the last. */
  readonly tokens: number;
  readonly source: { readonly perplexity: number };
  readonly candidate: { readonly perplexity: number };
  /** Kullback–Leibler divergence of the candidate from the source per token, in nats. 0 is the same model. */
  readonly meanKL: number;
  /** Of the token where the two differ most. */
  readonly maxKL: number;
  /** Share of tokens where both find the same next token most likely, 0 to 1. */
  readonly topAgreement: number;
  readonly library: { readonly name: "llama.cpp"; readonly version: string };
  readonly durationMs: number;
}

/**
 * Reads a text with two models and says how far what the second expects is from what the first does. Measured as llama.cpp's
 * `llama-perplexity --kl-divergence` does, but without a file of logits between: both models are in memory at once, and
 * the distributions of at most 64 MiB of each. On the CPU of one machine the numbers are the same every time.
 *
 * Throws `VALIDATION_FAILED` for models that do not go together, models that only embed and texts that are too short,
 * `FILE_READ_FAILED`, `PROVIDER_UNAVAILABLE` as `quantize` does, and the signal's reason.
 */
export async function compareQuality(
  options: QualityOptions,
  { onProgress }: { readonly onProgress?: (progress: QualityProgress) => void },
  signal: AbortSignal,
): Promise<QualityReport> {
  const startedAt = Date.now();
  const { sourcePath, candidatePath, text } = options;
  const contextTokens = await contextTokensOf(options, signal);
  const input: QualityInput = {
    sourcePath,
    candidatePath,
    text,
    contextTokens,
    chunks: atLeastOne(options.chunks, "chunks"),
    threads: atLeastOne(options.threads, "threads") ?? Math.max(1, availableParallelism() - 1),
  };
  const result = await runNativeTask<QualityTask>(
    new URL("./quality-process.ts", import.meta.url),
    input,
    onProgress,
    signal,
  );
  const { chunks, tokens, meanKL, maxKL, topAgreement } = result;
  return {
    text: { sha256: createHash("sha256").update(text).digest("hex"), bytes: Buffer.byteLength(text) },
    contextTokens,
    chunks,
    tokens,
    source: { perplexity: result.sourcePerplexity },
    candidate: { perplexity: result.candidatePerplexity },
    meanKL,
    maxKL,
    topAgreement,
    library: { name: "llama.cpp", version: result.llamaVersion },
    durationMs: Date.now() - startedAt,
  };
}

/** Looks at both files before native code does. */
async function contextTokensOf(options: QualityOptions, signal: AbortSignal): Promise<number> {
  let trained = Number.POSITIVE_INFINITY;
  for (const path of [options.sourcePath, options.candidatePath]) {
    const facts = ggufFacts(await readGgufHeader(path, signal));
    if (facts.kind !== "model" || facts.embeds) {
      throw refusal("Only models that write text are compared; one of these does not.", path);
    }
    trained = Math.min(trained, facts.contextTokens ?? Number.POSITIVE_INFINITY);
  }
  const tokens = atLeastOne(options.contextTokens, "tokens of context") ?? Math.min(512, trained);
  if (tokens >= 8 && tokens <= trained) return tokens;
  throw refusal(`Give between 8 and ${trained} tokens of context; these models were trained with no more.`);
}

function atLeastOne(value: number | undefined, what: string): number | undefined {
  if (value === undefined || (Number.isInteger(value) && value >= 1)) return value;
  throw refusal(`The number of ${what} has to be a whole one, 1 or more.`);
}

function refusal(message: string, path?: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", message, {
    phase: "job",
    ...(path !== undefined && { detail: { path } }),
  });
}
