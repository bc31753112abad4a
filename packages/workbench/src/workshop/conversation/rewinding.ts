import { BenchtopError, newId, type Json, type RunRecord } from "@benchtop/protocol";
import type { RunOutcome, RunScope } from "@benchtop/harness";
import type { Catalogue, WorkbenchRow } from "../../catalogue/catalogue.ts";
import type { Agents } from "../../draft/agents.ts";
import { applyChanges, type PathChange } from "../../draft/apply.ts";
import type { DraftState, Drafts } from "../../draft/drafts.ts";
import { DraftView } from "../../draft/view.ts";
import type { Environment } from "../../environment.ts";
import { askedIn } from "../asked.ts";
import { goBack, turnKinds, type Turn, type Turns } from "./turns.ts";

interface Rewind {
  readonly workbenchId: string;
  /** The turn that is taken back, with all that came after it. */
  readonly runId: string;
  /** What a person, or a run of another conversation, changed in the Draft since goes, too. */
  readonly discardEdits: boolean;
  readonly userId: string;
}

export interface Rewound {
  readonly runId: string;
  readonly removed: string[];
  readonly message: string | null;
  readonly draft: DraftState;
}

/**
 * Takes turns of a conversation back, together with what they did to the Draft: one run, one commit. What was published since
 * is not taken back here, because that is what checkpoints are for.
 */
export class Rewinding {
  readonly #environment: Environment;
  readonly #catalogue: Catalogue;
  readonly #drafts: Drafts;
  readonly #agents: Agents;
  readonly #turns: Turns;

  constructor(
    environment: Environment,
    parts: {
      readonly catalogue: Catalogue;
      readonly drafts: Drafts;
      readonly agents: Agents;
      readonly turns: Turns;
    },
  ) {
    this.#environment = environment;
    this.#catalogue = parts.catalogue;
    this.#drafts = parts.drafts;
    this.#agents = parts.agents;
    this.#turns = parts.turns;
  }

  /**
   * Rejects with `NOT_FOUND` for a turn that is not in the conversation (any more), with `CONFLICT_PUBLISHED_CHANGED` past a
   * publish or restore, and with `VALIDATION_FAILED` while an agent works, or where others' changes would be lost unasked.
   */
  async toMessage(input: Rewind): Promise<Rewound> {
    const row = await this.#catalogue.find(input.workbenchId);
    const { id: workbenchId, workspace_id: workspaceId, session_id: sessionId } = row;
    const place = { workspaceId, sessionId };
    const removed = await this.#removable(row, input.runId);
    await this.#planned(row, removed, input.discardEdits);
    const runId = newId("run");
    await this.#turns.during(place, { runId, kind: "rewind", workbenchId }, async () => {
      const release = this.#agents.claim(workbenchId, runId);
      const start = {
        runId,
        kind: "rewind",
        userId: input.userId,
        ...place,
        workbenchId,
        parentRunId: input.runId,
        contract: {},
        input: { to: input.runId, discardEdits: input.discardEdits },
      };
      const handle = await this.#environment.runs.start(start, {
        body: (run) => this.#rewind(run, row, removed, input.discardEdits),
        ended: async () => release(),
      });
      const { error, recorded } = await handle.result;
      // A journal that failed after the commit must not make a refusal of what happened; start-up completes such a run.
      const isDone = error && !recorded ? await this.#isDone(runId, input.runId).catch(() => false) : false;
      if (error && !isDone) throw error;
    });
    return {
      runId,
      removed: removed.map(({ run_id }) => run_id).toReversed(),
      message: await this.#said(input.runId),
      draft: await this.#drafts.state(workbenchId),
    };
  }

  /** The newest turn of a conversation that a model was asked in; `NOT_FOUND` before the first. */
  async newestTurn(workbenchId: string): Promise<string> {
    const { workspace_id: workspaceId, session_id: sessionId } = await this.#catalogue.find(workbenchId);
    const place = { workspaceId, sessionId };
    for (let from = await this.#turns.head(place); from !== null;) {
      const page = await this.#turns.chain(place, from, 50);
      const turn = page.find(({ kind }) => turnKinds.has(kind));
      if (turn) return turn.run_id;
      from = page.at(-1)?.previous_run_id ?? null;
    }
    throw new BenchtopError("NOT_FOUND", "Nothing was said in this conversation yet.", {
      phase: "workshop",
      workbenchId,
    });
  }

  /** For `Runs.recover`: a rewind whose commit is in the database has come to its end. */
  async settle(run: RunRecord): Promise<RunOutcome | undefined> {
    if (run.kind !== "rewind" || run.parentRunId === null) return undefined;
    if (!(await this.#isDone(run.runId, run.parentRunId))) return undefined;
    return { output: "Went back in the conversation.", result: null };
  }

  /** The commit lets the rewind follow what was said before the turn. */
  async #isDone(runId: string, turnId: string): Promise<boolean> {
    const [own, target] = await Promise.all([this.#turns.find(runId), this.#turns.find(turnId)]);
    return own !== undefined && target !== undefined && own.previous_run_id === target.previous_run_id;
  }

  async #rewind(
    run: RunScope,
    row: WorkbenchRow,
    removed: readonly Turn[],
    discardEdits: boolean,
  ): Promise<RunOutcome> {
    const target = removed.at(-1);
    if (!target) throw new BenchtopError("INTERNAL", "A rewind without a turn.");
    const events = await this.#environment.locks.run(row.id, async () => {
      const changes = await this.#planned(row, removed, discardEdits);
      return await applyChanges(this.#environment, this.#drafts, row.id, {
        changes,
        author: { runId: run.runId, callId: null },
        commit: (transaction) => goBack(transaction, run.runId, target.previous_run_id),
      });
    });
    for (const event of events) await run.emit(event);
    const turns = removed.length === 1 ? "1 turn" : `${removed.length} turns`;
    const files = events.length === 1 ? "1 file" : `${events.length} files`;
    return {
      output: `Took back ${turns}; ${files} of the Draft changed back.`,
      result: { removed: removed.map(({ run_id }) => run_id).toReversed() } satisfies Json,
    };
  }

  /** From the head down to the turn, newest first. */
  async #removable(row: WorkbenchRow, runId: string): Promise<Turn[]> {
    const { workspace_id: workspaceId, session_id: sessionId, id: workbenchId } = row;
    this.#agents.refuseWhileActive(workbenchId);
    const turns = await this.#turns.downTo({ workspaceId, sessionId }, runId);
    if (!turns) {
      throw new BenchtopError("NOT_FOUND", "This turn is not in the conversation, or was taken back already.", {
        phase: "workshop",
        workbenchId,
        runId,
      });
    }
    for (const { run_id, kind } of turns.toReversed()) {
      const run = await this.#environment.store.ledger.get(run_id);
      if (run?.status === "pending") throw waiting(workbenchId, run_id);
      if (kind !== "publish" && kind !== "restore") continue;
      if (run?.status !== "success") continue;
      const checkpoint = await this.#environment.store.db
        .selectFrom("checkpoints")
        .select("id")
        .where("run_id", "=", run_id)
        .executeTakeFirst();
      throw new BenchtopError(
        "CONFLICT_PUBLISHED_CHANGED",
        `Files were ${kind === "publish" ? "published" : "restored"} after this message. Restore the checkpoint to go back behind that.`,
        {
          phase: "workshop",
          actions: checkpoint ? ["restore_checkpoint"] : [],
          workbenchId,
          runId,
          detail: { ...(checkpoint && { checkpointId: checkpoint.id }), passedRunId: run_id },
        },
      );
    }
    return turns;
  }

  /** What every path of the Draft has to say so that it is again what it was before the turn. */
  async #planned(row: WorkbenchRow, removed: readonly Turn[], discardEdits: boolean): Promise<PathChange[]> {
    const target = removed.at(-1);
    const draft = await this.#drafts.find(row.id);
    if (!draft || !target) return [];
    // Another Draft than that of then began after the turn: before it there was none.
    const revision = target.draft_id === draft.id ? (target.draft_revision ?? 0) : 0;
    const rows = await this.#environment.store.db
      .selectFrom("draft_changes")
      .selectAll()
      .where("draft_id", "=", draft.id)
      .orderBy("revision")
      .execute();
    const since = rows.filter((change) => change.revision > revision);
    const ours = new Set(removed.map(({ run_id }) => run_id));
    const others = new Set(since.filter(({ run_id }) => run_id === null || !ours.has(run_id)).map(({ path }) => path));
    if (others.size > 0 && !discardEdits) {
      const files = others.size === 1 ? "1 file" : `${others.size} files`;
      throw new BenchtopError(
        "VALIDATION_FAILED",
        `The Draft holds changes to ${files} that were made by hand, or by others, since. They would be lost.`,
        {
          phase: "workshop",
          subphase: "edits_since",
          actions: ["review_draft"],
          workbenchId: row.id,
          detail: { edits: others.size, paths: [...others].slice(0, 50) },
        },
      );
    }
    const base = (await this.#drafts.view(draft)).base;
    const before = new DraftView(
      base,
      rows.filter((change) => change.revision <= revision),
    );
    return [...new Set(since.map(({ path }) => path))].map((path) => {
      const change = before.changes.get(path);
      if (!change) return { path, content: "base" as const };
      return { path, content: change.sha256 === null ? null : { sha256: change.sha256, bytes: change.bytes } };
    });
  }

  async #said(runId: string): Promise<string | null> {
    const [started] = await this.#environment.store.journal.read(runId, { limit: 1 });
    if (started?.type !== "RunStarted" || !turnKinds.has(started.kind)) return null;
    return askedIn(started.input).text || null;
  }
}

/** Resumed later, it would change the Draft for a conversation that does not hold it any more. */
function waiting(workbenchId: string, runId: string): BenchtopError {
  return new BenchtopError(
    "VALIDATION_FAILED",
    `A turn that would be taken back is not over: run ${runId} waits for a decision. Decide, or abort it.`,
    { phase: "workshop", subphase: "run_waiting", actions: ["retry"], retryable: true, workbenchId, runId },
  );
}
