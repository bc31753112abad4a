import { setImmediate as letOthersWork } from "node:timers/promises";
import { sql, type Kysely } from "kysely";
import type { Blobs } from "../blobs.ts";
import type { Tables } from "../schema.ts";

/** Every column that names a blob. A test compares them with the schema. */
export const blobColumns = {
  artifacts: ["sha256"],
  checkpoints: ["manifest_hash"],
  draft_changes: ["sha256"],
  drafts: ["base_manifest_hash"],
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
 * what the rows name is read in one statement, so that a name which moves from one row to another is seen. Uploads that
 * nobody has used for the grace period are forgotten first.
 */
export async function removeUnusedBlobs(
  db: Kysely<Tables>,
  blobs: Blobs,
  graceMs: number,
  signal?: AbortSignal,
): Promise<{ blobs: number; bytes: number }> {
  const olderThan = Date.now() - graceMs;
  await db.deleteFrom("uploads").where("created_at", "<", new Date(olderThan).toISOString()).execute();
  const unused = new Set<string>();
  for await (const { sha256, changedAt } of blobs.list()) if (changedAt < olderThan) unused.add(sha256);
  const named: string[] = [];
  const seen = new Set<string>();
  const name = (text: string) => {
    for (const [sha256] of text.matchAll(/(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/g)) {
      unused.delete(sha256);
      if (!seen.has(sha256)) named.push(sha256);
      seen.add(sha256);
    }
  };
  for (const sha256 of await namedByRows(db)) name(sha256);
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

async function namedByRows(db: Kysely<Tables>): Promise<string[]> {
  const selects = Object.entries(blobColumns).flatMap(([table, columns]) =>
    columns.map((column) => sql`SELECT ${sql.ref(column)} AS sha256 FROM ${sql.table(table)}`),
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
