import { BenchtopError, type EventInput } from "@benchtop/protocol";
import type { Candidate } from "../model/candidates.ts";
import type { Prices } from "../model/model.ts";
import type { RunScope } from "./scope.ts";

type Limit = EventInput<"BudgetExceeded">["limit"];

/** A ceiling, and how far it would be passed. */
interface Exceeded {
  readonly limit: Limit;
  readonly allowed: number;
  readonly actual: number;
}

/**
 * The ceilings of a run, asked before each provider call and after it. What is recorded had room: a run that is driven again
 * is not refused what it has done.
 */
export class Budget {
  readonly #run: RunScope;

  /** Throws `VALIDATION_FAILED` when a cost ceiling was asked for that nobody could keep. */
  constructor(run: RunScope, candidates: readonly Candidate[]) {
    if (
      run.init.contract.maxCostMicros !== undefined &&
      candidates.some(({ prices, barred }) => !prices && barred === undefined)
    ) {
      throw new BenchtopError(
        "VALIDATION_FAILED",
        "The prices of this model are not known, so its cost cannot be limited. Set its prices, or leave maxCostMicros out.",
        { actions: ["open_settings"], detail: { limit: "maxCostMicros" } },
      );
    }
    this.#run = run;
  }

  /**
   * Asks for one more step with a prompt of this size, and gives the output tokens that it may use at most. Throws
   * `BUDGET_CAP_REACHED`, journaled as `BudgetExceeded`, when there is no room for it.
   */
  async reserve(promptTokens: number, prices: Prices | undefined): Promise<number> {
    const { ceilings, totals } = this.#run;
    const { maxSteps } = ceilings;
    if (!this.allowsStep) await this.#exceeded({ limit: "maxSteps", allowed: maxSteps, actual: totals.steps + 1 });
    return await this.tokensLeft(promptTokens, prices);
  }

  /** The same for a call that is no step of its own: a further attempt, a summary. */
  async tokensLeft(promptTokens: number, prices: Prices | undefined): Promise<number> {
    const room = this.#room(promptTokens, prices);
    if (typeof room === "number") return room;
    await this.#exceeded(room);
    return 1;
  }

  /** The same for a question that the run goes on without: nothing is journaled when there is no room. Throws `BUDGET_CAP_REACHED`. */
  spare(promptTokens: number, prices: Prices | undefined): number {
    const room = this.#room(promptTokens, prices);
    if (typeof room === "number") return room;
    throw capReached(room);
  }

  /** Whether one more step is within the ceiling of steps. */
  get allowsStep(): boolean {
    return this.#run.totals.steps < this.#run.ceilings.maxSteps;
  }

  /** Throws `BUDGET_CAP_REACHED`, journaled as `BudgetExceeded`, when what was used is more than was allowed. */
  async check(): Promise<void> {
    const { maxTotalTokens, maxCostMicros } = this.#run.ceilings;
    const { totalTokens, costMicros } = this.#run.totals;
    if (totalTokens > maxTotalTokens) {
      await this.#exceeded({ limit: "maxTotalTokens", allowed: maxTotalTokens, actual: totalTokens });
    }
    if (costMicros > maxCostMicros) {
      await this.#exceeded({ limit: "maxCostMicros", allowed: maxCostMicros, actual: costMicros });
    }
  }

  /** Output tokens that a call with this prompt may use; infinite when nothing limits them. */
  #room(promptTokens: number, prices: Prices | undefined): number | Exceeded {
    const { ceilings, totals } = this.#run;
    const tokens = totals.totalTokens + promptTokens;
    const tokensLeft = ceilings.maxTotalTokens - tokens;
    if (tokensLeft <= 0) return { limit: "maxTotalTokens", allowed: ceilings.maxTotalTokens, actual: tokens };
    if (!prices) return tokensLeft;
    const { inputPerMillion, outputPerMillion } = prices;
    const cost = Math.ceil(totals.costMicros + promptTokens * inputPerMillion);
    const costLeft = ceilings.maxCostMicros - cost;
    if (outputPerMillion === 0 && costLeft >= 0) return tokensLeft;
    const affordable = Math.floor(costLeft / outputPerMillion);
    if (affordable > 0) return Math.min(tokensLeft, affordable);
    return { limit: "maxCostMicros", allowed: ceilings.maxCostMicros, actual: Math.max(cost, totals.costMicros) };
  }

  async #exceeded(exceeded: Exceeded): Promise<void> {
    const { past } = this.#run;
    if (past && past.next !== "BudgetExceeded") return;
    await this.#run.emit({ type: "BudgetExceeded", ...exceeded });
    throw capReached(exceeded);
  }
}

function capReached({ limit, allowed, actual }: Exceeded): BenchtopError {
  return new BenchtopError("BUDGET_CAP_REACHED", `The run reached its limit of ${describe[limit](allowed)}.`, {
    detail: { limit, allowed, actual },
  });
}

const describe: Record<Limit, (allowed: number) => string> = {
  maxSteps: (steps) => `${steps} steps`,
  maxTotalTokens: (tokens) => `${tokens} tokens`,
  maxCostMicros: (micros) => `$${(micros / 1_000_000).toFixed(micros < 10_000 ? 6 : 2)}`,
  maxDurationMs: (milliseconds) => `${milliseconds / 1000} seconds`,
};
