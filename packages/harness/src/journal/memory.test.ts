import { describe, expect, test } from "vitest";
import { memoryJournal } from "./memory.ts";
import { callStarted, completed, delta, journalSuite, runInit } from "./suite/index.ts";

describe("the journal in memory", () => {
  journalSuite({
    test,
    async withJournal(body) {
      const journal = memoryJournal();
      await body({ journal, ...journal });
    },
  });

  test("shows nothing before it is committed, and everything after", async () => {
    const journal = memoryJournal();
    const writer = await journal.create(runInit());
    writer.write(callStarted());
    writer.write(delta("hello"));
    expect(writer.pending).toBe(5);
    const seen = journal.read(writer.runId);
    await writer.committed();
    expect(await seen).toHaveLength(1);
    expect(writer.pending).toBe(0);
    expect(await journal.read(writer.runId)).toHaveLength(3);
  });

  test("forgets the oldest finished runs beyond its limit and their checkpoints, never one that is going", async () => {
    const journal = memoryJournal({ maxFinishedRuns: 2 });
    const going = await journal.create(runInit());
    const ended: string[] = [];
    for (let count = 0; count < 5; count += 1) {
      const writer = await journal.create(runInit());
      await journal.checkpoints.save({ runId: writer.runId, seq: 0, name: "start", userId: "owner" });
      writer.write(completed());
      await writer.close();
      ended.push(writer.runId);
    }
    const [oldest = "", newest = ""] = [ended[0], ended[4]];
    await expect(journal.read(oldest)).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(await journal.runs.get(oldest)).toBeUndefined();
    expect(await journal.checkpoints.list(oldest)).toEqual([]);
    expect(await journal.checkpoints.list(newest)).toHaveLength(1);
    expect(await journal.read(newest)).toHaveLength(2);
    expect(await journal.read(going.runId)).toHaveLength(1);
  });
});
