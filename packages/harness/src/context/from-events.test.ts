import { describe, expect, test } from "vitest";
import { calls, ends, says, scriptedProvider } from "../../test/scripted-provider.ts";
import { finished, startAgent } from "../../test/started-runs.ts";
import { messagesFromEvents } from "./from-events.ts";

const look = {
  name: "look",
  description: "Looks.",
  inputSchema: { type: "object" },
  effects: "none" as const,
  idempotent: true,
  execute: async () => ({ content: "seen" }),
};

describe("the conversation read from a journal", () => {
  test("is the question, the answers and the results, in order", async () => {
    const provider = scriptedProvider([says("Looking."), calls("look", {}, "c"), ends()], [says("A cat."), ends()]);
    const { events } = await finished(await startAgent({ provider, tools: [look] }));
    expect(messagesFromEvents(events)).toEqual([
      { role: "user", content: "go" },
      { role: "assistant", content: "Looking.", toolCalls: [{ callId: "c", name: "look", arguments: {} }] },
      { role: "tool", callId: "c", name: "look", content: "seen" },
      { role: "assistant", content: "A cat." },
    ]);
  });

  test("says of a call that a crash interrupted that nobody knows its outcome", async () => {
    const provider = scriptedProvider([calls("look", {}, "c"), ends()], [says("A cat."), ends()]);
    const { events } = await finished(await startAgent({ provider, tools: [look] }));
    const cut = events.slice(
      0,
      events.findIndex((event) => event.type === "ToolCallFinished"),
    );
    expect(messagesFromEvents(cut).at(-1)).toMatchObject({
      role: "tool",
      isError: true,
      content: expect.stringContaining("nobody knows"),
    });
  });

  test("keeps the text that had arrived when a crash cut an answer", async () => {
    const provider = scriptedProvider([says("half of "), says("it"), ends()]);
    const { events } = await finished(await startAgent({ provider }));
    const cut = events.slice(
      0,
      events.findIndex((event) => event.type === "ProviderCallFinished"),
    );
    expect(messagesFromEvents(cut).at(-1)).toEqual({ role: "assistant", content: "half of it" });
  });

  test.for([
    ["text", "text"],
    [{ prompt: "p" }, "p"],
    [{ task: "t", files: 2 }, "t"],
  ] as const)("finds what was asked in %j", ([input, asked]) => {
    const started = {
      type: "RunStarted",
      runId: "r",
      seq: 0,
      at: "",
      traceId: "t",
      spanId: "s",
      kind: "k",
      userId: "u",
      contract: {},
      input,
    };
    expect(messagesFromEvents([started as never])).toEqual([{ role: "user", content: asked }]);
  });
});
