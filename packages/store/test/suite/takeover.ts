import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { BenchtopError } from "@benchtop/protocol";
import type { StoreOptions } from "../../src/store.ts";
import {
  allEvents,
  callFinished,
  callStarted,
  completed,
  delta,
  failed,
  hasCode,
  rejectsWith,
  runInit,
} from "@benchtop/harness/journal-suite";
import { withStores, type SuiteSubject } from "./subject.ts";

const writerProcess = new URL("./writer-process.ts", import.meta.url);

export function takeoverSuite(subject: SuiteSubject): void {
  const { test } = subject;

  test("a worker whose lease was taken over writes nothing more", () =>
    withStores(subject, async (open) => {
      const [first, second] = [await open(), await open()];
      const slow = await first.journal.create(runInit());
      slow.write(callStarted());
      await slow.committed();
      await rejectsWith("RUN_INTERRUPTED", second.journal.acquire(slow.runId));

      const longAgo = new Date(0).toISOString();
      await first.db.updateTable("runs").set({ lease_until: longAgo }).where("id", "=", slow.runId).execute();
      const next = await second.journal.acquire(slow.runId);
      slow.write(delta("from the one that lost it"));
      await rejectsWith("RUN_INTERRUPTED", slow.committed());
      assert.throws(() => slow.write(delta("again")), hasCode("RUN_INTERRUPTED"));
      await rejectsWith("RUN_INTERRUPTED", slow.close());

      next.write(callFinished());
      next.write(completed());
      await next.close();
      const events = await second.journal.read(slow.runId);
      assert.deepEqual(
        events.map(({ type }) => type),
        ["RunStarted", "ProviderCallStarted", "ProviderCallFinished", "Completed"],
      );
      assert.ok((await second.journal.verify(slow.runId)).ok);
    }));

  test("one writer that is refused does not disturb those that commit with it", () =>
    withStores(subject, async (open) => {
      const { journal, db } = await open();
      const writers = await Promise.all(Array.from({ length: 20 }, () => journal.create(runInit())));
      const fenced = writers[7]!;
      await db.updateTable("runs").set({ lease_epoch: 99 }).where("id", "=", fenced.runId).execute();
      const outcomes = await Promise.allSettled(
        writers.map(async (writer) => {
          writer.write(completed());
          await writer.committed();
        }),
      );
      assert.deepEqual(
        outcomes.flatMap(({ status }, place) => (status === "rejected" ? [place] : [])),
        [7],
      );
      for (const { runId } of writers) {
        assert.equal((await journal.read(runId)).length, runId === fenced.runId ? 1 : 2);
      }
    }));

  test("of two that create the same run at once, one is refused", () =>
    withStores(subject, async (open) => {
      const stores = [await open(), await open()];
      const init = runInit();
      const outcomes = await Promise.allSettled(stores.map(({ journal }) => journal.create(init)));
      const refused = outcomes.filter((outcome) => outcome.status === "rejected");
      assert.equal(refused.length, 1);
      assert.ok(BenchtopError.is(refused[0]!.reason));
      assert.equal(refused[0]!.reason.code, "RUN_REPLAYED");
    }));

  test("of two that take the same run over at once, one is refused", () =>
    withStores(subject, async (open) => {
      const stores = [await open(), await open()];
      const writer = await stores[0]!.journal.create(runInit());
      await writer.close();
      const outcomes = await Promise.allSettled([
        stores[0]!.journal.acquire(writer.runId),
        stores[1]!.journal.acquire(writer.runId),
        stores[0]!.journal.acquire(writer.runId),
      ]);
      assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
    }));

  for (const acknowledgements of [1, 40, 400]) {
    test(`a process killed after ${acknowledgements} commits has lost nothing that it was told is committed`, () =>
      withStores(subject, async (open, options) => {
        const acknowledged = await runUntilKilled(options, acknowledgements);
        const { journal } = await open();
        const unfinished = new Set((await journal.unfinished()).map(({ runId }) => runId));
        assert.ok([...acknowledged.keys()].every((runId) => unfinished.has(runId)));
        for (const [runId, seq] of acknowledged) {
          const events = await allEvents(journal, runId);
          assert.ok(events.length > seq, `run ${runId} has ${events.length} events, ${seq + 1} were acknowledged`);
          assert.deepEqual((await journal.verify(runId)).violations, []);

          const writer = await journal.acquire(runId);
          if (events.length > 1) writer.write(callFinished());
          writer.write(failed("RUN_INTERRUPTED"));
          await writer.close();
          assert.deepEqual((await journal.verify(runId)).violations, []);
        }
      }));
  }
}

/** Runs a process that writes four runs, kills it (SIGKILL) in the middle, and gives the last `seq` it was told of each run. */
async function runUntilKilled(options: StoreOptions, acknowledgements: number): Promise<Map<string, number>> {
  const child = spawn(process.execPath, [writerProcess.pathname, JSON.stringify(options)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = new Promise<NodeJS.Signals | null>((resolve) => child.once("exit", (_, signal) => resolve(signal)));
  const acknowledged = new Map<string, number>();
  let lines = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const [runId, seq] = line.split(" ");
    acknowledged.set(runId!, Number(seq));
    if (++lines === acknowledgements) child.kill("SIGKILL");
  }
  assert.equal(await exited, "SIGKILL");
  return acknowledged;
}
