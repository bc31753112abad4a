import { sql, type Kysely } from "kysely";

/**
 * A conversation becomes a chain of runs with a head that can be moved back; checkpoints know the head they were made at. The
 * Draft gets summaries and decisions, workbenches get context items and the places that files were copied from; failures are
 * kept, and hosts of the local network can be approved.
 */
export async function conversationsAndReview(db: Kysely<unknown>): Promise<void> {
  await makeConversationChains(db);
  await extendDrafts(db);
  await makeWorkbenchTables(db);
  await makeFailures(db);
  await extendEgress(db);
}

/** What was said before is one chain, in the order of its runs. */
async function makeConversationChains(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("conversation_turns")
    .addColumn("run_id", "text", (column) => column.primaryKey().notNull())
    .addColumn("workspace_id", "text", (column) => column.notNull())
    .addColumn("session_id", "text", (column) => column.notNull())
    .addColumn("previous_run_id", "text")
    .addColumn("kind", "text", (column) => column.notNull())
    .addColumn("draft_id", "text")
    .addColumn("draft_revision", "integer")
    .addColumn("created_at", "text", (column) => column.notNull())
    .execute();
  await db.schema
    .createIndex("conversation_turns_of_session")
    .on("conversation_turns")
    .columns(["workspace_id", "session_id", "created_at"])
    .execute();
  await db.schema
    .createTable("conversation_heads")
    .addColumn("workspace_id", "text", (column) => column.notNull())
    .addColumn("session_id", "text", (column) => column.notNull())
    .addColumn("run_id", "text")
    .addPrimaryKeyConstraint("conversation_heads_key", ["workspace_id", "session_id"])
    .execute();
  await sql`INSERT INTO conversation_turns (run_id, workspace_id, session_id, previous_run_id, kind, created_at)
    SELECT run_id, workspace_id, session_id,
      lag(run_id) OVER (PARTITION BY workspace_id, session_id ORDER BY started_at, id), kind, started_at
    FROM workbench_runs
    WHERE session_id IN (SELECT session_id FROM workbenches) AND workbench_id IS NOT NULL AND status <> 'replay'
      AND kind IN ('agent', 'publish', 'restore', 'discard', 'undo')`.execute(db);
  await sql`INSERT INTO conversation_heads (workspace_id, session_id, run_id)
    SELECT workspace_id, session_id, run_id FROM (
      SELECT workspace_id, session_id, run_id,
        row_number() OVER (PARTITION BY workspace_id, session_id ORDER BY created_at DESC, run_id DESC) AS place
      FROM conversation_turns
    ) AS newest WHERE place = 1`.execute(db);
  await db.schema.alterTable("checkpoints").addColumn("head_run_id", "text").execute();
  await db.schema.alterTable("drafts").addColumn("head_run_id", "text").execute();
  await sql`UPDATE checkpoints SET head_run_id = (
      SELECT turn.run_id FROM conversation_turns AS turn JOIN workbenches ON workbenches.session_id = turn.session_id
      WHERE workbenches.id = checkpoints.workbench_id AND turn.created_at <= checkpoints.created_at
        AND (checkpoints.run_id IS NULL OR turn.run_id <> checkpoints.run_id)
      ORDER BY turn.created_at DESC, turn.run_id DESC LIMIT 1
    )`.execute(db);
}

async function extendDrafts(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable("draft_changes").addColumn("summary", "text").execute();
  await db.schema.alterTable("draft_changes").addColumn("media_type", "text").execute();
  await db.schema.alterTable("draft_changes").addColumn("opaque", "integer").execute();
  await db.schema
    .createTable("draft_decisions")
    .addColumn("draft_id", "text", (column) => column.notNull())
    .addColumn("path", "text", (column) => column.notNull())
    .addColumn("hunk", "text", (column) => column.notNull())
    .addColumn("sha256", "text")
    .addColumn("user_id", "text", (column) => column.notNull())
    .addColumn("at", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("draft_decisions_key", ["draft_id", "path", "hunk"])
    .execute();
}

async function makeWorkbenchTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("context_items")
    .addColumn("id", "text", (column) => column.primaryKey().notNull())
    .addColumn("workbench_id", "text", (column) => column.notNull())
    .addColumn("kind", "text", (column) => column.notNull())
    .addColumn("title", "text", (column) => column.notNull())
    .addColumn("content", "text", (column) => column.notNull())
    .addColumn("created_at", "text", (column) => column.notNull())
    .addColumn("updated_at", "text", (column) => column.notNull())
    .execute();
  await db.schema
    .createIndex("context_items_of_workbench")
    .on("context_items")
    .columns(["workbench_id", "created_at", "id"])
    .execute();
  await db.schema
    .createTable("file_origins")
    .addColumn("workbench_id", "text", (column) => column.notNull())
    .addColumn("file_id", "text", (column) => column.notNull())
    .addColumn("path", "text", (column) => column.notNull())
    .addColumn("host_path", "text", (column) => column.notNull())
    .addColumn("sha256", "text", (column) => column.notNull())
    .addColumn("synced_at", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("file_origins_key", ["workbench_id", "file_id"])
    .execute();
}

async function makeFailures(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("failures")
    .addColumn("id", "text", (column) => column.primaryKey().notNull())
    .addColumn("workspace_id", "text", (column) => column.notNull())
    .addColumn("at", "text", (column) => column.notNull())
    .addColumn("error_code", "text", (column) => column.notNull())
    .addColumn("phase", "text", (column) => column.notNull())
    .addColumn("operation", "text")
    .addColumn("run_id", "text")
    .addColumn("workbench_id", "text")
    .addColumn("report", "text", (column) => column.notNull())
    .execute();
  await db.schema.createIndex("failures_of_workspace").on("failures").columns(["workspace_id", "id"]).execute();
  await db.schema.createIndex("failures_of_run").on("failures").column("run_id").execute();
}

async function extendEgress(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable("egress_events").addColumn("input_tokens", "integer").execute();
  await db.schema.alterTable("egress_events").addColumn("output_tokens", "integer").execute();
  await db.schema.alterTable("egress_events").addColumn("file_count", "integer").execute();
  await db.schema
    .createTable("egress_exceptions")
    .addColumn("workspace_id", "text", (column) => column.notNull())
    .addColumn("host", "text", (column) => column.notNull())
    .addColumn("note", "text", (column) => column.notNull())
    .addColumn("approved_by", "text", (column) => column.notNull())
    .addColumn("created_at", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("egress_exceptions_key", ["workspace_id", "host"])
    .execute();
}
