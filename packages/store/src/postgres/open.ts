import { Kysely, PostgresDialect } from "kysely";
import { Pool, types } from "pg";
import { migrate } from "../migrations/migrate.ts";
import type { Tables } from "../schema.ts";
import type { Database } from "../store.ts";
import { PostgresJournalStorage } from "./journal-storage.ts";
import { PostgresNotifications } from "./notifications.ts";

/** int8: sizes, counts and micro-dollars, all far below 2^53. */
const parsers = {
  getTypeParser: ((type, format) =>
    type === types.builtins.INT8 && format !== "binary"
      ? Number
      : types.getTypeParser(type, format)) as typeof types.getTypeParser,
};

/** Opens a pool whose connections see the schema `ops`. */
export async function openPostgres(databaseUrl: string): Promise<Database> {
  const pool = new Pool({
    connectionString: databaseUrl,
    options: "-c search_path=ops",
    application_name: "benchtop",
    types: parsers,
    max: 16,
  });
  // An idle connection that the server closes is replaced by the next one that is needed; whoever needs it sees the error.
  pool.on("error", () => undefined);
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  try {
    await migrate(db as Kysely<unknown>, "postgres");
  } catch (error) {
    await db.destroy();
    throw error;
  }
  return {
    dialect: "postgres",
    db,
    storage: new PostgresJournalStorage(pool),
    notifications: new PostgresNotifications(pool),
    // Commits through `db` wait for the disk already (synchronous_commit is on); only journal batches without a barrier do not.
    async flush() {
      await pool.query("SELECT pg_current_wal_flush_lsn()");
    },
    close: () => db.destroy(),
  };
}
