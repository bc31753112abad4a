import { BenchtopError } from "@benchtop/protocol";
import type { ProviderId } from "../provider/provider.ts";

/** A model of a provider, written `provider/model`; the model's own name may hold further slashes. */
export interface ModelRef {
  readonly providerId: ProviderId;
  readonly modelId: string;
}

/** Which models may serve a run, best first. */
export interface ModelPlan {
  readonly candidates: readonly [ModelRef, ...ModelRef[]];
}

/** US dollars per million tokens. */
export interface Prices {
  readonly inputPerMillion: number;
  readonly outputPerMillion: number;
  readonly cachedInputPerMillion?: number | undefined;
  /** What writing to the provider's prompt cache costs; as input when absent. */
  readonly cacheWritePerMillion?: number | undefined;
}

/** Throws `VALIDATION_FAILED` when the text is not `provider/model`. */
export function parseModelRef(text: string): ModelRef {
  const slash = text.indexOf("/");
  if (slash < 1 || slash === text.length - 1) {
    throw new BenchtopError("VALIDATION_FAILED", `A model is written provider/model, for example openai/gpt-5.2.`);
  }
  return { providerId: text.slice(0, slash), modelId: text.slice(slash + 1) };
}

export function formatModelRef(ref: ModelRef): string {
  return `${ref.providerId}/${ref.modelId}`;
}
