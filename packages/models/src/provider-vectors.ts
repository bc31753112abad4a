import type { Egress, EgressContext } from "@benchtop/egress";
import { BenchtopError } from "@benchtop/protocol";
import type { ProvidersTable } from "@benchtop/store";
import type { EgressLog } from "./egress-log.ts";
import type { EmbeddingBackend } from "./embeddings/backend.ts";
import { openaiEmbeddings } from "./embeddings/openai-backend.ts";
import { runtimeBackend } from "./embeddings/runtime-backend.ts";
import { machineProvider } from "./machine-models.ts";
import type { Credential } from "./provider-runtimes.ts";
import type { ModelRuntime } from "./runtimes/runtime.ts";

/** A provider whose model is to make vectors, and what its requests go through. */
export interface VectorProvider {
  readonly row: ProvidersTable;
  /** Of a server of a known kind. */
  readonly runtime: ModelRuntime | undefined;
  readonly credential: Credential;
  readonly egress: Egress;
  /** Is told what the provider counts. */
  readonly log: Pick<EgressLog, "counted"> | undefined;
}

/**
 * What makes vectors by a model of a provider on this machine. Throws `PROVIDER_NOT_CONFIGURED` for a provider elsewhere: texts that
 * leave the machine need a consent, which nobody is asked for here; `VALIDATION_FAILED` for one whose protocol has no vectors.
 */
export function vectorsBy({ row, runtime, credential, egress, log }: VectorProvider, model: string): EmbeddingBackend {
  const { workspace_id: workspaceId, name: id, base_url: baseUrl, kind } = row;
  if (row.local !== 1) throw elsewhere(id, model);
  if (!runtime && kind !== "openai-chat") throw hasNone(row);
  const backendFor = (call: object): EmbeddingBackend => {
    const context: EgressContext = {
      workspaceId,
      providerId: id,
      modelId: model,
      local: true,
      purpose: "model-call",
      call,
    };
    const fetch = egress.bind(context);
    if (runtime) return runtimeBackend(runtime, model, { call: { fetch } });
    return openaiEmbeddings({ id, baseUrl, ...credential, fetch, model });
  };
  const backend = backendFor({});
  return {
    ...backend,
    // What is known by its protocol alone may be started anew with another model under the same name.
    revision: async (signal) => (runtime ? await backend.revision(signal) : undefined),
    async embed(texts, signal) {
      const call = {};
      const made = await backendFor(call).embed(texts, signal);
      const { inputTokens } = made;
      if (inputTokens !== undefined) log?.counted(call, { inputTokens, outputTokens: 0 });
      return made;
    },
  };
}

function elsewhere(providerId: string, modelId: string): BenchtopError {
  return new BenchtopError(
    "PROVIDER_NOT_CONFIGURED",
    `Vectors are made by models of this machine: ${machineProvider}/NAME, or those of a provider on its loopback. ` +
      `“${providerId}” is elsewhere.`,
    { phase: "run", providerId, modelId, actions: ["switch_model"] },
  );
}

function hasNone({ name, kind }: ProvidersTable): BenchtopError {
  return new BenchtopError(
    "VALIDATION_FAILED",
    `“${name}” speaks ${kind}, which has no vectors. Add the server as openai-chat, or by its own kind.`,
    { phase: "run", providerId: name, actions: ["switch_model", "open_settings"] },
  );
}
