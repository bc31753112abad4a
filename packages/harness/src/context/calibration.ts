import type { Usage } from "@benchtop/protocol";
import type { ContextTarget } from "./policy.ts";

/**
 * What providers report against what was counted, as one moving ratio a model. It lives as long as its run and is made of
 * nothing but the usage in the run's journal, so that a replay comes to the same numbers.
 */
export class Calibration {
  readonly #ratios = new Map<string, number>();

  /** Tokens that the model's provider counts for each one counted here. An estimate has its ratio, a tokenizer another. */
  ratioOf(target: ContextTarget, isExact = false): number {
    return this.#ratios.get(nameOf(target, isExact)) ?? bounded(startOf(target, isExact) ?? 1);
  }

  /** Learns from one call. `counted` are the tokens of its whole prompt before any ratio. */
  observe(target: ContextTarget, counted: number, usage: Usage | undefined, isExact = false): void {
    if (!usage || usage.estimated === true || usage.inputTokens === 0 || counted < leastCounted) return;
    const seen = bounded(usage.inputTokens / counted);
    const name = nameOf(target, isExact);
    const before = this.#ratios.get(name) ?? startOf(target, isExact);
    this.#ratios.set(name, before === undefined ? seen : bounded(before) * (1 - weight) + seen * weight);
  }
}

/** Of the newest call in the ratio. */
const weight = 0.3;
/** In shorter prompts, frames that nobody sees outweigh the text. */
const leastCounted = 200;

/** A provider that reports nonsense must neither starve a prompt nor let it grow past its window. */
function bounded(ratio: number): number {
  return Math.min(Math.max(ratio, 0.5), 3);
}

function startOf({ tokenRatio }: ContextTarget, isExact: boolean): number | undefined {
  return isExact ? undefined : tokenRatio;
}

function nameOf({ providerId, modelId }: ContextTarget, isExact: boolean): string {
  return `${isExact ? "exact" : "estimate"} ${providerId}/${modelId}`;
}
