import { BenchtopError } from "@benchtop/protocol";
import type { FailureContext } from "../../errors/provider-failure.ts";
import type { Origin } from "../continuation.ts";
import type { ProviderAdapter, ProviderId, ProviderPart, ProviderRequest } from "../provider.ts";
import { failureOfAiSdk } from "./failure.ts";
import type { AiSdkModel, AiSdkProvider } from "./language-model.ts";
import { AiSdkReader } from "./parts.ts";
import { callOf, familyOf } from "./prompt.ts";

export type { AiSdkCall, AiSdkModel, AiSdkPart, AiSdkProvider } from "./language-model.ts";

export interface AiSdkOptions {
  /** The name that model references and errors use; that of the model's provider when absent. */
  readonly id?: ProviderId;
  /** The key that the model was made with. Errors quote a provider's words only where it is known, and then never with it in them. */
  readonly apiKey?: string;
}

/**
 * A model, or all models of a provider, of the AI SDK as an adapter. What its provider says beside the text (signatures,
 * encrypted reasoning) goes back to the same model with the next call.
 *
 * A request for another model than the one given fails with `PROVIDER_NOT_CONFIGURED`.
 */
export function fromAiSdk(source: AiSdkModel | AiSdkProvider, options: AiSdkOptions = {}): ProviderAdapter {
  const id = options.id ?? ("doStream" in source ? familyOf(source.provider) : "ai-sdk");
  return {
    id,
    stream: (request, signal) => {
      const { apiKey } = options;
      const { modelId, messages } = request;
      const context = { providerId: id, modelId, messages, apiKey, isQuotable: apiKey !== undefined };
      return streamParts(source, request, context, signal);
    },
  };
}

async function* streamParts(
  source: AiSdkModel | AiSdkProvider,
  request: ProviderRequest,
  context: FailureContext,
  signal: AbortSignal,
): AsyncGenerator<readonly ProviderPart[]> {
  const { providerId, modelId } = context;
  const origin: Origin = { protocol: "ai-sdk", providerId, modelId };
  const connection = new AbortController();
  let started = false;
  let complete = false;
  try {
    const model = modelOf(source, context);
    const call = callOf(request, model, origin, AbortSignal.any([signal, connection.signal]));
    signal.throwIfAborted();
    const { stream } = await model.doStream(call);
    started = true;
    yield [];
    const reader = new AiSdkReader(origin, context, signal);
    const chunks = stream.getReader();
    while (!reader.isDone) {
      const { done, value } = await chunks.read();
      if (done) break;
      const parts: ProviderPart[] = [];
      reader.read(value, parts);
      if (parts.length > 0) yield parts;
    }
    const last: ProviderPart[] = [];
    reader.end(last);
    complete = true;
    yield last;
  } catch (thrown) {
    throw failureOfAiSdk(thrown, signal, started, context).at(context);
  } finally {
    if (!complete) connection.abort();
  }
}

function modelOf(source: AiSdkModel | AiSdkProvider, { providerId, modelId }: FailureContext): AiSdkModel {
  if (!("doStream" in source)) return source.languageModel(modelId);
  if (source.modelId === modelId) return source;
  throw new BenchtopError("PROVIDER_NOT_CONFIGURED", `${providerId} is the model ${source.modelId} alone.`, {
    providerId,
    modelId,
  });
}
