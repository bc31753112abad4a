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

test("a model of this machine is looked for on this machine, not among the providers", () => {
  const missing = new BenchtopError("PROVIDER_NOT_CONFIGURED", "x", { providerId: "benchtop", modelId: "tiny" });
  expect(nextSteps(missing, {}).join("\n")).toContain("benchtop models installed");
  const full = new BenchtopError("PROVIDER_UNAVAILABLE", "x", { providerId: "benchtop", modelId: "tiny" });
  expect(nextSteps(full, { model: "benchtop/tiny" })[1]).toContain("benchtop models show tiny");
  expect(nextSteps(new BenchtopError("NOT_FOUND", "x"), { localModel: "tiny" })).toHaveLength(2);
});

test("a download that broke off goes on from where it stopped, and one that was refused does not", () => {
  const broken = nextSteps(new BenchtopError("NETWORK_UNAVAILABLE", "x"), { download: "dl_1" });
  expect(broken).toEqual(["try again with what has come so far: `benchtop models resume dl_1`"]);
  const refused = nextSteps(new BenchtopError("PROVIDER_AUTH_FAILED", "x"), { source: "hf:a/b" });
  expect(refused.join("\n")).toContain("--hugging-face-token-env");
  const noFile = nextSteps(new BenchtopError("NOT_FOUND", "x"), { source: "hf:a/b:Q9" });
  expect(noFile).toEqual(["see what it has: `benchtop models choices hf:a/b`"]);
  expect(nextSteps(new BenchtopError("NOT_FOUND", "x"), { source: "./tiny.gguf" })).toEqual([]);
  const unreachable = new BenchtopError("NETWORK_UNAVAILABLE", "x", { subphase: "daemon_unreachable" });
  expect(nextSteps(unreachable, { download: "dl_1" }).join("\n")).toContain("benchtop status");
});

test("a training that was stopped goes on from its checkpoint", () => {
  const steps = nextSteps(new BenchtopError("USER_CANCELED", "x", { runId: "run_1" }), { training: "run_1" });
  expect(steps).toEqual([expect.stringContaining("`benchtop models resume-training run_1`")]);
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
