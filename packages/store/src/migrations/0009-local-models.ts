import { sql, type Kysely } from "kysely";

/**
 * Models that are installed on a machine, those that are on their way, and what an operator set for them. They belong to an
 * installation (a home folder) and not to a workspace: their files lie on its disk, which other machines that share the
 * database do not see.
 */
export async function localModels(db: Kysely<unknown>, dialect: "sqlite" | "postgres"): Promise<void> {
  await db.schema
    .createTable("local_models")
    .addColumn("id", "text", (column) => column.primaryKey().notNull())
    .addColumn("installation", "text", (column) => column.notNull())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("folder", "text", (column) => column.notNull())
    .addColumn("kind", "text", (column) => column.notNull())
    .addColumn("source", "text", (column) => column.notNull())
    .addColumn("files", "text", (column) => column.notNull())
    .addColumn("bytes", "bigint", (column) => column.notNull())
    .addColumn("title", "text")
    .addColumn("licence", "text")
    .addColumn("architecture", "text", (column) => column.notNull())
    .addColumn("parameters", "bigint", (column) => column.notNull())
    .addColumn("context_tokens", "bigint")
    .addColumn("quantization", "text", (column) => column.notNull())
    .addColumn("has_chat_template", "integer", (column) => column.notNull())
    .addColumn("embeds", "integer", (column) => column.notNull())
    .addColumn("defaults", "text")
    .addColumn("manifest", "text")
    .addColumn("pinned", "integer", (column) => column.notNull())
    .addColumn("damaged", "integer", (column) => column.notNull())
    .addColumn("installed_at", "text", (column) => column.notNull())
    .addColumn("used_at", "text")
    .execute();
  // While a model is replaced, or was removed and its folder is not gone yet, another row has the same name.
  await sql`CREATE UNIQUE INDEX local_models_name ON local_models (installation, name) WHERE state = 'ready'`.execute(
    db,
  );
  await db.schema
    .createTable("model_downloads")
    .addColumn("id", "text", (column) => column.primaryKey().notNull())
    .addColumn("installation", "text", (column) => column.notNull())
    .addColumn("place", "integer", (column) => column.notNull())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("plan", "text", (column) => column.notNull())
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("bytes_done", "bigint", (column) => column.notNull())
    .addColumn("bytes_total", "bigint")
    .addColumn("error", "text")
    .addColumn("workspace_id", "text", (column) => column.notNull())
    .addColumn("user_id", "text")
    .addColumn("created_at", "text", (column) => column.notNull())
    .addColumn("updated_at", "text", (column) => column.notNull())
    .execute();
  await db.schema
    .createIndex("model_downloads_of_installation")
    .on("model_downloads")
    .columns(["installation", "place"])
    .execute();
  await db.schema
    .createTable("local_model_settings")
    .addColumn("installation", "text", (column) => column.primaryKey().notNull())
    .addColumn("settings", "text", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("embedding_cache")
    .addColumn("key", "text", (column) => column.primaryKey().notNull())
    .addColumn("dimensions", "integer", (column) => column.notNull())
    .addColumn("vector", dialect === "postgres" ? "bytea" : "blob", (column) => column.notNull())
    .addColumn("used_at", "text", (column) => column.notNull())
    .execute();
  // How a server of its own kind is asked and read.
  await db.schema.alterTable("providers").addColumn("mapping", "text").execute();
  await db.schema.createIndex("embedding_cache_used").on("embedding_cache").column("used_at").execute();
}
