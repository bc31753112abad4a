import { closeSync, openSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";

/** The writing connection: waits for another process's commit instead of failing, and is safe against a killed process. */
export function openWritable(path: string): DatabaseSync {
  createPrivate(path);
  const database = new DatabaseSync(path, { timeout: 10_000, enableForeignKeyConstraints: true });
  enterWal(database);
  // NORMAL: a commit survives a killed process, since it is with the kernel. `fullfsync` and `checkpoint_fullfsync`
  // matter on macOS alone, where fsync does not reach the platter.
  database.exec("PRAGMA synchronous = NORMAL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON");
  database.exec(
    "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000; PRAGMA journal_size_limit = 67108864; PRAGMA wal_autocheckpoint = 4000",
  );
  return database;
}

/**
 * The file is its owner's alone; SQLite gives its companions the same mode. A file that is there is not touched: to open
 * and close it here would drop the locks of this process (https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
 */
function createPrivate(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

/** A connection for reading beside the writer; what it sees is committed. */
export function openReadOnly(path: string): DatabaseSync {
  return new DatabaseSync(path, { readOnly: true, timeout: 1_000 });
}

/** SQLite does not wait for the lock that the switch to WAL takes, so two processes that start together are retried here. */
function enterWal(database: DatabaseSync): void {
  const deadline = Date.now() + 10_000;
  for (;;) {
    try {
      database.exec("PRAGMA journal_mode = WAL");
      return;
    } catch (error) {
      if (!/locked|busy/.test(String(error)) || Date.now() > deadline) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}

/** Prepared statements by their text, the least recently used forgotten first. */
export class Statements {
  readonly #database: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  get(sql: string): StatementSync {
    const known = this.#prepared.get(sql);
    if (known) {
      this.#prepared.delete(sql);
      this.#prepared.set(sql, known);
      return known;
    }
    const statement = this.#database.prepare(sql);
    this.#prepared.set(sql, statement);
    const oldest = this.#prepared.keys().next();
    if (this.#prepared.size > 300 && !oldest.done) this.#prepared.delete(oldest.value);
    return statement;
  }
}
