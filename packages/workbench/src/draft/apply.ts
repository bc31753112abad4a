import { BenchtopError, newId, type EventInput } from "@benchtop/protocol";
import type { BlobRef } from "@benchtop/store";
import { now, type Environment, type Transaction } from "../environment.ts";
import { classifyBlob } from "../files/classify-blob.ts";
import type { Classification } from "../files/classify.ts";
import type { ManifestEntry } from "../files/manifest.ts";
import { parseWorkbenchPath, type WorkbenchPath } from "../path/workbench-path.ts";
import type { Selectable } from "../rows.ts";
import { headBefore } from "../workshop/conversation/turns.ts";
import type { Author, DraftRow, Drafts } from "./drafts.ts";
import { removeDraft } from "./remove.ts";
import { changeKind, type DraftView } from "./view.ts";

/** What one path is to say; null for a deletion, `base` for what is published. */
export interface PathChange {
  readonly path: string;
  readonly content: DraftContent | null | "base";
  readonly summary?: string | null;
}

/** A blob, which is kept already; what it is gets read from it where it is not told. */
export type DraftContent = BlobRef & Partial<Classification>;

interface Step {
  readonly event: EventInput<"DraftChanged">;
  readonly before: ManifestEntry | undefined;
  readonly row: Pick<
    Selectable<"draft_changes">,
    "path" | "change" | "sha256" | "bytes" | "media_type" | "opaque" | "summary"
  >;
}

/**
 * Changes several paths of a Draft at once, as one revision: all of them or none. `commit` takes part in the transaction. What
 * says so already is left out; a Draft that then changes nothing is removed, unless it is to be kept. The Draft begins where
 * there is none.
 *
 * Throws `VALIDATION_FAILED` for names that collide and for more than the limits allow. The caller holds the workbench's lock.
 */
export async function applyChanges(
  environment: Environment,
  drafts: Drafts,
  workbenchId: string,
  change: {
    readonly changes: readonly PathChange[];
    readonly author: Author;
    readonly commit?: (transaction: Transaction) => Promise<void>;
    readonly keepEmpty?: boolean;
  },
): Promise<EventInput<"DraftChanged">[]> {
  const { store } = environment;
  const { author, changes, commit, keepEmpty = false } = change;
  const draft = await drafts.find(workbenchId);
  const view = draft ? await drafts.view(draft) : await drafts.viewOf(workbenchId);
  const draftId = draft?.id ?? newId("draft");
  const revision = (draft?.revision ?? 0) + 1;
  const steps: Step[] = [];
  for (const one of changes) {
    const step = await stepOf(environment, view, one, { draftId, revision, callId: author.callId });
    if (step) steps.push(step);
  }
  await refuseUnfit(environment, drafts, draft, view, steps);
  const left = changedAfter(view, steps);
  await store.db.transaction().execute(async (transaction) => {
    if (steps.length > 0 && left === 0 && !keepEmpty) await removeDraft(transaction, draftId);
    else if (steps.length > 0) {
      await saveRevision(transaction, { draftId, workbenchId, base: view.base.hash, revision, author });
      await saveSteps(transaction, { draftId, revision, author }, steps);
    }
    await commit?.(transaction);
  });
  return steps.map(({ event }) => event);
}

async function stepOf(
  { limits, store }: Environment,
  view: DraftView,
  { path, content, summary = null }: PathChange,
  told: { draftId: string; revision: number; callId: string | null },
): Promise<Step | undefined> {
  const checked = parseWorkbenchPath(path, limits);
  const before = view.base.byPath.get(checked);
  const previous = view.get(checked)?.sha256 ?? null;
  const after = content === "base" ? (before ?? null) : content;
  if (previous === (after?.sha256 ?? null)) return undefined;
  const kind = changeKind(before?.sha256 ?? null, after?.sha256 ?? null) ?? ("reverted" as const);
  const is = kind === "reverted" || after === null ? undefined : await classified(store.blobs, checked, after);
  const row = { path: checked, change: kind, sha256: after?.sha256 ?? null, bytes: after?.bytes ?? 0, summary };
  return {
    before,
    row: { ...row, media_type: is?.mediaType ?? null, opaque: is ? (is.opaque ? 1 : 0) : null } as const,
    event: {
      type: "DraftChanged",
      draftId: told.draftId,
      revision: told.revision,
      path: checked,
      change: kind,
      sha256: row.sha256,
      previousSha256: previous,
      bytes: row.bytes,
      ...(told.callId !== null && { callId: told.callId }),
    },
  };
}

async function classified(
  blobs: Environment["store"]["blobs"],
  path: WorkbenchPath,
  { mediaType, opaque, ...blob }: DraftContent,
): Promise<Classification> {
  if (mediaType !== undefined && opaque !== undefined) return { mediaType, opaque };
  return await classifyBlob(blobs, path, blob);
}

/** How many paths differ from the base afterwards. */
function changedAfter(view: DraftView, steps: readonly Step[]): number {
  let count = view.changes.size;
  for (const { row } of steps) {
    const [was, is] = [view.changes.has(row.path), row.change !== "reverted"];
    if (is && !was) count += 1;
    if (was && !is) count -= 1;
  }
  return count;
}

/** Names and limits, judged by how the whole Draft would be. What makes it smaller is never refused for being too much. */
async function refuseUnfit(
  { limits }: Environment,
  drafts: Drafts,
  draft: DraftRow | undefined,
  view: DraftView,
  steps: readonly Step[],
): Promise<void> {
  const size = { ...view.size };
  const added: WorkbenchPath[] = [];
  for (const { row } of steps) {
    const was = view.get(row.path);
    if (!was) added.push(row.path as WorkbenchPath);
    size.files += (row.sha256 === null ? 0 : 1) - (was ? 1 : 0);
    size.bytes += row.bytes - (was?.bytes ?? 0);
  }
  await drafts.refuseTaken({ draft, view }, added, () => {
    const left = new Set(view.files().map((file) => file.path));
    for (const { row } of steps) {
      if (row.sha256 === null) left.delete(row.path);
      else left.add(row.path);
    }
    return left;
  });
  if (size.files > limits.maxFiles && size.files > view.size.files) {
    throw tooMuch(`A workbench holds at most ${limits.maxFiles} files (limit maxFiles).`, "maxFiles", limits.maxFiles);
  }
  const changed = changedAfter(view, steps);
  if (changed > limits.maxDraftFiles && changed > view.changes.size) {
    const message = `A Draft changes at most ${limits.maxDraftFiles} files (limit maxDraftFiles). Publish or discard it first.`;
    throw tooMuch(message, "maxDraftFiles", limits.maxDraftFiles);
  }
  if (size.bytes > limits.maxTotalBytes && size.bytes > view.size.bytes) {
    const message = `A workbench holds at most ${limits.maxTotalBytes} bytes (limit maxTotalBytes).`;
    throw tooMuch(message, "maxTotalBytes", limits.maxTotalBytes);
  }
}

/** Few enough for the parameters of one statement. */
const rowsAtOnce = 500;

async function saveSteps(
  transaction: Transaction,
  { draftId, revision, author }: { draftId: string; revision: number; author: Author },
  steps: readonly Step[],
): Promise<void> {
  const at = now();
  for (let from = 0; from < steps.length; from += rowsAtOnce) {
    await transaction
      .insertInto("draft_changes")
      .values(
        steps.slice(from, from + rowsAtOnce).map(({ row }) => ({
          ...row,
          draft_id: draftId,
          revision,
          // What is as it was published needs nobody's consent to go.
          confirmed: row.change === "reverted" ? (1 as const) : (0 as const),
          run_id: author.runId,
          call_id: author.callId,
          at,
        })),
      )
      .execute();
  }
}

async function saveRevision(
  transaction: Transaction,
  draft: { draftId: string; workbenchId: string; base: string; revision: number; author: Author },
): Promise<void> {
  const at = now();
  if (draft.revision > 1) {
    await transaction
      .updateTable("drafts")
      .set({ revision: draft.revision, updated_at: at })
      .where("id", "=", draft.draftId)
      .execute();
    return;
  }
  await transaction
    .insertInto("drafts")
    .values({
      id: draft.draftId,
      workbench_id: draft.workbenchId,
      base_manifest_hash: draft.base,
      head_run_id: await headBefore(transaction, draft.workbenchId, draft.author.runId),
      revision: 1,
      created_at: at,
      updated_at: at,
    })
    .execute();
}

export function tooMuch(message: string, limit: string, allowed: number): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", message, { phase: "workshop", detail: { limit, allowed } });
}
