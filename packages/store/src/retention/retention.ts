import { BenchtopError } from "@benchtop/protocol";
import type { Kysely } from "kysely";
import type { Blobs } from "../blobs.ts";
import { journalDeleted, noSuchRun } from "../journal/refusals.ts";
import type { Tables } from "../schema.ts";
import { RunChoice, type PruneRules } from "./run-choice.ts";
import { deleteEvents, finishDeletions, markDeleted } from "./run-deletion.ts";
import { removeOldUploads, removeUnusedBlobs } from "./unused-blobs.ts";

export interface PruneOptions extends PruneRules {
  /** Say what would go, and touch nothing. */
  readonly dryRun?: boolean;
  /** Stops between two runs; what is deleted stays deleted. */
  readonly signal?: AbortSignal;
}

export interface PruneReport {
  readonly dryRun: boolean;
  /** Journals that are gone (or would be), and how many events they had. */
  readonly runs: number;
  readonly events: number;
  /** Old enough, but another run or a checkpoint names them. */
  readonly kept: number;
  /** Blobs that nothing named any more, and their size; null for a dry run, which cannot know. */
  readonly blobs: number | null;
  readonly bytes: number | null;
}

/** How long a blob is left alone after somebody put it, asked for it to be kept, or uploaded it. */
const graceMs = 24 * 60 * 60 * 1000;

/**
 * Deletes whole journals, never a part of one. The ledger row stays without its title, with the length and the last hash of
 * the journal: the run id stays taken, and what was spent stays known. Deletion is in steps that a crash may interrupt; a
 * journal that is marked is gone for every reader, and the next `prune` or `finish` removes what is left of it.
 *
 * Runs that have not ended are never deleted, suspended ones included.
 */
export class Retention {
  readonly #db: Kysely<Tables>;
  readonly #blobs: Blobs;
  /** One at a time: blobs are removed by what was named when nobody else deleted. */
  #working: Promise<unknown> = Promise.resolve();

  constructor(db: Kysely<Tables>, blobs: Blobs) {
    this.#db = db;
    this.#blobs = blobs;
  }

  /**
   * Deletes the journals of runs that ended before a time: those of one workspace, or of every one. Blobs are kept for the
   * whole installation, so what is removed of them is whatever nothing names in any workspace. Writers are let in between two
   * short steps.
   */
  prune(options: PruneOptions): Promise<PruneReport> {
    return this.#alone(() => this.#prune(options));
  }

  /**
   * Deletes one journal; its blobs go with the next `prune`. Rejects with `NOT_FOUND`, and with `VALIDATION_FAILED` when the
   * run has not ended, or when a checkpoint or another run names it and `force` is not given.
   */
  delete(runId: string, options: { readonly force?: boolean } = {}): Promise<{ events: number }> {
    return this.#alone(async () => {
      const run = await this.#db.selectFrom("runs").selectAll().where("id", "=", runId).executeTakeFirst();
      if (!run) throw noSuchRun(runId);
      if (run.deleted_at !== null) throw journalDeleted(runId, run.deleted_at);
      if (run.finished === 0) {
        throw new BenchtopError("VALIDATION_FAILED", `Run ${runId} has not ended. Abort it, then delete it.`, {
          runId,
        });
      }
      if (!(await markDeleted(this.#db, runId, options.force ?? false))) throw stillNamed(runId);
      await deleteEvents(this.#db, runId);
      return { events: run.event_count };
    });
  }

  /** Completes deletions that a crash interrupted. */
  finish(): Promise<void> {
    return this.#alone(() => finishDeletions(this.#db));
  }

  /** Removes what was uploaded more than a day ago and is part of nothing. */
  removeOldUploads(signal?: AbortSignal): Promise<{ blobs: number; bytes: number }> {
    return this.#alone(() => removeOldUploads(this.#db, this.#blobs, graceMs, signal));
  }

  async #prune(options: PruneOptions): Promise<PruneReport> {
    const { dryRun = false, force = false, signal } = options;
    const count = { runs: 0, events: 0, kept: 0 };
    if (!dryRun) await finishDeletions(this.#db);
    const choice = new RunChoice(this.#db, options);
    for await (const { runId, events, isNamed } of choice.runs()) {
      if (signal?.aborted) break;
      if (isNamed || !(dryRun || (await markDeleted(this.#db, runId, force)))) {
        count.kept += 1;
        continue;
      }
      choice.chosen(runId);
      if (!dryRun) await deleteEvents(this.#db, runId);
      count.runs += 1;
      count.events += events;
    }
    if (dryRun) return { dryRun, ...count, blobs: null, bytes: null };
    return { dryRun, ...count, ...(await removeUnusedBlobs(this.#db, this.#blobs, graceMs, signal)) };
  }

  #alone<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#working.then(work);
    this.#working = result.catch(() => undefined);
    return result;
  }
}

function stillNamed(runId: string): BenchtopError {
  return new BenchtopError(
    "VALIDATION_FAILED",
    `A checkpoint or another run names run ${runId}. Delete those first, or force it.`,
    { runId },
  );
}
