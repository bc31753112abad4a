import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { BenchtopError } from "@benchtop/protocol";
import type { Kysely } from "kysely";
import { Blobs } from "./blobs.ts";
import { RunCheckpoints } from "./checkpoints/checkpoints.ts";
import { Failures } from "./failures/failures.ts";
import { DurableJournal } from "./journal/journal.ts";
import type { JournalStorage } from "./journal/storage.ts";
import type { RunNotifications } from "./journal/watch.ts";
import { Conversations } from "./ledger/conversations.ts";
import { Ledger } from "./ledger/ledger.ts";
import { Memories } from "./memory/memories.ts";
import { processOwner } from "./owner.ts";
import { Retention } from "./retention/retention.ts";
import type { Tables } from "./schema.ts";
import { SqliteWriter } from "./sqlite/writer.ts";

export interface StoreOptions {
  /** `$BENCHTOP_HOME`: `ops.db` and `blobs/` are made in it. */
  readonly home: string;
  /** `postgres://…` keeps the `ops` schema there instead of in `ops.db`; blobs stay in `home`. */
  readonly databaseUrl?: string | undefined;
  /**
   * The caller holds a lock that no second process can hold on the same data, so every lease of another owner is what a
   * dead process left. Without it, leases of processes of this machine are free once the process is gone, others when
   * they expire (30 s).
   */
  readonly soleOwner?: boolean;
}

/** Everything durable: rows, journals, the run ledger, memories, blobs. */
export interface Store {
  readonly dialect: "sqlite" | "postgres";
  /** Any SQL on the `ops` schema, the same on both databases. Transactions hold the writer: SQL alone in them, and keep them short. */
  readonly db: Kysely<Tables>;
  readonly journal: DurableJournal;
  readonly ledger: Ledger;
  readonly conversations: Conversations;
  readonly checkpoints: RunCheckpoints;
  readonly memory: Memories;
  readonly blobs: Blobs;
  readonly retention: Retention;
  readonly failures: Failures;
  /** Resolves when everything committed so far is on disk. (A commit through `db` by itself survives a killed process, not a power cut.) */
  flush(): Promise<void>;
  /** Commits what journals have queued, gives leases back, closes files and connections. */
  close(): Promise<void>;
}

/**
 * Opens the store of a home folder and brings its data to this version. Rejects with `DISK_FULL`, `FILE_WRITE_FAILED` or
 * `FILE_READ_FAILED`, and leaves nothing open then.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { blobs, database } = await openParts(options).catch((error: unknown) => {
    throw BenchtopError.from(error, "FILE_WRITE_FAILED", { phase: "settings" });
  });
  const { dialect, db, storage, notifications } = database;
  const owner = processOwner(options.soleOwner ?? false);
  const journal = new DurableJournal({ db, storage, owner, ...(notifications && { notifications }) });
  return {
    dialect,
    db,
    journal,
    ledger: new Ledger(db),
    conversations: new Conversations(db),
    checkpoints: new RunCheckpoints(db),
    memory: new Memories({ db, dialect }),
    blobs,
    retention: new Retention(db, blobs),
    failures: new Failures(db),
    flush: () => database.flush(),
    async close() {
      try {
        await journal.close();
      } finally {
        await database.close();
      }
    },
  };
}

/** Both are opened at the same time; where one fails, the other is closed again. */
async function openParts(options: StoreOptions): Promise<{ blobs: Blobs; database: Database }> {
  await mkdir(options.home, { recursive: true, mode: 0o700 });
  const [blobs, database] = await Promise.allSettled([Blobs.open(join(options.home, "blobs")), openDatabase(options)]);
  if (database.status === "rejected") throw database.reason;
  if (blobs.status === "fulfilled") return { blobs: blobs.value, database: database.value };
  await database.value.close();
  throw blobs.reason;
}

/** What the rest of the store needs of a database. */
export interface Database {
  readonly dialect: "sqlite" | "postgres";
  readonly db: Kysely<Tables>;
  readonly storage: JournalStorage;
  readonly notifications?: RunNotifications;
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** The thread that writes starts while Kysely loads; `pg` is loaded only where it is used. */
async function openDatabase({ home, databaseUrl }: StoreOptions): Promise<Database> {
  if (databaseUrl === undefined || databaseUrl === "") {
    const path = join(home, "ops.db");
    const [writer, { openSqlite }] = await Promise.all([SqliteWriter.open(path), import("./sqlite/open.ts")]);
    return openSqlite(path, writer);
  }
  const { openPostgres } = await import("./postgres/open.ts");
  return openPostgres(databaseUrl);
}
