import { BenchtopError, type ErrorCode } from "@benchtop/protocol";
import { describe, expect, test } from "vitest";
import { CircuitBreaker } from "./circuit-breaker.ts";

const down = new BenchtopError("PROVIDER_UNAVAILABLE", "It broke.");

function breakerAt(start: number) {
  let now = start;
  const breaker = new CircuitBreaker({ failures: 3, cooldownMs: 1000, now: () => now });
  const call = (error?: BenchtopError): void => {
    breaker.began("p");
    if (error) breaker.failed("p", error);
    else breaker.succeeded("p");
  };
  return { breaker, call, pass: (milliseconds: number) => (now += milliseconds) };
}

describe("H4 a circuit breaker", () => {
  test("lets calls through until so many failed in a row", () => {
    const { breaker, call } = breakerAt(0);
    call(down);
    call(down);
    call();
    call(down);
    call(down);
    expect(breaker.waitMs("p")).toBeUndefined();
    call(down);
    expect(breaker.waitMs("p")).toBe(1000);
    expect(breaker.waitMs("another")).toBeUndefined();
  });

  test("lets one call try after the cool-down; its success closes it, its failure opens it again", () => {
    const { breaker, call, pass } = breakerAt(0);
    for (let failures = 0; failures < 3; failures += 1) call(down);
    pass(400);
    expect(breaker.waitMs("p")).toBe(600);
    pass(600);
    expect(breaker.waitMs("p")).toBeUndefined();
    breaker.began("p");
    expect(breaker.waitMs("p")).toBe(1000);
    breaker.failed("p", down);
    expect(breaker.waitMs("p")).toBe(1000);
    pass(1000);
    call();
    expect(breaker.waitMs("p")).toBeUndefined();
  });

  test("lets another call try when the one that tried was canceled", () => {
    const { breaker, call, pass } = breakerAt(0);
    for (let failures = 0; failures < 3; failures += 1) call(down);
    pass(1000);
    call(new BenchtopError("USER_CANCELED", "Canceled."));
    expect(breaker.waitMs("p")).toBeUndefined();
  });

  test.for<ErrorCode>(["VALIDATION_FAILED", "PROVIDER_AUTH_FAILED", "BUDGET_CAP_REACHED", "PROVIDER_RATE_LIMITED"])(
    "does not count %s against a provider",
    (code) => {
      const { breaker, call } = breakerAt(0);
      for (let failures = 0; failures < 10; failures += 1) call(new BenchtopError(code, "x"));
      expect(breaker.waitMs("p")).toBeUndefined();
    },
  );
});
