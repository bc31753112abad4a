import { BenchtopError, type Journal } from "@benchtop/protocol";
import { describe, expect, test } from "vitest";
import { calls, ends, says, scriptedProvider, used } from "../../test/scripted-provider.ts";
import { eventOf, finished, startAgent, typesOf } from "../../test/started-runs.ts";
import { messagesFromEvents } from "../context/from-events.ts";
import { memoryJournal } from "../journal/memory.ts";
import type { Tool } from "../tools/tool.ts";

const add: Tool = {
  name: "add",
  description: "Adds two numbers.",
  inputSchema: {
    type: "object",
    properties: { a: { type: "number" }, b: { type: "number" } },
    required: ["a", "b"],
    additionalProperties: false,
  },
  effects: "none",
  idempotent: true,
  async execute(input) {
    const { a, b } = input as { a: number; b: number };
    return { content: String(a + b) };
  },
};

function toolNamed(name: string, execute: Tool["execute"]): Tool {
  return { ...add, name, inputSchema: { type: "object" }, execute };
}

describe("H1 an answer", () => {
  test("streams, and is journaled whole with its usage and times", async () => {
    const provider = scriptedProvider([
      says("Hel"),
      says("lo"),
      used(10, 2),
      { type: "response", responseId: "r1" },
      ends(),
    ]);
    const { events, result } = await finished(await startAgent({ provider }));
    expect(typesOf(events)).toEqual([
      "RunStarted",
      "StepStarted",
      "ProviderCallStarted",
      "OutputDelta",
      "ProviderCallFinished",
      "StepFinished",
      "Completed",
    ]);
    expect(eventOf(events, "ProviderCallFinished")).toMatchObject({
      outcome: "success",
      message: { role: "assistant", content: "Hello" },
      usage: { inputTokens: 10, outputTokens: 2 },
      responseId: "r1",
      firstTokenMs: expect.any(Number),
    });
    expect(result).toMatchObject({
      output: "Hello",
      totals: { steps: 1, usage: { inputTokens: 10, outputTokens: 2 } },
    });
    expect(result.totals.firstTokenMs).toBeLessThanOrEqual(result.totals.durationMs);
  });

  test("has its tokens counted, and marked as estimated, when the provider counts none", async () => {
    const { result } = await finished(
      await startAgent({ provider: scriptedProvider([says("four tokens or so"), ends()]) }),
    );
    expect(result.totals.usage).toMatchObject({ outputTokens: 5, estimated: true });
  });

  test("costs what the prices say, cached input less", async () => {
    const usage = { inputTokens: 1000, outputTokens: 100, cachedInputTokens: 400 };
    const provider = scriptedProvider([says("x"), { type: "usage", usage }, ends()]);
    const prices = { inputPerMillion: 2, outputPerMillion: 8, cachedInputPerMillion: 0.5 };
    const { result } = await finished(await startAgent({ provider, prices }));
    expect(result.totals.costMicros).toBe(600 * 2 + 400 * 0.5 + 100 * 8);
  });

  test.for(["length", "content-filter", "other"] as const)("that ended by %s says so", async (reason) => {
    const { result } = await finished(await startAgent({ provider: scriptedProvider([says("cut"), ends(reason)]) }));
    expect(result).toMatchObject({ status: "success", output: "cut", finishReason: reason });
  });

  test("that is a refusal is visible as one", async () => {
    const provider = scriptedProvider([{ type: "refusal", text: "I will not." }, ends()]);
    const { events, result } = await finished(await startAgent({ provider }));
    expect(result).toMatchObject({ output: "I will not.", finishReason: "content-filter" });
    expect(eventOf(events, "OutputDelta").channel).toBe("refusal");
  });

  test("that fails half-way keeps what was said, and ends the run with the provider's error", async () => {
    const error = new BenchtopError("PROVIDER_UNAVAILABLE", "It broke.");
    const { events, result } = await finished(
      await startAgent({ provider: scriptedProvider([says("half"), { type: "throw", error }]) }),
    );
    expect(eventOf(events, "ProviderCallFinished")).toMatchObject({ outcome: "error", message: { content: "half" } });
    expect(result.error?.info).toMatchObject({
      error_code: "PROVIDER_UNAVAILABLE",
      provider_id: "scripted",
      model_id: "model",
    });
  });

  test("without a finish is no answer", async () => {
    const { result } = await finished(await startAgent({ provider: scriptedProvider([says("half")]) }));
    expect(result.error?.code).toBe("PROVIDER_UNAVAILABLE");
  });
});

describe("H2 abort and hints", () => {
  test("an abort while the model speaks keeps what it said and cancels the request", async () => {
    const provider = scriptedProvider([says("so far"), { type: "hang" }]);
    const handle = await startAgent({ provider });
    for await (const event of handle) if (event.type === "OutputDelta") handle.control.abort();
    const { events, result } = await finished(handle);
    expect(eventOf(events, "ProviderCallFinished")).toMatchObject({
      outcome: "canceled",
      message: { content: "so far" },
    });
    expect(result.error?.code).toBe("USER_CANCELED");
  });

  test("a hint is read before the next turn", async () => {
    const provider = scriptedProvider([calls("wait", {}), ends()], [says("as you say"), ends()]);
    const wait = toolNamed("wait", async () => {
      handle.control.inject("use metres", "ada");
      return { content: "ok" };
    });
    const handle = await startAgent({ provider, tools: [wait] });
    const { events } = await finished(handle);
    expect(eventOf(events, "HintInjected")).toMatchObject({ text: "use metres", userId: "ada" });
    expect(provider.requests[1]?.messages.at(-1)).toEqual({ role: "user", content: "use metres" });
  });

  test("a hint during the last answer gets a turn of its own", async () => {
    const provider = scriptedProvider([says("first"), ends()], [says("second"), ends()]);
    const handle = await startAgent({ provider });
    handle.control.inject("one more thing");
    expect((await finished(handle)).result.output).toMatch(/first|second/);
    expect(provider.requests.at(-1)?.messages.at(-1)?.content).toBe("one more thing");
  });
});

describe("H3 tools", () => {
  test("run one after the other in the order of the calls, and the model gets their results", async () => {
    const provider = scriptedProvider(
      [says("Let me add."), calls("add", { a: 1, b: 2 }, "x"), calls("add", { a: 3, b: 4 }, "y"), ends("tool-calls")],
      [says("3 and 7"), ends()],
    );
    const { events, result } = await finished(await startAgent({ provider, tools: [add] }));
    expect(typesOf(events).filter((type) => type.startsWith("Tool"))).toEqual([
      "ToolCallRequested",
      "ToolCallFinished",
      "ToolCallRequested",
      "ToolCallFinished",
    ]);
    expect(provider.requests[1]?.messages.slice(-2)).toEqual([
      { role: "tool", callId: "x", name: "add", content: "3" },
      { role: "tool", callId: "y", name: "add", content: "7" },
    ]);
    expect(result).toMatchObject({ output: "3 and 7", totals: { steps: 2, toolCalls: 2 } });
  });

  test.for<[string, unknown, string]>([
    ["a missing argument", { a: 1 }, "required property 'b'"],
    ["a wrong type, which is not coerced", { a: "1", b: 2 }, "/a must be number"],
    ["an unknown argument", { a: 1, b: 2, c: 3 }, "additional properties (c)"],
    ["broken JSON", '{"a": 1,', "not JSON"],
    ["nesting without end", "[".repeat(100_000) + "]".repeat(100_000), "not JSON"],
    ["something other than an object", "[1,2]", "must be object"],
  ])("are not run with %s; the model is told", async ([, input, told]) => {
    const provider = scriptedProvider([calls("add", input), ends()], [says("sorry"), ends()]);
    let ran = false;
    const watched = { ...add, execute: async () => ((ran = true), { content: "" }) };
    const { events, result } = await finished(await startAgent({ provider, tools: [watched] }));
    const finishedCall = eventOf(events, "ToolCallFinished");
    expect(finishedCall).toMatchObject({ outcome: "error", error: { error_code: "VALIDATION_FAILED" } });
    expect(finishedCall.content).toContain(told);
    expect(provider.requests[1]?.messages.at(-1)).toMatchObject({ role: "tool", isError: true });
    expect(result.status).toBe("success");
    expect(ran).toBe(false);
  });

  test("that do not exist are named as such to the model", async () => {
    const provider = scriptedProvider([calls("subtract", {}), ends()], [says("ok"), ends()]);
    const { events } = await finished(await startAgent({ provider, tools: [add] }));
    expect(eventOf(events, "ToolCallFinished").content).toContain('There is no tool "subtract". There are: add.');
  });

  test("that throw tell the model, and the run goes on", async () => {
    const provider = scriptedProvider([calls("fail", {}), ends()], [says("never mind"), ends()]);
    const fail = toolNamed("fail", async () => {
      throw new BenchtopError("SANDBOX_VIOLATION", "That path is outside the workbench.");
    });
    const { events, result } = await finished(await startAgent({ provider, tools: [fail] }));
    expect(eventOf(events, "ToolCallFinished")).toMatchObject({
      outcome: "error",
      content: "The tool failed: That path is outside the workbench.",
      error: { error_code: "SANDBOX_VIOLATION" },
    });
    expect(result.status).toBe("success");
  });

  test("that find the disk full end the run", async () => {
    const provider = scriptedProvider([calls("write", {}), ends()]);
    const write = toolNamed("write", async () => {
      throw Object.assign(new Error("no space"), { code: "ENOSPC" });
    });
    const { result } = await finished(await startAgent({ provider, tools: [write] }));
    expect(result.error?.code).toBe("DISK_FULL");
  });

  test("get ids that are unique in the run, whatever the provider sends", async () => {
    const provider = scriptedProvider(
      [
        calls("add", { a: 1, b: 1 }, "same"),
        calls("add", { a: 2, b: 2 }, "same"),
        calls("add", { a: 3, b: 3 }),
        ends(),
      ],
      [calls("add", { a: 4, b: 4 }, "same"), ends()],
      [says("done"), ends()],
    );
    const { events } = await finished(await startAgent({ provider, tools: [add] }));
    const ids = events.flatMap((event) => (event.type === "ToolCallRequested" ? [event.callId] : []));
    expect(new Set(ids).size).toBe(4);
    const answer = provider.requests[2]?.messages ?? [];
    const answered = answer.flatMap((message) => (message.role === "tool" ? [message.callId] : []));
    expect(answered).toEqual(ids);
  });

  test("that ignore an abort are abandoned, with an outcome nobody knows", async () => {
    const provider = scriptedProvider([calls("deaf", {}), ends()]);
    const deaf = toolNamed("deaf", () => new Promise(() => {}));
    const handle = await startAgent({ provider, tools: [deaf], toolGraceMs: 10 });
    for await (const event of handle) if (event.type === "ToolCallRequested") handle.control.abort();
    const { events, result } = await finished(handle);
    expect(eventOf(events, "ToolCallFinished").outcome).toBe("unknown");
    expect(result.error?.code).toBe("USER_CANCELED");
  });

  test("are not run when the abort comes while their call is being recorded", async () => {
    let ran = false;
    const watched = toolNamed("watched", async () => ((ran = true), { content: "" }));
    const memory = memoryJournal();
    const journal: Journal = {
      ...memory,
      async create(init) {
        const writer = await memory.create(init);
        const write = writer.write.bind(writer);
        writer.write = (event) => {
          write(event);
          if (event.type === "ToolCallRequested") queueMicrotask(() => handle.control.abort());
        };
        return writer;
      },
    };
    const provider = scriptedProvider([calls("watched", {}), ends()]);
    const handle = await startAgent({ provider, tools: [watched] }, { journal });
    const { events } = await finished(handle);
    expect(eventOf(events, "ToolCallFinished").outcome).toBe("canceled");
    expect(ran).toBe(false);
  });

  test("whose calls an abort prevented are told as not executed when the conversation goes on", async () => {
    const provider = scriptedProvider([calls("stop", {}, "first"), calls("stop", {}, "second"), ends()]);
    const stop = toolNamed("stop", async () => {
      handle.control.abort();
      return { content: "stopped" };
    });
    const handle = await startAgent({ provider, tools: [stop] });
    const { events } = await finished(handle);
    expect(messagesFromEvents(events).slice(-2)).toEqual([
      { role: "tool", callId: "first", name: "stop", content: "stopped" },
      expect.objectContaining({ callId: "second", isError: true, content: expect.stringContaining("Not executed") }),
    ]);
  });

  test("with an endless result are cut, and say so", async () => {
    const provider = scriptedProvider([calls("big", {}), ends()], [says("ok"), ends()]);
    const big = toolNamed("big", async () => ({ content: "x".repeat(1_000_000) }));
    const { events } = await finished(await startAgent({ provider, tools: [big] }));
    expect(eventOf(events, "ToolCallFinished").content).toMatch(/\[cut: 200000 of 1000000 characters are shown\]$/);
  });

  test.for<[string, Partial<Tool>]>([
    ["an unknown keyword", { inputSchema: { type: "object", propertys: {} } }],
    ["a schema that is no object", { inputSchema: { type: "string" } }],
    ["a name that providers refuse", { name: "add numbers" }],
  ])("with %s are refused before anything runs", async ([, change]) => {
    const provider = scriptedProvider([ends()]);
    await expect(async () => startAgent({ provider, tools: [{ ...add, ...change }] })).rejects.toMatchObject({
      code: "VALIDATION_FAILED",
    });
  });
});

describe("ceilings", () => {
  const again = [calls("add", { a: 1, b: 1 }), used(100, 50), ends()];

  test("on steps end the run before one more provider call", async () => {
    const provider = scriptedProvider(again);
    const { events, result } = await finished(
      await startAgent({ provider, tools: [add] }, { contract: { maxSteps: 2 } }),
    );
    expect(provider.requests).toHaveLength(2);
    expect(eventOf(events, "BudgetExceeded")).toMatchObject({ limit: "maxSteps", allowed: 2 });
    expect(result).toMatchObject({ status: "budget_exceeded", error: { code: "BUDGET_CAP_REACHED" } });
  });

  test("on tokens end the run after the call that passed them", async () => {
    const provider = scriptedProvider(again);
    const { events } = await finished(
      await startAgent({ provider, tools: [add] }, { contract: { maxTotalTokens: 200 } }),
    );
    expect(eventOf(events, "BudgetExceeded")).toMatchObject({ limit: "maxTotalTokens", allowed: 200 });
    expect(provider.requests.length).toBeLessThanOrEqual(2);
  });

  test("on tokens prevent a call whose prompt alone is too long", async () => {
    const provider = scriptedProvider([says("x"), ends()]);
    const { result } = await finished(
      await startAgent({ provider, input: "word ".repeat(1000) }, { contract: { maxTotalTokens: 100 } }),
    );
    expect(provider.requests).toHaveLength(0);
    expect(result.status).toBe("budget_exceeded");
  });

  test("on tokens tell the provider how many are left", async () => {
    const provider = scriptedProvider([says("x"), ends()]);
    await finished(await startAgent({ provider, maxOutputTokens: 5000 }, { contract: { maxTotalTokens: 100 } }));
    expect(provider.requests[0]?.maxOutputTokens).toBeLessThan(100);
  });

  test("on tokens cut a provider that does not stop by itself", async () => {
    const provider = scriptedProvider(Array.from({ length: 1000 }, () => says("x".repeat(100))));
    const { events, result } = await finished(await startAgent({ provider }, { contract: { maxTotalTokens: 500 } }));
    expect(result.status).toBe("budget_exceeded");
    expect(eventOf(events, "ProviderCallFinished")).toMatchObject({ outcome: "canceled", finishReason: "length" });
    expect(eventOf(events, "ProviderCallFinished").message?.content.length).toBeLessThan(10_000);
  });

  test("on cost end the run when prices are known, and are refused when they are not", async () => {
    const contract = { maxCostMicros: 1000 };
    const prices = { inputPerMillion: 10, outputPerMillion: 10 };
    const priced = await finished(
      await startAgent({ provider: scriptedProvider(again), tools: [add], prices }, { contract }),
    );
    expect(eventOf(priced.events, "BudgetExceeded")).toMatchObject({ limit: "maxCostMicros", allowed: 1000 });
    const unpriced = await finished(
      await startAgent({ provider: scriptedProvider(again), tools: [add] }, { contract }),
    );
    expect(unpriced.result.error?.code).toBe("VALIDATION_FAILED");
  });
});
