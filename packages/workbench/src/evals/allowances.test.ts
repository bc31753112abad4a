import { ceilingsOf, type RunResult } from "@benchtop/harness";
import { BenchtopError } from "@benchtop/protocol";
import { expect, test } from "vitest";
import { Allowances } from "./allowances.ts";

function used(tokens: number, costMicros: number, rest: Partial<RunResult> = {}): RunResult {
  const totals = {
    steps: 1,
    toolCalls: 0,
    usage: { inputTokens: tokens, outputTokens: 0 },
    costMicros,
    queuedMs: 0,
    durationMs: 1,
  };
  return { runId: "run_a", status: "success", output: "", totals, recorded: true, ...rest };
}

const ceilings = ceilingsOf({ maxTotalTokens: 1000, maxCostMicros: 400 });

test("H6 what is asked at once shares what is left, so that together it is never more than the whole", () => {
  const allowances = new Allowances(ceilings, 4);
  const shares = Array.from({ length: 4 }, () => allowances.take(true));
  expect(shares.map(({ contract }) => contract.maxTotalTokens)).toEqual([250, 250, 250, 250]);
  expect(shares.map(({ contract }) => contract.maxCostMicros)).toEqual([100, 100, 100, 100]);
});

test("H6 what a question did not use goes back", () => {
  const allowances = new Allowances(ceilings, 2);
  const { share } = allowances.take(true);
  allowances.settle(share, used(100, 40));
  expect(allowances.take(true).contract).toMatchObject({ maxTotalTokens: 450, maxCostMicros: 180 });
  const other = allowances.take(true);
  allowances.release(other.share);
  expect(allowances.take(true).contract).toMatchObject({ maxTotalTokens: 450 });
});

test("H6 a question is refused when nothing is left, and free models only when tokens are", () => {
  const allowances = new Allowances(ceilings, 1);
  const { share } = allowances.take(true);
  allowances.settle(share, used(200, 400));
  expect(() => allowances.take(true)).toThrow(
    "The budget of the suite does not cover the next answer: $0.0004 of $0.0004 are used.",
  );
  expect(allowances.take(false).contract).not.toHaveProperty("maxCostMicros");
});

test("H6 an answer that its share cut short ends the evaluation instead of counting against the model", () => {
  const cut = new Allowances(ceilings, 1);
  expect(() => cut.settle(cut.take(true).share, used(950, 10, { finishReason: "length" }))).toThrow(BenchtopError);
  const asWanted = new Allowances(ceilings, 1);
  expect(() => asWanted.settle(asWanted.take(true).share, used(100, 10, { finishReason: "length" }))).not.toThrow();
  const refused = new Allowances(ceilings, 1);
  const error = new BenchtopError("BUDGET_CAP_REACHED", "Too much.", { detail: { limit: "maxCostMicros" } });
  const { share } = refused.take(true);
  expect(() => refused.settle(share, used(10, 390, { status: "budget_exceeded", error }))).toThrow("$0.0004");
});
