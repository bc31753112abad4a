import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { BenchtopError } from "@benchtop/protocol";

export interface HomeLock {
  release(): void;
}

/**
 * One daemon per home. The lock is SQLite's own exclusive lock on an empty database file: the kernel lets go of it when
 * the process ends, however it ends, so nothing stale is ever left to clean up.
 *
 * Nothing else may open `daemon.lock` in this process: closing any descriptor of a file drops its POSIX locks.
 * Throws `VALIDATION_FAILED` with `subphase: "home_locked"`, naming the daemon that holds the home.
 */
export function takeHomeLock(home: string): HomeLock {
  const path = join(home, "daemon.lock");
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: patienceMs });
    database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  } catch (cause) {
    database?.close();
    if ((cause as { errcode?: unknown }).errcode === sqliteBusy) throw homeIsLocked(home, cause);
    throw BenchtopError.from(cause, "FILE_WRITE_FAILED", { phase: "settings", detail: { path } });
  }
  return { release: () => database.close() };
}

const sqliteBusy = 5;

/**
 * Of two that take the lock at the same instant each can be in the way of the other, and without patience neither would get it:
 * the exclusive lock is reached over a shared one (https://sqlite.org/lockingv3.html). SQLite lets go of that before it tries again.
 */
const patienceMs = 250;

function homeIsLocked(home: string, cause: unknown): BenchtopError {
  const holder = readHolder(home);
  const who =
    holder === undefined ? "Another daemon is starting on" : `The daemon with pid ${holder.pid} already runs on`;
  const where = holder === undefined ? "" : `: ${holder.url}`;
  return new BenchtopError("VALIDATION_FAILED", `${who} ${home}${where}`, {
    phase: "settings",
    subphase: "home_locked",
    detail: { home, ...holder },
    cause,
  });
}

function readHolder(home: string): { pid: number; url: string } | undefined {
  try {
    const { pid, url } = JSON.parse(readFileSync(join(home, "daemon.json"), "utf8")) as { pid: number; url: string };
    return { pid, url };
  } catch {
    // It holds the lock and has not said where it listens yet.
    return undefined;
  }
}
