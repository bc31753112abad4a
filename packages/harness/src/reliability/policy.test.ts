import { BenchtopError } from "@benchtop/protocol";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaultReliability, reliabilityOf, retryDelayMs, type RetryPolicy } from "./policy.ts";

const policy: RetryPolicy = { maxAttempts: 6, initialDelayMs: 100, maxDelayMs: 1000, maxRetryAfterMs: 5000 };
const down = new BenchtopError("PROVIDER_UNAVAILABLE", "It broke.");
const limited = (retryAfterMs: number): BenchtopError =>
  new BenchtopError("PROVIDER_RATE_LIMITED", "Too many.", { detail: { retry_after_ms: retryAfterMs } });

describe("H4 the wait before another attempt", () => {
  test("lies between nothing and a ceiling that doubles up to the longest", () => {
    const longest = [1, 2, 3, 4, 5].map((attempt) => retryDelayMs(policy, attempt, down, () => 1));
    expect(longest).toEqual([100, 200, 400, 800, 1000]);
    expect(retryDelayMs(policy, 5, down, () => 0)).toBe(0);
  });

  test("is never shorter than the provider asked for, and never longer than that and the ceiling", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 0, max: 5000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (attempt, asked, random) => {
          const delay = retryDelayMs(policy, attempt, limited(asked), () => random) ?? -1;
          expect(delay).toBeGreaterThanOrEqual(asked);
          expect(delay).toBeLessThanOrEqual(asked + Math.min(1000, 100 * 2 ** (attempt - 1)));
        },
      ),
    );
  });

  test.for<[string, number, BenchtopError]>([
    ["the failure would be the same again", 1, new BenchtopError("PROVIDER_AUTH_FAILED", "No.")],
    ["all attempts were made", 6, down],
    ["the provider asks for a longer wait than is waited for", 1, limited(5001)],
  ])("is none when %s", ([, attempt, error]) => {
    expect(retryDelayMs(policy, attempt, error)).toBeUndefined();
  });
});

test("H4 a policy says what differs from the default, and the rest stays", () => {
  expect(reliabilityOf({ retry: { maxAttempts: 1 }, timeouts: { toolMs: 5 } })).toEqual({
    retry: { ...defaultReliability.retry, maxAttempts: 1 },
    timeouts: { ...defaultReliability.timeouts, toolMs: 5 },
  });
});
