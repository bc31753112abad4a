import { expect, test } from "vitest";
import { learningRateAt } from "./schedule.ts";

test("the learning rate goes up over the warm-up, and down along a cosine to a tenth", () => {
  const rates = Array.from({ length: 20 }, (_, at) =>
    learningRateAt(at + 1, { learningRate: 1, schedule: "cosine" }, { steps: 20, warmupSteps: 4 }),
  );
  expect(rates.slice(0, 5)).toEqual([0.2, 0.4, 0.6, 0.8, 1]);
  expect(rates[12]).toBeCloseTo(0.51, 1);
  expect(rates[19]).toBeCloseTo(0.1, 6);
  expect(learningRateAt(20, { learningRate: 1, schedule: "constant" }, { steps: 20, warmupSteps: 4 })).toBe(1);
  expect(learningRateAt(1, { learningRate: 1, schedule: "cosine" }, { steps: 1, warmupSteps: 0 })).toBe(1);
});
