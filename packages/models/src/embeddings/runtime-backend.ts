import type { ModelRuntime, RuntimeCall } from "../runtimes/runtime.ts";
import type { EmbeddingBackend, EmbeddingLimits } from "./backend.ts";

export interface RuntimeBackendOptions {
  /** On whose behalf the texts are sent: the gated `fetch` of a request that has a person's consent. The fleet sends nothing. */
  readonly call?: RuntimeCall;
  readonly limits?: Partial<EmbeddingLimits>;
  readonly dimensions?: number;
}

/**
 * A model of a runtime (the fleet, Ollama, vLLM, …) as what makes vectors. They are kept where the runtime tells what its model
 * is: by the hash of its file, or a digest.
 */
export function runtimeBackend(
  runtime: Pick<ModelRuntime, "id" | "kind" | "status" | "embed">,
  model: string,
  options: RuntimeBackendOptions = {},
): EmbeddingBackend {
  const { call, limits, dimensions } = options;
  // Adapters and a shorter context make other vectors of the same file.
  const revisionOf = (revision: string): string =>
    JSON.stringify([runtime.kind, runtime.id, revision, call?.load?.adapters, call?.load?.contextTokens]);
  return {
    id: runtime.id,
    model,
    normalized: false,
    ...(dimensions !== undefined && { dimensions }),
    ...(limits && { limits }),
    revision: async (signal) => {
      const { revision } = await runtime.status(model, signal);
      return revision && revisionOf(revision);
    },
    async embed(texts, signal) {
      const { revision, ...made } = await runtime.embed(model, texts, signal, call);
      return { ...made, ...(revision !== undefined && { revision: revisionOf(revision) }) };
    },
  };
}
