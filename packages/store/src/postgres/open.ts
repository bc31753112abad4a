import { BenchtopError } from "@benchtop/protocol";
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
    connectionString: withSearchPath(databaseUrl),
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

/** Every connection starts in the schema `ops`, whatever other settings the URL carries. */
function withSearchPath(databaseUrl: string): string {
  const url = parseUrl(databaseUrl);
  const given = url.searchParams.get("options");
  url.searchParams.set("options", given === null ? "-c search_path=ops" : `${given} -c search_path=ops`);
  return url.href;
}

function parseUrl(databaseUrl: string): URL {
  if (URL.canParse(databaseUrl)) {
    const url = new URL(databaseUrl);
    if (url.protocol === "postgres:" || url.protocol === "postgresql:") return url;
  }
  // The URL may hold a password, so the message does not repeat it.
  throw new BenchtopError(
    "VALIDATION_FAILED",
    "The database URL is not one of PostgreSQL: postgres://user:password@host:5432/name.",
    { phase: "settings", actions: ["open_settings"] },
  );
}
