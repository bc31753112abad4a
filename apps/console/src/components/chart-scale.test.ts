import { describe, expect, test } from "vitest";
import { formatValue, logTicksOf, pointAt, thinned, ticksOf, type Point } from "./chart-scale.ts";

describe("the numbers of a chart", () => {
  test("an axis has round numbers within its ends", () => {
    expect(ticksOf(0, 10, 4)).toEqual([0, 5, 10]);
    expect(ticksOf(1.87, 6.9, 4)).toEqual([2, 4, 6]);
    expect(ticksOf(0.0001, 0.002, 4)).toEqual([0.0005, 0.001, 0.0015, 0.002]);
    expect(ticksOf(3, 3, 4)).toEqual([3]);
    expect(ticksOf(2.1e-50, 2.9e-50, 4)).toEqual([2.2e-50, 2.4e-50, 2.6e-50, 2.8e-50]);
  });

  test("an axis of powers of ten marks them, and more where there are few", () => {
    expect(logTicksOf(0.003, 6)).toEqual([0.01, 0.1, 1]);
    expect(logTicksOf(0.4, 6)).toEqual([0.5, 1, 2, 5]);
  });

  test("values keep three digits that count", () => {
    expect([0, 2.314, 0.00042, 12_412.6, 0.0000312, 105.25, 1.541e60].map(formatValue)).toEqual([
      "0",
      "2.31",
      "0.00042",
      "12,413",
      "3.1e-5",
      "105",
      "1.54e+60",
    ]);
  });

  test("a long curve is thinned, and its peaks stay", () => {
    const points: Point[] = Array.from({ length: 5000 }, (_, x) => ({ x, y: x === 1234 ? 99 : Math.sin(x / 50) }));
    const kept = thinned(points, 400);
    expect(kept.length).toBeLessThanOrEqual(402);
    expect(kept).toContainEqual({ x: 1234, y: 99 });
    expect(kept.at(-1)).toEqual(points.at(-1));
    expect(kept.map(({ x }) => x)).toEqual(kept.map(({ x }) => x).toSorted((a, b) => a - b));
  });

  test("what is read at a place is the last that was measured up to it", () => {
    const points: Point[] = [
      { x: 10, y: 3 },
      { x: 20, y: 2 },
    ];
    expect(pointAt(points, 9)).toBeUndefined();
    expect(pointAt(points, 19)).toEqual({ x: 10, y: 3 });
    expect(pointAt(points, 500)).toEqual({ x: 20, y: 2 });
  });
});
