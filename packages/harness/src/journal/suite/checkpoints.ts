import assert from "node:assert/strict";
import { callStarted, completed, runInit } from "./events.ts";
import { rejectsWith, type JournalSubject } from "./subject.ts";

export function checkpointSuite({ test, withJournal }: JournalSubject): void {
  test("H7 a checkpoint names an event of a run, and keeps the hash of the journal there", () =>
    withJournal(async ({ journal, checkpoints }) => {
      const writer = await journal.create(runInit());
      writer.write(callStarted());
      await writer.committed();
      const { runId } = writer;
      const later = await checkpoints.save({ runId, seq: 1, name: "before the call", userId: "owner" });
      const first = await checkpoints.save({ runId, seq: 0, name: "start", userId: "somebody" });
      writer.write(completed());
      await writer.close();
      assert.deepEqual(await checkpoints.list(runId), [first, later]);
      const { hash } = await journal.resolveToken(await journal.token(runId, 1));
      assert.deepEqual(later, {
        runId,
        seq: 1,
        hash,
        name: "before the call",
        userId: "owner",
        createdAt: later.createdAt,
      });
      assert.deepEqual(await checkpoints.list("nobody"), []);
    }));

  test("H7 a checkpoint's name belongs to one event until it is removed", () =>
    withJournal(async ({ journal, checkpoints }) => {
      const { runId, ...writer } = await startedRun();
      const point = { runId, seq: 0, name: "here", userId: "owner" };
      const saved = await checkpoints.save(point);
      assert.deepEqual(await checkpoints.save({ ...point, userId: "somebody" }), saved);
      await rejectsWith("VALIDATION_FAILED", checkpoints.save({ ...point, seq: 1 }));
      assert.equal(await checkpoints.remove(runId, "here"), true);
      assert.equal(await checkpoints.remove(runId, "here"), false);
      assert.equal((await checkpoints.save({ ...point, seq: 1 })).seq, 1);
      await writer.close();

      async function startedRun() {
        const writer = await journal.create(runInit());
        writer.write(callStarted());
        await writer.committed();
        return { runId: writer.runId, close: () => writer.close() };
      }
    }));

  test("H7 a checkpoint needs an event that exists and a name that can be read", () =>
    withJournal(async ({ journal, checkpoints }) => {
      const { runId } = await journal.create(runInit());
      const point = { runId, seq: 0, name: "here", userId: "owner" };
      await rejectsWith("NOT_FOUND", checkpoints.save({ ...point, seq: 1 }));
      await rejectsWith("NOT_FOUND", checkpoints.save({ ...point, seq: -1 }));
      await rejectsWith("NOT_FOUND", checkpoints.save({ ...point, runId: "nobody" }));
      for (const name of ["", "  ", "x".repeat(101), "two\nlines"]) {
        await rejectsWith("VALIDATION_FAILED", checkpoints.save({ ...point, name }));
      }
      assert.deepEqual(await checkpoints.list(runId), []);
    }));
}
