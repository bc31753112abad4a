import { BenchtopError, newId, type EventInput } from "@benchtop/protocol";
import { now, type Environment, type Transaction } from "../environment.ts";
import { classifyText } from "../files/classify.ts";
import { Names } from "../path/names.ts";
import { parseWorkbenchPath, type WorkbenchPath } from "../path/workbench-path.ts";
import type { Selectable } from "../rows.ts";
import { changeKind, DraftView } from "./view.ts";

export interface DraftState {
  readonly exists: boolean;
  readonly draftId: string | null;
  readonly baseManifestHash: string | null;
  readonly revision: number;
  readonly counts: { added: number; modified: number; deleted: number };
  readonly unconfirmedDeletions: string[];
  readonly createdAt: string | null;
  readonly updatedAt: string | null;
}

export type DraftRow = Selectable<"drafts">;

/** Who changes the Draft. */
export interface Author {
  readonly runId: string | null;
  readonly callId: string | null;
}

/** What one write came to. `undefined` where the Draft said the same already. */
export type Written = EventInput<"DraftChanged"> | undefined;

/**
 * Drafts are rows over blobs: nothing is opened or copied to begin one, a write costs one blob and one row, and discarding
 * removes the rows. No path of the file system is ever touched, so that no name can lead out of it.
 */
export class Drafts {
  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  async find(workbenchId: string): Promise<DraftRow | undefined> {
    const { db } = this.#environment.store;
    return await db.selectFrom("drafts").selectAll().where("workbench_id", "=", workbenchId).executeTakeFirst();
  }

  async state(workbenchId: string): Promise<DraftState> {
    const draft = await this.find(workbenchId);
    return draft ? stateOf(draft, await this.view(draft)) : noDraft;
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
    const { store, manifests } = this.#environment;
    const rows = await store.db.selectFrom("draft_changes").selectAll().where("draft_id", "=", draft.id).execute();
    return new DraftView(await manifests.load(draft.base_manifest_hash), rows);
  }

  /** Writes a text file into the Draft, which begins with its first write. */
  async write(workbenchId: string, path: string, text: string, author: Author): Promise<Written> {
    const { limits, store } = this.#environment;
    const checked = parseWorkbenchPath(path, limits);
    const bytes = Buffer.from(text);
    refuseUnwritable(checked, text, bytes, limits.maxDraftFileBytes);
    const blob = await store.blobs.put(bytes);
    return await this.#change(workbenchId, checked, { sha256: blob.sha256, bytes: blob.bytes }, author);
  }

  /** Marks a file as deleted in the Draft; a person has to confirm it before it can be published. */
  async remove(workbenchId: string, path: string, author: Author): Promise<Written> {
    const checked = parseWorkbenchPath(path, this.#environment.limits);
    return await this.#change(workbenchId, checked, null, author);
  }

  /** Puts one path back to what the base says. */
  async revert(workbenchId: string, path: string, author: Author): Promise<Written> {
    const checked = parseWorkbenchPath(path, this.#environment.limits);
    const base = (await this.viewOf(workbenchId)).base.byPath.get(checked);
    return await this.#change(workbenchId, checked, base ? { sha256: base.sha256, bytes: base.bytes } : null, author);
  }

  /**
   * What a tool call changed in the Draft that is there now; undefined when it changed nothing. A call that a crash came
   * after, and that is made again, learns so that it has taken effect.
   */
  async changeOf(workbenchId: string, author: Author): Promise<Written> {
    const draft = await this.find(workbenchId);
    if (!draft || author.runId === null || author.callId === null) return undefined;
    const { store, manifests } = this.#environment;
    const rows = store.db.selectFrom("draft_changes").selectAll().where("draft_id", "=", draft.id);
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

  async #change(
    workbenchId: string,
    path: WorkbenchPath,
    content: { sha256: string; bytes: number } | null,
    author: Author,
  ): Promise<Written> {
    return await this.#environment.locks.run(workbenchId, async () => {
      const draft = await this.find(workbenchId);
      const view = draft ? await this.view(draft) : await this.viewOf(workbenchId);
      const previous = view.get(path);
      if ((previous?.sha256 ?? null) === (content?.sha256 ?? null)) {
        if (previous || view.changes.has(path)) return undefined;
        throw new BenchtopError("NOT_FOUND", `There is no file "${path}".`, { phase: "workshop", workbenchId });
      }
      if (content) this.#refuseUnfit(view, path, content.bytes);

      const base = view.base.byPath.get(path);
      const change = changeKind(base?.sha256 ?? null, content?.sha256 ?? null) ?? "reverted";
      const draftId = draft?.id ?? newId("draft");
      const revision = (draft?.revision ?? 0) + 1;
      await this.#environment.store.db.transaction().execute(async (transaction) => {
        await saveRevision(transaction, { id: draftId, workbenchId, base: view.base.hash, revision });
        await transaction
          .insertInto("draft_changes")
          .values({
            draft_id: draftId,
            revision,
            path,
            change,
            sha256: content?.sha256 ?? null,
            bytes: content?.bytes ?? 0,
            // What never was published needs nobody's consent to go.
            confirmed: change === "reverted" ? 1 : 0,
            run_id: author.runId,
            call_id: author.callId,
            at: now(),
          })
          .execute();
      });
      return {
        type: "DraftChanged",
        draftId,
        revision,
        path,
        change,
        sha256: content?.sha256 ?? null,
        previousSha256: previous?.sha256 ?? null,
        bytes: content?.bytes ?? 0,
        ...(author.callId !== null && { callId: author.callId }),
      };
    });
  }

  /** Names that collide, and limits that the Draft with this file would exceed. */
  #refuseUnfit(view: DraftView, path: WorkbenchPath, bytes: number): void {
    const { limits } = this.#environment;
    const files = view.files();
    if (!view.get(path)) {
      new Names(files.map((file) => file.path)).add(path);
      if (files.length >= limits.maxFiles) {
        throw tooMuch(
          `A workbench holds at most ${limits.maxFiles} files (limit maxFiles).`,
          "maxFiles",
          limits.maxFiles,
        );
      }
    }
    if (!view.changes.has(path) && view.changes.size >= limits.maxDraftFiles) {
      const message = `A Draft changes at most ${limits.maxDraftFiles} files (limit maxDraftFiles). Publish or discard it first.`;
      throw tooMuch(message, "maxDraftFiles", limits.maxDraftFiles);
    }
    const total = files.reduce((sum, file) => sum + (file.path === path ? 0 : file.bytes), bytes);
    if (total > limits.maxTotalBytes) {
      const message = `A workbench holds at most ${limits.maxTotalBytes} bytes (limit maxTotalBytes).`;
      throw tooMuch(message, "maxTotalBytes", limits.maxTotalBytes);
    }
  }
}

function noLonger(workbenchId: string, message: string): BenchtopError {
  return new BenchtopError("CONFLICT_PUBLISHED_CHANGED", message, { phase: "workshop", workbenchId });
}

export async function removeDraft(transaction: Transaction, draftId: string): Promise<void> {
  await transaction.deleteFrom("draft_changes").where("draft_id", "=", draftId).execute();
  await transaction.deleteFrom("drafts").where("id", "=", draftId).execute();
}

async function saveRevision(
  transaction: Transaction,
  draft: { id: string; workbenchId: string; base: string; revision: number },
): Promise<void> {
  const at = now();
  if (draft.revision === 1) {
    await transaction
      .insertInto("drafts")
      .values({
        id: draft.id,
        workbench_id: draft.workbenchId,
        base_manifest_hash: draft.base,
        revision: 1,
        created_at: at,
        updated_at: at,
      })
      .execute();
    return;
  }
  await transaction
    .updateTable("drafts")
    .set({ revision: draft.revision, updated_at: at })
    .where("id", "=", draft.id)
    .execute();
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
};

export function stateOf(draft: DraftRow, view: DraftView): DraftState {
  return {
    exists: true,
    draftId: draft.id,
    baseManifestHash: draft.base_manifest_hash,
    revision: draft.revision,
    counts: view.counts(),
    unconfirmedDeletions: view.unconfirmedDeletions(),
    createdAt: draft.created_at,
    updatedAt: draft.updated_at,
  };
}

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

function tooMuch(message: string, limit: string, allowed: number): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", message, { phase: "workshop", detail: { limit, allowed } });
}
