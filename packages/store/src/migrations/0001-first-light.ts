import { sql, type CreateTableBuilder, type Kysely } from "kysely";

/** The `ops` schema as it was first released. Never changed afterwards: a later migration adds to it. */
export async function firstLight(db: Kysely<unknown>, dialect: "sqlite" | "postgres"): Promise<void> {
  await createProjects(db);
  await createRuns(db, dialect);
  await createWorkbenches(db);
  await createProvidersAndConsent(db);
  await createAccess(db);
}

async function createProjects(db: Kysely<unknown>): Promise<void> {
  await table(db, "workspaces", "id", ["name", "created_at"]).execute();
  await table(
    db,
    "projects",
    "id",
    ["workspace_id", "name", "description", "created_at", "updated_at"],
    ["template"],
  ).execute();
  await index(db, "projects_of_workspace", "projects", ["workspace_id", "created_at"]);

  await table(
    db,
    "sessions",
    "id",
    ["project_id", "user_id", "kind", "runtime", "profile", "status", "created_at", "last_active_at"],
    ["ended_at"],
  )
    .addColumn("idle_timeout_seconds", "integer", (column) => column.notNull())
    .execute();
  await index(db, "sessions_of_project", "sessions", ["project_id", "created_at"]);

  await table(db, "experiments", "id", ["project_id", "name", "description", "created_at"]).execute();
  await index(db, "experiments_of_project", "experiments", ["project_id", "created_at"]);

  await table(db, "models", "id", ["project_id", "name", "stage", "created_at"], ["run_id", "artifact_id"])
    .addColumn("version", "integer", (column) => column.notNull())
    .execute();
  await uniqueIndex(db, "models_version", "models", ["project_id", "name", "version"]);

  await table(
    db,
    "apps",
    "id",
    ["project_id", "name", "framework", "status", "created_at", "updated_at"],
    ["artifact_id"],
  )
    .addColumn("release", "integer", (column) => column.notNull())
    .execute();
  await index(db, "apps_of_project", "apps", ["project_id", "created_at"]);

  await table(db, "artifacts", "id", ["run_id", "name", "media_type", "sha256", "created_at"])
    .addColumn("bytes", "bigint", (column) => column.notNull())
    .execute();
  await index(db, "artifacts_of_run", "artifacts", ["run_id"]);

  const now = new Date().toISOString();
  await sql`INSERT INTO workspaces (id, name, created_at) VALUES ('default', 'Default', ${now})`.execute(db);
}

async function createRuns(db: Kysely<unknown>, dialect: "sqlite" | "postgres"): Promise<void> {
  await table(db, "runs", "id", ["trace_id", "kind", "head_hash", "created_at"], ["lease_owner", "lease_until"])
    .addColumn("lease_epoch", "integer", (column) => column.notNull())
    .addColumn("event_count", "integer", (column) => column.notNull())
    .addColumn("finished", "integer", (column) => column.notNull())
    .execute();
  await sql`CREATE INDEX runs_unfinished ON runs (created_at) WHERE finished = 0`.execute(db);

  // Clustered by run on SQLite: a journal is read in order, and one tree is written instead of two.
  const events = db.schema
    .createTable("run_events")
    .addColumn("run_id", "text", (column) => column.notNull())
    .addColumn("seq", "integer", (column) => column.notNull())
    .addColumn("type", "text", (column) => column.notNull())
    .addColumn("hash", "text", (column) => column.notNull())
    .addColumn("body", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("run_events_key", ["run_id", "seq"]);
  await (dialect === "sqlite" ? events.modifyEnd(sql`WITHOUT ROWID`) : events).execute();

  await table(
    db,
    "workbench_runs",
    "id",
    ["run_id", "trace_id", "kind", "user_id", "contract", "status", "title", "metadata", "started_at"],
    [
      "tool_id",
      "workspace_id",
      "workbench_id",
      "session_id",
      "parent_run_id",
      "contract_version",
      "provider_id",
      "model_id",
      "error_code",
      "finished_at",
    ],
  )
    .addColumn("input_tokens", "bigint", (column) => column.notNull())
    .addColumn("output_tokens", "bigint", (column) => column.notNull())
    .addColumn("cost_micros", "bigint")
    .addColumn("steps", "integer", (column) => column.notNull())
    .addColumn("tool_calls", "integer", (column) => column.notNull())
    .addColumn("first_token_ms", "double precision")
    .addColumn("duration_ms", "double precision")
    .execute();
  await sql`CREATE UNIQUE INDEX workbench_runs_run ON workbench_runs (run_id) WHERE status <> 'replay'`.execute(db);
  await index(db, "workbench_runs_by_time", "workbench_runs", ["started_at", "id"]);
  await index(db, "workbench_runs_by_tool", "workbench_runs", ["tool_id", "started_at"]);
  await index(db, "workbench_runs_by_workbench", "workbench_runs", ["workbench_id", "started_at"]);
  await index(db, "workbench_runs_by_session", "workbench_runs", ["session_id", "started_at"]);
  await index(db, "workbench_runs_by_status", "workbench_runs", ["status", "started_at"]);

  await table(
    db,
    "conversations",
    "id",
    ["workspace_id", "user_id", "title", "created_at"],
    ["workbench_id"],
  ).execute();
  await index(db, "conversations_of_workbench", "conversations", ["workbench_id", "created_at"]);
}

async function createWorkbenches(db: Kysely<unknown>): Promise<void> {
  await table(db, "workbenches", "id", [
    "workspace_id",
    "name",
    "name_key",
    "session_id",
    "manifest_hash",
    "created_at",
    "updated_at",
  ])
    .addColumn("file_count", "integer", (column) => column.notNull())
    .addColumn("total_bytes", "bigint", (column) => column.notNull())
    .addColumn("deleting", "integer", (column) => column.notNull())
    .execute();
  await uniqueIndex(db, "workbenches_name", "workbenches", ["workspace_id", "name_key"]);

  await table(db, "drafts", "id", ["workbench_id", "base_manifest_hash", "created_at", "updated_at"])
    .addColumn("revision", "integer", (column) => column.notNull())
    .execute();
  await uniqueIndex(db, "drafts_of_workbench", "drafts", ["workbench_id"]);

  await db.schema
    .createTable("draft_changes")
    .addColumn("draft_id", "text", (column) => column.notNull())
    .addColumn("revision", "integer", (column) => column.notNull())
    .addColumn("path", "text", (column) => column.notNull())
    .addColumn("change", "text", (column) => column.notNull())
    .addColumn("sha256", "text")
    .addColumn("bytes", "bigint", (column) => column.notNull())
    .addColumn("confirmed", "integer", (column) => column.notNull())
    .addColumn("run_id", "text")
    .addColumn("call_id", "text")
    .addColumn("at", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("draft_changes_key", ["draft_id", "path", "revision"])
    .execute();
  await index(db, "draft_changes_by_revision", "draft_changes", ["draft_id", "revision"]);

  await table(db, "checkpoints", "id", ["workbench_id", "reason", "manifest_hash", "created_at"], ["message", "run_id"])
    .addColumn("file_count", "integer", (column) => column.notNull())
    .addColumn("total_bytes", "bigint", (column) => column.notNull())
    .execute();
  await index(db, "checkpoints_of_workbench", "checkpoints", ["workbench_id", "created_at"]);

  await table(
    db,
    "publish_intents",
    "workbench_id",
    ["action", "from_manifest_hash", "to_manifest_hash", "created_at"],
    ["run_id", "draft_id", "checkpoint_id"],
  ).execute();
}

async function createProvidersAndConsent(db: Kysely<unknown>): Promise<void> {
  await table(db, "providers", "name", ["kind", "base_url", "created_at"], ["secret_ref", "prices"])
    .addColumn("local", "integer", (column) => column.notNull())
    .execute();

  await db.schema
    .createTable("consents")
    .addColumn("workbench_id", "text", (column) => column.notNull())
    .addColumn("provider_id", "text", (column) => column.notNull())
    .addColumn("model_id", "text", (column) => column.notNull())
    .addColumn("scope_hash", "text", (column) => column.notNull())
    .addColumn("user_id", "text", (column) => column.notNull())
    .addColumn("created_at", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("consents_key", ["workbench_id", "provider_id", "model_id"])
    .execute();

  await table(
    db,
    "egress_events",
    "id",
    ["at", "purpose", "outcome", "method", "host"],
    ["provider_id", "model_id", "run_id", "workbench_id", "scope_hash", "error_code"],
  )
    .addColumn("bytes_sent", "bigint", (column) => column.notNull())
    .addColumn("bytes_received", "bigint", (column) => column.notNull())
    .addColumn("status", "integer")
    .execute();
  await index(db, "egress_events_by_time", "egress_events", ["at", "id"]);
  await index(db, "egress_events_of_run", "egress_events", ["run_id"]);
  await index(db, "egress_events_of_workbench", "egress_events", ["workbench_id", "at"]);
}

async function createAccess(db: Kysely<unknown>): Promise<void> {
  await table(db, "sign_ins", "token_hash", ["user_id", "created_at", "expires_at"]).execute();

  await db.schema
    .createTable("idempotency_keys")
    .addColumn("user_id", "text", (column) => column.notNull())
    .addColumn("key", "text", (column) => column.notNull())
    .addColumn("operation", "text", (column) => column.notNull())
    .addColumn("request_hash", "text", (column) => column.notNull())
    .addColumn("status", "integer")
    .addColumn("response", "text")
    .addColumn("created_at", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("idempotency_keys_key", ["user_id", "key"])
    .execute();
  await index(db, "idempotency_keys_by_time", "idempotency_keys", ["created_at"]);

  await table(db, "uploads", "sha256", ["user_id", "created_at"])
    .addColumn("bytes", "bigint", (column) => column.notNull())
    .execute();
  await index(db, "uploads_by_time", "uploads", ["created_at"]);
}

/** A table with a text key, its text columns and the text columns that may be null; the caller adds the rest. */
function table(
  db: Kysely<unknown>,
  name: string,
  key: string,
  required: readonly string[],
  nullable: readonly string[] = [],
): CreateTableBuilder<string, string> {
  let builder: CreateTableBuilder<string, string> = db.schema
    .createTable(name)
    .addColumn(key, "text", (column) => column.primaryKey().notNull());
  for (const column of required) builder = builder.addColumn(column, "text", (text) => text.notNull());
  for (const column of nullable) builder = builder.addColumn(column, "text");
  return builder;
}

async function index(db: Kysely<unknown>, name: string, on: string, columns: string[]): Promise<void> {
  await db.schema.createIndex(name).on(on).columns(columns).execute();
}

async function uniqueIndex(db: Kysely<unknown>, name: string, on: string, columns: string[]): Promise<void> {
  await db.schema.createIndex(name).on(on).columns(columns).unique().execute();
}
