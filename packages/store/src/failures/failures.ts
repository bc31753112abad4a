import type { Kysely, Selectable } from "kysely";
import { BenchtopError, newId } from "@benchtop/protocol";
import type { FailuresTable, Tables } from "../schema.ts";

/** One thing that went wrong, as it is kept: what is searched by beside a report of plain data. */
export interface FailureRecord {
  readonly id: string;
  readonly workspaceId: string;
  readonly at: string;
  readonly errorCode: string;
  readonly phase: string;
  readonly operation: string | null;
  readonly runId: string | null;
  readonly workbenchId: string | null;
  /** Whatever else is known; never a prompt, the content of a file or a secret. */
  readonly report: Readonly<Record<string, unknown>>;
}

export interface FailureFilter {
  readonly workspaceId: string;
  readonly runId?: string | undefined;
  readonly workbenchId?: string | undefined;
  /** The last of the page before. */
  readonly cursor?: string | undefined;
  readonly limit: number;
}

/** More than these are forgotten, the oldest first, of each workspace. */
const kept = 1000;

/** What went wrong, kept on this machine so that a person can look at it later (`failures`). */
export class Failures {
  readonly #db: Kysely<Tables>;

  constructor(db: Kysely<Tables>) {
    this.#db = db;
  }

  /** An id to tell a caller of a failure that is about to be kept. */
  newId(): string {
    return newId("failure");
  }

  async record(failure: FailureRecord): Promise<void> {
    const { workspaceId } = failure;
    await this.#db
      .insertInto("failures")
      .values({
        id: failure.id,
        workspace_id: workspaceId,
        at: failure.at,
        error_code: failure.errorCode,
        phase: failure.phase,
        operation: failure.operation,
        run_id: failure.runId,
        workbench_id: failure.workbenchId,
        report: JSON.stringify(failure.report),
      })
      .execute();
    const oldest = await this.#db
      .selectFrom("failures")
      .select("id")
      .where("workspace_id", "=", workspaceId)
      .orderBy("id", "desc")
      .offset(kept)
      .limit(1)
      .executeTakeFirst();
    if (!oldest) return;
    await this.#db
      .deleteFrom("failures")
      .where("workspace_id", "=", workspaceId)
      .where("id", "<=", oldest.id)
      .execute();
  }

  /** Newest first. */
  async list(filter: FailureFilter): Promise<{ items: FailureRecord[]; nextCursor: string | null }> {
    let query = this.#db.selectFrom("failures").selectAll().where("workspace_id", "=", filter.workspaceId);
    if (filter.runId !== undefined) query = query.where("run_id", "=", filter.runId);
    if (filter.workbenchId !== undefined) query = query.where("workbench_id", "=", filter.workbenchId);
    if (filter.cursor !== undefined) query = query.where("id", "<", filter.cursor);
    const rows = await query
      .orderBy("id", "desc")
      .limit(filter.limit + 1)
      .execute();
    const page = rows.slice(0, filter.limit);
    return {
      items: page.map(recordOf),
      nextCursor: rows.length > filter.limit ? (page.at(-1)?.id ?? null) : null,
    };
  }

  /** Throws `NOT_FOUND`, also for one of another workspace. */
  async get(workspaceId: string, id: string): Promise<FailureRecord> {
    const row = await this.#db
      .selectFrom("failures")
      .selectAll()
      .where("workspace_id", "=", workspaceId)
      .where("id", "=", id)
      .executeTakeFirst();
    if (row) return recordOf(row);
    throw new BenchtopError("NOT_FOUND", "There is no report of such a failure here, or it was forgotten.", {
      phase: "settings",
    });
  }
}

function recordOf(row: Selectable<FailuresTable>): FailureRecord {
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    at: row.at,
    errorCode: row.error_code,
    phase: row.phase,
    operation: row.operation,
    runId: row.run_id,
    workbenchId: row.workbench_id,
    report: JSON.parse(row.report) as Record<string, unknown>,
  };
}
