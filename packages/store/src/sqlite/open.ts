import { Kysely } from "kysely";
import { migrate } from "../migrations/migrate.ts";
import type { Tables } from "../schema.ts";
import type { Database } from "../store.ts";
import { openReadOnly } from "./connection.ts";
import { sqliteDialect } from "./dialect.ts";
import { SqliteJournalStorage } from "./journal-storage.ts";
import { SqliteWriter } from "./writer.ts";

/** Opens the database file, one thread for writing and one connection for reading journals. */
export async function openSqlite(path: string): Promise<Database> {
  const writer = await SqliteWriter.open(path);
  try {
    const db = new Kysely<Tables>({ dialect: sqliteDialect(writer) });
    await migrate(db as Kysely<unknown>, "sqlite");
    const reader = openReadOnly(path);
    return {
      dialect: "sqlite",
      db,
      storage: new SqliteJournalStorage(writer, reader),
      async flush() {
        await writer.gate.pass(() => writer.request("flush", null));
      },
      async close() {
        await db.destroy();
        reader.close();
        await writer.close();
      },
    };
  } catch (error) {
    await writer.close();
    throw error;
  }
}
