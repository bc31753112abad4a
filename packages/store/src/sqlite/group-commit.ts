import type { DatabaseSync, StatementSync } from "node:sqlite";
import { emptyHead, linkHash } from "@benchtop/protocol/chain";
import type { AppendOperation, CreateOperation } from "../journal/storage.ts";
import { ledgerColumns } from "../ledger/columns.ts";
import { runEndValues } from "../ledger/run-end.ts";
import type { JournalOperation, JournalOutcome } from "./messages.ts";
import { failureOf } from "./failure.ts";

/** Unique constraint and primary key: https://sqlite.org/rescode.html#constraint_unique. */
const uniqueViolations = new Set([1555, 2067]);

/**
 * Group commit: the batches of many runs in one transaction. Each runs in a savepoint of its own, so one that is
 * refused leaves the others as they are. If the transaction as a whole fails (a full disk), every batch has failed.
 */
export class GroupCommit {
  readonly #database: DatabaseSync;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#statements = prepare(database);
  }

  commit(operations: readonly JournalOperation[]): JournalOutcome[] {
    this.#statements.begin.run();
    try {
      const outcomes = operations.map((operation) => this.#apply(operation));
      this.#statements.commit.run();
      return outcomes;
    } catch (error) {
      if (this.#database.isTransaction) this.#statements.rollback.run();
      const failure = failureOf(error);
      return operations.map(() => ({ failure }));
    }
  }

  #apply(operation: JournalOperation): JournalOutcome {
    const { savepoint, release, rollbackToSavepoint } = this.#statements;
    savepoint.run();
    try {
      const outcome = operation.kind === "create" ? this.#create(operation) : this.#append(operation);
      release.run();
      return outcome;
    } catch (error) {
      // Some failures end the whole transaction (https://sqlite.org/lang_transaction.html#immediate); then all is lost.
      if (!this.#database.isTransaction) throw error;
      rollbackToSavepoint.run();
      release.run();
      const failure = failureOf(error);
      if (operation.kind === "create" && uniqueViolations.has(failure.errcode ?? 0)) return { refused: "exists" };
      return { failure };
    }
  }

  #create(operation: CreateOperation): JournalOutcome {
    const { runId, traceId, runKind, owner, leaseUntil, body, ledger } = operation;
    const headHash = linkHash(emptyHead, body);
    const createdAt = ledger.started_at;
    this.#statements.insertRun.run(runId, traceId, runKind, owner, leaseUntil, headHash, createdAt);
    this.#statements.insertEvent.run(runId, 0, "RunStarted", headHash, body);
    this.#statements.insertLedger.run(...ledgerColumns.map((column) => ledger[column] ?? null));
    return { headHash };
  }

  #append(operation: AppendOperation): JournalOutcome {
    const { runId, epoch, length, types, bodies, suspension, end } = operation;
    const { insertEvent, advance, finish } = this.#statements;
    let headHash = operation.headHash;
    const hashes = bodies.map((body) => (headHash = linkHash(headHash, body)));
    const next = [length + bodies.length, headHash, suspension];
    const statement = end ? finish : advance;
    const advanced = statement.run(...next, runId, epoch, length, operation.headHash);
    if (Number(advanced.changes) !== 1) return { refused: "fenced" };
    for (let i = 0; i < bodies.length; i++) {
      insertEvent.run(runId, length + i, types[i]!, hashes[i]!, bodies[i]!);
    }
    if (end) this.#statements.settle.run(...runEndValues(end), runId);
    return { headHash };
  }
}

function prepare(database: DatabaseSync): Record<StatementName, StatementSync> {
  const statements: Partial<Record<StatementName, StatementSync>> = {};
  for (const [name, sql] of Object.entries(statementTexts)) statements[name as StatementName] = database.prepare(sql);
  return statements as Record<StatementName, StatementSync>;
}

const held = "WHERE id = ? AND lease_epoch = ? AND event_count = ? AND head_hash = ? AND finished = 0";

const statementTexts = {
  begin: "BEGIN IMMEDIATE",
  commit: "COMMIT",
  rollback: "ROLLBACK",
  savepoint: "SAVEPOINT batch",
  release: "RELEASE batch",
  rollbackToSavepoint: "ROLLBACK TO batch",
  insertRun: `INSERT INTO runs (id, trace_id, kind, lease_owner, lease_epoch, lease_until, event_count, head_hash, finished, created_at)
    VALUES (?, ?, ?, ?, 1, ?, 1, ?, 0, ?)`,
  insertEvent: "INSERT INTO run_events (run_id, seq, type, hash, body) VALUES (?, ?, ?, ?, ?)",
  insertLedger: `INSERT INTO workbench_runs (${ledgerColumns.join(", ")}) VALUES (${ledgerColumns.map(() => "?").join(", ")})`,
  advance: `UPDATE runs SET event_count = ?, head_hash = ?, suspension = ? ${held}`,
  finish: `UPDATE runs SET event_count = ?, head_hash = ?, suspension = ?, finished = 1, lease_owner = NULL, lease_until = NULL ${held}`,
  settle: `UPDATE workbench_runs SET status = ?, input_tokens = ?, output_tokens = ?, cost_micros = ?, steps = ?, tool_calls = ?,
    first_token_ms = ?, duration_ms = ?, error_code = ?, finished_at = ? WHERE run_id = ? AND status <> 'replay'`,
} as const;
type StatementName = keyof typeof statementTexts;
