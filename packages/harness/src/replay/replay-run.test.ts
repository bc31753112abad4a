import type { RunEvent } from "@benchtop/protocol";
import { describe, expect, test } from "vitest";
import { calls, ends, says, scriptedProvider, used } from "../../test/scripted-provider.ts";
import { agentUnderTest, finished, startAgent, type AgentUnderTest } from "../../test/started-runs.ts";
import type { Tool } from "../tools/tool.ts";
import { endRun, interruption } from "./end-run.ts";
import { memoryJournal } from "../journal/memory.ts";
import { replayRun } from "./replay-run.ts";
import { initOf } from "./resume-run.ts";

const look: Tool = {
  name: "look",
  description: "Looks.",
  inputSchema: { type: "object" },
  effects: "none",
  idempotent: true,
  execute: () => Promise.reject(new Error("A replay executes no tool.")),
};
const nobody = scriptedProvider();
const again: AgentUnderTest = { provider: nobody, tools: [look], instructions: "Be brief.", temperature: 0.5 };

async function recorded(): Promise<RunEvent[]> {
  const provider = scriptedProvider(
    [says("Let me see."), calls("look", { at: "it" }, "c1"), used(9, 9), ends()],
    [says("A pronoun."), used(9, 9), ends()],
  );
  const looking = { ...look, execute: async () => ({ content: "a word" }) };
  return (await finished(await startAgent({ ...again, provider, tools: [looking] }))).events;
}

function changed(events: readonly RunEvent[], type: RunEvent["type"], change: object): RunEvent[] {
  const place = events.findIndex((event) => event.type === type);
  return events.with(place, { ...(events[place] as RunEvent), ...change });
}

const longer = { ...look, inputSchema: { type: "object", description: "More." } };

describe("H7 a replay", () => {
  test.for<[string, Partial<AgentUnderTest>, string]>([
    ["the instructions", { instructions: "Be verbose." }, "request.instructions"],
    ["the question", { input: "Something else." }, "request.messages"],
    ["the schema of a tool", { tools: [longer] }, "request.tools"],
    ["a setting", { temperature: 0.6 }, "request.settings"],
    ["several of them", { temperature: 0.6, tools: [] }, "request.tools, request.settings"],
  ])("names the first request that is another, and that it is %s", async ([, change, field]) => {
    const events = await recorded();
    const { seq } = events.find((event) => event.type === "ProviderCallStarted") as RunEvent;
    const { outcome, divergence } = await replayRun(events, agentUnderTest({ ...again, ...change }));
    expect(outcome).toBe("diverged");
    expect(divergence).toMatchObject({ seq, event: "ProviderCallStarted", field });
    expect(nobody.requests).toEqual([]);
  });

  test("names the request after a tool result that was changed in the journal", async () => {
    const events = changed(await recorded(), "ToolCallFinished", { content: "another word" });
    const calls = events.filter((event) => event.type === "ProviderCallStarted");
    const { divergence } = await replayRun(events, agentUnderTest(again));
    expect(divergence).toMatchObject({ seq: calls[1]?.seq, field: "request.messages" });
  });

  test("names the call whose arguments were changed in the journal", async () => {
    const events = changed(await recorded(), "ToolCallRequested", { arguments: { at: "sideways" } });
    const requested = events.find((event) => event.type === "ToolCallRequested");
    const { divergence } = await replayRun(events, agentUnderTest(again));
    expect(divergence).toMatchObject({ seq: requested?.seq, event: "ToolCallRequested", field: "arguments" });
    expect(JSON.stringify(divergence)).not.toContain("sideways");
  });

  test("names the end when it is another", async () => {
    const events = changed(await recorded(), "Completed", { output: "A noun." });
    const { divergence } = await replayRun(events, agentUnderTest(again));
    expect(divergence).toMatchObject({ seq: events.length - 1, event: "Completed", field: "output" });
  });

  test("of a run that a person canceled ends where it was canceled", async () => {
    const provider = scriptedProvider([says("Let me see."), { type: "hang" }]);
    const handle = await startAgent({ ...again, provider });
    for await (const event of handle) if (event.type === "OutputDelta") handle.control.abort();
    const { events } = await finished(handle);
    expect(await replayRun(events, agentUnderTest(again))).toMatchObject({ outcome: "identical" });
  });

  test("of a run whose time was up ends there", async () => {
    const provider = scriptedProvider([says("Let me see."), { type: "hang" }]);
    const { events } = await finished(await startAgent({ ...again, provider }, { contract: { maxDurationMs: 30 } }));
    expect(events.at(-2)?.type).toBe("BudgetExceeded");
    expect(await replayRun(events, agentUnderTest(again))).toMatchObject({ outcome: "identical" });
  });

  test("of a run that a crash left open, and somebody ended, ends there", async () => {
    const whole = await recorded();
    for (let length = 1; length < whole.length; length += 1) {
      const journal = memoryJournal();
      const [started, ...rest] = whole.slice(0, length);
      const writer = await journal.create(initOf(started));
      for (const event of rest) writer.write(event);
      await writer.close();
      await endRun(journal, writer.runId, interruption());
      const report = await replayRun(await journal.read(writer.runId), agentUnderTest(again));
      expect({ length, ...report }).toMatchObject({ length, outcome: "identical" });
    }
  });
});
