import { BenchtopError, newId } from "@benchtop/protocol";
import type { Catalogue } from "../catalogue/catalogue.ts";
import type { Environment } from "../environment.ts";
import { decodeCursor, encodeCursor, type Page, type PageInput } from "../page.ts";
import { scanPublished, conflict } from "../published/transition.ts";
import { insertCheckpoint, type CheckpointRow } from "./insert-checkpoint.ts";

export type { CheckpointRow } from "./insert-checkpoint.ts";

export interface Checkpoint {
  readonly checkpointId: string;
  readonly workbenchId: string;
  readonly reason: "publish" | "pre-restore" | "manual" | "files-changed";
  readonly message: string | null;
  readonly manifestHash: string;
  readonly fileCount: number;
  readonly totalBytes: number;
  readonly runId: string | null;
  readonly createdAt: string;
}

/** Newest first. */
export async function listCheckpoints(
  { store }: Environment,
  workbenchId: string,
  input: PageInput,
): Promise<Page<Checkpoint>> {
  const [at, id] = decodeCursor(input.cursor, 2) ?? [];
  let query = store.db
    .selectFrom("checkpoints")
    .selectAll()
    .where("workbench_id", "=", workbenchId)
    .orderBy("created_at", "desc")
    .orderBy("id", "desc")
    .limit(input.limit + 1);
  if (at !== undefined && id !== undefined) {
    query = query.where((where) =>
      where.or([where("created_at", "<", at), where.and([where("created_at", "=", at), where("id", "<", id)])]),
    );
  }
  const rows = await query.execute();
  const shown = rows.slice(0, input.limit);
  const last = shown.at(-1);
  return {
    items: shown.map(present),
    nextCursor: rows.length > input.limit && last ? encodeCursor([last.created_at, last.id]) : null,
  };
}

/** Keeps what is published now. Refused where the folder is not what Benchtop published. */
export async function createCheckpoint(
  environment: Environment,
  catalogue: Catalogue,
  input: { workbenchId: string; message?: string | undefined },
): Promise<Checkpoint> {
  const { id } = await catalogue.find(input.workbenchId);
  return await environment.locks.run(id, async () => {
    const row = await catalogue.find(id);
    const { store, manifests } = environment;
    const manifest = await manifests.load(row.manifest_hash);
    const { changes } = await scanPublished(environment, id, manifest);
    if (changes.length > 0) throw conflict(id, changes);
    const checkpoint = await store.db.transaction().execute((transaction) =>
      insertCheckpoint(environment, transaction, {
        id: newId("checkpoint"),
        workbenchId: id,
        reason: "manual",
        message: input.message ?? null,
        manifest,
        runId: null,
      }),
    );
    await store.flush();
    return present(checkpoint);
  });
}

/**
 * Forgets a checkpoint. Throws `NOT_FOUND`; refused while the run that made it goes on, and while what an interrupted change
 * left has to be undone with it.
 */
export async function removeCheckpoint(
  environment: Environment,
  catalogue: Catalogue,
  input: { workbenchId: string; checkpointId: string },
): Promise<void> {
  const { id } = await catalogue.find(input.workbenchId);
  await environment.locks.run(id, async () => {
    const { store, runs } = environment;
    const checkpoint = await findCheckpoint(environment, id, input.checkpointId);
    const intent = await store.db
      .selectFrom("publish_intents")
      .select(["checkpoint_id", "from_manifest_hash", "to_manifest_hash"])
      .where("workbench_id", "=", id)
      .executeTakeFirst();
    const hashes = [intent?.from_manifest_hash, intent?.to_manifest_hash];
    const needed = intent?.checkpoint_id === checkpoint.id || hashes.includes(checkpoint.manifest_hash);
    if (needed || (checkpoint.run_id !== null && runs.active().includes(checkpoint.run_id))) {
      throw new BenchtopError(
        "VALIDATION_FAILED",
        "A publish or a restore that has not come to its end needs this checkpoint. Try again when it has.",
        { phase: "restore", workbenchId: id, retryable: true, actions: ["retry"] },
      );
    }
    await store.db.deleteFrom("checkpoints").where("id", "=", checkpoint.id).execute();
    await store.flush();
  });
}

/** One checkpoint, or the newest. Throws `NOT_FOUND`. */
export async function findCheckpoint(
  { store }: Environment,
  workbenchId: string,
  checkpointId: string | undefined,
): Promise<CheckpointRow> {
  let query = store.db.selectFrom("checkpoints").selectAll().where("workbench_id", "=", workbenchId);
  if (checkpointId !== undefined) query = query.where("id", "=", checkpointId);
  const row = await query.orderBy("created_at", "desc").orderBy("id", "desc").limit(1).executeTakeFirst();
  if (row) return row;
  throw new BenchtopError(
    "NOT_FOUND",
    checkpointId === undefined
      ? "There is no checkpoint yet. Publishing makes the first one."
      : `There is no checkpoint "${checkpointId.slice(0, 100)}" in this workbench.`,
    { phase: "restore", workbenchId },
  );
}

function present(row: CheckpointRow): Checkpoint {
  return {
    checkpointId: row.id,
    workbenchId: row.workbench_id,
    reason: row.reason,
    message: row.message,
    manifestHash: row.manifest_hash,
    fileCount: row.file_count,
    totalBytes: row.total_bytes,
    runId: row.run_id,
    createdAt: row.created_at,
  };
}
