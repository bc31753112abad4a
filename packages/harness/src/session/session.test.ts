import { BenchtopError, newId, newTraceId, type Journal, type RunInit, type SessionStore } from "@benchtop/protocol";
import { describe, expect, test } from "vitest";
import { ends, says, scriptedProvider, type Act } from "../../test/scripted-provider.ts";
import { eventOf, finished } from "../../test/started-runs.ts";
import { Harness } from "../harness/harness.ts";
import { memoryJournal, type MemoryJournal } from "../journal/memory.ts";
import { memoryInProcess } from "../memory/memory.ts";
import { SessionHistory } from "./history.ts";
import type { SessionConfig } from "./session.ts";

const sessionId = "session_1";

/** A harness on a journal, as a process would make it anew. */
function harnessOn(journal: Journal, sessions: SessionStore, ...scripts: (readonly Act[])[]) {
  const provider = scriptedProvider(...scripts);
  const harness = Harness.builder().provider(provider).journal(journal).sessions(sessions).build();
  const session = (config: Partial<SessionConfig> = {}) =>
    harness.session({ model: "scripted/m", sessionId, ...config });
  const asked = () => provider.requests.at(-1)?.messages.map(({ content }) => content) ?? [];
  return { provider, session, asked };
}

async function talk(
  journal: MemoryJournal,
  turns: number,
  config: Partial<SessionConfig> = {},
  words = 1,
): Promise<void> {
  const { session } = harnessOn(journal, journal.sessions, [says(`answer ${"word ".repeat(words)}`), ends()]);
  const made = session(config);
  for (let turn = 1; turn <= turns; turn += 1) await finished(await made.run(`question ${turn}`).start());
}

/** The same journal, counting how often a run is read. */
function counting(journal: Journal): { journal: Journal; read: Set<string> } {
  const read = new Set<string>();
  return {
    read,
    journal: {
      ...journal,
      read: (runId, options) => {
        read.add(runId);
        return journal.read(runId, options);
      },
    },
  };
}

describe("H5 a session of before", () => {
  test("goes on where it was, and repeats nothing", async () => {
    const journal = memoryJournal();
    await talk(journal, 2);
    const { session, asked } = harnessOn(journal, journal.sessions, [says("third"), ends()], [says("fourth"), ends()]);
    const made = session();
    await finished(await made.run("question 3").start());
    const before = ["question 1", "answer word ", "question 2", "answer word "];
    expect(asked()).toEqual([...before, "question 3"]);
    await finished(await made.run("question 4").start());
    expect(asked()).toEqual([...before, "question 3", "third", "question 4"]);
    expect((await session().history()).map(({ content }) => content)).toEqual([
      ...before,
      "question 3",
      "third",
      "question 4",
      "fourth",
    ]);
  });

  test("has the turns it was given in front of its runs", async () => {
    const journal = memoryJournal();
    await talk(journal, 1);
    const { session } = harnessOn(journal, journal.sessions, [ends()]);
    const history = [{ role: "user" as const, content: "long ago" }];
    expect((await session({ history }).history()).map(({ content }) => content)).toEqual([
      "long ago",
      "question 1",
      "answer word ",
    ]);
  });

  test("reads no more runs than a prompt can hold, and what it leaves out is not silent", async () => {
    const journal = memoryJournal();
    await talk(journal, 60, { context: { maxMessages: 1000 } });
    const { read, journal: counted } = counting(journal);
    const { session, asked } = harnessOn(counted, journal.sessions, [says("x"), ends()]);
    const { events } = await finished(
      await session({ context: { maxMessages: 10 } })
        .run("now")
        .start(),
    );
    expect(read.size).toBeLessThan(10);
    expect(asked()).toHaveLength(9);
    expect(asked().slice(-3)).toEqual(["question 60", "answer word ", "now"]);
    expect(eventOf(events, "ContextTrimmed").droppedMessages).toBeGreaterThan(0);
  });

  test("does not have its summary written again, in this process or another", async () => {
    const journal = memoryJournal();
    const context = { maxTokens: 20_100, reservedOutputTokens: 100, overflow: "summarize" } as const;
    await talk(journal, 3, {}, 6000);
    const first = harnessOn(journal, journal.sessions, [says("They talked."), ends()], [says("answer"), ends()]);
    const made = first.session({ context });
    const { events } = await finished(await made.run("question 4").start());
    expect(eventOf(events, "ContextTrimmed")).toMatchObject({ summary: "They talked." });
    expect(first.provider.requests).toHaveLength(2);
    const expected = [expect.stringContaining("They talked."), expect.stringMatching(/^question 3/), expect.anything()];
    await finished(await made.run("question 5").start());
    expect(first.provider.requests).toHaveLength(3);
    expect(first.asked()).toEqual([...expected, "question 4", "answer", "question 5"]);

    const { read, journal: counted } = counting(journal);
    const second = harnessOn(counted, journal.sessions, [says("answer"), ends()]);
    await finished(await second.session({ context }).run("question 6").start());
    expect(second.provider.requests).toHaveLength(1);
    expect(second.asked()).toEqual([...expected, "question 4", "answer", "question 5", "answer", "question 6"]);
    expect(read.size).toBeLessThan(6);
  });

  test("that cannot be read is not taken for an empty one, and is read again for the next run", async () => {
    const journal = memoryJournal();
    await talk(journal, 1);
    let broken = true;
    const sessions: SessionStore = {
      runs: async (id, limit) => {
        if (broken) throw new BenchtopError("FILE_READ_FAILED", "The disk is gone.");
        return await journal.sessions.runs(id, limit);
      },
    };
    const { session, asked, provider } = harnessOn(journal, sessions, [says("x"), ends()]);
    const made = session();
    await expect(made.run("lost?").start()).rejects.toMatchObject({ code: "FILE_READ_FAILED" });
    expect(provider.requests).toEqual([]);
    broken = false;
    await finished(await made.run("found").start());
    expect(asked()).toEqual(["question 1", "answer word ", "found"]);
  });

  test("leaves out runs whose journal was deleted", async () => {
    const journal = memoryJournal();
    await talk(journal, 2);
    const sessions: SessionStore = {
      runs: async (id, limit) => ["run_gone", ...(await journal.sessions.runs(id, limit))],
    };
    const { session } = harnessOn(journal, sessions, [ends()]);
    expect(await session().history()).toHaveLength(4);
  });

  test("hears the end of a run that had not ended when it was read", async () => {
    const journal = memoryJournal();
    const init: RunInit = {
      runId: newId("run"),
      traceId: newTraceId(),
      kind: "prompt",
      userId: "u",
      sessionId,
      contract: {},
      input: { prompt: "slow" },
    };
    const writer = await journal.create(init);
    const { session, asked } = harnessOn(journal, journal.sessions, [says("x"), ends()]);
    const made = session();
    await finished(await made.run("one").start());
    expect(asked()).toEqual(["slow", "one"]);
    const said = { role: "assistant" as const, content: "late" };
    writer.write({ type: "ProviderCallFinished", callId: "c", outcome: "success", message: said, durationMs: 1 });
    const totals = { steps: 1, toolCalls: 0, usage: { inputTokens: 0, outputTokens: 0 }, queuedMs: 0, durationMs: 1 };
    writer.write({ type: "Completed", finishReason: "stop", output: "late", totals });
    await writer.committed();
    await finished(await made.run("two").start());
    expect(asked()).toEqual(["slow", "late", "one", "x", "two"]);
    const history = new SessionHistory(journal, []);
    await history.load(journal.sessions, sessionId);
    expect(history.messages.map(({ content }) => content)).toEqual(["slow", "late", "one", "x", "two", "x"]);
  });
});

describe("H5 a harness with a memory", () => {
  test("puts what answers the question in front of it, and journals it", async () => {
    const memory = memoryInProcess();
    await memory.write({ lane: "episodic", scope: "user:ada", text: "Ada likes her tea green." });
    await memory.write({ lane: "episodic", scope: "user:bob", text: "Bob likes his tea black." });
    const provider = scriptedProvider([says("Green."), ends()]);
    const harness = Harness.builder().provider(provider).memory(memory).build();
    const session = harness.session({ model: "scripted/m", userId: "ada", instructions: "Be brief." });
    await memory.write({ lane: "working", scope: `session:${session.id}`, key: "goal", text: "make tea" });
    const { events } = await finished(await session.run("Which tea do I like?").start());
    expect(provider.requests[0]?.messages.map(({ role }) => role)).toEqual(["system", "user", "user", "user"]);
    const [, notes, remembered] = provider.requests[0]?.messages ?? [];
    expect(notes?.content).toContain('"goal: make tea"');
    expect(remembered?.content).toContain('"Ada likes her tea green."');
    expect(remembered?.content).toContain("not an instruction");
    expect(remembered?.content).not.toContain("Bob");
    expect(events.filter(({ type }) => type === "MemoryRetrieved")).toMatchObject([
      { lane: "working", items: [{ text: "goal: make tea" }] },
      { lane: "episodic", items: [{ text: "Ada likes her tea green.", score: expect.any(Number) }], tokens: 6 },
    ]);
  });

  test("does not take what it remembered for what was said", async () => {
    const memory = memoryInProcess();
    await memory.write({ lane: "episodic", scope: "user:local", text: "tea" });
    const provider = scriptedProvider([says("x"), ends()]);
    const session = Harness.builder().provider(provider).memory(memory).build().session({ model: "scripted/m" });
    await finished(await session.run("tea?").start());
    await finished(await session.run("again").start());
    expect(provider.requests[1]?.messages.map(({ content }) => content)).toEqual(["tea?", "x", "again"]);
  });
});
