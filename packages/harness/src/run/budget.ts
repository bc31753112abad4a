import { BenchtopError, type EventInput } from "@benchtop/protocol";
import type { Candidate } from "../model/candidates.ts";
import type { Prices } from "../model/model.ts";
import type { RunScope } from "./scope.ts";

type Limit = EventInput<"BudgetExceeded">["limit"];

/** The ceilings of a run, asked before each provider call and after it. */
export class Budget {
  readonly #run: RunScope;

  /** Throws `VALIDATION_FAILED` when a cost ceiling was asked for that nobody could keep. */
  constructor(run: RunScope, candidates: readonly Candidate[]) {
    if (run.init.contract.maxCostMicros !== undefined && candidates.some(({ prices }) => !prices)) {
      throw new BenchtopError(
        "VALIDATION_FAILED",
        "The prices of this model are not known, so its cost cannot be limited. Set its prices, or leave maxCostMicros out.",
        { actions: ["open_settings"], detail: { limit: "maxCostMicros" } },
      );
    }
    this.#run = run;
  }

  /**
   * Asks for one more provider call with a prompt of this size, and gives the output tokens that it may use at most.
   * Throws `BUDGET_CAP_REACHED`, journaled as `BudgetExceeded`, when there is no room for it.
   */
  async reserve(step: number, promptTokens: number, prices: Prices | undefined): Promise<number> {
    const { ceilings } = this.#run;
    if (step > ceilings.maxSteps) await this.#exceeded("maxSteps", ceilings.maxSteps, step);
    return await this.tokensLeft(promptTokens, prices);
  }

  /** The same for a call that is no step of its own: a further attempt, a summary. */
  async tokensLeft(promptTokens: number, prices: Prices | undefined): Promise<number> {
    const { ceilings, totals } = this.#run;
    const tokens = totals.totalTokens + promptTokens;
    const tokensLeft = ceilings.maxTotalTokens - tokens;
    if (tokensLeft <= 0) await this.#exceeded("maxTotalTokens", ceilings.maxTotalTokens, tokens);
    return Math.min(tokensLeft, await this.#affordable(promptTokens, prices));
  }

  /** Whether one more step is within the ceiling of steps. */
  allowsStep(step: number): boolean {
    return step <= this.#run.ceilings.maxSteps;
  }

  /** Throws `BUDGET_CAP_REACHED`, journaled as `BudgetExceeded`, when what was used is more than was allowed. */
  async check(): Promise<void> {
    const { ceilings, totals } = this.#run;
    if (totals.totalTokens > ceilings.maxTotalTokens) {
      await this.#exceeded("maxTotalTokens", ceilings.maxTotalTokens, totals.totalTokens);
    }
    if (totals.costMicros > ceilings.maxCostMicros) {
      await this.#exceeded("maxCostMicros", ceilings.maxCostMicros, totals.costMicros);
    }
  }

  async #affordable(promptTokens: number, prices: Prices | undefined): Promise<number> {
    if (!prices) return Number.POSITIVE_INFINITY;
    const { inputPerMillion, outputPerMillion } = prices;
    const { ceilings, totals } = this.#run;
    const cost = Math.ceil(totals.costMicros + promptTokens * inputPerMillion);
    const costLeft = ceilings.maxCostMicros - cost;
    if (outputPerMillion === 0 && costLeft >= 0) return Number.POSITIVE_INFINITY;
    const tokens = Math.floor(costLeft / outputPerMillion);
    if (tokens <= 0) await this.#exceeded("maxCostMicros", ceilings.maxCostMicros, Math.max(cost, totals.costMicros));
    return tokens;
  }

  async #exceeded(limit: Limit, allowed: number, actual: number): Promise<never> {
    await this.#run.emit({ type: "BudgetExceeded", limit, allowed, actual });
    throw new BenchtopError("BUDGET_CAP_REACHED", `The run reached its limit of ${describe[limit](allowed)}.`, {
      detail: { limit, allowed, actual },
    });
  }
}

const describe: Record<Limit, (allowed: number) => string> = {
  maxSteps: (steps) => `${steps} steps`,
  maxTotalTokens: (tokens) => `${tokens} tokens`,
  maxCostMicros: (micros) => `$${(micros / 1_000_000).toFixed(micros < 10_000 ? 6 : 2)}`,
  maxDurationMs: (milliseconds) => `${milliseconds / 1000} seconds`,
};
