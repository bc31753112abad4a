import { BenchtopError, type EventInput } from "@benchtop/protocol";
import type { BlobRef } from "@benchtop/store";
import type { Environment } from "../environment.ts";
import { classify, classifyText, type Classification } from "../files/classify.ts";
import { parseWorkbenchPath, type WorkbenchPath } from "../path/workbench-path.ts";
import type { Selectable } from "../rows.ts";
import { applyChanges, tooMuch, type PathChange } from "./apply.ts";
import { removeDraft } from "./remove.ts";
import { DraftView } from "./view.ts";
import { DraftViews } from "./views.ts";

export interface DraftState {
  readonly exists: boolean;
  readonly draftId: string | null;
  readonly baseManifestHash: string | null;
  readonly revision: number;
  readonly counts: { added: number; modified: number; deleted: number };
  readonly unconfirmedDeletions: string[];
  readonly createdAt: string | null;
  readonly updatedAt: string | null;
  readonly stale: boolean;
}

export type DraftRow = Selectable<"drafts">;

/** Who changes the Draft: a call of a run, or a person. */
export interface Author {
  readonly runId: string | null;
  readonly callId: string | null;
  /** What the run says of its change, in a line. */
  readonly summary?: string | null;
}

/** The author of what is done by hand. */
export const aPerson: Author = { runId: null, callId: null };

/** What one write came to. `undefined` where the Draft said the same already. */
export type Written = EventInput<"DraftChanged"> | undefined;

/**
 * Drafts are rows over blobs: nothing is opened or copied to begin one, a write costs one blob and one row, and discarding
 * removes the rows. No path of the file system is ever touched, so that no name can lead out of it.
 */
export class Drafts {
  readonly #environment: Environment;
  readonly #views: DraftViews;

  constructor(environment: Environment) {
    this.#environment = environment;
    this.#views = new DraftViews(environment);
  }

  async find(workbenchId: string): Promise<DraftRow | undefined> {
    const { db } = this.#environment.store;
    return await db.selectFrom("drafts").selectAll().where("workbench_id", "=", workbenchId).executeTakeFirst();
  }

  async state(workbenchId: string): Promise<DraftState> {
    const draft = await this.find(workbenchId);
    return draft ? this.stateOf(draft, await this.view(draft)) : noDraft;
  }

  stateOf(draft: DraftRow, view: DraftView): DraftState {
    return {
      exists: true,
      draftId: draft.id,
      baseManifestHash: draft.base_manifest_hash,
      revision: draft.revision,
      counts: view.counts(),
      unconfirmedDeletions: view.unconfirmedDeletions(),
      createdAt: draft.created_at,
      updatedAt: draft.updated_at,
      stale: Date.now() - Date.parse(draft.updated_at) > this.#environment.limits.staleDraftHours * 3_600_000,
    };
  }

  /** The Draft over its base; over Published where there is none. */
  async viewOf(workbenchId: string): Promise<DraftView> {
    const draft = await this.find(workbenchId);
    if (draft) return await this.view(draft);
    const { store, manifests } = this.#environment;
    const workbench = await store.db
      .selectFrom("workbenches")
      .select("manifest_hash")
      .where("id", "=", workbenchId)
      .executeTakeFirstOrThrow();
    return new DraftView(await manifests.load(workbench.manifest_hash), []);
  }

  async view(draft: DraftRow): Promise<DraftView> {
    return await this.#views.view(draft);
  }

  /** Of `DraftViews`: throws when paths that are about to be added collide with what there is. */
  async refuseTaken(...of: Parameters<DraftViews["refuseTaken"]>): Promise<void> {
    await this.#views.refuseTaken(...of);
  }

  /** Keeps a text that a path is to have. Throws `VALIDATION_FAILED` for what is no text, or too long. */
  async keepText(path: string, text: string): Promise<BlobRef & Classification> {
    const { limits, store } = this.#environment;
    const checked = parseWorkbenchPath(path, limits);
    const bytes = Buffer.from(text);
    refuseUnwritable(checked, text, bytes, limits.maxDraftFileBytes);
    const blob = await store.blobs.put(bytes);
    return { sha256: blob.sha256, bytes: blob.bytes, ...classifyText(checked) };
  }

  /** Writes a text file into the Draft, which begins with its first write. */
  async write(workbenchId: string, path: string, text: string, author: Author): Promise<Written> {
    return await this.#change(workbenchId, path, await this.keepText(path, text), author);
  }

  /** Writes a document that a tool made. The caller has seen to it that the bytes are what the name says. */
  async writeDocument(workbenchId: string, path: string, bytes: Uint8Array, author: Author): Promise<Written> {
    const { limits, store } = this.#environment;
    const checked = parseWorkbenchPath(path, limits);
    const { maxDraftDocumentBytes: allowed } = limits;
    if (bytes.length > allowed) {
      const message = `The document would have ${bytes.length} bytes; the limit maxDraftDocumentBytes is ${allowed}.`;
      throw tooMuch(message, "maxDraftDocumentBytes", allowed);
    }
    const blob = await store.blobs.put(bytes);
    const content = { sha256: blob.sha256, bytes: blob.bytes, ...classify(checked, bytes, true) };
    return await this.#change(workbenchId, checked, content, author);
  }

  /** Marks a file as deleted in the Draft; a person has to confirm it before it can be published. */
  async remove(workbenchId: string, path: string, author: Author): Promise<Written> {
    return await this.#change(workbenchId, path, null, author);
  }

  /** Puts one path back to what the base says. */
  async revert(workbenchId: string, path: string, author: Author): Promise<Written> {
    return await this.#change(workbenchId, path, "base", author);
  }

  /**
   * What a tool call changed in the Draft that is there now, at one path where it may have changed several; undefined when it
   * changed nothing. A call that a crash came after, and that is made again, learns so that it has taken effect.
   */
  async changeOf(workbenchId: string, author: Author, path?: string): Promise<Written> {
    const draft = await this.find(workbenchId);
    if (!draft || author.runId === null || author.callId === null) return undefined;
    const { store, manifests } = this.#environment;
    let rows = store.db.selectFrom("draft_changes").selectAll().where("draft_id", "=", draft.id);
    if (path !== undefined) rows = rows.where("path", "=", path);
    const row = await rows
      .where("run_id", "=", author.runId)
      .where("call_id", "=", author.callId)
      .orderBy("revision", "desc")
      .executeTakeFirst();
    if (!row) return undefined;
    const before = await rows
      .where("path", "=", row.path)
      .where("revision", "<", row.revision)
      .orderBy("revision", "desc")
      .executeTakeFirst();
    const base = (await manifests.load(draft.base_manifest_hash)).byPath.get(row.path)?.sha256 ?? null;
    return {
      type: "DraftChanged",
      draftId: draft.id,
      revision: row.revision,
      path: row.path,
      change: row.change,
      sha256: row.sha256,
      previousSha256: before ? before.sha256 : base,
      bytes: row.bytes,
      callId: author.callId,
    };
  }

  /**
   * Takes one change back: its path says what it said before. Nothing happens where it does already. Refused with
   * `CONFLICT_PUBLISHED_CHANGED` when the Draft of the change is gone, or when the path was changed since.
   */
  async takeBack(
    workbenchId: string,
    change: Pick<EventInput<"DraftChanged">, "draftId" | "path" | "sha256" | "previousSha256">,
    author: Author,
  ): Promise<Written> {
    const { path, draftId, sha256, previousSha256 } = change;
    const checked = parseWorkbenchPath(path, this.#environment.limits);
    const draft = await this.find(workbenchId);
    const now = (await this.viewOf(workbenchId)).get(checked)?.sha256 ?? null;
    if (now === previousSha256) return undefined;
    if (draft?.id !== draftId) {
      throw noLonger(workbenchId, `The change to "${path}" is no longer in the Draft: it was published or discarded.`);
    }
    if (now !== sha256) throw noLonger(workbenchId, `"${path}" was changed again since; that change would be lost.`);
    const content = previousSha256 === null ? null : await this.#contentOf(previousSha256);
    return await this.#change(workbenchId, checked, content, author);
  }

  async #contentOf(sha256: string): Promise<{ sha256: string; bytes: number }> {
    return { sha256, bytes: await this.#environment.store.blobs.size(sha256) };
  }

  /** Throws `VALIDATION_FAILED` for a path that is no deletion of this Draft. */
  async confirmDeletions(workbenchId: string, paths: readonly string[]): Promise<DraftState> {
    const { store, locks, limits } = this.#environment;
    return await locks.run(workbenchId, async () => {
      const draft = await this.find(workbenchId);
      const view = draft && (await this.view(draft));
      const rows = paths.map((path) => {
        const change = view?.changes.get(parseWorkbenchPath(path, limits));
        if (draft && change?.change === "deleted") return { draftId: draft.id, path, revision: change.revision };
        throw new BenchtopError(
          "VALIDATION_FAILED",
          `The Draft does not delete "${path}". Look at the changes again.`,
          {
            phase: "review",
            workbenchId,
          },
        );
      });
      await store.db.transaction().execute(async (transaction) => {
        for (const row of rows) {
          await transaction
            .updateTable("draft_changes")
            .set({ confirmed: 1 })
            .where("draft_id", "=", row.draftId)
            .where("path", "=", row.path)
            .where("revision", "=", row.revision)
            .execute();
        }
      });
      for (const { draftId } of rows.slice(0, 1)) this.#views.forget(draftId);
      await store.flush();
      return await this.state(workbenchId);
    });
  }

  /** Removes the rows of a Draft; its blobs stay until nothing names them. The caller holds the lock. */
  async discard(draftId: string): Promise<void> {
    const { store } = this.#environment;
    await store.db.transaction().execute((transaction) => removeDraft(transaction, draftId));
    await store.flush();
  }

  /** One path. The Draft stays even where it then changes nothing: a run may go on with it, or take more back. */
  async #change(workbenchId: string, path: string, content: PathChange["content"], author: Author): Promise<Written> {
    const checked = parseWorkbenchPath(path, this.#environment.limits);
    return await this.#environment.locks.run(workbenchId, async () => {
      const changes = [{ path: checked, content, summary: author.summary ?? null }];
      const [written] = await applyChanges(this.#environment, this, workbenchId, { changes, author, keepEmpty: true });
      if (written === undefined && content !== "base") await this.#refuseUnknown(workbenchId, checked);
      return written;
    });
  }

  /** What is deleted once more is deleted; what never was there is not. */
  async #refuseUnknown(workbenchId: string, path: WorkbenchPath): Promise<void> {
    const view = await this.viewOf(workbenchId);
    if (view.get(path) || view.changes.has(path)) return;
    throw new BenchtopError("NOT_FOUND", `There is no file "${path}".`, { phase: "workshop", workbenchId });
  }
}

function noLonger(workbenchId: string, message: string): BenchtopError {
  return new BenchtopError("CONFLICT_PUBLISHED_CHANGED", message, { phase: "workshop", workbenchId });
}

const noDraft: DraftState = {
  exists: false,
  draftId: null,
  baseManifestHash: null,
  revision: 0,
  counts: { added: 0, modified: 0, deleted: 0 },
  unconfirmedDeletions: [],
  createdAt: null,
  updatedAt: null,
  stale: false,
};

/** A Draft is text. What is kept in it can be shown in Review and read back by the agent, whole. */
function refuseUnwritable(path: WorkbenchPath, text: string, bytes: Uint8Array, maxBytes: number): void {
  if (bytes.length > maxBytes) {
    const message = `The file would have ${bytes.length} bytes; the limit maxDraftFileBytes is ${maxBytes}. Split it.`;
    throw tooMuch(message, "maxDraftFileBytes", maxBytes);
  }
  if (!text.isWellFormed() || text.includes("\0")) {
    throw new BenchtopError(
      "VALIDATION_FAILED",
      "The content is no text: it holds a NUL or half of a surrogate pair.",
      {
        phase: "workshop",
      },
    );
  }
  const { opaque, mediaType } = classifyText(path);
  if (!opaque) return;
  throw new BenchtopError(
    "VALIDATION_FAILED",
    `A file named "${path}" is ${mediaType}, which cannot be written as text. Choose a text format, such as .md or .csv.`,
    { phase: "workshop" },
  );
}
