import { BenchtopError } from "@benchtop/protocol/errors";
import type { EvaluatedModel } from "./evaluation.ts";

/** The tokens of a text. Throws `VALIDATION_FAILED` when they are too few for one chunk. */
export function tokensOf(model: EvaluatedModel, text: string, chunkTokens: number): Int32Array {
  const tokens = model.tokenize(text);
  if (tokens.length >= chunkTokens) return tokens;
  throw new BenchtopError(
    "VALIDATION_FAILED",
    `The text has ${tokens.length} tokens and a chunk takes ${chunkTokens}. Give a longer text, or fewer tokens of context.`,
    { phase: "job", detail: { tokens: tokens.length, chunk_tokens: chunkTokens } },
  );
}

/** Whole chunks from the start of the text, all or `limit` of them. What is left at the end is not read. */
export function chunksOf(tokens: Int32Array, chunkTokens: number, limit: number | undefined): Int32Array[] {
  const count = Math.min(Math.floor(tokens.length / chunkTokens), limit ?? Number.POSITIVE_INFINITY);
  return Array.from({ length: count }, (_, index) => tokens.subarray(index * chunkTokens, (index + 1) * chunkTokens));
}

/** A chunk is read as if it were a text of its own: what a text begins with takes the place of its first token. */
export function asText(model: EvaluatedModel, chunk: Int32Array): Int32Array {
  return model.beginning === undefined ? chunk.slice() : chunk.with(0, model.beginning);
}
