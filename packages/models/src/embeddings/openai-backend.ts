import { RemoteServer } from "../runtimes/remote/remote-server.ts";
import { openAiVectors } from "../runtimes/remote/vectors.ts";
import type { EmbeddingBackend, EmbeddingLimits } from "./backend.ts";

export interface OpenAiEmbeddingsOptions {
  readonly id: string;
  /** For example `https://api.openai.com/v1`. */
  readonly baseUrl: string;
  readonly apiKey?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Gated, in a context that holds a person's consent: the texts leave this machine. */
  readonly fetch: typeof globalThis.fetch;
  readonly model: string;
  /** Asks for shorter vectors than the model makes, where it can. */
  readonly dimensions?: number;
  readonly limits?: Partial<EmbeddingLimits>;
}

/**
 * `POST {base}/embeddings` as OpenAI defined it (https://developers.openai.com/api/reference/resources/embeddings). What is kept
 * goes by address and name: providers do not exchange a model below its name.
 */
export function openaiEmbeddings(options: OpenAiEmbeddingsOptions): EmbeddingBackend {
  const { id, model, dimensions, limits, fetch } = options;
  const baseUrl = options.baseUrl.trim().replace(/\/+$/, "");
  const server = new RemoteServer({ ...options, baseUrl, look: fetch, ask: fetch });
  // The path belongs to the address: it is not `/v1` everywhere.
  const path = `${baseUrl.slice(server.root.length)}/embeddings`;
  return {
    id,
    model,
    normalized: false,
    ...(dimensions !== undefined && { dimensions }),
    ...(limits && { limits }),
    revision: async () => `openai-embeddings ${baseUrl}`,
    async embed(texts, signal) {
      const asked = { model, input: texts, encoding_format: "float", ...(dimensions !== undefined && { dimensions }) };
      return openAiVectors(server, await server.post(path, asked, signal, { modelId: model }), texts);
    },
  };
}
