import { closeSync, existsSync, fsyncSync, openSync, statSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { openWritable, Statements } from "./connection.ts";
import { failureOf } from "./failure.ts";
import { GroupCommit } from "./group-commit.ts";
import type { Reply, Request, Requests, RequestKind } from "./messages.ts";

/**
 * The thread that owns the writing connection: the only place where Benchtop waits for the disk. Requests are
 * answered one after the other, in the order in which they were sent.
 *
 * Two strengths of commit (https://sqlite.org/pragma.html#pragma_synchronous): in WAL mode with NORMAL "the WAL file
 * is synchronized before each checkpoint", so a commit survives a killed process and may be lost with the power; with
 * FULL "an additional sync operation of the WAL file happens after each transaction commit", and since that sync
 * covers the whole file, everything committed before is on disk as well. A durable commit is made with FULL, so
 * that no reader sees it before it is on disk.
 */
const { path } = workerData as { path: string };
const walPath = `${path}-wal`;
/** The WAL is emptied when it has grown past this although a reader held its start. */
const walLimit = 64 * 1024 * 1024;
const commitsBetweenLooks = 256;

const database = openWritable(path);
const statements = new Statements(database);
let groupCommit: GroupCommit | undefined;
let commitsSinceLook = 0;
let walFile: number | undefined;

type Handlers = { [Kind in RequestKind]: (input: Requests[Kind]["input"]) => Requests[Kind]["output"] };
const handlers: Handlers = {
  query({ sql, parameters }) {
    const statement = statements.get(sql);
    if (statement.columns().length > 0) return { rows: statement.all(...parameters) };
    const { changes } = statement.run(...parameters);
    boundWal();
    return { rows: [], changes: Number(changes) };
  },

  rollback() {
    if (database.isTransaction) database.exec("ROLLBACK");
    return null;
  },

  journal({ operations, durable }) {
    groupCommit ??= new GroupCommit(database);
    if (!durable) return bounded(groupCommit.commit(operations));
    database.exec("PRAGMA synchronous = FULL");
    try {
      return bounded(groupCommit.commit(operations));
    } finally {
      database.exec("PRAGMA synchronous = NORMAL");
    }
  },

  // What a durable commit does at its end. The descriptor stays open: the file lives as long as the connection, and
  // unlike the database file it has no POSIX locks that closing it could drop (https://sqlite.org/howtocorrupt.html).
  flush() {
    // Nothing was ever written where there is no such file yet.
    if (walFile === undefined && !existsSync(walPath)) return null;
    walFile ??= openSync(walPath, "r+");
    fsyncSync(walFile);
    return null;
  },

  close() {
    if (walFile !== undefined) closeSync(walFile);
    database.close();
    return null;
  },
};

if (!parentPort) throw new Error("This file runs as a worker thread of the store.");
const port = parentPort;
port.on("message", (request: Request) => {
  port.postMessage(answer(request));
  if (request.kind === "close") port.close();
});
port.postMessage({ id: 0, output: null } satisfies Reply);

function answer({ id, kind, input }: Request): Reply {
  try {
    return { id, output: (handlers[kind] as (input: unknown) => unknown)(input) };
  } catch (error) {
    return { id, failure: failureOf(error) };
  }
}

function bounded<Outcome>(outcome: Outcome): Outcome {
  boundWal();
  return outcome;
}

/**
 * SQLite's own checkpoint (every 4,000 pages, 16 MB) copies what no reader needs any more; the file starts again at its
 * beginning once no reader is left in it. Should readers overlap for so long that it grew large, wait for them here.
 */
function boundWal(): void {
  if (++commitsSinceLook < commitsBetweenLooks || database.isTransaction) return;
  commitsSinceLook = 0;
  const size = statSync(walPath, { throwIfNoEntry: false })?.size ?? 0;
  if (size > walLimit) database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
}
