import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareDistributions } from "./distribution.ts";

const row = (...logits: number[]): Float32Array => Float32Array.from(logits);

describe("P2.2 two distributions", () => {
  test("of one coin against another, worked out by hand", () => {
    // 3 : 1 against 1 : 1.
    const { sourceSurprise, candidateSurprise, divergence, agree } = compareDistributions(
      row(Math.log(3), 0),
      row(5, 5),
      1,
    );
    expect(sourceSurprise).toBeCloseTo(Math.log(4), 6);
    expect(candidateSurprise).toBeCloseTo(Math.log(2), 6);
    expect(divergence).toBeCloseTo(0.75 * Math.log(1.5) + 0.25 * Math.log(0.5), 6);
    expect(agree).toBe(true);
  });

  test("that are the same have no divergence, whatever is added to all logits, and otherwise a positive one", () => {
    // Eighths, so that what is added changes nothing by rounding.
    const logits = fc.array(
      fc.integer({ min: -640, max: 640 }).map((eighths) => eighths / 8),
      { minLength: 2, maxLength: 40 },
    );
    fc.assert(
      fc.property(logits, fc.integer({ min: 0, max: 1 }), (values, came) => {
        const shifted = compareDistributions(row(...values), row(...values.map((value) => value + 16)), came);
        expect(shifted.divergence).toBeCloseTo(0, 9);
        expect(shifted.agree).toBe(true);
        const turned = compareDistributions(row(...values), row(...values.toReversed()), came);
        expect(turned.divergence).toBeGreaterThan(-1e-9);
      }),
    );
  });

  test("of which one rules a token out stay numbers, and of which one is no distribution do not", () => {
    const never = Number.NEGATIVE_INFINITY;
    expect(compareDistributions(row(0, never), row(0, 0), 0).divergence).toBeCloseTo(Math.log(2), 6);
    expect(compareDistributions(row(0, 0), row(0, never), 0).divergence).toBe(Number.POSITIVE_INFINITY);
    expect(compareDistributions(row(0, Number.NaN), row(0, 0), 0).divergence).toBeNaN();
    expect(compareDistributions(row(0, 0), row(Number.NaN, 0), 0).divergence).toBeNaN();
  });

  test("agree on the most likely token or do not", () => {
    expect(compareDistributions(row(1, 2, 3), row(0, 0, 9), 0).agree).toBe(true);
    expect(compareDistributions(row(1, 2, 3), row(9, 0, 0), 0).agree).toBe(false);
  });
});
