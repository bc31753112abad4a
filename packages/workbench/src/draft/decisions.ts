import { BenchtopError } from "@benchtop/protocol";
import type { Catalogue } from "../catalogue/catalogue.ts";
import { now, type Environment, type Transaction } from "../environment.ts";
import { saving } from "../files/saving.ts";
import { parseWorkbenchPath, type WorkbenchPath } from "../path/workbench-path.ts";
import type { PutBack } from "../review/put-back.ts";
import type { Agents } from "./agents.ts";
import { applyChanges, type PathChange } from "./apply.ts";
import { isAccepted, marksOf, type Marks } from "./marks.ts";
import { aPerson, type DraftRow, type Drafts } from "./drafts.ts";
import type { DraftChange, DraftView } from "./view.ts";

export interface Decision {
  readonly path: string;
  /** Of the file that the person saw; null for a deletion. */
  readonly sha256: string | null;
  readonly decision: "accept" | "reject" | "undecide";
  /** Ids of hunks or of stretches; absent, the whole file. */
  readonly hunks?: readonly string[] | undefined;
}

export interface DecisionsInput {
  readonly workbenchId: string;
  readonly draftId?: string | undefined;
  readonly decisions: readonly Decision[];
  readonly userId: string;
}

/** What is decided on one file. */
interface Outcome {
  readonly path: WorkbenchPath;
  readonly change?: PathChange;
  /** What is accepted afterwards; nothing for a file that leaves the Draft. */
  readonly accepted: { readonly sha256: string | null; readonly hunks: readonly string[] } | undefined;
}

/** Stands for a whole file where hunks are named. */
const wholeFile = "";
/** Hunks have to be found in the texts, which takes time that nobody else can change the Draft in. */
const maxFilesByHunks = 200;

/**
 * What a person decides on a Draft. Accepted is a mark, which holds while the file stays as it is; rejected leaves the Draft at
 * once. All decisions of a call are taken, or none.
 */
export class Decisions {
  readonly #environment: Environment;
  readonly #catalogue: Catalogue;
  readonly #drafts: Drafts;
  readonly #agents: Agents;

  constructor(environment: Environment, parts: { catalogue: Catalogue; drafts: Drafts; agents: Agents }) {
    this.#environment = environment;
    this.#catalogue = parts.catalogue;
    this.#drafts = parts.drafts;
    this.#agents = parts.agents;
  }

  /**
   * Takes decisions and answers which of their files the Draft still changes. Throws `CONFLICT_PUBLISHED_CHANGED` when a file,
   * or the Draft, is another one than the person saw.
   */
  async decide(input: DecisionsInput): Promise<WorkbenchPath[]> {
    const { id } = await this.#catalogue.find(input.workbenchId);
    const byPath = this.#byPath(input.decisions);
    return await this.#environment.locks.run(id, async () => {
      this.#agents.refuseWhileActive(id);
      const draft = await this.#drafts.find(id);
      if (!draft) throw changedSince(id, "There is no Draft any more: it was published or discarded.");
      if (input.draftId !== undefined && input.draftId !== draft.id) {
        throw changedSince(id, "This is another Draft than the one you looked at. Review it, then decide.");
      }
      await saving(() => this.#take(draft, byPath, input.userId));
      const view = await this.#drafts.viewOf(id);
      return [...byPath.keys()].filter((path) => view.changes.has(path));
    });
  }

  #byPath(decisions: readonly Decision[]): Map<WorkbenchPath, Decision[]> {
    const byPath = new Map<WorkbenchPath, Decision[]>();
    for (const decision of decisions) {
      const path = parseWorkbenchPath(decision.path, this.#environment.limits);
      const others = byPath.get(path);
      if (!others) byPath.set(path, [decision]);
      else if (!decision.hunks || !others[0]?.hunks) throw ambiguous(path, "a whole file is decided on twice");
      else if (decision.sha256 !== others[0].sha256) throw ambiguous(path, "it is named with two contents");
      else others.push(decision);
    }
    const byHunks = [...byPath.values()].filter(([first]) => first?.hunks);
    if (byHunks.length > maxFilesByHunks) {
      const message = `Hunks of at most ${maxFilesByHunks} files can be decided on at once. Send the others in another call.`;
      throw new BenchtopError("VALIDATION_FAILED", message, { phase: "review", detail: { allowed: maxFilesByHunks } });
    }
    return byPath;
  }

  async #take(draft: DraftRow, byPath: ReadonlyMap<WorkbenchPath, Decision[]>, userId: string): Promise<void> {
    const { store } = this.#environment;
    const view = await this.#drafts.view(draft);
    for (const [path, decisions] of byPath) refuseUnseen(draft.workbench_id, view, path, decisions);
    const marks = await marksOf(store.db, draft.id, [...byPath.keys()]);
    const outcomes: Outcome[] = [];
    for (const [path, decisions] of byPath) {
      const change = view.changes.get(path);
      if (change) outcomes.push(await this.#outcome(draft, change, path, decisions, marks));
    }
    await applyChanges(this.#environment, this.#drafts, draft.workbench_id, {
      changes: outcomes.flatMap(({ change }) => (change ? [change] : [])),
      author: aPerson,
      commit: (transaction) => saveMarks(transaction, draft.id, userId, outcomes),
    });
    await store.flush();
  }

  async #outcome(
    draft: DraftRow,
    change: DraftChange,
    path: WorkbenchPath,
    decisions: readonly Decision[],
    marks: Marks,
  ): Promise<Outcome> {
    const [first] = decisions;
    if (!first?.hunks) {
      if (first?.decision === "reject") return { path, change: { path, content: "base" }, accepted: undefined };
      const hunks = first?.decision === "accept" ? [wholeFile] : [];
      return { path, accepted: { sha256: change.sha256, hunks } };
    }
    return await this.#outcomeByHunks(draft, change, path, decisions, marks);
  }

  async #outcomeByHunks(
    draft: DraftRow,
    change: DraftChange,
    path: WorkbenchPath,
    decisions: readonly Decision[],
    marks: Marks,
  ): Promise<Outcome> {
    const found = await this.#stretches(change, decisions);
    if ("unknown" in found) {
      throw changedSince(
        draft.workbench_id,
        `A hunk of "${path}" is not there as you saw it. Look at the file again.`,
        path,
      );
    }
    const accepted = new Set(
      isAccepted(marks, change) ? found.all : marks.hunks(change).filter((id) => id !== wholeFile),
    );
    const rejected = new Set<string>();
    const decided = new Set<string>();
    for (const [index, { decision }] of decisions.entries()) {
      for (const id of found.named[index] ?? []) {
        if (decided.has(id)) throw ambiguous(path, "a hunk is decided on twice");
        decided.add(id);
        if (decision === "accept") accepted.add(id);
        else accepted.delete(id);
        if (decision === "reject") rejected.add(id);
      }
    }
    if (rejected.size === 0) return { path, accepted: { sha256: change.sha256, hunks: complete(accepted, found.all) } };
    if (rejected.size === found.all.length) return { path, change: { path, content: "base" }, accepted: undefined };
    return await this.#withoutRejected(change, path, rejected, accepted);
  }

  /** The text without what was rejected. What was accepted of the rest, and reads as it did, is accepted still. */
  async #withoutRejected(
    change: DraftChange,
    path: WorkbenchPath,
    rejected: ReadonlySet<string>,
    accepted: ReadonlySet<string>,
  ): Promise<Outcome> {
    const { store } = this.#environment;
    const { text } = await this.#putBack(change, [[...rejected]], 0);
    const blob = await store.blobs.put(text ?? new Uint8Array());
    if (blob.sha256 === change.before?.sha256) return { path, change: { path, content: "base" }, accepted: undefined };
    const { all } = await this.#putBack({ ...change, sha256: blob.sha256 }, [], null);
    const left = complete(new Set(all.filter((id) => accepted.has(id))), all);
    return {
      path,
      change: { path, content: { sha256: blob.sha256, bytes: blob.bytes } },
      accepted: { sha256: blob.sha256, hunks: left },
    };
  }

  async #stretches(change: DraftChange, decisions: readonly Decision[]): Promise<Exclude<PutBack, { view: unknown }>> {
    const { maxDiffBytes } = this.#environment.limits;
    const isLarge = (change.before?.bytes ?? 0) > maxDiffBytes || change.bytes > maxDiffBytes;
    if (change.before?.opaque || change.opaque || isLarge) throw noHunks(change.path);
    const found = await this.#job(
      change,
      decisions.map(({ hunks }) => hunks ?? []),
      null,
    );
    if ("view" in found) throw noHunks(change.path);
    return found;
  }

  async #putBack(
    change: Pick<DraftChange, "before" | "sha256" | "path">,
    ids: readonly string[][],
    which: number | null,
  ): Promise<Extract<PutBack, { all: unknown }>> {
    const done = await this.#job(change, ids, which);
    if ("all" in done) return done;
    throw new Error("The stretches of a text are not those that it had a moment ago.");
  }

  async #job(
    { before, sha256 }: Pick<DraftChange, "before" | "sha256">,
    ids: readonly (readonly string[])[],
    which: number | null,
  ): Promise<PutBack> {
    const { store, compute, limits } = this.#environment;
    return await compute.run("putBack", {
      before: before ? store.blobs.pathOf(before.sha256) : null,
      after: sha256 === null ? null : store.blobs.pathOf(sha256),
      maxLines: limits.maxDiffLines,
      timeoutMs: limits.diffTimeoutMs,
      ids,
      putBack: which,
    });
  }
}

/** Once every stretch is accepted the file is. */
function complete(accepted: ReadonlySet<string>, all: readonly string[]): string[] {
  const hunks = all.filter((id) => accepted.has(id));
  return all.length > 0 && hunks.length === all.length ? [wholeFile, ...hunks] : hunks;
}

/** Few enough for the parameters of one statement. */
const rowsAtOnce = 500;

async function saveMarks(
  transaction: Transaction,
  draftId: string,
  userId: string,
  outcomes: readonly Outcome[],
): Promise<void> {
  const at = now();
  const rows = outcomes.flatMap(({ path, accepted }) =>
    (accepted?.hunks ?? []).map((hunk) => ({
      draft_id: draftId,
      path,
      hunk,
      sha256: accepted?.sha256 ?? null,
      user_id: userId,
      at,
    })),
  );
  for (let from = 0; from < outcomes.length; from += rowsAtOnce) {
    const paths = outcomes.slice(from, from + rowsAtOnce).map(({ path }) => path);
    await transaction
      .deleteFrom("draft_decisions")
      .where("draft_id", "=", draftId)
      .where("path", "in", paths)
      .execute();
  }
  for (let from = 0; from < rows.length; from += rowsAtOnce) {
    await transaction
      .insertInto("draft_decisions")
      .values(rows.slice(from, from + rowsAtOnce))
      .execute();
  }
  await transaction.updateTable("drafts").set({ updated_at: at }).where("id", "=", draftId).execute();
}

function refuseUnseen(
  workbenchId: string,
  view: DraftView,
  path: WorkbenchPath,
  [decision]: readonly Decision[],
): void {
  const change = view.changes.get(path);
  if (!change) throw changedSince(workbenchId, `The Draft does not change "${path}" any more. Review it again.`, path);
  if (change.sha256 === (decision?.sha256 ?? null)) return;
  throw changedSince(workbenchId, `"${path}" was changed since you looked at it. Review it again, then decide.`, path);
}

/** What a person decided on, or edited, is no longer what they saw. */
export function changedSince(workbenchId: string, message: string, path?: string): BenchtopError {
  return new BenchtopError("CONFLICT_PUBLISHED_CHANGED", message, {
    phase: "review",
    subphase: "draft_changed",
    actions: ["review_draft"],
    workbenchId,
    ...(path !== undefined && { detail: { path } }),
  });
}

function ambiguous(path: string, why: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", `The decisions on "${path}" contradict each other: ${why}.`, {
    phase: "review",
    detail: { path },
  });
}

function noHunks(path: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", `"${path}" has no hunks. Decide on the whole file.`, {
    phase: "review",
    detail: { path },
  });
}
