import assert from "node:assert/strict";
import { parseReplayToken, replayToken } from "@benchtop/protocol";
import { callStarted, completed, runInit } from "./events.ts";
import { hasCode, rejectsWith, type JournalSubject } from "./subject.ts";

export function tokenSuite({ test, withJournal }: JournalSubject): void {
  test("H7 a replay token names an event, and is proven against the journal", () =>
    withJournal(async ({ journal }) => {
      const writer = await journal.create(runInit());
      const atStart = await journal.token(writer.runId);
      writer.write(callStarted());
      await writer.committed();
      const now = await journal.token(writer.runId);
      assert.equal(await journal.token(writer.runId, 0), atStart);
      assert.notEqual(now, atStart);
      assert.match(now, /^[A-Za-z0-9_-]+$/);
      const { runId, seq, hash } = await journal.resolveToken(now);
      assert.deepEqual([runId, seq], [writer.runId, 1]);
      assert.deepEqual(parseReplayToken(now), { runId, seq, hash });
    }));

  test("H7 a replay token of another history is refused, and one of no event is not found", () =>
    withJournal(async ({ journal }) => {
      const writer = await journal.create(runInit());
      writer.write(completed());
      await writer.close();
      const { runId } = writer;
      const { hash } = await journal.resolveToken(await journal.token(runId, 0));
      await rejectsWith("REPLAY_DIVERGED", journal.resolveToken(replayToken({ runId, seq: 1, hash })));
      await rejectsWith("NOT_FOUND", journal.resolveToken(replayToken({ runId, seq: 2, hash })));
      await rejectsWith("NOT_FOUND", journal.resolveToken(replayToken({ runId: "nobody", seq: 0, hash })));
      for (const seq of [2, -1, 0.5, Number.NaN]) await rejectsWith("NOT_FOUND", journal.token(runId, seq));
      await rejectsWith("NOT_FOUND", journal.token("nobody"));
    }));

  test("H7 a text that is no replay token is refused, however it is made", () =>
    withJournal(async ({ journal }) => {
      const hash = "a".repeat(64);
      const forged = ["1.0.short.run", `1.00.${hash}.run`, `1.0.${hash}.`, `1.0.${hash}.../../etc`, `2.0.${hash}.run`];
      const texts = ["", "=", "not a token", "a".repeat(100_000), "MQ", ...forged.map((text) => btoa(text))];
      for (const text of texts) {
        assert.throws(() => parseReplayToken(text), hasCode("VALIDATION_FAILED"), text.slice(0, 80));
        await rejectsWith("VALIDATION_FAILED", journal.resolveToken(text));
      }
    }));
}
