import { countOf, fieldsOf, listOf } from "./fields.ts";
import type { RemoteServer } from "./remote-server.ts";

/** The vectors in an answer of `/v1/embeddings`, in the order of the texts, and the tokens that the server counted. */
export function openAiVectors(
  server: RemoteServer,
  answer: unknown,
  texts: readonly string[],
): { readonly vectors: Float32Array[]; readonly inputTokens?: number } {
  const rows = listOf(fieldsOf(answer)["data"]);
  if (!rows) throw server.malformed("list of vectors");
  const inOrder: unknown[] = [];
  for (const [place, { index, embedding }] of rows.entries()) inOrder[countOf(index) ?? place] = embedding;
  const vectors = vectorsOf(server, inOrder, texts);
  const inputTokens = countOf(fieldsOf(fieldsOf(answer)["usage"])["prompt_tokens"]);
  return { vectors, ...(inputTokens !== undefined && { inputTokens }) };
}

/** The vectors that a server sent, as many as texts. Throws `PROVIDER_UNAVAILABLE` for anything else. */
export function vectorsOf(server: RemoteServer, values: readonly unknown[], texts: readonly string[]): Float32Array[] {
  if (values.length !== texts.length) throw server.malformed("list of one vector for each text");
  return Array.from(values, (value) => {
    if (!Array.isArray(value) || value.length === 0 || !value.every((number) => typeof number === "number")) {
      throw server.malformed("list of numbers");
    }
    return Float32Array.from(value);
  });
}
