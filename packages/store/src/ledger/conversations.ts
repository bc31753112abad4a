import { sql, type Kysely } from "kysely";
import type { Tables } from "../schema.ts";
import { cursorAfter, parseCursor } from "./cursor.ts";

export interface ConversationRecord {
  readonly sessionId: string;
  readonly title: string;
  readonly workbenchId: string | null;
  readonly runs: number;
  readonly firstRunAt: string;
  readonly lastRunAt: string;
}

/** Conversations as the ledger tells of them: runs of one workspace that share a session, and whose journals are there. */
export class Conversations {
  readonly #db: Kysely<Tables>;

  constructor(db: Kysely<Tables>) {
    this.#db = db;
  }

  async get(workspaceId: string, sessionId: string): Promise<ConversationRecord | undefined> {
    const row = await this.#grouped(workspaceId).where("entry.session_id", "=", sessionId).executeTakeFirst();
    return row && recordOf(row);
  }

  /** One page, the newest run first. Rejects with `VALIDATION_FAILED` when the cursor is not one of ours. */
  async list(input: {
    readonly workspaceId: string;
    readonly limit: number;
    readonly cursor?: string | undefined;
  }): Promise<{ items: ConversationRecord[]; nextCursor: string | null }> {
    let query = this.#grouped(input.workspaceId);
    if (input.cursor !== undefined) {
      const [at, id] = parseCursor(input.cursor);
      query = query.having((having) =>
        having.or([
          having(having.fn.max("entry.started_at"), "<", at),
          having.and([having(having.fn.max("entry.started_at"), "=", at), having("entry.session_id", "<", id)]),
        ]),
      );
    }
    const rows = await query
      .orderBy("last_run_at", "desc")
      .orderBy("entry.session_id", "desc")
      .limit(input.limit + 1)
      .execute();
    const items = rows.slice(0, input.limit).map(recordOf);
    const last = rows.length > input.limit ? items.at(-1) : undefined;
    return { items, nextCursor: last ? cursorAfter({ started_at: last.lastRunAt, id: last.sessionId }) : null };
  }

  #grouped(workspaceId: string) {
    return this.#db
      .selectFrom("workbench_runs as entry")
      .innerJoin("runs", "runs.id", "entry.run_id")
      .select(({ fn }) => [
        "entry.session_id",
        fn.countAll<number | string>().as("runs"),
        fn.min("entry.started_at").as("first_run_at"),
        fn.max("entry.started_at").as("last_run_at"),
        fn.max("entry.workbench_id").as("workbench_id"),
        sql<string>`(SELECT first.title FROM workbench_runs AS first
          WHERE first.session_id = entry.session_id AND first.workspace_id = ${workspaceId} AND first.status <> 'replay'
          ORDER BY first.started_at, first.id LIMIT 1)`.as("title"),
      ])
      .where("entry.workspace_id", "=", workspaceId)
      .where("entry.session_id", "is not", null)
      .where("entry.status", "<>", "replay")
      .where("runs.deleted_at", "is", null)
      .groupBy("entry.session_id");
  }
}

interface Row {
  readonly session_id: string | null;
  readonly title: string;
  readonly workbench_id: string | null;
  readonly runs: number | string;
  readonly first_run_at: string;
  readonly last_run_at: string;
}

function recordOf(row: Row): ConversationRecord {
  return {
    sessionId: row.session_id ?? "",
    title: row.title,
    workbenchId: row.workbench_id,
    runs: Number(row.runs),
    firstRunAt: row.first_run_at,
    lastRunAt: row.last_run_at,
  };
}
