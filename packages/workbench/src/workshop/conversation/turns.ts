import { now, type Database, type Environment, type Transaction } from "../../environment.ts";
import type { Selectable } from "../../rows.ts";

/** A conversation is one of a workspace; the same id in another is another. */
export interface Conversation {
  readonly workspaceId: string;
  readonly sessionId: string;
}

/** A run in a conversation, after the one that was its head when it began. */
export type Turn = Pick<
  Selectable<"conversation_turns">,
  "run_id" | "previous_run_id" | "kind" | "draft_id" | "draft_revision" | "created_at"
>;

const columns = ["run_id", "previous_run_id", "kind", "draft_id", "draft_revision", "created_at"] as const;
const turnColumns = [
  "turn.run_id",
  "turn.previous_run_id",
  "turn.kind",
  "turn.draft_id",
  "turn.draft_revision",
  "turn.created_at",
] as const;

/** Runs of these kinds are said to a model and answered by it. */
export const turnKinds: ReadonlySet<string> = new Set(["agent", "message"]);
/** Those that say which model is asked. */
const modelKinds = [...turnKinds, "switch-model"];

/**
 * Conversations as chains of runs. What was said is in the journals; this is the order of it: each run names the one before,
 * and a head names the newest. To take something back is to go on from an earlier run: what is no longer reached from the
 * head is no longer said, and nothing of it is lost.
 */
export class Turns {
  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** Puts a run at the end, before it begins. One that is in a conversation already stays where it is. */
  async #append(
    { workspaceId, sessionId }: Conversation,
    run: { readonly runId: string; readonly kind: string; readonly workbenchId: string },
  ): Promise<void> {
    const { store, locks } = this.#environment;
    await locks.run(lockOf(workspaceId, sessionId), () =>
      store.db.transaction().execute(async (transaction) => {
        const previous = await headOf(transaction, { workspaceId, sessionId });
        const draft = await draftOf(transaction, run.workbenchId);
        const { numInsertedOrUpdatedRows } = await transaction
          .insertInto("conversation_turns")
          .values({
            run_id: run.runId,
            workspace_id: workspaceId,
            session_id: sessionId,
            previous_run_id: previous,
            kind: run.kind,
            draft_id: draft?.id ?? null,
            draft_revision: draft?.revision ?? null,
            created_at: now(),
          })
          .onConflict((conflict) => conflict.column("run_id").doNothing())
          .executeTakeFirstOrThrow();
        if (Number(numInsertedOrUpdatedRows) === 0) return;
        await transaction
          .insertInto("conversation_heads")
          .values({ workspace_id: workspaceId, session_id: sessionId, run_id: run.runId })
          .onConflict((conflict) => conflict.columns(["workspace_id", "session_id"]).doUpdateSet({ run_id: run.runId }))
          .execute();
      }),
    );
  }

  /** Starts a run that is part of a conversation: it takes its place first, and gives it up where the run never began. */
  async during<Started>(
    place: Conversation,
    run: { readonly runId: string; readonly kind: string; readonly workbenchId: string },
    start: () => Promise<Started>,
  ): Promise<Started> {
    await this.#append(place, run);
    try {
      return await start();
    } catch (thrown) {
      if ((await this.#environment.store.ledger.get(run.runId)) === undefined) await this.#drop(place, run.runId);
      throw thrown;
    }
  }

  async #drop({ workspaceId, sessionId }: Conversation, runId: string): Promise<void> {
    const { store, locks } = this.#environment;
    await locks.run(lockOf(workspaceId, sessionId), () =>
      store.db.transaction().execute(async (transaction) => {
        const turn = await turnOf(transaction, runId);
        if (!turn) return;
        await transaction
          .updateTable("conversation_turns")
          .set({ previous_run_id: turn.previous_run_id })
          .where("previous_run_id", "=", runId)
          .execute();
        await transaction
          .updateTable("conversation_heads")
          .set({ run_id: turn.previous_run_id })
          .where("run_id", "=", runId)
          .where("workspace_id", "=", workspaceId)
          .where("session_id", "=", sessionId)
          .execute();
        await transaction.deleteFrom("conversation_turns").where("run_id", "=", runId).execute();
      }),
    );
  }

  async find(runId: string): Promise<Turn | undefined> {
    return await turnOf(this.#environment.store.db, runId);
  }

  async head(conversation: Conversation): Promise<string | null> {
    return await headOf(this.#environment.store.db, conversation);
  }

  /**
   * The model of the newest turn or switch, as it was asked for. Where all was taken back it is the last one that was used, so
   * that nobody has to name it again; undefined before the first.
   */
  async currentModel(place: Conversation): Promise<string | undefined> {
    for (let from = await this.head(place); from !== null;) {
      const page = await this.chain(place, from, 50);
      const model = await this.#firstModelOf(page);
      if (model !== undefined) return model;
      from = page.at(-1)?.previous_run_id ?? null;
    }
    const takenBack = await this.#environment.store.db
      .selectFrom("conversation_turns")
      .select(["run_id", "kind"])
      .where("workspace_id", "=", place.workspaceId)
      .where("session_id", "=", place.sessionId)
      .where("kind", "in", modelKinds)
      .orderBy("created_at", "desc")
      .orderBy("run_id", "desc")
      .limit(50)
      .execute();
    return await this.#firstModelOf(takenBack);
  }

  async #firstModelOf(turns: readonly Pick<Turn, "run_id" | "kind">[]): Promise<string | undefined> {
    for (const { run_id, kind } of turns) {
      if (!modelKinds.includes(kind)) continue;
      const [started] = await this.#environment.store.journal.read(run_id, { limit: 1 });
      if (started?.type === "RunStarted" && started.model !== undefined) return started.model;
    }
    return undefined;
  }

  /** Newest first: `from` and what came before it. */
  async chain({ workspaceId, sessionId }: Conversation, from: string | null, limit: number): Promise<Turn[]> {
    if (from === null) return [];
    return await this.#environment.store.db
      .withRecursive("chain", (query) =>
        query
          .selectFrom("conversation_turns")
          .where("run_id", "=", from)
          .where("workspace_id", "=", workspaceId)
          .where("session_id", "=", sessionId)
          .select([...columns, (row) => row.lit(1).as("place")])
          .unionAll(
            query
              .selectFrom("conversation_turns as turn")
              .innerJoin("chain", "chain.previous_run_id", "turn.run_id")
              .where("chain.place", "<", limit)
              .select([...turnColumns, (row) => row("chain.place", "+", 1).as("place")]),
          ),
      )
      .selectFrom("chain")
      .select(columns)
      .orderBy("place")
      .execute();
  }

  /** The same from the head down to a run, which is the last; undefined when the conversation does not hold it (any more). */
  async downTo(conversation: Conversation, runId: string): Promise<Turn[] | undefined> {
    const turns: Turn[] = [];
    let from = await this.head(conversation);
    while (from !== null) {
      const page = await this.chain(conversation, from, 200);
      for (const turn of page) {
        turns.push(turn);
        if (turn.run_id === runId) return turns;
      }
      from = page.at(-1)?.previous_run_id ?? null;
    }
    return undefined;
  }
}

/** Lets a run, which is the head or not, follow another one: everything between is no longer said. */
export async function goBack(transaction: Transaction, runId: string, to: string | null): Promise<void> {
  await transaction
    .updateTable("conversation_turns")
    .set({ previous_run_id: to })
    .where("run_id", "=", runId)
    .execute();
}

/** Where the conversation of a workbench stood before a run of it, which begins a Draft; now, where a person begins it. */
export async function headBefore(
  transaction: Database | Transaction,
  workbenchId: string,
  runId: string | null,
): Promise<string | null> {
  const workbench = await transaction
    .selectFrom("workbenches")
    .select(["workspace_id", "session_id"])
    .where("id", "=", workbenchId)
    .executeTakeFirstOrThrow();
  return await saidBefore(transaction, { workspaceId: workbench.workspace_id, sessionId: workbench.session_id }, runId);
}

/** What was said before a run; the head where the run is in no conversation. */
export async function saidBefore(
  db: Database | Transaction,
  conversation: Conversation,
  runId: string | null,
): Promise<string | null> {
  const turn = runId === null ? undefined : await turnOf(db, runId);
  return turn ? turn.previous_run_id : await headOf(db, conversation);
}

async function headOf(db: Database | Transaction, { workspaceId, sessionId }: Conversation): Promise<string | null> {
  const row = await db
    .selectFrom("conversation_heads")
    .select("run_id")
    .where("workspace_id", "=", workspaceId)
    .where("session_id", "=", sessionId)
    .executeTakeFirst();
  return row?.run_id ?? null;
}

async function turnOf(db: Database | Transaction, runId: string): Promise<Turn | undefined> {
  return await db.selectFrom("conversation_turns").select(columns).where("run_id", "=", runId).executeTakeFirst();
}

async function draftOf(
  db: Database | Transaction,
  workbenchId: string,
): Promise<{ id: string; revision: number } | undefined> {
  return await db
    .selectFrom("drafts")
    .select(["id", "revision"])
    .where("workbench_id", "=", workbenchId)
    .executeTakeFirst();
}

function lockOf(workspaceId: string, sessionId: string): string {
  return JSON.stringify(["conversation", workspaceId, sessionId]);
}
