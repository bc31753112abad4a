import type { EventInput } from "@benchtop/protocol";
import type { CircuitBreaker } from "../reliability/circuit-breaker.ts";
import type { ProviderAdapter } from "../provider/provider.ts";
import type { ModelConstraints, ModelInfo } from "./model.ts";

/** A model that may serve a run, with the adapter that reaches it. */
export interface Candidate extends ModelInfo {
  readonly provider: ProviderAdapter;
  /** The model's name as its provider knows it. */
  readonly modelId: string;
  /** Why it must not be asked, where that is so: nobody agreed to show it what would be sent. Given as the reason for passing it over. */
  readonly barred?: string | undefined;
}

/** What a request needs of whoever serves it. */
export interface Needs {
  readonly tools: boolean;
  readonly output: boolean;
  readonly attachments: boolean;
  /** Tokens of the prompt, and room for an answer. */
  readonly tokens: number;
}

export type Skipped = EventInput<"CandidatesSkipped">["skipped"][number];

/** Divides a plan into who can serve a request, best first, and who cannot, with the reason. What is not known of a model does not exclude it. */
export function negotiate(
  candidates: readonly Candidate[],
  needs: Needs,
  constraints: ModelConstraints = {},
  breaker?: CircuitBreaker,
): { readonly fit: readonly Candidate[]; readonly skipped: readonly Skipped[] } {
  const fit: Candidate[] = [];
  const skipped: Skipped[] = [];
  for (const candidate of candidates) {
    const reason = unfit(candidate, needs, constraints) ?? resting(candidate, breaker);
    if (reason === undefined) fit.push(candidate);
    else skipped.push({ providerId: candidate.provider.id, modelId: candidate.modelId, reason });
  }
  return { fit, skipped };
}

function unfit(candidate: Candidate, needs: Needs, constraints: ModelConstraints): string | undefined {
  const { contextTokens, prices, local, barred, capabilities = {} } = candidate;
  if (barred !== undefined) return barred;
  if (needs.tools && capabilities.tools === false) return "it cannot call tools";
  if ((needs.output || constraints.output === true) && capabilities.output === false) return "it cannot answer in JSON";
  if (needs.attachments && capabilities.attachments === false) return "it cannot read images or files";
  if (contextTokens !== undefined && contextTokens < needs.tokens) {
    return `its context of ${contextTokens} tokens is too short for ${needs.tokens}`;
  }
  if (contextTokens !== undefined && contextTokens < (constraints.minContextTokens ?? 0)) {
    return `its context of ${contextTokens} tokens is shorter than the ${constraints.minContextTokens} asked for`;
  }
  if (constraints.local === true && local !== true) return "it is not on this machine";
  if (prices && prices.inputPerMillion > (constraints.maxInputPerMillion ?? Infinity))
    return "its input costs too much";
  if (prices && prices.outputPerMillion > (constraints.maxOutputPerMillion ?? Infinity)) {
    return "its output costs too much";
  }
  return undefined;
}

function resting({ provider }: Candidate, breaker: CircuitBreaker | undefined): string | undefined {
  const waitMs = breaker?.waitMs(provider.id);
  return waitMs === undefined ? undefined : `it failed too often and is left alone for ${Math.ceil(waitMs / 1000)} s`;
}
