import { BenchtopError, errorCodes, isTerminal, type Message } from "@benchtop/protocol";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { calls, ends, says, scriptedProvider, used, type Act } from "../../test/scripted-provider.ts";
import { finished, startAgent } from "../../test/started-runs.ts";
import { messagesFromEvents } from "../context/from-events.ts";
import type { Tool } from "../tools/tool.ts";

const toolNames = ["echo", "fail", "slow", "abort", "hint"] as const;

const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: "binary" }).map(says) },
  { weight: 1, arbitrary: fc.constant<Act>({ type: "reasoning", text: "hm" }) },
  { weight: 1, arbitrary: fc.constant<Act>({ type: "refusal", text: "no" }) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        fc.constantFrom(...toolNames, "missing"),
        fc.constantFrom("{}", '{"text":"x"}', '{"text":1}', "{", ""),
        fc.option(fc.constantFrom("a", "b"), { nil: undefined }),
      )
      .map(([name, input, callId]) => calls(name, input, callId)),
  },
  { weight: 1, arbitrary: fc.tuple(fc.nat(500), fc.nat(500)).map(([input, output]) => used(input, output)) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(...errorCodes)
      .map((code): Act => ({ type: "throw", error: new BenchtopError(code, "x") })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<unknown>(new Error("x"), null, "text").map((error): Act => ({ type: "throw", error })),
  },
);
const call = fc
  .tuple(
    fc.array(act, { maxLength: 8 }),
    fc.option(fc.constantFrom("stop", "tool-calls", "length", "content-filter", "other"), { freq: 8 }),
  )
  .map(([acts, reason]) => (reason === null ? acts : [...acts, ends(reason)]));

const scenario = fc.record({
  provider: fc.array(call, { minLength: 1, maxLength: 5 }),
  abortAfter: fc.option(fc.nat(20)),
  hints: fc.array(fc.string(), { maxLength: 3 }),
  contract: fc.record({ maxSteps: fc.integer({ min: 1, max: 6 }), maxTotalTokens: fc.integer({ min: 1, max: 3000 }) }),
  maxMessages: fc.integer({ min: 1, max: 12 }),
});

test("H2 whatever a provider, its tools and people do, a run ends once and its journal keeps every rule", async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ provider, abortAfter, hints, contract, maxMessages }) => {
      const scripted = scriptedProvider(...provider);
      const handle = await startAgent(
        { provider: scripted, tools: toolsOf(() => handle.control), context: { maxMessages }, toolGraceMs: 1 },
        { contract },
      );
      for (const hint of hints) handle.control.inject(hint);
      for await (const event of handle) if (event.seq === abortAfter) handle.control.abort();

      const { events, result } = await finished(handle);
      expect(events.filter(isTerminal)).toHaveLength(1);
      expect(result.recorded).toBe(true);
      expect(result.totals.steps).toBeLessThanOrEqual(contract.maxSteps);
      expect(events.filter((event) => event.type === "StepStarted").length).toBe(result.totals.steps);
      for (const { messages } of scripted.requests) expectPairedCalls(messages);
      expectPairedCalls(messagesFromEvents(events));
    }),
    { numRuns: 300 },
  );
}, 120_000);

/** Every tool call has its result right behind it, every result its call. */
function expectPairedCalls(messages: readonly Message[]): void {
  const called = messages.flatMap((message) =>
    message.role === "assistant" ? (message.toolCalls ?? []).map(({ callId }) => callId) : [],
  );
  const answered = messages.flatMap((message) => (message.role === "tool" ? [message.callId] : []));
  expect(answered).toEqual(called);
  expect(new Set(called).size).toBe(called.length);
}

function toolsOf(control: () => { abort(): boolean; inject(text: string): boolean }): Tool[] {
  const behaviours: Record<(typeof toolNames)[number], Tool["execute"]> = {
    echo: async (input) => ({ content: JSON.stringify(input) }),
    fail: async () => {
      throw new Error("broken");
    },
    slow: () => new Promise((resolve) => setImmediate(() => resolve({ content: "late", isError: true }))),
    abort: () => {
      control().abort();
      return new Promise(() => {});
    },
    hint: async () => {
      control().inject("from a tool");
      return { content: "hinted" };
    },
  };
  return toolNames.map((name) => ({
    name,
    description: name,
    inputSchema: { type: "object", properties: { text: { type: "string" } } },
    effects: "none",
    idempotent: true,
    execute: behaviours[name],
  }));
}
