import assert from "node:assert/strict";
import { BenchtopError, type ErrorCode, type RunEvent } from "@benchtop/protocol";
import { sql } from "kysely";
import type { Store } from "../store.ts";
import { callFinished, callStarted, completed, delta, failed, runInit, textOf } from "./events.ts";
import { withStores, type SuiteSubject } from "./subject.ts";

export function journalSuite(subject: SuiteSubject): void {
  const { test } = subject;
  const withStore = (body: (store: Store) => Promise<void>) => () =>
    withStores(subject, async (open) => body(await open()));

  test(
    "a new run has its first event and its ledger row at once",
    withStore(async ({ journal, ledger }) => {
      const init = runInit({ workbenchId: "wb_1", sessionId: "ses_1", queuedMs: 3 });
      await journal.create(init);

      const [started, ...more] = await journal.read(init.runId);
      assert.deepEqual(more, []);
      const { at, spanId } = started!;
      const { runId, traceId, ...rest } = init;
      assert.deepEqual(started, { runId, traceId, seq: 0, at, spanId, type: "RunStarted", ...rest });
      const record = (await ledger.get(runId))!;
      assert.equal(record.status, "pending");
      assert.equal(record.providerId, "local");
      assert.equal(record.modelId, "some/model");
      assert.equal(record.title, "Say hello.");
      assert.equal(record.eventCount, 1);
      assert.equal(record.startedAt, at);
      assert.deepEqual(record.contract, init.contract);
    }),
  );

  test(
    "events get a dense seq and the run's identity, and come back as they were written",
    withStore(async ({ journal }) => {
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
      const bodies = await journal.readBodies(writer.runId, { after: 0, limit: 1 });
      assert.deepEqual(
        bodies.map((body) => JSON.parse(body) as RunEvent),
        events.slice(1, 2),
      );
    }),
  );

  test(
    "L3 a run id that is taken is refused, and the attempt gets a row of its own",
    withStore(async ({ journal, ledger }) => {
      const init = runInit();
      const writer = await journal.create(init);
      writer.write(completed());
      await writer.committed();
      const before = await ledger.get(init.runId);

      await rejectsWith("RUN_REPLAYED", journal.create({ ...init, userId: "somebody else" }));
      await ledger.recordReplay({ ...init, userId: "somebody else" });

      assert.deepEqual(await ledger.get(init.runId), before);
      const { items } = await ledger.list({ status: "replay" });
      assert.deepEqual(
        items.map(({ runId, userId, status }) => ({ runId, userId, status })),
        [{ runId: init.runId, userId: "somebody else", status: "replay" }],
      );
      assert.ok((await journal.verify(init.runId)).ok);
    }),
  );

  test(
    "nothing can be written after the terminal event",
    withStore(async ({ journal }) => {
      const writer = await journal.create(runInit());
      writer.write(completed());
      assert.throws(() => writer.write(delta("late")), hasCode("RUN_INTERRUPTED"));
      await writer.close();
      await rejectsWith("RUN_INTERRUPTED", journal.acquire(writer.runId));
      assert.equal((await journal.read(writer.runId)).length, 2);
    }),
  );

  for (const [status, event] of [
    ["success", completed()],
    ["error", failed("PROVIDER_UNAVAILABLE")],
    ["budget_exceeded", failed("BUDGET_CAP_REACHED")],
  ] as const) {
    test(
      `L2 the terminal event settles the ledger row as ${status}`,
      withStore(async ({ journal, ledger }) => {
        const writer = await journal.create(runInit());
        writer.write(event);
        await writer.committed();
        const record = (await ledger.get(writer.runId))!;
        assert.equal(record.status, status);
        assert.equal(record.errorCode, event.type === "Error" ? event.error.error_code : null);
        const { inputTokens, outputTokens, costMicros, steps, toolCalls, firstTokenMs, durationMs } = record;
        assert.deepEqual([inputTokens, outputTokens, costMicros, steps, toolCalls], [10, 20, 30, 1, 2]);
        assert.deepEqual([firstTokenMs, durationMs], [1.5, 7]);
        assert.equal(record.finishedAt, (await journal.read(writer.runId)).at(-1)!.at);
      }),
    );
  }

  test(
    "deltas that are joined lose no text and change no order",
    withStore(async ({ journal }) => {
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
      const events = await allEvents({ journal }, writer.runId);
      assert.equal(textOf(events), expected);
    }),
  );

  test(
    "a closed writer gives the run back, and the next one continues where it ended",
    withStore(async ({ journal }) => {
      const first = await journal.create(runInit());
      await rejectsWith("RUN_INTERRUPTED", journal.acquire(first.runId));
      first.write(callStarted());
      await first.close();
      assert.throws(() => first.write(delta("late")), hasCode("RUN_INTERRUPTED"));
      assert.deepEqual(await journal.unfinished(), [{ runId: first.runId, suspended: false }]);

      const second = await journal.acquire(first.runId);
      assert.equal(second.traceId, first.traceId);
      assert.deepEqual(await journal.unfinished(), []);
      second.write(callFinished());
      second.write(completed());
      await second.close();
      assert.deepEqual(await journal.unfinished(), []);
      const { ok, eventCount } = await journal.verify(first.runId);
      assert.deepEqual([ok, eventCount], [true, 4]);
    }),
  );

  test(
    "a run that does not exist is NOT_FOUND wherever it is asked for",
    withStore(async ({ journal, ledger }) => {
      await rejectsWith("NOT_FOUND", journal.acquire("nobody"));
      await rejectsWith("NOT_FOUND", journal.read("nobody"));
      await rejectsWith("NOT_FOUND", journal.verify("nobody"));
      await rejectsWith("NOT_FOUND", journal.follow("nobody")[Symbol.asyncIterator]().next());
      assert.equal(await ledger.get("nobody"), undefined);
    }),
  );

  test(
    "100 runs at once lose nothing",
    withStore(async ({ journal, ledger }) => {
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
        const events = await allEvents({ journal }, runId);
        const expected = Array.from({ length: perRun }, (_, i) => `${place}/${i} `).join("");
        assert.equal(textOf(events), expected);
        assert.deepEqual((await journal.verify(runId)).violations, []);
      }
      const { items } = await ledger.list({ status: "success", limit: 1000 });
      assert.equal(items.length, 100);
    }),
  );
}

/** Proofs that a journal is what was written: each change behind the store's back is found. */
export function verificationSuite(subject: SuiteSubject): void {
  const attacks: [string, (store: Store, runId: string) => Promise<unknown>][] = [
    [
      "an altered byte",
      ({ db }, runId) =>
        sql`UPDATE run_events SET body = replace(body, 'two', 'twO') WHERE run_id = ${runId} AND seq = 3`.execute(db),
    ],
    [
      "an altered byte with a hash that fits it",
      async ({ db, journal }, runId) => {
        const { linkHash } = await import("../journal/chain.ts");
        const [, , , body] = await journal.readBodies(runId);
        const changed = body!.replace("two", "twO");
        const before = await db
          .selectFrom("run_events")
          .select("hash")
          .where("run_id", "=", runId)
          .where("seq", "=", 2)
          .executeTakeFirstOrThrow();
        const hash = linkHash(before.hash, changed);
        await sql`UPDATE run_events SET body = ${changed}, hash = ${hash} WHERE run_id = ${runId} AND seq = 3`.execute(
          db,
        );
      },
    ],
    ["a cut tail", ({ db }, runId) => sql`DELETE FROM run_events WHERE run_id = ${runId} AND seq >= 4`.execute(db)],
    ["a missing event", ({ db }, runId) => sql`DELETE FROM run_events WHERE run_id = ${runId} AND seq = 3`.execute(db)],
    [
      "two events that changed places",
      async ({ db }, runId) => {
        for (const [from, to] of [
          [2, 100],
          [3, 2],
          [100, 3],
        ]) {
          await sql`UPDATE run_events SET seq = ${to} WHERE run_id = ${runId} AND seq = ${from}`.execute(db);
        }
      },
    ],
    [
      "an event that was added at the end",
      ({ db }, runId) =>
        sql`INSERT INTO run_events (run_id, seq, type, hash, body) VALUES (${runId}, 6, 'OutputDelta', 'x', '{}')`.execute(
          db,
        ),
    ],
    [
      "an event that is filed under another type",
      ({ db }, runId) =>
        sql`UPDATE run_events SET type = 'StepStarted' WHERE run_id = ${runId} AND seq = 2`.execute(db),
    ],
    [
      "a ledger row that says otherwise",
      ({ db }, runId) => sql`UPDATE workbench_runs SET status = 'pending' WHERE run_id = ${runId}`.execute(db),
    ],
  ];
  for (const [name, attack] of attacks) {
    subject.test(`verification finds ${name}`, () =>
      withStores(subject, async (open) => {
        const store = await open();
        const runId = await finishedRun(store);
        assert.deepEqual((await store.journal.verify(runId)).violations, []);
        await attack(store, runId);
        const verification = await store.journal.verify(runId);
        assert.equal(verification.ok, false);
        assert.ok(verification.violations.length > 0);
      }),
    );
  }
}

async function finishedRun({ journal }: Store): Promise<string> {
  const writer = await journal.create(runInit());
  for (const event of [callStarted(), delta("one"), delta("two"), callFinished(), completed()]) writer.write(event);
  await writer.close();
  assert.equal((await journal.read(writer.runId)).length, 6);
  return writer.runId;
}

/** The whole journal, page by page. */
export async function allEvents({ journal }: Pick<Store, "journal">, runId: string): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for (;;) {
    const page = await journal.read(runId, { after: events.length - 1, limit: 300 });
    if (page.length === 0) return events;
    events.push(...page);
  }
}

export function hasCode(code: ErrorCode): (error: unknown) => boolean {
  return (error) => BenchtopError.is(error) && error.code === code;
}

export async function rejectsWith(code: ErrorCode, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(BenchtopError.is(error), String(error));
    assert.equal(error.code, code);
    return true;
  });
}
