import { BenchtopError, type ErrorCode, type EventOf, type RunEvent } from "@benchtop/protocol";
import { describe, expect, test } from "vitest";
import { calls, ends, says, scriptedProvider, used, type Act } from "../../test/scripted-provider.ts";
import { eventOf, finished, startProgram } from "../../test/started-runs.ts";
import { agentLoop, type LoopConfig } from "../run/agent-loop.ts";
import type { Tool } from "../tools/tool.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";

const failing = (code: ErrorCode, detail?: Record<string, number>): Act => ({
  type: "throw",
  error: new BenchtopError(code, "It broke.", detail ? { detail } : {}),
});
const down = failing("PROVIDER_UNAVAILABLE");
const answer = [says("Hello."), used(3, 2), ends()];
const named = (id: string, ...scripts: (readonly Act[])[]) => ({ ...scriptedProvider(...scripts), id });

function start(config: Partial<LoopConfig> & Pick<LoopConfig, "candidates">) {
  return startProgram(agentLoop({ input: "go", reliability: { retry: { initialDelayMs: 0 } }, ...config }));
}

function all<Type extends RunEvent["type"]>(events: readonly RunEvent[], type: Type): EventOf<Type>[] {
  return events.filter((event) => event.type === type) as EventOf<Type>[];
}

describe("H4 a provider call that failed", () => {
  test("is made again, and what it had said before it failed is in the journal", async () => {
    const provider = scriptedProvider([says("Hel"), down], [down], answer);
    const { events, result } = await finished(await start({ candidates: [{ provider, modelId: "m" }] }));
    expect(result).toMatchObject({ status: "success", output: "Hello.", totals: { steps: 1 } });
    expect(all(events, "ProviderCallStarted").map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    const [first] = all(events, "ProviderCallFinished");
    expect(first).toMatchObject({ outcome: "error", message: { content: "Hel" }, error: { provider_id: "scripted" } });
    expect(all(events, "RetryScheduled")).toMatchObject([
      { callId: first?.callId, attempt: 2, reason: "retry", providerId: "scripted", modelId: "m" },
      { attempt: 3, reason: "retry" },
    ]);
    expect(provider.requests[2]).toEqual(provider.requests[0]);
  });

  test("counts what it had used", async () => {
    const provider = scriptedProvider([says("Hel"), used(10, 1), down], answer);
    const { result } = await finished(await start({ candidates: [{ provider, modelId: "m" }] }));
    expect(result.totals.usage).toMatchObject({ inputTokens: 13, outputTokens: 3 });
  });

  test("is not made again once all attempts were made; the run ends with the last failure", async () => {
    const provider = scriptedProvider([down]);
    const reliability = { retry: { maxAttempts: 3, initialDelayMs: 0 } };
    const { events, result } = await finished(await start({ candidates: [{ provider, modelId: "m" }], reliability }));
    expect(provider.requests).toHaveLength(3);
    expect(all(events, "RetryScheduled")).toHaveLength(2);
    expect(result.error?.code).toBe("PROVIDER_UNAVAILABLE");
  });

  test.for<ErrorCode>(["PROVIDER_AUTH_FAILED", "VALIDATION_FAILED", "CONTEXT_EXHAUSTED", "EGRESS_BLOCKED_BY_POLICY"])(
    "with %s is not made again",
    async (code) => {
      const provider = scriptedProvider([failing(code)], answer);
      const { events, result } = await finished(await start({ candidates: [{ provider, modelId: "m" }] }));
      expect(provider.requests).toHaveLength(1);
      expect(all(events, "RetryScheduled")).toEqual([]);
      expect(result.error?.code).toBe(code);
    },
  );

  test("waits at least as long as the provider asked for", async () => {
    const provider = scriptedProvider([failing("PROVIDER_RATE_LIMITED", { retry_after_ms: 30 })], answer);
    const { events } = await finished(await start({ candidates: [{ provider, modelId: "m" }] }));
    expect(eventOf(events, "RetryScheduled").delayMs).toBeGreaterThanOrEqual(30);
  });

  test("does not repeat a tool call that has finished", async () => {
    let executed = 0;
    const count: Tool = {
      name: "count",
      description: "Counts.",
      inputSchema: { type: "object" },
      effects: "external",
      idempotent: false,
      execute: async () => ({ content: String((executed += 1)) }),
    };
    const provider = scriptedProvider([calls("count", {}), ends()], [says("x"), down], [down], answer);
    const { result } = await finished(await start({ candidates: [{ provider, modelId: "m" }], tools: [count] }));
    expect(result.status).toBe("success");
    expect(executed).toBe(1);
  });

  test("is not made again when a person cancels the run while it waits", async () => {
    const provider = scriptedProvider([failing("PROVIDER_RATE_LIMITED", { retry_after_ms: 50_000 })], answer);
    const handle = await start({ candidates: [{ provider, modelId: "m" }] });
    for await (const event of handle) if (event.type === "RetryScheduled") handle.control.abort();
    const { result } = await finished(handle);
    expect(result.error?.code).toBe("USER_CANCELED");
    expect(provider.requests).toHaveLength(1);
  });
});

describe("H4 the next model of a plan", () => {
  test("is asked when the first one keeps failing, and is asked first from then on", async () => {
    const first = named("first", [says("Hel"), down]);
    const second = named("second", [calls("none", {}), ends()], answer);
    const { events, result } = await finished(
      await start({
        candidates: [
          { provider: first, modelId: "a" },
          { provider: second, modelId: "b" },
        ],
        reliability: { retry: { maxAttempts: 2, initialDelayMs: 0 } },
      }),
    );
    expect(result.output).toBe("Hello.");
    expect(all(events, "ProviderCallStarted").map(({ providerId, attempt }) => `${providerId} ${attempt}`)).toEqual([
      "first 1",
      "first 2",
      "second 1",
      "second 1",
    ]);
    expect(all(events, "RetryScheduled").at(-1)).toMatchObject({
      attempt: 1,
      delayMs: 0,
      reason: "fallback",
      providerId: "second",
      modelId: "b",
    });
  });

  test("is asked at once when asking the same again would not help, or would take too long", async () => {
    for (const fault of [failing("PROVIDER_AUTH_FAILED"), failing("PROVIDER_RATE_LIMITED", { retry_after_ms: 1e9 })]) {
      const first = named("first", [fault]);
      const second = named("second", answer);
      const { result } = await finished(
        await start({
          candidates: [
            { provider: first, modelId: "a" },
            { provider: second, modelId: "b" },
          ],
        }),
      );
      expect(result.output).toBe("Hello.");
      expect(first.requests).toHaveLength(1);
    }
  });

  test("is not asked what a policy of ours refused", async () => {
    const second = named("second", answer);
    const { result } = await finished(
      await start({
        candidates: [
          { provider: named("first", [failing("EGRESS_CONSENT_REQUIRED")]), modelId: "a" },
          { provider: second, modelId: "b" },
        ],
      }),
    );
    expect(result.error?.code).toBe("EGRESS_CONSENT_REQUIRED");
    expect(second.requests).toEqual([]);
  });

  test("is asked while a provider that failed too often is left alone, and the journal says why", async () => {
    const breaker = new CircuitBreaker({ failures: 2, cooldownMs: 60_000 });
    const first = named("first", [down]);
    const candidates = [
      { provider: first, modelId: "a" },
      { provider: named("second", answer), modelId: "b" },
    ] as const;
    await finished(await start({ candidates, breaker }));
    expect(first.requests).toHaveLength(2);
    const { events } = await finished(await start({ candidates, breaker }));
    expect(first.requests).toHaveLength(2);
    expect(eventOf(events, "CandidatesSkipped").skipped).toEqual([
      { providerId: "first", modelId: "a", reason: "it failed too often and is left alone for 60 s" },
    ]);
  });

  test("is none: a provider that failed too often is asked all the same, once, and its answer ends its rest", async () => {
    const breaker = new CircuitBreaker({ failures: 2, cooldownMs: 60_000 });
    const only = named("only", [down], [down], [down], answer);
    const candidates = [{ provider: only, modelId: "a" }] as const;
    await finished(await start({ candidates, breaker }));
    expect(only.requests).toHaveLength(2);
    const failed = await finished(await start({ candidates, breaker }));
    expect(failed.result.error?.code).toBe("PROVIDER_UNAVAILABLE");
    expect(only.requests).toHaveLength(3);
    expect((await finished(await start({ candidates, breaker }))).result.status).toBe("success");
    expect(breaker.waitMs("only")).toBeUndefined();
  });
});
