import { BenchtopError } from "@benchtop/protocol";
import type { Catalogue } from "../catalogue/catalogue.ts";
import { stateOf, type Drafts, type DraftState } from "../draft/drafts.ts";
import type { DraftChange } from "../draft/view.ts";
import type { Environment } from "../environment.ts";
import { classifyText } from "../files/classify.ts";
import { parseWorkbenchPath } from "../path/workbench-path.ts";
import { journalOf } from "../workshop/journals.ts";
import { unshown, type Comparison, type Hunk } from "./comparison.ts";

export interface Change {
  readonly path: string;
  readonly change: "added" | "modified" | "deleted";
  readonly view: "text" | "opaque" | "too-large";
  readonly mediaType: string;
  readonly bytesBefore: number | null;
  readonly bytesAfter: number | null;
  readonly sha256Before: string | null;
  readonly sha256After: string | null;
  readonly linesAdded: number | null;
  readonly linesRemoved: number | null;
  readonly confirmed?: boolean;
  readonly runId: string | null;
}

export interface TextDiff {
  readonly path: string;
  readonly change: "added" | "modified" | "deleted";
  readonly view: "text" | "opaque" | "too-large";
  readonly hunks: Hunk[];
  readonly linesAdded: number;
  readonly linesRemoved: number;
  readonly truncated: boolean;
  readonly oldLineCount: number;
  readonly newLineCount: number;
}

/** For the line counts of one change set together; changes after that have none. */
const countingBudgetMs = 2000;
const rememberedCounts = 5000;

/** The Draft against its base, computed from blobs alone: no model, no network (S10). */
export class Review {
  readonly #environment: Environment;
  readonly #catalogue: Catalogue;
  readonly #drafts: Drafts;
  readonly #counts = new Map<string, Comparison>();

  constructor(environment: Environment, catalogue: Catalogue, drafts: Drafts) {
    this.#environment = environment;
    this.#catalogue = catalogue;
    this.#drafts = drafts;
  }

  /** Every changed file, sorted by path, with what the agent said last. */
  async changeSet(ref: string): Promise<{ draft: DraftState; changes: Change[]; draftSummary?: string }> {
    const { id } = await this.#catalogue.find(ref);
    const draft = await this.#drafts.find(id);
    if (!draft) return { draft: await this.#drafts.state(id), changes: [] };
    const view = await this.#drafts.view(draft);
    const deadline = performance.now() + countingBudgetMs;
    const changes: Change[] = [];
    for (const change of view.sortedChanges()) changes.push(await this.#present(change, deadline));
    const draftSummary = await this.#summary(draft.id);
    return { draft: stateOf(draft, view), changes, ...(draftSummary !== null && { draftSummary }) };
  }

  /** Throws `NOT_FOUND` for a path that the Draft does not change. */
  async textDiff(input: { workbenchId: string; path: string; contextLines: number }): Promise<TextDiff> {
    const path = parseWorkbenchPath(input.path, this.#environment.limits);
    const { id } = await this.#catalogue.find(input.workbenchId);
    const change = (await this.#drafts.viewOf(id)).changes.get(path);
    if (!change) {
      throw new BenchtopError("NOT_FOUND", `The Draft does not change "${path}".`, {
        phase: "review",
        workbenchId: id,
      });
    }
    const view = this.#viewOf(change);
    const comparison = view === "text" ? await this.#compare(change, input.contextLines, false) : unshown(view, 0, 0);
    return { path, change: change.change, ...comparison };
  }

  async #present(change: DraftChange, deadline: number): Promise<Change> {
    const { path, before, sha256, bytes, runId } = change;
    let view = this.#viewOf(change);
    const counts = view === "text" && performance.now() < deadline ? await this.#count(change) : undefined;
    if (counts) view = counts.view;
    return {
      path,
      change: change.change,
      view,
      mediaType: before?.mediaType ?? classifyText(path).mediaType,
      bytesBefore: before?.bytes ?? null,
      bytesAfter: sha256 === null ? null : bytes,
      sha256Before: before?.sha256 ?? null,
      sha256After: sha256,
      linesAdded: counts?.view === "text" ? counts.linesAdded : null,
      linesRemoved: counts?.view === "text" ? counts.linesRemoved : null,
      ...(change.change === "deleted" && { confirmed: change.confirmed }),
      runId,
    };
  }

  /** As far as the names and sizes tell; the content may say otherwise. */
  #viewOf({ path, before, sha256, bytes }: DraftChange): Change["view"] {
    const { maxDiffBytes } = this.#environment.limits;
    if (before?.opaque || (sha256 !== null && classifyText(path).opaque)) return "opaque";
    return (before?.bytes ?? 0) > maxDiffBytes || bytes > maxDiffBytes ? "too-large" : "text";
  }

  async #count(change: DraftChange): Promise<Comparison> {
    const key = `${change.before?.sha256 ?? ""}:${change.sha256 ?? ""}`;
    const known = this.#counts.get(key);
    if (known) return known;
    const counted = await this.#compare(change, 0, true);
    if (this.#counts.size >= rememberedCounts) this.#counts.clear();
    this.#counts.set(key, counted);
    return counted;
  }

  async #compare({ before, sha256 }: DraftChange, contextLines: number, countsOnly: boolean): Promise<Comparison> {
    const { store, compute, limits } = this.#environment;
    return await compute.run("compareTexts", {
      before: before ? store.blobs.pathOf(before.sha256) : null,
      after: sha256 === null ? null : store.blobs.pathOf(sha256),
      contextLines,
      maxLines: limits.maxDiffLines,
      timeoutMs: limits.diffTimeoutMs,
      countsOnly,
    });
  }

  /** The final answer of the last agent run that wrote this Draft. */
  async #summary(draftId: string): Promise<string | null> {
    const { store } = this.#environment;
    const row = await store.db
      .selectFrom("draft_changes")
      .select("run_id")
      .where("draft_id", "=", draftId)
      .where("run_id", "is not", null)
      .orderBy("revision", "desc")
      .limit(1)
      .executeTakeFirst();
    if (row?.run_id == null) return null;
    const completed = (await journalOf(store, row.run_id, ["Completed"])).at(-1);
    return completed?.type === "Completed" && completed.output !== "" ? completed.output : null;
  }
}
