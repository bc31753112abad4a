import { BenchtopError } from "@benchtop/protocol";
import type { ProviderId } from "../provider/provider.ts";

/** A model of a provider, written `provider/model`; the model's own name may hold further slashes. */
export interface ModelRef {
  readonly providerId: ProviderId;
  readonly modelId: string;
}

/** Which models may serve a run, best first, and what is asked of each. */
export interface ModelPlan {
  readonly candidates: readonly [ModelRef, ...ModelRef[]];
  readonly constraints?: ModelConstraints;
}

/** A candidate that is known not to satisfy one of these is passed over. Prices in US dollars per million tokens. */
export interface ModelConstraints {
  readonly minContextTokens?: number;
  readonly maxInputPerMillion?: number;
  readonly maxOutputPerMillion?: number;
  /** Only models of this machine. */
  readonly local?: boolean;
  /** Only models that answer in JSON of a schema. */
  readonly output?: boolean;
}

/** What is known of a model. */
export interface ModelInfo {
  /** Unknown prices mean that costs are neither counted nor limited. */
  readonly prices?: Prices;
  /** Tokens that a prompt and its answer may have together. */
  readonly contextTokens?: number;
  /** Tokens of one answer, at most: no more are asked for, whatever a run would allow. */
  readonly maxOutputTokens?: number;
  readonly local?: boolean;
  /** `false` excludes the model from requests that need it; absent means unknown. */
  readonly capabilities?: { readonly tools?: boolean; readonly output?: boolean; readonly attachments?: boolean };
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
