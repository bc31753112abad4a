import type { Kysely } from "kysely";
import type { Tables } from "../schema.ts";
import { pinnedRuns } from "./run-choice.ts";

/** Events that one statement removes: what writers wait for, at most. */
const batchSize = 2000;

/**
 * Takes a journal away from every reader, in one commit: from here on the run is deleted, whatever happens. False, and
 * nothing done, when it has not ended, is deleted already, or is named by something and `force` is not given.
 */
export function markDeleted(db: Kysely<Tables>, runId: string, force: boolean): Promise<boolean> {
  return db.transaction().execute(async (transaction) => {
    if (!force && (await isNamed(transaction, runId))) return false;
    const marked = await transaction
      .updateTable("runs")
      .set({ deleted_at: new Date().toISOString() })
      .where("id", "=", runId)
      .where("finished", "=", 1)
      .where("deleted_at", "is", null)
      .executeTakeFirst();
    if (marked.numUpdatedRows !== 1n) return false;
    // What a person wrote goes with the journal; refused repetitions quote it, too. Those of another workspace are its own.
    const { workspace_id } = await transaction
      .selectFrom("workbench_runs")
      .select("workspace_id")
      .where("run_id", "=", runId)
      .where("status", "<>", "replay")
      .executeTakeFirstOrThrow();
    await transaction
      .updateTable("workbench_runs")
      .set({ title: "" })
      .where("run_id", "=", runId)
      .where("workspace_id", workspace_id === null ? "is" : "=", workspace_id)
      .execute();
    await transaction.deleteFrom("run_checkpoints").where("run_id", "=", runId).execute();
    await transaction.deleteFrom("artifacts").where("run_id", "=", runId).execute();
    return true;
  });
}

/** Removes the events of a deleted journal, a part at a time. */
export async function deleteEvents(db: Kysely<Tables>, runId: string): Promise<void> {
  const { event_count } = await db
    .selectFrom("runs")
    .select("event_count")
    .where("id", "=", runId)
    .executeTakeFirstOrThrow();
  for (let first = 0; first < event_count; first += batchSize) {
    await db
      .deleteFrom("run_events")
      .where("run_id", "=", runId)
      .where("seq", ">=", first)
      .where("seq", "<", first + batchSize)
      .execute();
  }
  await db.updateTable("runs").set({ events_deleted: 1 }).where("id", "=", runId).execute();
}

/** Journals that were marked when the process that deleted them ended. */
export async function finishDeletions(db: Kysely<Tables>): Promise<void> {
  const left = await db
    .selectFrom("runs")
    .select("id")
    .where("deleted_at", "is not", null)
    .where("events_deleted", "=", 0)
    .execute();
  for (const { id } of left) await deleteEvents(db, id);
}

async function isNamed(db: Kysely<Tables>, runId: string): Promise<boolean> {
  if ((await pinnedRuns(db, [runId])).has(runId)) return true;
  const child = await db
    .selectFrom("workbench_runs as entry")
    .innerJoin("runs", "runs.id", "entry.run_id")
    .select("entry.run_id")
    .where("entry.parent_run_id", "=", runId)
    .where("entry.status", "<>", "replay")
    .where("runs.deleted_at", "is", null)
    .limit(1)
    .executeTakeFirst();
  return child !== undefined;
}
