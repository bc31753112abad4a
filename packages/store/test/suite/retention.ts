import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdir, utimes } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { EventInput, RunInit } from "@benchtop/protocol";
import { completed, rejectsWith, runInit, suspended } from "@benchtop/harness/journal-suite";
import type { Store } from "../../src/store.ts";
import { withStores, type SuiteSubject } from "./subject.ts";

const prunerProcess = new URL("./pruner-process.ts", import.meta.url);
const later = () => new Date(Date.now() + 60_000).toISOString();

export async function finishedRun(
  { journal }: Pick<Store, "journal">,
  init: Partial<RunInit> = {},
  events: readonly EventInput[] = [],
): Promise<string> {
  const writer = await journal.create(runInit(init));
  for (const event of [...events, completed()]) writer.write(event);
  await writer.close();
  return writer.runId;
}

export function retentionSuite(subject: SuiteSubject): void {
  const { test } = subject;

  test("H7 a deleted run is gone for every reader, and its ledger row stays without its words", () =>
    withStores(subject, async (open) => {
      const store = await open();
      const { journal, ledger, checkpoints, retention } = store;
      const init = runInit({ sessionId: "ses_1" });
      const phases = Array.from({ length: 5000 }, (_, place) => phase(`${place}`));
      await finishedRun(store, init, phases);
      const { runId } = init;
      const before = (await ledger.get(runId))!;
      const token = await journal.token(runId, 7);
      await ledger.recordReplay(init);

      assert.deepEqual(await retention.delete(runId), { events: 5002 });

      const after = (await ledger.get(runId))!;
      assert.ok(after.deletedAt);
      assert.deepEqual(after, { ...before, title: "", deletedAt: after.deletedAt });
      const rows = (await ledger.list({ workspaceId: null, deleted: true })).items;
      assert.deepEqual(
        rows.map(({ title, status }) => [title, status]),
        [
          ["", "replay"],
          ["", "success"],
        ],
      );
      assert.ok((await ledger.list({ workspaceId: null })).items.every(({ status }) => status === "replay"));
      await rejectsWith("NOT_FOUND", journal.read(runId));
      await rejectsWith("NOT_FOUND", journal.read(runId, { after: 100 }));
      await rejectsWith("NOT_FOUND", journal.verify(runId));
      await rejectsWith("NOT_FOUND", journal.acquire(runId));
      await rejectsWith("NOT_FOUND", journal.resolveToken(token));
      await rejectsWith("NOT_FOUND", journal.follow(runId)[Symbol.asyncIterator]().next());
      await rejectsWith("NOT_FOUND", checkpoints.save({ runId, seq: 0, name: "late", userId: "owner" }));
      await rejectsWith("NOT_FOUND", retention.delete(runId));
      await rejectsWith("NOT_FOUND", retention.delete("nobody"));
      await rejectsWith("RUN_REPLAYED", journal.create(init));
      assert.deepEqual(await ledger.runs("ses_1", 10), []);
      assert.deepEqual(await eventCount(store, runId), 0);
    }));

  test("H7 a run that has not ended is never deleted, nor is one that waits for a person", () =>
    withStores(subject, async (open) => {
      const { journal, retention } = await open();
      const going = await journal.create(runInit());
      const waiting = await journal.create(runInit());
      waiting.write(suspended);
      await waiting.close();
      for (const { runId } of [going, waiting]) {
        await rejectsWith("VALIDATION_FAILED", retention.delete(runId, { force: true }));
      }
      const report = await retention.prune({ workspaceId: null, before: later(), force: true });
      assert.deepEqual([report.runs, report.kept], [0, 0]);
      assert.equal((await journal.read(waiting.runId)).length, 2);
    }));

  test("H7 a run that another one or a checkpoint names stays, unless somebody insists", () =>
    withStores(subject, async (open) => {
      const store = await open();
      const { journal, checkpoints, retention } = store;
      const parent = await finishedRun(store);
      const child = await journal.create(runInit({ parentRunId: parent }));
      const named = await finishedRun(store);
      await checkpoints.save({ runId: named, seq: 0, name: "start", userId: "owner" });
      const published = await finishedRun(store);
      await store.db.insertInto("checkpoints").values(fileCheckpoint(published)).execute();
      const ids = [parent, named, published];
      for (const runId of ids) await rejectsWith("VALIDATION_FAILED", retention.delete(runId));
      const report = await retention.prune({ workspaceId: null, before: later() });
      assert.deepEqual([report.runs, report.kept], [0, 3]);

      await retention.delete(parent, { force: true });
      assert.equal((await retention.prune({ workspaceId: null, before: later(), force: true })).runs, 2);
      assert.deepEqual(await checkpoints.list(named), []);
      assert.equal((await journal.read(child.runId)).length, 1);
    }));

  test("H7 pruning takes old runs by the rules, children with their parents, and a dry run says so beforehand", () =>
    withStores(subject, async (open) => {
      const store = await open();
      const { retention, ledger } = store;
      const parent = await finishedRun(store, { kind: "agent" });
      const child = await finishedRun(store, { kind: "agent", parentRunId: parent });
      const conversation: string[] = [];
      for (let turn = 0; turn < 4; turn++) conversation.push(await finishedRun(store, { sessionId: "ses_1" }));
      const limit = later();
      const young = (await store.journal.create(runInit())).runId;

      const long = await retention.prune({ workspaceId: null, before: new Date(0).toISOString() });
      assert.equal(long.runs, 0);
      const rules = { workspaceId: null, before: limit, keepPerSession: 2 };
      const dry = await retention.prune({ ...rules, dryRun: true });
      assert.deepEqual(dry, { dryRun: true, runs: 4, events: 8, kept: 0, blobs: null, bytes: null });
      assert.equal((await retention.prune({ ...rules, kinds: ["nothing"] })).runs, 0);
      assert.equal((await retention.prune({ ...rules, kinds: ["agent"], dryRun: true })).runs, 2);

      const { runs, events } = await retention.prune(rules);
      assert.deepEqual([runs, events], [4, 8]);
      const deleted = (await ledger.list({ workspaceId: null, deleted: true })).items.filter(
        ({ deletedAt }) => deletedAt !== null,
      );
      assert.deepEqual(
        new Set(deleted.map(({ runId }) => runId)),
        new Set([parent, child, ...conversation.slice(0, 2)]),
      );
      assert.deepEqual(await ledger.runs("ses_1", 10), conversation.slice(2));
      assert.equal((await store.journal.read(young)).length, 1);
      assert.equal((await retention.prune(rules)).runs, 0);
    }));

  test("P1.4 H7 pruning for one workspace leaves the runs of the others, also in a conversation of the same id", () =>
    withStores(subject, async (open) => {
      const store = await open();
      const { retention, ledger } = store;
      const ended: Record<string, string[]> = { ws_a: [], ws_b: [] };
      for (let turn = 0; turn < 3; turn++) {
        for (const [workspaceId, ids] of Object.entries(ended)) {
          ids.push(await finishedRun(store, { workspaceId, sessionId: "chat" }));
        }
      }
      const [ours = [], theirs = []] = Object.values(ended);
      const left = async (workspaceId: string | null) =>
        (await ledger.list({ workspaceId })).items.map(({ runId }) => runId).toReversed();
      assert.deepEqual(await left("ws_a"), ours);

      assert.equal((await retention.prune({ workspaceId: "ws_none", before: later() })).runs, 0);
      const { runs } = await retention.prune({ workspaceId: "ws_a", before: later(), keepPerSession: 1 });
      assert.equal(runs, 2);
      assert.deepEqual([await left("ws_a"), await left("ws_b")], [ours.slice(2), theirs]);
      assert.equal((await retention.prune({ workspaceId: null, before: later(), keepPerSession: 1 })).runs, 2);
      assert.deepEqual(
        [await left(null), await left("ws_b")],
        [[...ours.slice(2), ...theirs.slice(2)], theirs.slice(2)],
      );
    }));

  test("H7 uploads of more than a day ago go with their content, unless it has become part of something", () =>
    withStores(subject, async (open) => {
      const store = await open();
      const { blobs, db, retention } = store;
      const upload = async (text: string, workspace_id: string, daysAgo: number) => {
        const blob = await blobs.put(Buffer.from(text));
        const at = new Date(Date.now() - daysAgo * 86_400_000);
        await utimes(blobs.pathOf(blob.sha256), at, at);
        await db
          .insertInto("uploads")
          .values({ ...blob, workspace_id, user_id: "u", created_at: at.toISOString() })
          .execute();
        return blob.sha256;
      };
      const forgotten = await upload("nobody used it", "ws_a", 2);
      const used = await upload("it became part of a run", "ws_a", 2);
      const sentAgain = await upload("another workspace sent it, too", "ws_a", 2);
      await upload("another workspace sent it, too", "ws_b", 0.5);
      const young = await upload("sent just now", "ws_a", 0);
      const stray = (await blobs.put(Buffer.from("no upload"))).sha256;
      await utimes(blobs.pathOf(stray), 0, 0);
      await finishedRun(store, {}, [artifact(used)]);

      assert.deepEqual(await retention.removeOldUploads(), { blobs: 1, bytes: 14 });
      assert.deepEqual(
        await Promise.all([forgotten, used, sentAgain, young, stray].map((sha256) => blobs.has(sha256))),
        [false, true, true, true, true],
      );
      const rows = await db.selectFrom("uploads").select(["workspace_id", "sha256"]).orderBy("workspace_id").execute();
      assert.deepEqual(rows, [
        { workspace_id: "ws_a", sha256: young },
        { workspace_id: "ws_b", sha256: sentAgain },
      ]);
      assert.deepEqual(await retention.removeOldUploads(), { blobs: 0, bytes: 0 });
    }));

  test("H7 blobs go once nothing names them: no row, no event, no blob that is named itself", () =>
    withStores(subject, async (open) => {
      const store = await open();
      const { blobs, db, retention } = store;
      const put = async (text: string) => (await blobs.put(Buffer.from(text))).sha256;
      const inManifest = await put("a file of a manifest");
      const manifest = await put(JSON.stringify({ padding: "x".repeat(300_000), files: [{ sha256: inManifest }] }));
      const inEvent = await put("named by an event that stays");
      const inDeleted = await put("named by an event that goes");
      const uploaded = await put("uploaded and forgotten");
      const stray = await put("never named");
      const young = await put("never named, put just now");
      await db
        .insertInto("checkpoints")
        .values({ ...fileCheckpoint(null), manifest_hash: manifest })
        .execute();
      await db
        .insertInto("uploads")
        .values({ workspace_id: "w", sha256: uploaded, bytes: 1, user_id: "u", created_at: new Date(0).toISOString() })
        .execute();
      await finishedRun(store, { kind: "stays" }, [artifact(inEvent)]);
      await finishedRun(store, { kind: "goes" }, [artifact(inDeleted)]);
      const all = [inManifest, manifest, inEvent, inDeleted, uploaded, stray];
      const age = async () => {
        for (const sha256 of all) if (await blobs.has(sha256)) await utimes(blobs.pathOf(sha256), 0, 0);
      };
      const left = async () => Promise.all([...all, young].map((sha256) => blobs.has(sha256)));

      await age();
      const first = await retention.prune({ workspaceId: null, before: new Date(0).toISOString() });
      assert.deepEqual([first.blobs, first.bytes], [2, 33]);
      assert.deepEqual(await left(), [true, true, true, true, false, false, true]);

      const report = await retention.prune({ workspaceId: null, before: later(), kinds: ["goes"] });
      assert.deepEqual([report.runs, report.blobs], [1, 1]);
      assert.deepEqual(await left(), [true, true, true, false, false, false, true]);

      await db.deleteFrom("checkpoints").execute();
      assert.equal((await retention.prune({ workspaceId: null, before: new Date(0).toISOString() })).blobs, 2);
      assert.deepEqual(await left(), [false, false, true, false, false, false, true]);
    }));

  test("H7 a blob that somebody is about to name is kept, whoever comes first", () =>
    withStores(subject, async (open) => {
      const { blobs } = await open();
      const bytes = Buffer.from("old, and wanted again");
      const { sha256 } = await blobs.put(bytes);
      const old = () => utimes(blobs.pathOf(sha256), 0, 0);
      const limit = Date.now() - 1000;

      for (let round = 0; round < 50; round++) {
        await old();
        const [removed] = await Promise.all([blobs.removeIfUnchangedSince(sha256, limit), blobs.put(bytes)]);
        assert.ok(await blobs.has(sha256), `round ${round}, removed ${removed}`);
        assert.deepEqual(Buffer.from(await blobs.read(sha256)), bytes);
      }
      await old();
      assert.equal(await blobs.keep(sha256), true);
      assert.equal(await blobs.removeIfUnchangedSince(sha256, limit), undefined);
      await old();
      assert.equal(await blobs.removeIfUnchangedSince(sha256, limit), bytes.length);
      assert.equal(await blobs.keep(sha256), false);
      assert.equal(await blobs.removeIfUnchangedSince(sha256, limit), undefined);
    }));

  test("H7 runs are written while others are pruned", () =>
    withStores(subject, async (open) => {
      const store = await open();
      await Promise.all(Array.from({ length: 60 }, () => finishedRun(store, { kind: "old" }, [phase("x")])));
      const pruning = store.retention.prune({ workspaceId: null, before: later(), kinds: ["old"] });
      const written = Array.from({ length: 30 }, () => finishedRun(store, { kind: "new" }, [phase("y")]));
      for (const runId of await Promise.all(written)) {
        assert.deepEqual((await store.journal.verify(runId)).violations, []);
      }
      assert.equal((await pruning).runs, 60);
    }));

  for (const marks of [1, 20, 75]) {
    test(`H7 a prune that was killed after ${marks} steps leaves every run whole or deleted, and is finished by the next`, () =>
      withStores(subject, async (open, options) => {
        const store = await open();
        const phases = Array.from({ length: 4500 }, (_, place) => phase(`${place}`));
        const ids = await Promise.all(
          Array.from({ length: 40 }, (_, place) => finishedRun(store, {}, place % 8 === 0 ? phases : [phase("x")])),
        );
        await prunedUntilKilled(options, marks);

        const whole: string[] = [];
        for (const runId of ids) {
          if ((await store.ledger.get(runId))?.deletedAt === null) whole.push(runId);
          else await rejectsWith("NOT_FOUND", store.journal.read(runId));
        }
        for (const runId of whole) assert.deepEqual((await store.journal.verify(runId)).violations, []);
        await store.retention.finish();
        for (const runId of ids) {
          if (!whole.includes(runId)) assert.equal(await eventCount(store, runId), 0);
        }
        assert.equal((await store.retention.prune({ workspaceId: null, before: later() })).runs, whole.length);
        assert.deepEqual(await readdir(join(options.home, "blobs", "temporary")), []);
      }));
  }
}

function phase(name: string): EventInput {
  return { type: "PhaseChanged", phase: name };
}

function artifact(sha256: string): EventInput {
  return { type: "ArtifactWritten", artifactId: "art_1", name: "a", mediaType: "text/plain", sha256, bytes: 1 };
}

function fileCheckpoint(runId: string | null) {
  return {
    id: `cp_${runId}`,
    workbench_id: "wb_1",
    reason: "publish",
    message: null,
    manifest_hash: "0",
    file_count: 0,
    total_bytes: 0,
    run_id: runId,
    created_at: "",
  } as const;
}

async function eventCount({ db }: Store, runId: string): Promise<number> {
  const { total } = await db
    .selectFrom("run_events")
    .select(({ fn }) => fn.countAll<number>().as("total"))
    .where("run_id", "=", runId)
    .executeTakeFirstOrThrow();
  return total;
}

/** Lets a process prune everything and kills it (SIGKILL) in the middle: after so many steps. */
async function prunedUntilKilled(options: object, steps: number): Promise<void> {
  const child = spawn(process.execPath, [prunerProcess.pathname, JSON.stringify(options)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = new Promise((resolve) => child.once("exit", (_, signal) => resolve(signal)));
  let lines = 0;
  for await (const _ of createInterface({ input: child.stdout })) if (++lines === steps) child.kill("SIGKILL");
  assert.equal(await exited, "SIGKILL");
}
