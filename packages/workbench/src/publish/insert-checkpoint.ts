import { now, type Environment, type Transaction } from "../environment.ts";
import type { Manifest } from "../files/manifest.ts";
import type { Selectable } from "../rows.ts";
import { headBefore } from "../workshop/conversation/turns.ts";

export type CheckpointRow = Selectable<"checkpoints">;

/** Adds a checkpoint. One that Benchtop makes by itself takes the place of the oldest such ones, where there are too many. */
export async function insertCheckpoint(
  environment: Pick<Environment, "limits">,
  transaction: Transaction,
  checkpoint: {
    readonly id: string;
    readonly workbenchId: string;
    readonly reason: CheckpointRow["reason"];
    readonly message: string | null;
    readonly manifest: Manifest;
    readonly runId: string | null;
  },
): Promise<CheckpointRow> {
  const { id, workbenchId, reason, message, manifest, runId } = checkpoint;
  const row: CheckpointRow = {
    id,
    workbench_id: workbenchId,
    reason,
    message,
    manifest_hash: manifest.hash,
    file_count: manifest.entries.length,
    total_bytes: manifest.totalBytes,
    run_id: runId,
    head_run_id: await headAt(transaction, checkpoint),
    created_at: now(),
  };
  await transaction.insertInto("checkpoints").values(row).execute();
  if (reason !== "manual") await removeOldest(transaction, workbenchId, environment.limits.keepCheckpoints);
  return row;
}

/** Where the conversation stood: before the Draft that is published began, or before the run that changes the files. */
async function headAt(
  transaction: Transaction,
  { workbenchId, reason, runId }: { workbenchId: string; reason: CheckpointRow["reason"]; runId: string | null },
): Promise<string | null> {
  if (reason !== "publish") return await headBefore(transaction, workbenchId, runId);
  const draft = await transaction
    .selectFrom("drafts")
    .select("head_run_id")
    .where("workbench_id", "=", workbenchId)
    .executeTakeFirst();
  return draft?.head_run_id ?? null;
}

/** What a person made stays, and so does the way back from the last restore. */
async function removeOldest(transaction: Transaction, workbenchId: string, keep: number): Promise<void> {
  const automatic = await transaction
    .selectFrom("checkpoints")
    .select(["id", "reason"])
    .where("workbench_id", "=", workbenchId)
    .where("reason", "!=", "manual")
    .orderBy("created_at", "desc")
    .orderBy("id", "desc")
    .execute();
  const wayBack = automatic.find(({ reason }) => reason === "pre-restore");
  // Never the newest: it says that what has just been done was done.
  const old = automatic.slice(Math.max(1, keep)).filter((checkpoint) => checkpoint !== wayBack);
  for (const { id } of old) await transaction.deleteFrom("checkpoints").where("id", "=", id).execute();
}
