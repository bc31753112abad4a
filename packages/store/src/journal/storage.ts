import type { RunEnd } from "@benchtop/protocol/records";
import type { WorkbenchRunsTable } from "../schema.ts";
import type { Insertable } from "kysely";

/** Where journals are kept. Two of them: SQLite and PostgreSQL. Bodies are the events' JSON exactly as hashed. */
export interface JournalStorage {
  /** One durable commit: run, lease, ledger row, first event. Rejects with `RUN_REPLAYED` when the id is taken. */
  create(operation: CreateOperation): Promise<Appended>;
  /** One commit. Rejects with `RUN_INTERRUPTED`, having written nothing, when epoch or length are not what the run has. */
  append(operation: AppendOperation): Promise<Appended>;
  /** Committed bodies in order of `seq`; none of a journal that is deleted, even while its events are being removed. */
  bodies(runId: string, after: number, limit: number): Promise<string[]>;
  /** Committed rows as they are, for verification. */
  rows(runId: string, after: number, limit: number): Promise<StoredRow[]>;
}

export interface Appended {
  readonly headHash: string;
}

export interface StoredRow {
  readonly seq: number;
  readonly type: string;
  readonly hash: string;
  readonly body: string;
}

export interface CreateOperation {
  readonly runId: string;
  readonly traceId: string;
  readonly runKind: string;
  readonly owner: string;
  readonly leaseUntil: string;
  readonly body: string;
  readonly ledger: Insertable<WorkbenchRunsTable>;
}

export interface AppendOperation {
  readonly runId: string;
  readonly epoch: number;
  /** The length of the journal before this batch, which is the `seq` of its first event. */
  readonly length: number;
  readonly headHash: string;
  readonly types: readonly string[];
  readonly bodies: readonly string[];
  /** A barrier event is among them: on disk before this resolves. */
  readonly durable: boolean;
  /** JSON of what the run waits for a person to decide, when the last event says that it does; null clears it. */
  readonly suspension: string | null;
  /** Set when the last event is terminal. */
  readonly end?: RunEnd;
}
