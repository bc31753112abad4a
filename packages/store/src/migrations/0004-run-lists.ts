import { sql, type Kysely } from "kysely";

/** Lists of the runs that another one started, and of the runs of one trace. */
export async function runLists(db: Kysely<unknown>): Promise<void> {
  await sql`CREATE INDEX workbench_runs_by_parent ON workbench_runs (parent_run_id, started_at)`.execute(db);
  await sql`CREATE INDEX workbench_runs_by_trace ON workbench_runs (trace_id, started_at)`.execute(db);
}
