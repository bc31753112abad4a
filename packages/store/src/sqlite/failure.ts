import { BenchtopError } from "@benchtop/protocol/errors";
import type { SqlFailure } from "./messages.ts";

/** SQLITE_FULL, and SQLITE_IOERR_SHMSIZE: no room to grow the shared index of the WAL. */
const noRoom = new Set([13, 4874]);

export function failureOf(error: unknown): SqlFailure {
  const message = error instanceof Error ? error.message : String(error);
  const { errcode, code } = error instanceof Error ? (error as { errcode?: unknown; code?: unknown }) : {};
  if (typeof errcode === "number") return { message, errcode };
  return typeof code === "string" ? { message, code } : { message };
}

/** Primary result codes of a disk that fails: SQLITE_IOERR, SQLITE_CANTOPEN. Extended codes hold them in their low byte. */
const diskFailed = new Set([10, 14]);

/** The error that the caller of the database gets. */
export function errorOf(failure: SqlFailure): Error {
  if (noRoom.has(failure.errcode ?? 0) || failure.code === "ENOSPC" || failure.code === "EDQUOT") {
    return new BenchtopError(
      "DISK_FULL",
      "The disk is full: nothing of this change was saved. Free some space and retry.",
    );
  }
  if (diskFailed.has((failure.errcode ?? 0) & 0xff) || failure.code === "EIO") {
    return new BenchtopError(
      "FILE_WRITE_FAILED",
      `The database could not be read or written (${failure.message}). Check the disk that it lies on, then retry.`,
      { cause: new SqliteError(failure.message, failure.errcode) },
    );
  }
  return new SqliteError(failure.message, failure.errcode);
}

export class SqliteError extends Error {
  override readonly name = "SqliteError";
  /** SQLite's extended result code. */
  readonly errcode: number | undefined;

  constructor(message: string, errcode: number | undefined) {
    super(message);
    this.errcode = errcode;
  }
}
