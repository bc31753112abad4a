import assert from "node:assert/strict";
import { checkInvariants } from "@benchtop/protocol/invariants";
import { callFinished, callStarted, completed, delta, failed, runInit, textOf } from "./events.ts";
import { allEvents, hasCode, rejectsWith, type JournalSubject } from "./subject.ts";

export function writerSuite({ test, withJournal }: JournalSubject): void {
  test("a new run has its first event and its ledger row at once", () =>
    withJournal(async ({ journal, runs }) => {
      const init = runInit({ workbenchId: "wb_1", sessionId: "ses_1", queuedMs: 3 });
      await journal.create(init);

      const [started, ...more] = await journal.read(init.runId);
      assert.deepEqual(more, []);
      const { at, spanId } = started!;
      const { runId, traceId, ...rest } = init;
      assert.deepEqual(started, { runId, traceId, seq: 0, at, spanId, type: "RunStarted", ...rest });
      const record = (await runs.get(runId))!;
      assert.equal(record.status, "pending");
      assert.equal(record.providerId, "local");
      assert.equal(record.modelId, "some/model");
      assert.equal(record.title, "Say hello.");
      assert.equal(record.eventCount, 1);
      assert.equal(record.startedAt, at);
      assert.deepEqual(record.contract, init.contract);
    }));

  test("events get a dense seq and the run's identity, and come back as they were written", () =>
    withJournal(async ({ journal }) => {
      const writer = await journal.create(runInit());
      const tricky = `quotes " and \\ and \u0000 and \ud83d\ude00 and a lone \ud83d`;
      writer.write(callStarted());
      writer.write({ ...delta(tricky), spanId: "00000000000000aa" });
      await writer.committed();
      const events = await journal.read(writer.runId);
      assert.deepEqual(
        events.map(({ seq, type }) => `${seq} ${type}`),
        ["0 RunStarted", "1 ProviderCallStarted", "2 OutputDelta"],
      );
      assert.equal(textOf(events), tricky);
      assert.equal(events[2]!.spanId, "00000000000000aa");
      assert.ok(events.every(({ traceId, runId }) => traceId === writer.traceId && runId === writer.runId));
    }));

  test("L3 a run id that is taken is refused, and the run stays as it is", () =>
    withJournal(async ({ journal, runs }) => {
      const init = runInit();
      const writer = await journal.create(init);
      writer.write(completed());
      await writer.committed();
      const before = await runs.get(init.runId);
      await rejectsWith("RUN_REPLAYED", journal.create({ ...init, userId: "somebody else" }));
      assert.deepEqual(await runs.get(init.runId), before);
    }));

  test("nothing can be written after the terminal event", () =>
    withJournal(async ({ journal }) => {
      const writer = await journal.create(runInit());
      writer.write(completed());
      assert.throws(() => writer.write(delta("late")), hasCode("RUN_INTERRUPTED"));
      await writer.close();
      await rejectsWith("RUN_INTERRUPTED", journal.acquire(writer.runId));
      assert.equal((await journal.read(writer.runId)).length, 2);
    }));

  for (const [status, event] of [
    ["success", completed()],
    ["error", failed("PROVIDER_UNAVAILABLE")],
    ["budget_exceeded", failed("BUDGET_CAP_REACHED")],
  ] as const) {
    test(`L2 the terminal event settles the ledger row as ${status}`, () =>
      withJournal(async ({ journal, runs }) => {
        const writer = await journal.create(runInit());
        writer.write(event);
        await writer.committed();
        const record = (await runs.get(writer.runId))!;
        assert.equal(record.status, status);
        assert.equal(record.errorCode, event.type === "Error" ? event.error.error_code : null);
        const { inputTokens, outputTokens, costMicros, steps, toolCalls, firstTokenMs, durationMs } = record;
        assert.deepEqual([inputTokens, outputTokens, costMicros, steps, toolCalls], [10, 20, 30, 1, 2]);
        assert.deepEqual([firstTokenMs, durationMs], [1.5, 7]);
        assert.equal(record.finishedAt, (await journal.read(writer.runId)).at(-1)!.at);
      }));
  }

  test("deltas that are joined lose no text and change no order", () =>
    withJournal(async ({ journal }) => {
      const writer = await journal.create(runInit());
      writer.write(callStarted());
      let expected = "";
      for (let i = 0; i < 2000; i++) {
        const text = `${i} `;
        expected += text;
        writer.write(delta(text, i % 500 < 250 ? "text" : "reasoning"));
        if (i % 7 === 0) await Promise.resolve();
      }
      assert.ok(writer.pending > 0);
      writer.write(callFinished());
      await writer.committed();
      assert.equal(writer.pending, 0);
      const events = await allEvents(journal, writer.runId);
      assert.equal(textOf(events), expected);
    }));

  test("a closed writer gives the run back, and the next one continues where it ended", () =>
    withJournal(async ({ journal }) => {
      const first = await journal.create(runInit());
      await rejectsWith("RUN_INTERRUPTED", journal.acquire(first.runId));
      first.write(callStarted());
      await first.close();
      assert.throws(() => first.write(delta("late")), hasCode("RUN_INTERRUPTED"));

      const second = await journal.acquire(first.runId);
      assert.equal(second.traceId, first.traceId);
      second.write(callFinished());
      second.write(completed());
      await second.close();
      const events = await journal.read(first.runId);
      assert.deepEqual([checkInvariants(events, { ended: true }), events.length], [[], 4]);
    }));

  test("a run that does not exist is NOT_FOUND wherever it is asked for", () =>
    withJournal(async ({ journal, runs }) => {
      await rejectsWith("NOT_FOUND", journal.acquire("nobody"));
      await rejectsWith("NOT_FOUND", journal.read("nobody"));
      await rejectsWith("NOT_FOUND", journal.follow("nobody")[Symbol.asyncIterator]().next());
      assert.equal(await runs.get("nobody"), undefined);
    }));

  test("100 runs at once lose nothing", () =>
    withJournal(async ({ journal, runs }) => {
      const perRun = 200;
      const drive = async (place: number) => {
        const writer = await journal.create(runInit());
        writer.write(callStarted());
        for (let i = 0; i < perRun; i++) {
          writer.write(delta(`${place}/${i} `, i % 2 === 0 ? "text" : "reasoning"));
          if (i % 10 === place % 10) await writer.committed();
        }
        writer.write(callFinished());
        writer.write(completed());
        await writer.close();
        return writer.runId;
      };
      const runIds = await Promise.all(Array.from({ length: 100 }, (_, place) => drive(place)));
      for (const [place, runId] of runIds.entries()) {
        const events = await allEvents(journal, runId);
        const expected = Array.from({ length: perRun }, (_, i) => `${place}/${i} `).join("");
        assert.equal(textOf(events), expected);
        assert.deepEqual(checkInvariants(await allEvents(journal, runId), { ended: true }), []);
      }
      const { items } = await runs.list({ status: "success", limit: 1000 });
      assert.equal(items.length, 100);
    }));
}
