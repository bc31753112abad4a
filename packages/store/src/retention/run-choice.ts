import type { Kysely } from "kysely";
import type { Tables } from "../schema.ts";

export interface PruneRules {
  /** Runs of this workspace; null for those of every one. */
  readonly workspaceId: string | null;
  /** Runs that ended before this time (ISO 8601 UTC). */
  readonly before: string;
  /** The newest runs of each conversation that stay, however old. */
  readonly keepPerSession?: number;
  /** Only runs of these kinds. */
  readonly kinds?: readonly string[];
  /** Also runs that a checkpoint or another run names. */
  readonly force?: boolean;
}

export interface Candidate {
  readonly runId: string;
  readonly events: number;
  /** Something that stays names it, so it stays, too. */
  readonly isNamed: boolean;
}

const pageSize = 200;

/**
 * Which runs the rules are about, newest first: a run starts after the one that it names as its parent, so children are
 * decided before their parents.
 */
export class RunChoice {
  readonly #db: Kysely<Tables>;
  readonly #rules: PruneRules;
  readonly #chosen = new Set<string>();
  readonly #newestOfSession = new Map<string, ReadonlySet<string>>();

  constructor(db: Kysely<Tables>, rules: PruneRules) {
    this.#db = db;
    this.#rules = rules;
  }

  /** A run that goes names nothing any more. */
  chosen(runId: string): void {
    this.#chosen.add(runId);
  }

  async *runs(): AsyncGenerator<Candidate> {
    let after: Row | undefined;
    for (;;) {
      const page = await this.#page(after);
      after = page.at(-1);
      if (!after) return;
      const children = await this.#childrenOf(page.map(({ run_id }) => run_id));
      const pinned = await pinnedRuns(
        this.#db,
        page.map(({ run_id }) => run_id),
      );
      for (const row of page) {
        if (await this.#isRecentOfSession(row)) continue;
        const hasChildren = (children.get(row.run_id) ?? []).some((child) => !this.#chosen.has(child));
        const isNamed = this.#rules.force !== true && (hasChildren || pinned.has(row.run_id));
        yield { runId: row.run_id, events: row.event_count, isNamed };
      }
    }
  }

  #page(after: Row | undefined): Promise<Row[]> {
    const { workspaceId, before, kinds } = this.#rules;
    let query = this.#db
      .selectFrom("workbench_runs as entry")
      .innerJoin("runs", "runs.id", "entry.run_id")
      .select(["entry.id", "entry.run_id", "entry.parent_run_id", "entry.session_id", "entry.started_at"])
      .select("entry.workspace_id")
      .select("runs.event_count")
      .where("entry.status", "not in", ["replay", "pending"])
      .where("entry.finished_at", "<", before)
      .where("runs.finished", "=", 1)
      .where("runs.deleted_at", "is", null);
    if (workspaceId !== null) query = query.where("entry.workspace_id", "=", workspaceId);
    if (kinds) query = query.where("entry.kind", "in", kinds.length === 0 ? [""] : [...kinds]);
    if (after) {
      const { started_at, id } = after;
      query = query.where((where) =>
        where.or([
          where("entry.started_at", "<", started_at),
          where.and([where("entry.started_at", "=", started_at), where("entry.id", "<", id)]),
        ]),
      );
    }
    return query.orderBy("entry.started_at", "desc").orderBy("entry.id", "desc").limit(pageSize).execute();
  }

  async #childrenOf(runIds: readonly string[]): Promise<ReadonlyMap<string, string[]>> {
    const rows = await this.#db
      .selectFrom("workbench_runs as entry")
      .innerJoin("runs", "runs.id", "entry.run_id")
      .select(["entry.run_id", "entry.parent_run_id"])
      .where("entry.parent_run_id", "in", runIds)
      .where("entry.status", "<>", "replay")
      .where("runs.deleted_at", "is", null)
      .execute();
    const children = new Map<string, string[]>();
    for (const { run_id, parent_run_id } of rows) {
      const parent = parent_run_id ?? "";
      children.set(parent, [...(children.get(parent) ?? []), run_id]);
    }
    return children;
  }

  /** The newest of a conversation, and what they started. */
  async #isRecentOfSession({ run_id, parent_run_id, session_id, workspace_id }: Row): Promise<boolean> {
    const keep = this.#rules.keepPerSession ?? 0;
    if (keep <= 0 || session_id === null) return false;
    const session = JSON.stringify([workspace_id, session_id]);
    let newest = this.#newestOfSession.get(session);
    if (!newest) {
      newest = await this.#newestOf(workspace_id, session_id, keep);
      this.#newestOfSession.set(session, newest);
    }
    return newest.has(run_id) || (parent_run_id !== null && newest.has(parent_run_id));
  }

  async #newestOf(workspaceId: string | null, sessionId: string, keep: number): Promise<ReadonlySet<string>> {
    const rows = await this.#db
      .selectFrom("workbench_runs")
      .select("run_id")
      .where("session_id", "=", sessionId)
      .where("workspace_id", workspaceId === null ? "is" : "=", workspaceId)
      .where("parent_run_id", "is", null)
      .where("status", "<>", "replay")
      .orderBy("started_at", "desc")
      .orderBy("id", "desc")
      .limit(keep)
      .execute();
    return new Set(rows.map(({ run_id }) => run_id));
  }
}

interface Row {
  readonly id: string;
  readonly run_id: string;
  readonly parent_run_id: string | null;
  readonly session_id: string | null;
  readonly workspace_id: string | null;
  readonly started_at: string;
  readonly event_count: number;
}

/** Those of the runs that a checkpoint of files, a named point or a model names. */
export async function pinnedRuns(db: Kysely<Tables>, runIds: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await db
    .selectFrom("checkpoints")
    .select("run_id")
    .where("run_id", "in", runIds)
    .unionAll(db.selectFrom("run_checkpoints").select("run_id").where("run_id", "in", runIds))
    .unionAll(db.selectFrom("models").select("run_id").where("run_id", "in", runIds))
    .execute();
  return new Set(rows.map(({ run_id }) => run_id ?? ""));
}
