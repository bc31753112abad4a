import { Kysely } from "kysely";
import { migrate } from "../migrations/migrate.ts";
import type { Tables } from "../schema.ts";
import type { Database } from "../store.ts";
import { openReadOnly } from "./connection.ts";
import { sqliteDialect } from "./dialect.ts";
import { SqliteJournalStorage } from "./journal-storage.ts";
import type { SqliteWriter } from "./writer.ts";

/** The database behind a thread that writes it, with a connection of this thread for reading journals. */
export async function openSqlite(path: string, writer: SqliteWriter): Promise<Database> {
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
