import type { AppendOperation, CreateOperation } from "../journal/storage.ts";

/** What the main thread asks of the thread that owns the writing connection, and what it gets back. */
export interface Requests {
  /** One statement. */
  query: { input: { sql: string; parameters: readonly SqlValue[] }; output: QueryOutcome };
  /** Rolls back what is open; nothing to do where SQLite has done so itself (a full disk). */
  rollback: { input: null; output: null };
  /** One transaction for many batches of many runs; each succeeds or fails for itself. */
  journal: { input: { operations: readonly JournalOperation[]; durable: boolean }; output: JournalOutcome[] };
  /** Puts everything committed so far on disk. */
  flush: { input: null; output: null };
  /** Checkpoints and closes the database; the thread ends. */
  close: { input: null; output: null };
}
export type RequestKind = keyof Requests;

export interface Request {
  readonly id: number;
  readonly kind: RequestKind;
  readonly input: unknown;
}

export type Reply =
  | { readonly id: number; readonly output: unknown }
  | { readonly id: number; readonly failure: SqlFailure };

export type SqlValue = string | number | bigint | null | Uint8Array;

export interface QueryOutcome {
  readonly rows: unknown[];
  readonly changes?: number;
}

export type JournalOperation = ({ kind: "create" } & CreateOperation) | ({ kind: "append" } & AppendOperation);

export type JournalOutcome =
  | { readonly headHash: string }
  | { readonly refused: "exists" | "fenced" }
  | { readonly failure: SqlFailure };

/** An error as it crosses the thread: `errcode` is SQLite's extended result code (https://sqlite.org/rescode.html). */
export interface SqlFailure {
  readonly message: string;
  readonly errcode?: number;
  /** Of the operating system, where it was not SQLite that failed: `EIO`. */
  readonly code?: string;
}
