import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Appended, AppendOperation, CreateOperation, JournalStorage, StoredRow } from "../journal/storage.ts";
import { idTaken, leaseLost } from "../journal/refusals.ts";
import { errorOf } from "./failure.ts";
import type { JournalOperation, JournalOutcome } from "./messages.ts";
import type { SqliteWriter } from "./writer.ts";

interface Queued {
  readonly operation: JournalOperation;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Journals in SQLite. Whatever is asked for while a commit is in flight goes into the next one, so the number of
 * commits adapts to the disk and no timer holds anything back. Reading uses a connection of its own on this thread: it
 * never waits for the writer, and a page is far quicker read than sent between threads.
 */
export class SqliteJournalStorage implements JournalStorage {
  readonly #writer: SqliteWriter;
  readonly #selectBodies: StatementSync;
  readonly #selectRows: StatementSync;
  #queue: Queued[] = [];
  #committing = false;

  constructor(writer: SqliteWriter, reader: DatabaseSync) {
    this.#writer = writer;
    const page = "FROM run_events WHERE run_id = ?1 AND seq > ?2";
    const limited = "ORDER BY seq LIMIT ?3";
    const isKept = "EXISTS (SELECT 1 FROM runs WHERE id = ?1 AND deleted_at IS NULL)";
    this.#selectBodies = reader.prepare(`SELECT body ${page} AND ${isKept} ${limited}`);
    this.#selectRows = reader.prepare(`SELECT seq, type, hash, body ${page} ${limited}`);
  }

  create(operation: CreateOperation): Promise<Appended> {
    return this.#enqueue({ ...operation, kind: "create" });
  }

  append(operation: AppendOperation): Promise<Appended> {
    return this.#enqueue({ ...operation, kind: "append" });
  }

  bodies(runId: string, after: number, limit: number): Promise<string[]> {
    const rows = this.#selectBodies.all(runId, after, limit) as unknown as { body: string }[];
    return Promise.resolve(rows.map(({ body }) => body));
  }

  rows(runId: string, after: number, limit: number): Promise<StoredRow[]> {
    return Promise.resolve(this.#selectRows.all(runId, after, limit) as unknown as StoredRow[]);
  }

  #enqueue(operation: JournalOperation): Promise<Appended> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ operation, resolve, reject });
      if (this.#committing) return;
      this.#committing = true;
      // In a microtask, so that what other runs write in this tick comes along.
      queueMicrotask(() => void this.#commitQueued());
    });
  }

  async #commitQueued(): Promise<void> {
    while (this.#queue.length > 0) {
      const group = this.#queue;
      this.#queue = [];
      const operations = group.map(({ operation }) => operation);
      const durable = operations.some((operation) => operation.kind === "create" || operation.durable);
      try {
        const outcomes = await this.#writer.gate.pass(() => this.#writer.request("journal", { operations, durable }));
        for (const [place, queued] of group.entries()) settle(queued, outcomes[place]!);
      } catch (error) {
        for (const { reject } of group) reject(error as Error);
      }
    }
    this.#committing = false;
  }
}

function settle({ operation, resolve, reject }: Queued, outcome: JournalOutcome): void {
  if ("headHash" in outcome) resolve(outcome);
  else if ("failure" in outcome) reject(errorOf(outcome.failure));
  else reject(outcome.refused === "exists" ? idTaken(operation.runId) : leaseLost(operation.runId));
}
