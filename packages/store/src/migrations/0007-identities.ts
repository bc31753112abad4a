import { sql, type Kysely } from "kysely";

/**
 * Users, memberships, invitations, API keys and the audit of access; the workspace of everything that has one. What was
 * made before belongs to the workspace `default` and to the operator, whose user id was and stays `owner`.
 */
export async function identities(db: Kysely<unknown>): Promise<void> {
  const now = new Date().toISOString();
  await db.schema
    .createTable("users")
    .addColumn("id", "text", (column) => column.primaryKey().notNull())
    .addColumn("kind", "text", (column) => column.notNull())
    .addColumn("display_name", "text", (column) => column.notNull())
    .addColumn("email", "text")
    .addColumn("oidc_issuer", "text")
    .addColumn("oidc_subject", "text")
    .addColumn("created_at", "text", (column) => column.notNull())
    .addColumn("last_seen_at", "text")
    .execute();
  await sql`CREATE UNIQUE INDEX users_oidc ON users (oidc_issuer, oidc_subject) WHERE oidc_subject IS NOT NULL`.execute(
    db,
  );
  await db.schema
    .createTable("memberships")
    .addColumn("workspace_id", "text", (column) => column.notNull())
    .addColumn("user_id", "text", (column) => column.notNull())
    .addColumn("role", "text", (column) => column.notNull())
    .addColumn("created_at", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("memberships_key", ["workspace_id", "user_id"])
    .execute();
  await db.schema.createIndex("memberships_of_user").on("memberships").columns(["user_id", "created_at"]).execute();
  await db.schema
    .createTable("invitations")
    .addColumn("id", "text", (column) => column.primaryKey().notNull())
    .addColumn("workspace_id", "text", (column) => column.notNull())
    .addColumn("token_hash", "text", (column) => column.notNull().unique())
    .addColumn("email", "text")
    .addColumn("role", "text", (column) => column.notNull())
    .addColumn("invited_by", "text", (column) => column.notNull())
    .addColumn("key_id", "text")
    .addColumn("created_at", "text", (column) => column.notNull())
    .addColumn("expires_at", "text", (column) => column.notNull())
    .addColumn("accepted_at", "text")
    .addColumn("accepted_by", "text")
    .addColumn("revoked_at", "text")
    .execute();
  await db.schema.createIndex("invitations_of_workspace").on("invitations").columns(["workspace_id", "id"]).execute();
  await db.schema
    .createTable("api_keys")
    .addColumn("id", "text", (column) => column.primaryKey().notNull())
    .addColumn("workspace_id", "text", (column) => column.notNull())
    .addColumn("user_id", "text", (column) => column.notNull())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("prefix", "text", (column) => column.notNull())
    .addColumn("token_hash", "text", (column) => column.notNull().unique())
    .addColumn("scopes", "text", (column) => column.notNull())
    .addColumn("created_by", "text", (column) => column.notNull())
    .addColumn("parent_key_id", "text")
    .addColumn("created_at", "text", (column) => column.notNull())
    .addColumn("expires_at", "text")
    .addColumn("revoked_at", "text")
    .addColumn("last_used_at", "text")
    .execute();
  await db.schema.createIndex("api_keys_of_workspace").on("api_keys").columns(["workspace_id", "id"]).execute();
  await db.schema
    .createTable("access_events")
    .addColumn("id", "text", (column) => column.primaryKey().notNull())
    .addColumn("at", "text", (column) => column.notNull())
    .addColumn("event", "text", (column) => column.notNull())
    .addColumn("workspace_id", "text")
    .addColumn("actor_id", "text")
    .addColumn("subject_id", "text")
    .addColumn("subject_name", "text")
    .addColumn("address", "text")
    .addColumn("detail", "text", (column) => column.notNull())
    .execute();
  await db.schema
    .createIndex("access_events_of_workspace")
    .on("access_events")
    .columns(["workspace_id", "id"])
    .execute();

  await extendSignIns(db);
  await sql`INSERT INTO users (id, kind, display_name, created_at) VALUES ('owner', 'person', 'Owner', ${now})`.execute(
    db,
  );
  await sql`INSERT INTO memberships (workspace_id, user_id, role, created_at) VALUES ('default', 'owner', 'owner', ${now})`.execute(
    db,
  );
  await giveWorkspaces(db);
}

/** Sign-ins of before have no id of their own; they end, and their browsers sign in again. */
async function extendSignIns(db: Kysely<unknown>): Promise<void> {
  await sql`DROP TABLE sign_ins`.execute(db);
  await db.schema
    .createTable("sign_ins")
    .addColumn("token_hash", "text", (column) => column.primaryKey().notNull())
    .addColumn("id", "text", (column) => column.notNull().unique())
    .addColumn("user_id", "text", (column) => column.notNull())
    .addColumn("workspace_id", "text", (column) => column.notNull())
    .addColumn("key_id", "text")
    .addColumn("confined", "integer", (column) => column.notNull())
    .addColumn("method", "text", (column) => column.notNull())
    .addColumn("user_agent", "text")
    .addColumn("address", "text")
    .addColumn("created_at", "text", (column) => column.notNull())
    .addColumn("last_seen_at", "text", (column) => column.notNull())
    .addColumn("expires_at", "text", (column) => column.notNull())
    .execute();
  await db.schema.createIndex("sign_ins_of_user").on("sign_ins").columns(["user_id", "last_seen_at"]).execute();
}

/** Providers, uploads and the egress log get a workspace; keys that were unique in the installation are unique in one. */
async function giveWorkspaces(db: Kysely<unknown>): Promise<void> {
  await sql`UPDATE workbench_runs SET workspace_id = 'default' WHERE workspace_id IS NULL`.execute(db);
  await db.schema
    .createIndex("workbench_runs_by_workspace")
    .on("workbench_runs")
    .columns(["workspace_id", "started_at", "id"])
    .execute();

  await db.schema
    .createTable("providers_of_workspaces")
    .addColumn("workspace_id", "text", (column) => column.notNull())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("kind", "text", (column) => column.notNull())
    .addColumn("base_url", "text", (column) => column.notNull())
    .addColumn("local", "integer", (column) => column.notNull())
    .addColumn("secret_ref", "text")
    .addColumn("prices", "text")
    .addColumn("created_at", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("providers_of_workspaces_key", ["workspace_id", "name"])
    .execute();
  await sql`INSERT INTO providers_of_workspaces (workspace_id, name, kind, base_url, local, secret_ref, prices, created_at)
    SELECT 'default', name, kind, base_url, local, secret_ref, prices, created_at FROM providers`.execute(db);
  await sql`DROP TABLE providers`.execute(db);
  await sql`ALTER TABLE providers_of_workspaces RENAME TO providers`.execute(db);

  await db.schema
    .createTable("uploads_of_workspaces")
    .addColumn("workspace_id", "text", (column) => column.notNull())
    .addColumn("sha256", "text", (column) => column.notNull())
    .addColumn("user_id", "text", (column) => column.notNull())
    .addColumn("created_at", "text", (column) => column.notNull())
    .addColumn("bytes", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("uploads_of_workspaces_key", ["workspace_id", "sha256"])
    .execute();
  await sql`INSERT INTO uploads_of_workspaces (workspace_id, sha256, user_id, created_at, bytes)
    SELECT 'default', sha256, user_id, created_at, bytes FROM uploads`.execute(db);
  await sql`DROP TABLE uploads`.execute(db);
  await sql`ALTER TABLE uploads_of_workspaces RENAME TO uploads`.execute(db);
  await db.schema.createIndex("uploads_by_time").on("uploads").columns(["created_at"]).execute();

  await sql`ALTER TABLE egress_events ADD COLUMN workspace_id text`.execute(db);
  await sql`UPDATE egress_events SET workspace_id = 'default'`.execute(db);
  await db.schema
    .createIndex("egress_events_of_workspace")
    .on("egress_events")
    .columns(["workspace_id", "id"])
    .execute();

  // What was agreed to for no workbench was agreed to in a workspace.
  await sql`UPDATE consents SET workbench_id = 'default' WHERE workbench_id = ''`.execute(db);

  // Outcomes are kept in another shape from here on.
  await sql`DELETE FROM idempotency_keys`.execute(db);
}
