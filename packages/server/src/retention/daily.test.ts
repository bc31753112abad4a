import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { completed, runInit } from "@benchtop/harness/journal-suite";
import { openStore, type Store } from "@benchtop/store";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Log, LogFields } from "../log/log.ts";
import { startDailyRetention } from "./daily.ts";

let home: string;
let store: Store;
const lines: [string, LogFields | undefined][] = [];
const note = (event: string, fields?: LogFields) => void lines.push([event, fields]);
const log: Log = { info: note, warn: note, error: note, close: async () => undefined };
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "benchtop-retention-"));
  store = await openStore({ home });
  lines.length = 0;
});
afterEach(async () => {
  await store.close();
  await rm(home, { recursive: true });
});

async function runThatEnded(daysAgo: number): Promise<string> {
  const writer = await store.journal.create(runInit());
  writer.write(completed());
  await writer.close();
  const at = new Date(Date.now() - daysAgo * 24 * 3_600_000).toISOString();
  await store.db.updateTable("workbench_runs").set({ finished_at: at }).where("run_id", "=", writer.runId).execute();
  return writer.runId;
}

test("H7 what ended longer ago than the operator keeps is deleted every day", async () => {
  const [old, young] = [await runThatEnded(31), await runThatEnded(29)];
  const daily = startDailyRetention({ retention: store.retention, days: 30, log, firstAfterMs: 0 });
  await vi.waitFor(() => expect(lines).toHaveLength(1));
  await daily.close();
  expect(lines).toEqual([["retention", { days: 30, runs: 1, events: 2, kept: 0, blobs: 0, bytes: 0 }]]);
  expect((await store.ledger.get(old))?.deletedAt).not.toBeNull();
  expect(await store.journal.read(young)).toHaveLength(2);
});

test("H7 nothing is deleted unless the operator says so; what was interrupted is completed", async () => {
  const [old, interrupted] = [await runThatEnded(5000), await runThatEnded(1)];
  const deleted_at = new Date().toISOString();
  await store.db.updateTable("runs").set({ deleted_at }).where("id", "=", interrupted).execute();
  const daily = startDailyRetention({ retention: store.retention, days: undefined, log, firstAfterMs: 0 });
  const left = store.db.selectFrom("run_events").select("seq").where("run_id", "=", interrupted);
  await vi.waitFor(async () => expect(await left.execute()).toEqual([]));
  await daily.close();
  expect(await store.journal.read(old)).toHaveLength(2);
});
