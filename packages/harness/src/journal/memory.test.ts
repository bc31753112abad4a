import { newId, newTraceId, type EventInput, type RunEvent, type RunInit } from "@benchtop/protocol";
import { checkInvariants } from "@benchtop/protocol/invariants";
import { describe, expect, test } from "vitest";
import { memoryJournal } from "./memory.ts";

const totals = { steps: 1, toolCalls: 0, usage: { inputTokens: 1, outputTokens: 1 }, queuedMs: 0, durationMs: 1 };
const completed: EventInput = { type: "Completed", finishReason: "stop", output: "Hello.", totals };
const callStarted: EventInput = {
  type: "ProviderCallStarted",
  callId: "c",
  providerId: "p",
  modelId: "m",
  attempt: 1,
  requestHash: "0",
  messageCount: 1,
};
const callFinished: EventInput = { type: "ProviderCallFinished", callId: "c", outcome: "success", durationMs: 1 };

function runInit(overrides: Partial<RunInit> = {}): RunInit {
  const ids = { runId: newId("run"), traceId: newTraceId() };
  return { ...ids, kind: "prompt", userId: "owner", contract: {}, input: "Hi", ...overrides };
}

function delta(text: string, channel: "text" | "reasoning" = "text"): EventInput {
  return { type: "OutputDelta", callId: "c", channel, text };
}

function textOf(events: readonly RunEvent[]): string {
  return events.map((event) => (event.type === "OutputDelta" ? event.text : "")).join("");
}

async function collected(events: AsyncIterable<RunEvent>): Promise<RunEvent[]> {
  const all: RunEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

describe("the journal in memory", () => {
  test("has the first event of a run as soon as the run exists", async () => {
    const journal = memoryJournal();
    const { runId, traceId, ...said } = runInit({ workbenchId: "wb", queuedMs: 3 });
    await journal.create({ runId, traceId, ...said });
    const [started, ...more] = await journal.read(runId);
    expect(started).toEqual({
      type: "RunStarted",
      runId,
      traceId,
      seq: 0,
      at: started?.at,
      spanId: started?.spanId,
      ...said,
    });
    expect(more).toEqual([]);
  });

  test("shows nothing before it is committed, and everything after", async () => {
    const journal = memoryJournal();
    const writer = await journal.create(runInit());
    writer.write(callStarted);
    writer.write(delta("hello"));
    expect(writer.pending).toBe(5);
    const seen = journal.read(writer.runId);
    await writer.committed();
    expect(await seen).toHaveLength(1);
    expect(writer.pending).toBe(0);
    expect(await journal.read(writer.runId)).toHaveLength(3);
    expect(await journal.read(writer.runId, { after: 0, limit: 1 })).toMatchObject([{ seq: 1 }]);
  });

  test("joins deltas without losing text or order", async () => {
    const journal = memoryJournal();
    const writer = await journal.create(runInit());
    writer.write(callStarted);
    let expected = "";
    for (let index = 0; index < 2000; index += 1) {
      expected += `${index} `;
      writer.write(delta(`${index} `, index % 500 < 250 ? "text" : "reasoning"));
      if (index % 7 === 0) await Promise.resolve();
    }
    writer.write(callFinished);
    writer.write(completed);
    await writer.close();
    const events = await journal.read(writer.runId);
    expect(textOf(events)).toBe(expected);
    expect(checkInvariants(events, { ended: true })).toEqual([]);
  });

  test("refuses a run id that is taken, and writes after the end", async () => {
    const journal = memoryJournal();
    const init = runInit();
    const writer = await journal.create(init);
    await expect(journal.create(init)).rejects.toMatchObject({ code: "RUN_REPLAYED" });
    writer.write(completed);
    expect(() => writer.write(delta("late"))).toThrow(expect.objectContaining({ code: "RUN_INTERRUPTED" }));
    await writer.close();
    await expect(journal.acquire(init.runId)).rejects.toMatchObject({ code: "RUN_INTERRUPTED" });
  });

  test("lets one writer at a time hold a run", async () => {
    const journal = memoryJournal();
    const first = await journal.create(runInit());
    await expect(journal.acquire(first.runId)).rejects.toMatchObject({ code: "RUN_INTERRUPTED" });
    await first.close();
    const second = await journal.acquire(first.runId);
    expect(() => first.write(delta("late"))).toThrow(expect.objectContaining({ code: "RUN_INTERRUPTED" }));
    second.write(completed);
    await second.close();
    expect(await journal.read(first.runId)).toHaveLength(2);
  });

  test("is followed from a cursor on, live, to the terminal event", async () => {
    const journal = memoryJournal();
    const writer = await journal.create(runInit());
    const all = collected(journal.follow(writer.runId));
    const some = collected(journal.follow(writer.runId, { after: 1, limit: 3 }));
    writer.write(callStarted);
    for (let index = 0; index < 50; index += 1) {
      writer.write(delta(`${index} `));
      await writer.committed();
    }
    writer.write(callFinished);
    writer.write(completed);
    await writer.close();
    expect((await all).map(({ seq }) => seq)).toEqual(Array.from({ length: 54 }, (_, seq) => seq));
    expect((await some).map(({ seq }) => seq)).toEqual([2, 3, 4]);
    expect(await collected(journal.follow(writer.runId))).toEqual(await all);
  });

  test("stops a follower that is told to, without an error", async () => {
    const journal = memoryJournal();
    const writer = await journal.create(runInit());
    const stop = new AbortController();
    const seen = collected(journal.follow(writer.runId, {}, stop.signal));
    stop.abort();
    expect((await seen).length).toBeLessThanOrEqual(1);
  });

  test("knows no run that was never started", async () => {
    const journal = memoryJournal();
    await expect(journal.read("nobody")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(journal.acquire("nobody")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(collected(journal.follow("nobody"))).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("forgets the oldest finished runs beyond its limit, never one that is going", async () => {
    const journal = memoryJournal({ maxFinishedRuns: 2 });
    const going = await journal.create(runInit());
    const ended: string[] = [];
    for (let count = 0; count < 5; count += 1) {
      const writer = await journal.create(runInit());
      writer.write(completed);
      await writer.close();
      ended.push(writer.runId);
    }
    await expect(journal.read(ended[0] ?? "")).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(await journal.read(ended[4] ?? "")).toHaveLength(2);
    expect(await journal.read(going.runId)).toHaveLength(1);
  });
});
