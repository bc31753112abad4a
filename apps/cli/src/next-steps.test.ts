import { BenchtopError, errorCodes } from "@benchtop/protocol";
import { expect, test } from "vitest";
import { exitCodeOf } from "./failure.ts";
import { nextSteps } from "./next-steps.ts";

test.each(
  errorCodes.filter(
    (code) => !["VALIDATION_FAILED", "NOT_FOUND", "IDEMPOTENCY_CONFLICT", "USER_CANCELED"].includes(code),
  ),
)("%s says what to type next", (code) => {
  const error = new BenchtopError(code, "x", { detailRef: "rpt_1", runId: "run_1" });
  const steps = nextSteps(error, { workbench: "budget", provider: "openai" });
  expect(steps.length).toBeGreaterThan(0);
  expect(steps.join("\n")).not.toContain("undefined");
});

test("the next step names what the command was about", () => {
  const steps = nextSteps(new BenchtopError("DRAFT_EXISTS", "x"), { workbench: "my budget" });
  expect(steps[0]).toContain("benchtop draft diff 'my budget'");
});

test("the wait that a provider asked for is in the next step", () => {
  const error = new BenchtopError("PROVIDER_RATE_LIMITED", "x", { detail: { retry_after_ms: 2500 } });
  expect(nextSteps(error, {})[0]).toBe("try again in 3 s");
});

test.each([
  ["VALIDATION_FAILED", 2],
  ["PROVIDER_UNAVAILABLE", 3],
  ["SANDBOX_VIOLATION", 4],
  ["AUTH_REQUIRED", 5],
  ["EGRESS_CONSENT_REQUIRED", 6],
  ["RUN_REPLAYED", 1],
  ["USER_CANCELED", 130],
] as const)("%s exits with %d", (code, exit) => expect(exitCodeOf(new BenchtopError(code, "x"))).toBe(exit));
