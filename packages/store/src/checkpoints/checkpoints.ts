import type { CheckpointStore, RunCheckpoint } from "@benchtop/protocol";
import { checkCheckpointName, existingCheckpoint } from "@benchtop/protocol/run-checkpoints";
import type { Kysely, Selectable, Transaction } from "kysely";
import { pointAt } from "../journal/replay-point.ts";
import { noSuchRun } from "../journal/refusals.ts";
import type { RunCheckpointsTable, Tables } from "../schema.ts";

/** The named points of the journals in a database; the contract is that of `CheckpointStore`. */
export class RunCheckpoints implements CheckpointStore {
  readonly #db: Kysely<Tables>;

  constructor(db: Kysely<Tables>) {
    this.#db = db;
  }

  async save({ runId, seq, name, userId }: Parameters<CheckpointStore["save"]>[0]): Promise<RunCheckpoint> {
    checkCheckpointName(name);
    return this.#db.transaction().execute(async (transaction) => {
      await holdRun(transaction, runId);
      const { hash } = await pointAt(transaction, runId, seq);
      const existing = existingCheckpoint(await pointsOf(transaction, runId), { runId, name, seq });
      if (existing) return existing;
      const checkpoint = { runId, seq, hash, name, userId, createdAt: new Date().toISOString() };
      await transaction.insertInto("run_checkpoints").values(rowOf(checkpoint)).execute();
      return checkpoint;
    });
  }

  list(runId: string): Promise<readonly RunCheckpoint[]> {
    return pointsOf(this.#db, runId);
  }

  async remove(runId: string, name: string): Promise<boolean> {
    const { numDeletedRows } = await this.#db
      .deleteFrom("run_checkpoints")
      .where("run_id", "=", runId)
      .where("name", "=", name)
      .executeTakeFirst();
    return numDeletedRows > 0n;
  }
}

/** Two that name points of one run wait for each other, and for who deletes it. (On SQLite every transaction does.) */
async function holdRun(transaction: Transaction<Tables>, runId: string): Promise<void> {
  const held = await transaction
    .updateTable("runs")
    .set((row) => ({ trace_id: row.ref("trace_id") }))
    .where("id", "=", runId)
    .where("deleted_at", "is", null)
    .executeTakeFirst();
  if (held.numUpdatedRows === 0n) throw noSuchRun(runId);
}

async function pointsOf(db: Kysely<Tables>, runId: string): Promise<RunCheckpoint[]> {
  const rows = await db
    .selectFrom("run_checkpoints")
    .selectAll()
    .where("run_id", "=", runId)
    .orderBy("seq")
    .orderBy("created_at")
    .execute();
  return rows.map(checkpointOf);
}

function rowOf({ runId, seq, hash, name, userId, createdAt }: RunCheckpoint): RunCheckpointsTable {
  return { run_id: runId, seq, hash, name, user_id: userId, created_at: createdAt };
}

function checkpointOf(row: Selectable<RunCheckpointsTable>): RunCheckpoint {
  return {
    runId: row.run_id,
    seq: row.seq,
    hash: row.hash,
    name: row.name,
    userId: row.user_id,
    createdAt: row.created_at,
  };
}
