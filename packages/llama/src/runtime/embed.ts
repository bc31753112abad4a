import { BenchtopError } from "@benchtop/protocol/errors";
import { refused } from "./check-request.ts";
import type { LoadedModel } from "./load.ts";

/**
 * Embeds one text after the other: nothing is gained on a processor by two at once, which take twice as long. Gives each vector
 * on as soon as it is there, and returns the number of tokens. Throws `CONTEXT_EXHAUSTED` before anything when a text is too long.
 */
export async function embed(
  { embedding, facts }: LoadedModel,
  texts: readonly string[],
  onVector: (vector: Float32Array) => void,
  signal: AbortSignal,
): Promise<number> {
  if (!embedding) throw refused("This model was loaded to generate. Load it to embed first.");
  const lengths = texts.map((text) => embedding.calculateInputLength(text));
  for (const [index, tokens] of lengths.entries()) {
    if (tokens >= facts.contextTokens) throw tooLong(index, texts.length, tokens, facts.contextTokens);
  }
  for (const [index, text] of texts.entries()) {
    signal.throwIfAborted();
    const { vector } = await embedding.getEmbeddingFor(text);
    if (vector.length === 0)
      throw refused(`Text ${index + 1} of ${texts.length} holds nothing that this model can read.`);
    onVector(Float32Array.from(vector));
  }
  return lengths.reduce((sum, tokens) => sum + tokens, 0);
}

function tooLong(index: number, count: number, tokens: number, contextTokens: number): BenchtopError {
  return new BenchtopError(
    "CONTEXT_EXHAUSTED",
    `Text ${index + 1} of ${count} has ${tokens} tokens; this model was loaded for texts of fewer than ${contextTokens}. Divide it.`,
    { detail: { index, tokens, contextTokens } },
  );
}
