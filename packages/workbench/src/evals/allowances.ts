import type { Ceilings, RunResult } from "@benchtop/harness";
import { BenchtopError, type Contract, type EventInput } from "@benchtop/protocol";

type Limit = Extract<EventInput<"BudgetExceeded">["limit"], "maxTotalTokens" | "maxCostMicros">;

export interface Share {
  readonly tokens: number;
  readonly costMicros: number;
}

/**
 * Divides the budget of an evaluation among the questions that are asked at the same time: each may use an equal share of what
 * nobody has used or been given, and what it did not use goes back. So the whole is never exceeded, however many are going.
 */
export class Allowances {
  readonly #ceilings: Ceilings;
  readonly #parallel: number;
  #usedTokens = 0;
  #usedCost = 0;
  readonly #given = new Set<Share>();

  constructor(ceilings: Ceilings, parallel: number) {
    this.#ceilings = ceilings;
    this.#parallel = parallel;
  }

  /** A contract for one more question. Throws `BUDGET_CAP_REACHED` when nothing is left for it. */
  take(hasPrices: boolean): { readonly contract: Contract; readonly share: Share } {
    const slots = Math.max(1, this.#parallel - this.#given.size);
    const given = [...this.#given];
    const share: Share = {
      tokens: shareOf(this.#ceilings.maxTotalTokens - this.#usedTokens - sum(given, "tokens"), slots),
      costMicros: shareOf(this.#ceilings.maxCostMicros - this.#usedCost - sum(given, "costMicros"), slots),
    };
    if (share.tokens < 1) throw this.exceeded("maxTotalTokens");
    // A ceiling of nothing lets models through that cost nothing.
    if (hasPrices && share.costMicros < 1 && this.#ceilings.maxCostMicros > 0) throw this.exceeded("maxCostMicros");
    this.#given.add(share);
    const contract: Contract = {
      maxTotalTokens: share.tokens,
      maxDurationMs: this.#ceilings.maxDurationMs,
      ...(hasPrices && { maxCostMicros: share.costMicros }),
    };
    return { contract, share };
  }

  /** Takes a share back that nothing was used of. */
  release(share: Share): void {
    this.#given.delete(share);
  }

  /** Counts what a question used. Throws `BUDGET_CAP_REACHED` when its share ended it, because then too little is left. */
  settle(share: Share, { status, totals, finishReason, error }: RunResult): void {
    this.#given.delete(share);
    const tokens = totals.usage.inputTokens + totals.usage.outputTokens;
    const cost = totals.costMicros ?? 0;
    this.#usedTokens += tokens;
    this.#usedCost += cost;
    const nearTokens = tokens >= 0.9 * share.tokens;
    const nearCost = totals.costMicros !== undefined && cost > 0 && cost >= 0.9 * share.costMicros;
    if (status === "budget_exceeded" && error?.info.detail?.["limit"] !== "maxDurationMs") {
      throw this.exceeded(error?.info.detail?.["limit"] === "maxTotalTokens" ? "maxTotalTokens" : "maxCostMicros");
    }
    // The loop lets a model write only as much as its share pays for: such an answer was cut by the budget.
    if (finishReason === "length" && (nearTokens || nearCost)) {
      throw this.exceeded(nearTokens ? "maxTotalTokens" : "maxCostMicros");
    }
  }

  exceeded(limit: Limit): BenchtopError {
    const allowed = this.#ceilings[limit];
    const actual = limit === "maxTotalTokens" ? this.#usedTokens : this.#usedCost;
    const shown =
      limit === "maxTotalTokens"
        ? `${actual} of ${allowed} tokens`
        : `$${(actual / 1_000_000).toFixed(4)} of $${(allowed / 1_000_000).toFixed(4)}`;
    return new BenchtopError(
      "BUDGET_CAP_REACHED",
      `The budget of the suite does not cover the next answer: ${shown} are used.`,
      { detail: { limit, allowed, actual } },
    );
  }
}

function shareOf(left: number, slots: number): number {
  return Math.max(0, Math.floor(left / slots));
}

function sum(shares: readonly Share[], field: keyof Share): number {
  return shares.reduce((total, share) => total + share[field], 0);
}
