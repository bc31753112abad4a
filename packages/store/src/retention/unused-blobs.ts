import { setImmediate as letOthersWork } from "node:timers/promises";
import { sql, type Kysely } from "kysely";
import type { Blobs } from "../blobs.ts";
import type { Tables } from "../schema.ts";

/** Every column that names a blob. A test compares them with the schema. */
export const blobColumns = {
  artifacts: ["sha256"],
  checkpoints: ["manifest_hash"],
  draft_changes: ["sha256"],
  draft_decisions: ["sha256"],
  drafts: ["base_manifest_hash"],
  file_origins: ["sha256"],
  // How a model was made: the examples that it was trained on stay as long as it does.
  local_models: ["manifest"],
  publish_intents: ["from_manifest_hash", "to_manifest_hash"],
  uploads: ["sha256"],
  workbenches: ["manifest_hash"],
} as const;

/** Events of these types say nothing that a blob could be named in; they are most of a journal. */
const nameless = ["OutputDelta", "StepStarted", "StepFinished", "RetryScheduled", "TimedOut", "BudgetExceeded"];

const pageSize = 50;

/**
 * Removes the blobs that nothing names: no row, no event, and no blob that is named itself (manifests, contexts, reports name
 * others). A name is any 64 hex digits, so that a form of naming that is not known here keeps a blob, too.
 *
 * Whoever is about to name a blob has put it, or asked for it to be kept, within the grace period, so that its file is young;
 * what the rows name is read in one statement, so that a name which moves from one row to another is seen. Uploads are
 * forgotten after the grace period, whether somebody has used them or not: what was made of them names the blob itself.
 */
export async function removeUnusedBlobs(
  db: Kysely<Tables>,
  blobs: Blobs,
  graceMs: number,
  signal?: AbortSignal,
): Promise<{ blobs: number; bytes: number }> {
  const olderThan = Date.now() - graceMs;
  await forgetUploads(db, olderThan);
  const unused = new Set<string>();
  for await (const { sha256, changedAt } of blobs.list()) if (changedAt < olderThan) unused.add(sha256);
  return await removeUnnamed(db, blobs, unused, olderThan, signal);
}

/** The same for uploads alone: nothing at all is read where none is older than the grace period. */
export async function removeOldUploads(
  db: Kysely<Tables>,
  blobs: Blobs,
  graceMs: number,
  signal?: AbortSignal,
): Promise<{ blobs: number; bytes: number }> {
  const olderThan = Date.now() - graceMs;
  const old = await db
    .selectFrom("uploads")
    .select("sha256")
    .where("created_at", "<", new Date(olderThan).toISOString())
    .execute();
  if (old.length === 0) return { blobs: 0, bytes: 0 };
  const unused = new Set(old.map(({ sha256 }) => sha256));
  const removed = await removeUnnamed(db, blobs, unused, olderThan, signal);
  // Last: what an early end left is looked at the next time.
  if (signal?.aborted !== true) await forgetUploads(db, olderThan);
  return removed;
}

async function forgetUploads(db: Kysely<Tables>, olderThan: number): Promise<void> {
  await db.deleteFrom("uploads").where("created_at", "<", new Date(olderThan).toISOString()).execute();
}

/** Removes those of the blobs that nothing names. Takes from the set what is named. */
async function removeUnnamed(
  db: Kysely<Tables>,
  blobs: Blobs,
  unused: Set<string>,
  olderThan: number,
  signal: AbortSignal | undefined,
): Promise<{ blobs: number; bytes: number }> {
  const named: string[] = [];
  const seen = new Set<string>();
  const name = (text: string) => {
    for (const [sha256] of text.matchAll(/(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/g)) {
      unused.delete(sha256);
      if (!seen.has(sha256)) named.push(sha256);
      seen.add(sha256);
    }
  };
  for (const sha256 of await namedByRows(db, olderThan)) name(sha256);
  for await (const body of namingEvents(db)) {
    if (unused.size === 0 || signal?.aborted) return { blobs: 0, bytes: 0 };
    name(body);
  }
  for (let next = named.pop(); next !== undefined && unused.size > 0; next = named.pop()) {
    for await (const text of blobs.jsonText(next)) name(text);
  }
  const removed = { blobs: 0, bytes: 0 };
  for (const sha256 of unused) {
    if (signal?.aborted) break;
    const bytes = await blobs.removeIfUnchangedSince(sha256, olderThan);
    if (bytes === undefined) continue;
    removed.blobs += 1;
    removed.bytes += bytes;
  }
  return removed;
}

/** Old uploads name nothing. */
async function namedByRows(db: Kysely<Tables>, olderThan: number): Promise<string[]> {
  const counted = (table: string) =>
    table === "uploads" ? sql` WHERE created_at >= ${new Date(olderThan).toISOString()}` : sql``;
  const selects = Object.entries(blobColumns).flatMap(([table, columns]) =>
    columns.map((column) => sql`SELECT ${sql.ref(column)} AS sha256 FROM ${sql.table(table)}${counted(table)}`),
  );
  const { rows } = await sql<{ sha256: string | null }>`${sql.join(selects, sql` UNION ALL `)}`.execute(db);
  return rows.flatMap(({ sha256 }) => sha256 ?? []);
}

async function* namingEvents(db: Kysely<Tables>): AsyncGenerator<string> {
  for (let after = ""; ;) {
    const runs = await db.selectFrom("runs").select("id").where("id", ">", after).orderBy("id").limit(500).execute();
    const last = runs.at(-1);
    if (!last) return;
    for (const { id } of runs) yield* eventsOf(db, id);
    after = last.id;
  }
}

async function* eventsOf(db: Kysely<Tables>, runId: string): AsyncGenerator<string> {
  for (let after = -1; ;) {
    const rows = await db
      .selectFrom("run_events")
      .select(["seq", "body"])
      .where("run_id", "=", runId)
      .where("seq", ">", after)
      .where("type", "not in", nameless)
      .orderBy("seq")
      .limit(pageSize)
      .execute();
    for (const { body } of rows) yield body;
    const last = rows.at(-1);
    if (!last || rows.length < pageSize) return;
    after = last.seq;
    await letOthersWork();
  }
}
