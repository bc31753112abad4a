import { describe, expect, test } from "vitest";
import { calls, ends, says, scriptedProvider, type Act } from "../../test/scripted-provider.ts";
import { finished, startAgent, startProgram } from "../../test/started-runs.ts";
import { callsToUndo, undoRun } from "../compensation/undo-run.ts";
import { ToolRegistry } from "../tools/registry.ts";
import { memoryInProcess } from "./memory.ts";
import { memoryTools } from "./tools.ts";

const scopes = { working: "session:s", episodic: "user:u" };

/** A run whose model does what the script says, with the tools of a memory. */
async function ran(memory = memoryInProcess(), ...scripts: (readonly Act[])[]) {
  const tools = memoryTools(memory, scopes);
  const { events } = await finished(
    await startAgent({ provider: scriptedProvider(...scripts, [says("Done."), ends()]), tools }),
  );
  const results = events.filter((event) => event.type === "ToolCallFinished");
  return { tools, events, told: results.map(({ content, outcome }) => [outcome, content.slice(0, 40)]) };
}

describe("H5 the tools of a memory", () => {
  test("let a model write and search it, and journal both", async () => {
    const memory = memoryInProcess();
    const key = "The key is under the mat.";
    const { told, events } = await ran(
      memory,
      [calls("remember", { text: key }), calls("remember", { key: "goal", text: "get in" }), ends()],
      [calls("recall", { query: "key" }), calls("recall", { query: "elephants" }), ends()],
      [calls("remember", { text: key }), calls("remember", { text: "x".repeat(4001) }), ends()],
    );
    expect(told).toEqual([
      ["success", "Remembered."],
      ["success", "Remembered."],
      ["success", '["The key is under the mat."]'],
      ["success", "Nothing was found."],
      ["success", "This was remembered already."],
      ["error", expect.stringContaining("The arguments do not match")],
    ]);
    const written = events.filter((event) => event.type === "MemoryWritten");
    expect(written.map(({ lane }) => lane)).toEqual(["episodic", "working"]);
    const retrieved = events.filter((event) => event.type === "MemoryRetrieved");
    expect(retrieved).toMatchObject([{ query: "key", items: [{ text: key }] }, { items: [] }]);
    const { items } = await memory.retrieve({ lane: "working", scope: scopes.working });
    expect(items).toMatchObject([{ key: "goal", text: "get in" }]);
  });

  test("say that room was made", async () => {
    const memory = memoryInProcess({ working: { maxItems: 1, maxCharacters: 100, maxItemCharacters: 100 } });
    const { told } = await ran(memory, [
      calls("remember", { key: "a", text: "1" }),
      calls("remember", { key: "b", text: "2" }),
      ends(),
    ]);
    expect(told[1]?.[1]).toContain("To make room, 1 ");
  });

  test("can be taken back: what was new is forgotten, what was replaced is as it was", async () => {
    const memory = memoryInProcess();
    await memory.write({ lane: "episodic", scope: scopes.episodic, text: "known before" });
    await memory.write({ lane: "working", scope: scopes.working, key: "goal", text: "first" });
    const { events, tools } = await ran(memory, [
      calls("remember", { text: "new thing" }),
      calls("remember", { text: "known before" }),
      calls("remember", { key: "goal", text: "second" }),
      calls("remember", { key: "goal", text: "third" }),
      ends(),
    ]);
    const undo = await startProgram(undoRun(callsToUndo(events), new ToolRegistry(tools)));
    expect((await finished(undo)).result).toMatchObject({ status: "success" });
    const notes = await memory.retrieve({ lane: "working", scope: scopes.working });
    expect(notes.items).toMatchObject([{ key: "goal", text: "first" }]);
    const texts = await memory.retrieve({ lane: "episodic", scope: scopes.episodic, query: "new thing, known before" });
    expect(texts.items.map(({ text }) => text)).toEqual(["known before"]);
  });
});
