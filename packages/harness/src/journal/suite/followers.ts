import assert from "node:assert/strict";
import type { RunEvent } from "@benchtop/protocol";
import { callFinished, callStarted, completed, delta, runInit, textOf } from "./events.ts";
import { collect, type JournalSubject } from "./subject.ts";

export function followerSuite({ test, withJournal }: JournalSubject): void {
  test("a follower catches up from the store, goes on live and ends with the terminal event", () =>
    withJournal(async ({ journal }) => {
      const writer = await journal.create(runInit());
      writer.write(callStarted());
      await writer.committed();
      const seen = collect(journal.follow(writer.runId));
      for (let i = 0; i < 50; i++) {
        writer.write(delta(`${i} `, i % 2 === 0 ? "text" : "reasoning"));
        await writer.committed();
      }
      writer.write(callFinished());
      writer.write(completed());
      await writer.close();
      const events = await seen;
      assert.deepEqual(
        events.map(({ seq }) => seq),
        events.map((_, place) => place),
      );
      assert.equal(events.length, 54);
      assert.equal(events.at(-1)!.type, "Completed");
      assert.deepEqual(await collect(journal.follow(writer.runId)), events);
    }));

  test("a follower starts behind its cursor and stops at its limit", () =>
    withJournal(async ({ journal }) => {
      const writer = await journal.create(runInit());
      const seen = collect(journal.follow(writer.runId, { after: 1, limit: 3 }));
      for (const event of [callStarted(), delta("a"), delta("b", "reasoning"), delta("c"), delta("d", "reasoning")]) {
        writer.write(event);
      }
      await writer.committed();
      assert.deepEqual(
        (await seen).map(({ seq }) => seq),
        [2, 3, 4],
      );
    }));

  test("a follower that is told to stop ends without an error", () =>
    withJournal(async ({ journal }) => {
      const writer = await journal.create(runInit());
      const stop = new AbortController();
      const seen = collect(journal.follow(writer.runId, {}, stop.signal));
      writer.write(callStarted());
      await writer.committed();
      stop.abort();
      assert.ok((await seen).length <= 2);
      assert.deepEqual(await collect(journal.follow(writer.runId, {}, stop.signal)), []);
    }));

  test("a slow follower misses nothing, and the run does not wait for it", () =>
    withJournal(async ({ journal }) => {
      const writer = await journal.create(runInit());
      const follower = journal.follow(writer.runId)[Symbol.asyncIterator]();
      const first = await follower.next();
      assert.equal(first.value?.type, "RunStarted");
      writer.write(callStarted());
      for (let i = 0; i < 6000; i++) writer.write(delta(`${i} `, i % 2 === 0 ? "text" : "reasoning"));
      writer.write(callFinished());
      writer.write(completed());
      await writer.close();

      const events: RunEvent[] = [];
      for (let next = await follower.next(); !next.done; next = await follower.next()) events.push(next.value);
      assert.equal(textOf(events), Array.from({ length: 6000 }, (_, i) => `${i} `).join(""));
      assert.equal(events.at(-1)!.type, "Completed");
    }));
}
