import type {
  Contract,
  RunInit,
  RunFilter,
  RunPage,
  RunRecord,
  RunStore,
  SessionStore,
  Suspension,
} from "@benchtop/protocol";
import type { Kysely, Selectable } from "kysely";
import type { Tables, WorkbenchRunsTable } from "../schema.ts";
import { cursorAfter, parseCursor } from "./cursor.ts";
import { ledgerRow } from "./row.ts";

/**
 * What a list is narrowed by. Whose runs it has must be said: those of one workspace, or with null those of every one.
 * `questions: false` leaves out those of evaluations, which may have thousands each.
 */
export type LedgerFilter = RunFilter & { readonly workspaceId: string | null; readonly questions?: boolean };

/** The run ledger (`workbench_runs`): one row a run, written by its journal, and one row for every refused repetition. */
export class Ledger implements RunStore, SessionStore {
  readonly #db: Kysely<Tables>;

  constructor(db: Kysely<Tables>) {
    this.#db = db;
  }

  /** The row of a run; rows of refused repetitions are in `list` alone. */
  async get(runId: string): Promise<RunRecord | undefined> {
    const row = await this.#rows()
      .where("entry.run_id", "=", runId)
      .where("entry.status", "<>", "replay")
      .executeTakeFirst();
    return row && recordOf(row);
  }

  /** One page, newest first. Rejects with `VALIDATION_FAILED` when the cursor is not one of ours. */
  async list(filter: LedgerFilter): Promise<RunPage> {
    const limit = Math.max(1, Math.min(filter.limit ?? 100, 1000));
    let query = this.#rows();
    for (const [column, value] of filters(filter)) query = query.where(`entry.${column}`, "=", value);
    if (filter.deleted !== true) query = query.where("runs.deleted_at", "is", null);
    if (filter.questions === false) {
      query = query.where((where) =>
        where.not(
          where.exists(
            where
              .selectFrom("runs as parent")
              .select("parent.id")
              .whereRef("parent.id", "=", "entry.parent_run_id")
              .where("parent.kind", "=", "eval"),
          ),
        ),
      );
    }
    if (filter.suspended === true) {
      // Whoever waits has not ended; the ledger is indexed by that.
      query = query.where("entry.status", "=", "pending").where("runs.suspension", "is not", null);
    }
    if (filter.cursor !== undefined) {
      const [startedAt, id] = parseCursor(filter.cursor);
      query = query.where((where) =>
        where.or([
          where("entry.started_at", "<", startedAt),
          where.and([where("entry.started_at", "=", startedAt), where("entry.id", "<", id)]),
        ]),
      );
    }
    const rows = await query
      .orderBy("entry.started_at", "desc")
      .orderBy("entry.id", "desc")
      .limit(limit + 1)
      .execute();
    const page = rows.slice(0, limit);
    const last = rows.length > limit ? page.at(-1) : undefined;
    return { items: page.map(recordOf), nextCursor: last ? cursorAfter(last) : null };
  }

  async runs(sessionId: string, limit: number): Promise<readonly string[]> {
    const rows = await this.#rows()
      .where("entry.session_id", "=", sessionId)
      .where("entry.parent_run_id", "is", null)
      .where("entry.status", "<>", "replay")
      .where("runs.deleted_at", "is", null)
      .orderBy("entry.started_at", "desc")
      .orderBy("entry.id", "desc")
      .limit(Math.max(0, limit))
      .execute();
    return rows.map(({ run_id }) => run_id).toReversed();
  }

  /** Notes that somebody asked for a run id that is taken: a row of its own; the run and its row stay as they are (L3). */
  async recordReplay(run: RunInit): Promise<void> {
    await this.#db
      .insertInto("workbench_runs")
      .values(ledgerRow(run, "replay", new Date().toISOString()))
      .execute();
  }

  #rows() {
    return this.#db
      .selectFrom("workbench_runs as entry")
      .leftJoin("runs", (join) => join.onRef("runs.id", "=", "entry.run_id").on("entry.status", "<>", "replay"))
      .selectAll("entry")
      .select(["runs.event_count", "runs.head_hash", "runs.suspension", "runs.deleted_at"]);
  }
}

type Row = Selectable<WorkbenchRunsTable> & {
  event_count: number | null;
  head_hash: string | null;
  suspension: string | null;
  deleted_at: string | null;
};
type FilterColumn =
  | "status"
  | "kind"
  | "tool_id"
  | "user_id"
  | "workspace_id"
  | "workbench_id"
  | "session_id"
  | "parent_run_id"
  | "trace_id";

function filters(filter: RunFilter): [FilterColumn, string][] {
  const all: [FilterColumn, string | undefined][] = [
    ["status", filter.status],
    ["kind", filter.kind],
    ["tool_id", filter.toolId],
    ["user_id", filter.userId],
    ["workspace_id", filter.workspaceId ?? undefined],
    ["workbench_id", filter.workbenchId],
    ["session_id", filter.sessionId],
    ["parent_run_id", filter.parentRunId],
    ["trace_id", filter.traceId],
  ];
  return all.filter((entry): entry is [FilterColumn, string] => entry[1] !== undefined);
}

function recordOf(row: Row): RunRecord {
  return {
    runId: row.run_id,
    traceId: row.trace_id,
    kind: row.kind,
    toolId: row.tool_id,
    userId: row.user_id,
    workspaceId: row.workspace_id,
    workbenchId: row.workbench_id,
    sessionId: row.session_id,
    parentRunId: row.parent_run_id,
    contract: JSON.parse(row.contract) as Contract,
    providerId: row.provider_id,
    modelId: row.model_id,
    status: row.status,
    inputTokens: row.input_tokens,
    outputTokens: row.output_tokens,
    costMicros: row.cost_micros,
    steps: row.steps,
    toolCalls: row.tool_calls,
    firstTokenMs: row.first_token_ms,
    durationMs: row.duration_ms,
    errorCode: row.error_code,
    title: row.title,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    eventCount: row.event_count ?? 0,
    headHash: row.head_hash ?? "",
    deletedAt: row.deleted_at,
    suspension: row.suspension === null ? null : (JSON.parse(row.suspension) as Suspension),
  };
}
