import { expect, test } from "vitest";
import { percentile, signTest, wilsonInterval } from "./statistics.ts";

test("H6 the Wilson interval agrees with published values and never leaves 0 to 1", () => {
  expect(wilsonInterval(0, 0)).toBeNull();
  const half = wilsonInterval(5, 10);
  expect(half?.low).toBeCloseTo(0.2366, 4);
  expect(half?.high).toBeCloseTo(0.7634, 4);
  expect(wilsonInterval(0, 10)).toEqual({ low: 0, high: expect.closeTo(0.2775, 4) as number });
  expect(wilsonInterval(10, 10)).toEqual({ low: expect.closeTo(0.7225, 4) as number, high: 1 });
});

test("H6 the sign test is exact, two-sided and stable for thousands of cases", () => {
  expect(signTest(0, 0)).toBe(1);
  expect(signTest(5, 5)).toBe(1);
  expect(signTest(0, 5)).toBeCloseTo(0.0625, 10);
  expect(signTest(1, 9)).toBeCloseTo(0.021484375, 10);
  expect(signTest(9, 1)).toBe(signTest(1, 9));
  expect(signTest(2000, 2000)).toBe(1);
  expect(signTest(1900, 2100)).toBeCloseTo(0.00165, 4);
});

test("H6 a percentile is one of the values", () => {
  expect(percentile([], 0.5)).toBeNull();
  expect(percentile([1, 2, 3, 4], 0.5)).toBe(2);
  expect(percentile([1, 2, 3, 4], 0.95)).toBe(4);
  expect(percentile([7], 0.5)).toBe(7);
});
