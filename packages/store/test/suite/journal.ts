import assert from "node:assert/strict";
import type { RunEvent } from "@benchtop/protocol";
import { linkHash } from "@benchtop/protocol/chain";
import {
  callFinished,
  callStarted,
  completed,
  delta,
  journalSuite,
  rejectsWith,
  runInit,
  suspended,
} from "@benchtop/harness/journal-suite";
import { sql } from "kysely";
import type { Store } from "../../src/store.ts";
import { withStores, type SuiteSubject } from "./subject.ts";

/** What every journal does, and what one does that outlives its process. */
export function durableJournalSuite(subject: SuiteSubject): void {
  const { test } = subject;
  journalSuite({
    test,
    withJournal: (body) =>
      withStores(subject, async (open) => {
        const { journal, ledger, checkpoints } = await open();
        await body({ journal, runs: ledger, sessions: ledger, checkpoints });
      }),
  });

  test("L3 the attempt to repeat a run gets a row of its own", () =>
    withStores(subject, async (open) => {
      const { journal, ledger } = await open();
      const init = runInit();
      await journal.create(init);
      const before = await ledger.get(init.runId);
      await ledger.recordReplay({ ...init, userId: "somebody else" });
      assert.deepEqual(await ledger.get(init.runId), before);
      const { items } = await ledger.list({ workspaceId: null, status: "replay" });
      assert.deepEqual(
        items.map(({ runId, userId, status }) => ({ runId, userId, status })),
        [{ runId: init.runId, userId: "somebody else", status: "replay" }],
      );
      assert.deepEqual((await journal.verify(init.runId)).violations, []);
    }));

  test("events come as the text that is stored, too", () =>
    withStores(subject, async (open) => {
      const { journal } = await open();
      const writer = await journal.create(runInit());
      writer.write(callStarted());
      writer.write(delta("\u0000 and a lone \ud83d"));
      await writer.committed();
      const bodies = await journal.readBodies(writer.runId, { after: 0, limit: 2 });
      assert.deepEqual(
        bodies.map((body) => JSON.parse(body) as RunEvent),
        await journal.read(writer.runId, { after: 0 }),
      );
    }));

  test("H7 runs without an end are found again, and those that wait are told from those that were interrupted", () =>
    withStores(subject, async (open) => {
      const [first, second] = [await open(), await open()];
      const waiting = await first.journal.create(runInit());
      waiting.write(suspended);
      await waiting.close();
      const interrupted = await first.journal.create(runInit());
      await interrupted.close();
      assert.deepEqual(await second.journal.unfinished(), [
        { runId: waiting.runId, suspended: true },
        { runId: interrupted.runId, suspended: false },
      ]);
      await first.close();

      const writer = await second.journal.acquire(waiting.runId);
      assert.deepEqual(await second.journal.unfinished(), [{ runId: interrupted.runId, suspended: false }]);
      writer.write({ type: "Resumed", reason: "decision", callId: "call_1", decision: "deny" });
      writer.write(completed());
      await writer.close();
      assert.deepEqual(await second.journal.unfinished(), [{ runId: interrupted.runId, suspended: false }]);
      assert.deepEqual((await second.journal.verify(waiting.runId)).violations, []);
    }));

  test("H7 a replay token does not fit a journal that was written anew", () =>
    withStores(subject, async (open) => {
      const { journal, db } = await open();
      const writer = await journal.create(runInit());
      writer.write(callStarted());
      await writer.committed();
      const token = await journal.token(writer.runId);
      assert.equal((await journal.resolveToken(token)).seq, 1);
      const [first] = await journal.readBodies(writer.runId, { limit: 1 });
      const hash = linkHash(linkHash("", first!), JSON.stringify({ another: "event" }));
      await sql`UPDATE run_events SET hash = ${hash} WHERE run_id = ${writer.runId} AND seq = 1`.execute(db);
      await rejectsWith("REPLAY_DIVERGED", journal.resolveToken(token));
      assert.equal((await journal.resolveToken(await journal.token(writer.runId, 0))).seq, 0);
    }));

  test("a run that does not exist cannot be verified", () =>
    withStores(subject, async (open) => {
      const { journal } = await open();
      await rejectsWith("NOT_FOUND", journal.verify("nobody"));
    }));
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
