import type { Kysely } from "kysely";

/** Whether the agents of a workbench may remember; none may unless its owner says so. And a way to list what they do. */
export async function workbenchMemory(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable("workbenches")
    .addColumn("memory", "integer", (column) => column.notNull().defaultTo(0))
    .execute();
  await db.schema.createIndex("memories_by_time").on("memories").columns(["scope", "written_at", "id"]).execute();
}
