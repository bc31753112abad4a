import type { Contract } from "@benchtop/protocol";

/** The contract with every ceiling present: what is enforced, and what `RunStarted` shows. */
export type Ceilings = { readonly [Limit in keyof Contract]-?: number };

/** The ceilings of every run that names none. They stop a runaway, not honest work. */
export const defaultCeilings: Ceilings = {
  maxSteps: 50,
  maxTotalTokens: 2_000_000,
  maxCostMicros: 5_000_000,
  maxDurationMs: 60 * 60 * 1000,
};

export function ceilingsOf(contract: Contract): Ceilings {
  return {
    maxSteps: contract.maxSteps ?? defaultCeilings.maxSteps,
    maxTotalTokens: contract.maxTotalTokens ?? defaultCeilings.maxTotalTokens,
    maxCostMicros: contract.maxCostMicros ?? defaultCeilings.maxCostMicros,
    maxDurationMs: contract.maxDurationMs ?? defaultCeilings.maxDurationMs,
  };
}
