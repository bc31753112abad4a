import type { z } from "zod";
import type { Exchange } from "./endpoint.ts";
import { modelRef } from "./names.ts";
import type { EmbeddingsRequest, EmbedRequest } from "./requests.ts";

/** Vectors of length 1, one a text, in order. */
export async function answerEmbed(
  { caller, lines, signal }: Exchange,
  { model, input }: z.output<typeof EmbedRequest>,
): Promise<void> {
  const started = performance.now();
  const texts = typeof input === "string" ? [input] : input;
  const { vectors, inputTokens } = await caller.call("embeddings.create", { model: modelRef(model), texts }, signal);
  lines.whole({
    model,
    embeddings: vectors,
    total_duration: nanoseconds(performance.now() - started),
    load_duration: 0,
    prompt_eval_count: inputTokens,
  });
}

/** The older form: one text, its vector as the model gives it. */
export async function answerEmbeddings(
  { caller, lines, signal }: Exchange,
  { model, prompt }: z.output<typeof EmbeddingsRequest>,
): Promise<void> {
  const input = { model: modelRef(model), texts: [prompt], normalize: false };
  const { vectors } = await caller.call("embeddings.create", input, signal);
  lines.whole({ embedding: vectors[0] ?? [] });
}

/** Ollama counts times in them. */
export function nanoseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1_000_000);
}
