import { newId, newTraceId, type Message } from "@benchtop/protocol";
import { describe, expect, test } from "vitest";
import { calls, ends, says, scriptedProvider, used } from "../../test/scripted-provider.ts";
import { finished, typesOf } from "../../test/started-runs.ts";
import { deny, redact, type Gate } from "../gates/gate.ts";
import { memoryJournal } from "../journal/memory.ts";
import type { ProviderAdapter } from "../provider/provider.ts";
import { replayRun } from "../replay/replay-run.ts";
import { readEvents } from "../replay/read-events.ts";
import { completion, type CompletionConfig } from "./completion.ts";
import { startRun } from "./start-run.ts";

const question: Message = { role: "user", content: "What is the weather in Oslo?" };
const weather = { name: "weather", description: "The weather of a place.", inputSchema: { type: "object" as const } };

async function complete(provider: ProviderAdapter, config: Partial<CompletionConfig> = {}) {
  const journal = memoryJournal();
  const body = completion({ candidates: [{ provider, modelId: "m" }], messages: [question], ...config });
  const init = { runId: newId("run"), traceId: newTraceId(), kind: "chat", userId: "u", contract: {}, input: {} };
  return { journal, body, ...(await finished(await startRun(journal, init, body))) };
}

const gate = (check: Gate["check"]): Gate => ({ name: "g", points: ["input"], mode: "enforcing", check });

describe("one answer to a conversation that the caller keeps", () => {
  test("is one step, with what was said before it in its order", async () => {
    const provider = scriptedProvider([says("Rain."), used(9, 2), ends()]);
    const messages: Message[] = [
      { role: "system", content: "Be short." },
      { role: "user", content: "Hello" },
      { role: "assistant", content: "Hi." },
      question,
    ];
    const { events, result } = await complete(provider, { messages });
    expect(provider.requests[0]?.messages).toEqual(messages);
    expect(typesOf(events).filter((type) => type.startsWith("Step"))).toEqual(["StepStarted", "StepFinished"]);
    expect(result).toMatchObject({ status: "success", output: "Rain.", finishReason: "stop" });
  });

  test("leaves what the model calls to the caller: it is the result, and nothing is executed", async () => {
    const provider = scriptedProvider([calls("weather", { place: "Oslo" }, "c1"), ends("tool-calls")]);
    const { events, result } = await complete(provider, { tools: [weather] });
    expect(result).toMatchObject({
      finishReason: "tool-calls",
      result: { toolCalls: [{ callId: "c1", name: "weather", arguments: { place: "Oslo" } }] },
    });
    expect(typesOf(events)).not.toContain("ToolCallRequested");
  });

  test("goes on with the results of the caller's tools", async () => {
    const provider = scriptedProvider([says("It rains."), ends()]);
    const messages: Message[] = [
      question,
      { role: "assistant", content: "", toolCalls: [{ callId: "c1", name: "weather", arguments: { place: "Oslo" } }] },
      { role: "tool", callId: "c1", name: "weather", content: "rain" },
    ];
    const { result } = await complete(provider, { messages, tools: [weather] });
    expect(provider.requests[0]?.messages).toEqual(messages);
    expect(result.output).toBe("It rains.");
  });

  test("passes the gates: the last question is refused, or shown without what it must not show", async () => {
    const refused = scriptedProvider([says("x"), ends()]);
    const { result } = await complete(refused, { gates: [gate(async () => deny("no"))] });
    expect(result.error?.code).toBe("POLICY_DENIED");
    expect(refused.requests).toEqual([]);
    const shown = scriptedProvider([says("x"), ends()]);
    await complete(shown, { gates: [gate(async () => redact("What is the weather in ***?", ["a place"]))] });
    expect(shown.requests[0]?.messages).toEqual([{ role: "user", content: "What is the weather in ***?" }]);
  });

  test("that asks nothing is refused before anybody is asked", async () => {
    const provider = scriptedProvider([says("x"), ends()]);
    const { result } = await complete(provider, { messages: [{ role: "system", content: "Be short." }] });
    expect(result.error?.code).toBe("VALIDATION_FAILED");
    expect(provider.requests).toEqual([]);
  });

  test("is replayed from its journal", async () => {
    const provider = scriptedProvider([says("Rain."), ends()]);
    const { journal, body, result } = await complete(provider, { tools: [weather] });
    const report = await replayRun(await readEvents(journal, result.runId), body);
    expect(report.outcome).toBe("identical");
  });
});
