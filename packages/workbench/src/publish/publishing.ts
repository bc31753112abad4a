import type { RunBody, RunHandle, RunOutcome } from "@benchtop/harness";
import { BenchtopError, newId, type Json, type RunRecord } from "@benchtop/protocol";
import type { RunStart } from "@benchtop/runs";
import type { Catalogue } from "../catalogue/catalogue.ts";
import type { Consent } from "../consent/consent.ts";
import type { Agents } from "../draft/agents.ts";
import type { DraftRow, Drafts } from "../draft/drafts.ts";
import type { DraftView } from "../draft/view.ts";
import type { Environment } from "../environment.ts";
import { draftExists } from "../files/files.ts";
import type { HostReader } from "../files/host-reader.ts";
import { makeManifest, type Manifest, type ManifestEntry } from "../files/manifest.ts";
import { saving } from "../files/saving.ts";
import { Names } from "../path/names.ts";
import { parseWorkbenchPath } from "../path/workbench-path.ts";
import { conflict, transition, type Transition } from "../published/transition.ts";
import { goBack, type Turns } from "../workshop/conversation/turns.ts";
import { findCheckpoint, type CheckpointRow } from "./checkpoints.ts";

export interface ChangeCounts {
  added: number;
  modified: number;
  deleted: number;
}

/** What publishing and restoring answer. `pending`: it goes on, and the run's events tell. */
export interface TransitionOutput {
  readonly runId: string;
  readonly status: "pending" | "success";
  readonly checkpointId: string | null;
  readonly counts: ChangeCounts | null;
}

interface PublishInput {
  readonly workbenchId: string;
  readonly wait: boolean;
  /** Told the run, whose events say how far it is. */
  readonly onStarted?: ((runId: string) => void) | undefined;
  readonly userId: string;
  readonly draftId?: string | undefined;
  readonly revision?: number | undefined;
  readonly message?: string | undefined;
}

/** The three ends of a Draft and of a checkpoint, each a run of its own: publish, discard, restore. */
export class Publishing {
  readonly #environment: Environment;
  readonly #catalogue: Catalogue;
  readonly #drafts: Drafts;
  readonly #agents: Agents;
  readonly #consent: Consent;
  readonly #reader: HostReader;
  readonly #turns: Turns;

  constructor(
    environment: Environment,
    parts: {
      catalogue: Catalogue;
      drafts: Drafts;
      agents: Agents;
      consent: Consent;
      reader: HostReader;
      turns: Turns;
    },
  ) {
    this.#environment = environment;
    this.#catalogue = parts.catalogue;
    this.#drafts = parts.drafts;
    this.#agents = parts.agents;
    this.#consent = parts.consent;
    this.#reader = parts.reader;
    this.#turns = parts.turns;
  }

  /** Makes the Draft the published files, or fails with Published as it was and the Draft kept. */
  async publish(input: PublishInput): Promise<TransitionOutput> {
    const { id, workspace_id: workspaceId, session_id: sessionId } = await this.#catalogue.find(input.workbenchId);
    const draft = await this.#drafts.find(id);
    if (!draft) throw nothingToPublish(id);
    const { draftId, revision, message } = input;
    const parentRunId = await this.#lastWriter(draft);
    return await this.#run(
      {
        kind: "publish",
        userId: input.userId,
        workspaceId,
        workbenchId: id,
        sessionId,
        ...(parentRunId !== null && { parentRunId }),
        input: { draftId: draftId ?? draft.id, ...(revision !== undefined && { revision }), message: message ?? null },
      },
      (run) => this.#environment.locks.run(id, async () => await this.#publish(run, id, input)),
      input,
    );
  }

  async #publish(run: Parameters<RunBody>[0], workbenchId: string, input: PublishInput): Promise<RunOutcome> {
    await run.emit({ type: "PhaseChanged", phase: "validating" });
    const { manifests } = this.#environment;
    this.#agents.refuseWhileActive(workbenchId);
    const row = await this.#catalogue.find(workbenchId);
    const draft = await this.#drafts.find(workbenchId);
    const view = draft && (await this.#drafts.view(draft));
    if (!draft || !view) throw nothingToPublish(workbenchId);
    refuseUnlikeReviewed(draft, view, input);
    const from = await manifests.load(row.manifest_hash);
    if (draft.base_manifest_hash !== from.hash) throw conflict(workbenchId, []);
    const to = this.#published(view);

    const counts = view.counts();
    const { checkpointId } = await transition(this.#environment, {
      ...this.#transitionOf(run, counts),
      workbenchId,
      action: "publish",
      from,
      to,
      draftId: draft.id,
      checkpoint: { reason: "publish", message: input.message ?? null },
      commit: (transaction) => this.#consent.followPublish(transaction, { workbenchId, from, to, counts }),
    });
    await this.#tellCheckpoint(run, checkpointId, "publish", from);
    return { output: `Published ${summary(counts)}.`, result: resultOf(checkpointId, counts) };
  }

  /** The manifest that publishing makes: ids of files that were there stay. */
  #published(view: DraftView): Manifest {
    const entries = new Map<string, ManifestEntry>(view.base.byPath);
    for (const { path, change } of view.changes.values()) if (change === "deleted") entries.delete(path);
    const names = new Names(entries.keys());
    for (const { path, sha256, bytes, before, mediaType, opaque } of view.changes.values()) {
      if (sha256 === null) continue;
      const checked = parseWorkbenchPath(path, this.#environment.limits);
      names.add(checked);
      const fileId = before?.fileId ?? newId("file");
      entries.set(path, { fileId, path, sha256, bytes, mediaType, opaque });
    }
    const manifest = makeManifest(entries.values());
    this.#reader.refuseTooMuch(manifest);
    return manifest;
  }

  /** Puts the published files and the conversation back to a checkpoint; what is there now becomes a checkpoint first. */
  async restore(input: {
    workbenchId: string;
    checkpointId?: string | undefined;
    wait: boolean;
    onStarted?: ((runId: string) => void) | undefined;
    userId: string;
  }): Promise<TransitionOutput> {
    const { id, workspace_id: workspaceId, session_id: sessionId } = await this.#catalogue.find(input.workbenchId);
    const checkpoint = await findCheckpoint(this.#environment, id, input.checkpointId);
    if (await this.#drafts.find(id)) throw draftExists(id);
    return await this.#run(
      {
        kind: "restore",
        userId: input.userId,
        workspaceId,
        workbenchId: id,
        sessionId,
        ...(checkpoint.run_id !== null && { parentRunId: checkpoint.run_id }),
        input: { checkpointId: checkpoint.id },
      },
      (run) => this.#environment.locks.run(id, async () => await this.#restore(run, id, checkpoint)),
      input,
    );
  }

  async #restore(run: Parameters<RunBody>[0], workbenchId: string, source: CheckpointRow): Promise<RunOutcome> {
    await run.emit({ type: "PhaseChanged", phase: "validating" });
    const { manifests } = this.#environment;
    this.#agents.refuseWhileActive(workbenchId);
    if (await this.#drafts.find(workbenchId)) throw draftExists(workbenchId);
    const row = await this.#catalogue.find(workbenchId);
    const from = await manifests.load(row.manifest_hash);
    const to = await this.#restored(source.manifest_hash, source.id);
    const counts = differences(from, to);
    const { checkpointId } = await transition(this.#environment, {
      ...this.#transitionOf(run, counts),
      workbenchId,
      action: "restore",
      from,
      to,
      checkpoint: { reason: "pre-restore", message: null },
      // What was said since is taken back with what was done; the checkpoint that is made now goes forward to it again.
      commit: (transaction) => goBack(transaction, run.runId, source.head_run_id),
    });
    await this.#tellCheckpoint(run, checkpointId, "pre-restore", from);
    return { output: `Restored the checkpoint: ${summary(counts)}.`, result: resultOf(checkpointId, counts) };
  }

  async #restored(hash: string, checkpointId: string): Promise<Manifest> {
    try {
      return await this.#environment.manifests.load(hash);
    } catch (thrown) {
      throw new BenchtopError(
        "CHECKPOINT_RESTORE_FAILED",
        "This checkpoint is damaged: its list of files cannot be read.",
        {
          phase: "restore",
          detail: { checkpointId },
          cause: thrown,
        },
      );
    }
  }

  /** Throws the Draft away. An agent that is still writing it is aborted first: whoever discards does not want what it does. */
  async discard(input: {
    workbenchId: string;
    draftId?: string | undefined;
    userId: string;
  }): Promise<{ discarded: boolean }> {
    const { id, workspace_id: workspaceId, session_id: sessionId } = await this.#catalogue.find(input.workbenchId);
    const agent = this.#agents.active(id);
    if (agent) {
      await this.#environment.runs.abort(agent.runId, "The Draft was discarded.");
      await agent.ended;
    }
    const draft = await this.#drafts.find(id);
    if (!draft) return { discarded: agent !== undefined };
    refuseOtherDraft(draft, input.draftId);
    const parentRunId = await this.#lastWriter(draft);
    const handle = await this.#start(
      {
        kind: "discard",
        userId: input.userId,
        workspaceId,
        workbenchId: id,
        sessionId,
        ...(parentRunId !== null && { parentRunId }),
        input: { draftId: draft.id },
      },
      () =>
        this.#environment.locks.run(id, async () => {
          await this.#drafts.discard(draft.id);
          return { output: "Discarded the Draft.", result: { draftId: draft.id } };
        }),
    );
    const result = await handle.result;
    if (result.error) throw result.error;
    return { discarded: true };
  }

  /**
   * What an interrupted publish or restore had come to: its outcome where its commit is in the database, else undefined.
   * To be asked after the folders were recovered.
   */
  async settle(run: RunRecord): Promise<RunOutcome | undefined> {
    if (run.kind !== "publish" && run.kind !== "restore") return undefined;
    const settled = await this.#settled(run.runId);
    return (
      settled && { output: run.kind === "publish" ? "Published the Draft." : "Restored the checkpoint.", ...settled }
    );
  }

  /** The commit of a publish or restore, if there is one: it makes the run's checkpoint. */
  async #settled(runId: string): Promise<{ result: Json } | undefined> {
    const checkpoint = await this.#environment.store.db
      .selectFrom("checkpoints")
      .select("id")
      .where("run_id", "=", runId)
      .executeTakeFirst();
    return checkpoint && { result: { checkpointId: checkpoint.id, counts: null } };
  }

  async #run(
    start: Transitional,
    body: RunBody,
    { wait, onStarted }: Pick<PublishInput, "wait" | "onStarted">,
  ): Promise<TransitionOutput> {
    const handle = await this.#start(start, async (run) => {
      try {
        return await saving(() => body(run));
      } catch (thrown) {
        const phase = start.kind === "restore" ? "restore" : "publish";
        const error = BenchtopError.from(thrown);
        throw new BenchtopError(error.code, error.message, {
          ...optionsOf(error),
          phase,
          runId: run.runId,
          workbenchId: start.workbenchId,
        });
      }
    });
    onStarted?.(handle.runId);
    if (!wait) return { runId: handle.runId, status: "pending", checkpointId: null, counts: null };
    const { error, result, recorded } = await handle.result;
    // A journal that failed after the files were committed must not make a refusal of what happened: start-up completes
    // such a run, and the answer is the same.
    const settled = error && !recorded ? await this.#settled(handle.runId).catch(() => undefined) : undefined;
    if (error && !settled) throw error;
    const answer = settled?.result ?? result;
    return { runId: handle.runId, status: "success", ...(answer as unknown as TransitionResultJson) };
  }

  /** Each is told in the conversation, at its place. */
  async #start(start: Transitional, body: RunBody): Promise<RunHandle> {
    const { workspaceId, sessionId, workbenchId, kind } = start;
    const runId = newId("run");
    return await this.#turns.during({ workspaceId, sessionId }, { runId, kind, workbenchId }, () =>
      this.#environment.runs.start({ ...start, runId, contract: {} }, body),
    );
  }

  #transitionOf(run: Parameters<RunBody>[0], counts: ChangeCounts): Pick<Transition, "runId" | "signal" | "onPhase"> {
    const total = counts.added + counts.modified + counts.deleted;
    return {
      runId: run.runId,
      signal: run.signal,
      onPhase: (phase) =>
        run.emit({ type: "PhaseChanged", phase, ...(phase === "swap_directories" && { done: 0, total }) }),
    };
  }

  async #tellCheckpoint(
    run: Parameters<RunBody>[0],
    checkpointId: string | null,
    reason: "publish" | "pre-restore",
    manifest: Manifest,
  ): Promise<void> {
    if (checkpointId === null) return;
    const fileCount = manifest.entries.length;
    await run.emit({ type: "CheckpointCreated", checkpointId, reason, manifestHash: manifest.hash, fileCount });
  }

  /** The run that made the Draft what it is. */
  async #lastWriter(draft: DraftRow): Promise<string | null> {
    const row = await this.#environment.store.db
      .selectFrom("draft_changes")
      .select("run_id")
      .where("draft_id", "=", draft.id)
      .where("run_id", "is not", null)
      .orderBy("revision", "desc")
      .limit(1)
      .executeTakeFirst();
    return row?.run_id ?? null;
  }
}

type Transitional = Omit<RunStart, "contract" | "runId"> & { readonly workbenchId: string; readonly sessionId: string };

interface TransitionResultJson {
  readonly checkpointId: string | null;
  readonly counts: ChangeCounts | null;
}

function resultOf(checkpointId: string | null, counts: ChangeCounts): Json {
  return { checkpointId, counts: { ...counts } };
}

/** What a person reviewed is what is published: another Draft, another revision or unconfirmed deletions are refused. */
function refuseUnlikeReviewed(draft: DraftRow, view: DraftView, input: PublishInput): void {
  refuseOtherDraft(draft, input.draftId);
  if (input.revision !== undefined && input.revision !== draft.revision) {
    throw review("The Draft changed since you looked at it. Review it again, then publish.", {
      reviewed: input.revision,
      revision: draft.revision,
    });
  }
  if (view.changes.size === 0) throw review("The Draft changes nothing. Discard it.", {});
  const unconfirmed = view.unconfirmedDeletions();
  if (unconfirmed.length === 0) return;
  const files = unconfirmed.length === 1 ? "1 deletion is" : `${unconfirmed.length} deletions are`;
  throw review(`${files} not confirmed yet. Confirm the deletions in Review, then publish.`, {
    unconfirmed: unconfirmed.length,
    paths: unconfirmed.slice(0, 50),
  });
}

function refuseOtherDraft(draft: DraftRow, draftId: string | undefined): void {
  if (draftId !== undefined && draftId !== draft.id) {
    throw review("This is another Draft than the one you looked at. Review it, then decide.", { draftId: draft.id });
  }
}

function review(message: string, detail: Record<string, string | number | string[]>): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", message, {
    phase: "publish",
    subphase: "validating",
    actions: ["review_draft", "discard_draft"],
    detail,
  });
}

function nothingToPublish(workbenchId: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", "There is no Draft to publish.", { phase: "publish", workbenchId });
}

export function differences(from: Manifest, to: Manifest): ChangeCounts {
  const counts = { added: 0, modified: 0, deleted: 0 };
  for (const entry of to.entries) {
    const before = from.byPath.get(entry.path);
    if (!before) counts.added += 1;
    else if (before.sha256 !== entry.sha256) counts.modified += 1;
  }
  for (const entry of from.entries) if (!to.byPath.has(entry.path)) counts.deleted += 1;
  return counts;
}

function summary({ added, modified, deleted }: ChangeCounts): string {
  return `${added} added, ${modified} modified, ${deleted} deleted`;
}

function optionsOf({ info, cause }: BenchtopError) {
  return {
    retryable: info.retryable,
    actions: info.actions,
    ...(info.subphase !== undefined && { subphase: info.subphase }),
    ...(info.detail && { detail: info.detail }),
    cause,
  };
}
