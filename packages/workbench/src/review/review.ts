import type { DocumentComparison, DocumentKind, ReviewWarning } from "@benchtop/documents";
import { documentKindOf } from "@benchtop/documents/kinds";
import { BenchtopError } from "@benchtop/protocol";
import type { Catalogue } from "../catalogue/catalogue.ts";
import { isAccepted, marksOf, type Marks } from "../draft/marks.ts";
import type { DraftRow, Drafts, DraftState } from "../draft/drafts.ts";
import type { DraftChange, DraftView } from "../draft/view.ts";
import type { Environment } from "../environment.ts";
import { classifyText } from "../files/classify.ts";
import type { FileContent } from "../files/files.ts";
import { parseWorkbenchPath, type WorkbenchPath } from "../path/workbench-path.ts";
import { journalOf } from "../workshop/conversation/journals.ts";
import { unshown, type Comparison, type DiffLine, type HunkStretch } from "./comparison.ts";
import { DocumentReader } from "./document-reader.ts";
import { LineCounts, type Pair } from "./line-counts.ts";
import { SpoofedNames } from "./spoofed-names.ts";

export interface Change {
  readonly path: string;
  readonly change: "added" | "modified" | "deleted";
  readonly view: "text" | "opaque" | "too-large";
  readonly mediaType: string;
  readonly bytesBefore: number | null;
  readonly bytesAfter: number | null;
  readonly sha256Before: string | null;
  readonly sha256After: string | null;
  /** Null where they are not counted yet, and where there are none. */
  readonly linesAdded: number | null;
  readonly linesRemoved: number | null;
  readonly confirmed?: boolean;
  readonly runId: string | null;
  readonly summary: string | null;
  readonly document: DocumentKind | "bytes" | null;
  readonly accepted: boolean;
  readonly warnings: ReviewWarning[];
}

export interface TextDiff {
  readonly path: string;
  readonly change: "added" | "modified" | "deleted";
  readonly view: "text" | "opaque" | "too-large";
  readonly hunks: ReviewedHunk[];
  readonly linesAdded: number;
  readonly linesRemoved: number;
  readonly truncated: boolean;
  readonly oldLineCount: number;
  readonly newLineCount: number;
  readonly warnings: ReviewWarning[];
}

export interface ReviewedHunk {
  readonly oldStart: number;
  readonly oldLines: number;
  readonly newStart: number;
  readonly newLines: number;
  readonly lines: DiffLine[];
  readonly id: string;
  readonly accepted: boolean;
  readonly stretches: (HunkStretch & { readonly accepted: boolean })[];
}

export type DocumentDiff = DocumentComparison &
  Pick<
    Change,
    "path" | "change" | "mediaType" | "bytesBefore" | "bytesAfter" | "sha256Before" | "sha256After" | "warnings"
  >;

/** The Draft against its base, computed from blobs alone: no model, no network (S10). */
export class Review {
  readonly #environment: Environment;
  readonly #catalogue: Catalogue;
  readonly #drafts: Drafts;
  readonly #counts: LineCounts;
  readonly #documents: DocumentReader;

  constructor(environment: Environment, catalogue: Catalogue, drafts: Drafts) {
    this.#environment = environment;
    this.#catalogue = catalogue;
    this.#drafts = drafts;
    this.#counts = new LineCounts(environment);
    this.#documents = new DocumentReader(environment);
  }

  /** Every changed file, sorted by path, with what the agent said last. */
  async changeSet(ref: string): Promise<{ draft: DraftState; changes: Change[]; draftSummary?: string }> {
    const { id } = await this.#catalogue.find(ref);
    const draft = await this.#drafts.find(id);
    if (!draft) return { draft: await this.#drafts.state(id), changes: [] };
    const view = await this.#drafts.view(draft);
    const changes = await this.#present(draft, view, view.sortedChanges());
    const draftSummary = await this.#summary(draft.id);
    return { draft: this.#drafts.stateOf(draft, view), changes, ...(draftSummary !== null && { draftSummary }) };
  }

  /** The Draft, and those of some paths that it changes. */
  async changesAt(ref: string, paths: readonly WorkbenchPath[]): Promise<{ draft: DraftState; changes: Change[] }> {
    const { id } = await this.#catalogue.find(ref);
    const draft = await this.#drafts.find(id);
    if (!draft) return { draft: await this.#drafts.state(id), changes: [] };
    const view = await this.#drafts.view(draft);
    const wanted = paths.map((path) => view.changes.get(path)).filter((change) => change !== undefined);
    return { draft: this.#drafts.stateOf(draft, view), changes: await this.#present(draft, view, wanted) };
  }

  /** Throws `NOT_FOUND` for a path that the Draft does not change. */
  async textDiff(input: { workbenchId: string; path: string; contextLines: number }): Promise<TextDiff> {
    const { draft, change } = await this.#changeOf(input);
    const view = this.#viewOf(change);
    const comparison = view === "text" ? await this.#compare(change, input.contextLines) : unshown(view, 0, 0);
    const marks = await marksOf(this.#environment.store.db, draft.id, [change.path]);
    const warnings = [...comparison.warnings, ...disguises(change)];
    const hunks = decided(comparison, change, marks);
    return { path: change.path, change: change.change, ...comparison, hunks, warnings };
  }

  /** A change as what the file is. Throws `NOT_FOUND` for a path that the Draft does not change. */
  async documentDiff(input: {
    workbenchId: string;
    path: string;
    bytes: boolean;
    offset?: number | undefined;
  }): Promise<DocumentDiff> {
    const { change } = await this.#changeOf(input);
    const facts = factsOf(change);
    const comparison = await this.#documents.compare(facts, input);
    return { ...facts, ...comparison };
  }

  /** A page of a document of either side, changed or not. */
  async page(input: {
    workbenchId: string;
    path: string;
    side: "published" | "draft";
    page: number;
    width: number;
  }): Promise<FileContent> {
    const path = parseWorkbenchPath(input.path, this.#environment.limits);
    const { id } = await this.#catalogue.find(input.workbenchId);
    const view = await this.#drafts.viewOf(id);
    const file = input.side === "draft" ? view.get(path) : view.base.byPath.get(path);
    if (file) return await this.#documents.page(file, input.page, input.width);
    throw new BenchtopError("NOT_FOUND", `There is no file "${path}" here.`, { phase: "review", workbenchId: id });
  }

  async #changeOf(input: { workbenchId: string; path: string }): Promise<{ draft: DraftRow; change: DraftChange }> {
    const path = parseWorkbenchPath(input.path, this.#environment.limits);
    const { id } = await this.#catalogue.find(input.workbenchId);
    const draft = await this.#drafts.find(id);
    const change = draft && (await this.#drafts.view(draft)).changes.get(path);
    if (draft && change) return { draft, change };
    throw new BenchtopError("NOT_FOUND", `The Draft does not change "${path}".`, { phase: "review", workbenchId: id });
  }

  async #present(draft: DraftRow, view: DraftView, changes: readonly DraftChange[]): Promise<Change[]> {
    const countable = changes.filter((change) => this.#viewOf(change) === "text");
    const [marks] = await Promise.all([
      marksOf(this.#environment.store.db, draft.id),
      this.#counts.want(countable.map(pairOf)),
    ]);
    const names = new SpoofedNames(view);
    return changes.map((change) => this.#presentOne(change, marks, names));
  }

  #presentOne(change: DraftChange, marks: Marks, names: SpoofedNames): Change {
    const known = this.#viewOf(change);
    const counts = known === "text" ? this.#counts.get(pairOf(change)) : undefined;
    const view = counts?.view ?? known;
    const { path, mediaType, runId, summary } = change;
    return {
      ...factsOf(change),
      view,
      linesAdded: counts?.view === "text" ? counts.linesAdded : null,
      linesRemoved: counts?.view === "text" ? counts.linesRemoved : null,
      ...(change.change === "deleted" && { confirmed: change.confirmed }),
      runId,
      summary,
      document: documentKindOf(path, mediaType) ?? (view === "opaque" ? "bytes" : null),
      accepted: isAccepted(marks, change),
      warnings: change.change === "deleted" ? [] : [...names.warningsOf(path), ...disguises(change)],
    };
  }

  /** As far as is known without reading it; the content may have too many lines. */
  #viewOf({ before, opaque, bytes }: DraftChange): Change["view"] {
    const { maxDiffBytes } = this.#environment.limits;
    if (before?.opaque || opaque) return "opaque";
    return (before?.bytes ?? 0) > maxDiffBytes || bytes > maxDiffBytes ? "too-large" : "text";
  }

  async #compare({ path, before, sha256 }: DraftChange, contextLines: number): Promise<Comparison> {
    const { store, compute, limits } = this.#environment;
    return await compute.run("compareTexts", {
      before: before ? store.blobs.pathOf(before.sha256) : null,
      after: sha256 === null ? null : store.blobs.pathOf(sha256),
      contextLines,
      maxLines: limits.maxDiffLines,
      timeoutMs: limits.diffTimeoutMs,
      countsOnly: false,
      svg: /\.svg$/i.test(path),
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

function factsOf({ path, change, before, sha256, bytes, mediaType }: DraftChange) {
  return {
    path,
    change,
    mediaType,
    bytesBefore: before?.bytes ?? null,
    bytesAfter: sha256 === null ? null : bytes,
    sha256Before: before?.sha256 ?? null,
    sha256After: sha256,
  };
}

/** A file whose name says text, and whose content is none. */
function disguises({ path, opaque }: DraftChange): ReviewWarning[] {
  if (!opaque || classifyText(path).opaque || documentKindOf(path, "") !== null) return [];
  if (classifyText(path).mediaType === "text/plain" && !/\.(?:txt|log|ini)$/i.test(path)) return [];
  return [{ kind: "invalid-utf8", message: "Its name says text; its content is no UTF-8 text.", where: null }];
}

function pairOf({ before, sha256 }: DraftChange): Pair {
  return { before: before?.sha256 ?? null, after: sha256 };
}

/** The hunks with what was decided on them. A hunk of several stretches is named by the first and the last. */
function decided({ hunks }: Comparison, change: DraftChange, marks: Marks): ReviewedHunk[] {
  const whole = isAccepted(marks, change);
  const accepted = new Set(marks.hunks(change));
  return hunks.map((hunk) => {
    const stretches = hunk.stretches.map((stretch) => ({ ...stretch, accepted: whole || accepted.has(stretch.id) }));
    const [first, last] = [stretches[0]?.id ?? "", stretches.at(-1)?.id ?? ""];
    return {
      ...hunk,
      id: first === last ? first : `${first}..${last}`,
      accepted: stretches.every((stretch) => stretch.accepted),
      stretches,
    };
  });
}
