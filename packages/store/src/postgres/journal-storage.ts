import { BenchtopError } from "@benchtop/protocol";
import type { Pool, PoolClient } from "pg";
import { emptyHead, linkHash } from "@benchtop/protocol/chain";
import { runEndValues } from "../ledger/run-end.ts";
import { idTaken, leaseLost } from "../journal/refusals.ts";
import type { Appended, AppendOperation, CreateOperation, JournalStorage, StoredRow } from "../journal/storage.ts";
import { ledgerColumns } from "../ledger/columns.ts";
import { isUniqueViolation } from "../unique-violation.ts";
import { appendedChannel } from "./notifications.ts";

/**
 * Journals in PostgreSQL. A batch is one transaction; PostgreSQL groups the commits of concurrent ones by itself.
 *
 * `synchronous_commit = off` for a batch without a barrier: a killed process of ours loses nothing, a crash of the
 * database server may lose the last moments, in order
 * (https://www.postgresql.org/docs/current/wal-async-commit.html). A durable commit flushes everything before it.
 */
export class PostgresJournalStorage implements JournalStorage {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async create(operation: CreateOperation): Promise<Appended> {
    const { runId, traceId, runKind, owner, leaseUntil, body, ledger } = operation;
    const headHash = linkHash(emptyHead, body);
    try {
      await this.#transaction(async (client) => {
        await client.query(insertRun, [runId, traceId, runKind, owner, leaseUntil, headHash, ledger.started_at]);
        await client.query(insertEvents, [runId, 0, ["RunStarted"], [headHash], [body]]);
        await client.query(
          insertLedger,
          ledgerColumns.map((column) => ledger[column] ?? null),
        );
      });
    } catch (error) {
      if (isUniqueViolation(error)) throw idTaken(runId);
      throw failureOf(error);
    }
    return { headHash };
  }

  async append(operation: AppendOperation): Promise<Appended> {
    const { runId, epoch, length, types, bodies, durable, suspension, end } = operation;
    let headHash = operation.headHash;
    const hashes = bodies.map((body) => (headHash = linkHash(headHash, body)));
    const held = [runId, epoch, length, operation.headHash];
    try {
      await this.#transaction(async (client) => {
        if (!durable) await client.query("SET LOCAL synchronous_commit TO off");
        const next = [length + bodies.length, headHash, suspension];
        const advanced = await client.query(end ? finish : advance, [...held, ...next]);
        if (advanced.rowCount !== 1) throw leaseLost(runId);
        await client.query(insertEvents, [runId, length, types, hashes, bodies]);
        if (end) await client.query(settle, [runId, ...runEndValues(end)]);
        await client.query("SELECT pg_notify($1, $2)", [appendedChannel, runId]);
      });
    } catch (error) {
      throw failureOf(error);
    }
    return { headHash };
  }

  async bodies(runId: string, after: number, limit: number): Promise<string[]> {
    const { rows } = await this.#pool.query<{ body: string }>(
      `SELECT body FROM run_events
       WHERE run_id = $1 AND seq > $2 AND EXISTS (SELECT 1 FROM runs WHERE id = $1 AND deleted_at IS NULL)
       ORDER BY seq LIMIT $3`,
      [runId, after, limit],
    );
    return rows.map(({ body }) => body);
  }

  async rows(runId: string, after: number, limit: number): Promise<StoredRow[]> {
    const { rows } = await this.#pool.query<StoredRow>(
      "SELECT seq, type, hash, body FROM run_events WHERE run_id = $1 AND seq > $2 ORDER BY seq LIMIT $3",
      [runId, after, limit],
    );
    return rows;
  }

  async #transaction(work: (client: PoolClient) => Promise<void>): Promise<void> {
    const client = await this.#pool.connect();
    let failed: Error | undefined;
    try {
      await client.query("BEGIN");
      await work(client);
      await client.query("COMMIT");
    } catch (error) {
      failed = error as Error;
      throw error;
    } finally {
      // A connection that cannot even roll back is not used again.
      const broken =
        failed &&
        (await client.query("ROLLBACK").then(
          () => undefined,
          (error: Error) => error,
        ));
      client.release(broken);
    }
  }
}

const insertRun = `INSERT INTO runs (id, trace_id, kind, lease_owner, lease_epoch, lease_until, event_count, head_hash, finished, created_at)
  VALUES ($1, $2, $3, $4, 1, $5, 1, $6, 0, $7)`;
const insertEvents = `INSERT INTO run_events (run_id, seq, type, hash, body)
  SELECT $1, $2 + place - 1, type, hash, body
  FROM unnest($3::text[], $4::text[], $5::text[]) WITH ORDINALITY AS batch (type, hash, body, place)`;
const insertLedger = `INSERT INTO workbench_runs (${ledgerColumns.join(", ")})
  VALUES (${ledgerColumns.map((_, place) => `$${place + 1}`).join(", ")})`;
const held = "WHERE id = $1 AND lease_epoch = $2 AND event_count = $3 AND head_hash = $4 AND finished = 0";
const advance = `UPDATE runs SET event_count = $5, head_hash = $6, suspension = $7 ${held}`;
const finish = `UPDATE runs SET event_count = $5, head_hash = $6, suspension = $7, finished = 1, lease_owner = NULL, lease_until = NULL ${held}`;
const settle = `UPDATE workbench_runs SET status = $2, input_tokens = $3, output_tokens = $4, cost_micros = $5, steps = $6,
  tool_calls = $7, first_token_ms = $8, duration_ms = $9, error_code = $10, finished_at = $11
  WHERE run_id = $1 AND status <> 'replay'`;

/** 53100: https://www.postgresql.org/docs/current/errcodes-appendix.html. */
function failureOf(error: unknown): Error {
  if ((error as { code?: unknown }).code === "53100") {
    return new BenchtopError("DISK_FULL", "The disk of the database is full: nothing of this change was saved.", {
      cause: error,
    });
  }
  return error as Error;
}
