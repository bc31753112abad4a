import { sql, type Kysely } from "kysely";

/** Named points of journals; and journals that are deleted as a whole, in steps that a crash may interrupt. */
export async function runRetention(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("run_checkpoints")
    .addColumn("run_id", "text", (column) => column.notNull())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("seq", "integer", (column) => column.notNull())
    .addColumn("hash", "text", (column) => column.notNull())
    .addColumn("user_id", "text", (column) => column.notNull())
    .addColumn("created_at", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("run_checkpoints_key", ["run_id", "name"])
    .execute();

  await db.schema.alterTable("runs").addColumn("deleted_at", "text").execute();
  await db.schema
    .alterTable("runs")
    .addColumn("events_deleted", "integer", (column) => column.notNull().defaultTo(0))
    .execute();
  await sql`CREATE INDEX runs_deleting ON runs (id) WHERE deleted_at IS NOT NULL AND events_deleted = 0`.execute(db);
  await sql`CREATE INDEX checkpoints_of_run ON checkpoints (run_id)`.execute(db);
}
