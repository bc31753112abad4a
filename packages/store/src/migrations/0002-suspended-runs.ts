import type { Kysely } from "kysely";

/** What a run that has not ended waits for, as JSON: kept in the commit of its `Suspended` event, cleared in that of the next one. */
export async function suspendedRuns(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable("runs").addColumn("suspension", "text").execute();
}
