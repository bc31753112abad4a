import type { Kysely } from "kysely";
import type { Owner } from "../owner.ts";
import type { Tables } from "../schema.ts";
import { journalDeleted, leaseHeld, noSuchRun, runEnded } from "./refusals.ts";

const leaseMilliseconds = 30_000;
const renewEvery = 10_000;

/** A run without a terminal event that nobody executes. */
export interface UnfinishedRun {
  readonly runId: string;
  /** It waits for a person to decide (`RunRecord.suspension` says what), and is not interrupted: nothing is to be closed. */
  readonly suspended: boolean;
}

/** Until when a lease taken or renewed now holds. */
export function leaseEnd(): string {
  return new Date(Date.now() + leaseMilliseconds).toISOString();
}

/**
 * Who may write which run. A lease only decides who may take a run over; what keeps two writers apart is the epoch that
 * every append names, so clocks that disagree cost a run its writer, never its journal.
 *
 * A lease is free when it was given back, when it has expired, or when its owner is known to be dead.
 */
export class Leases {
  readonly #db: Kysely<Tables>;
  readonly #owner: Owner;
  #timer: NodeJS.Timeout | undefined;

  constructor(db: Kysely<Tables>, owner: Owner) {
    this.#db = db;
    this.#owner = owner;
  }

  /** Takes a run over under the next epoch. */
  take(runId: string): Promise<{ traceId: string; epoch: number; length: number; headHash: string }> {
    return this.#db.transaction().execute(async (transaction) => {
      const run = await transaction.selectFrom("runs").selectAll().where("id", "=", runId).executeTakeFirst();
      if (!run) throw noSuchRun(runId);
      if (run.deleted_at !== null) throw journalDeleted(runId, run.deleted_at);
      if (run.finished) throw runEnded(runId);
      if (!this.#isFree(run)) throw leaseHeld(runId);
      const epoch = run.lease_epoch + 1;
      const taken = await transaction
        .updateTable("runs")
        .set({ lease_owner: this.#owner.id, lease_epoch: epoch, lease_until: leaseEnd() })
        .where("id", "=", runId)
        .where("lease_epoch", "=", run.lease_epoch)
        .where("event_count", "=", run.event_count)
        .executeTakeFirst();
      if (taken.numUpdatedRows !== 1n) throw leaseHeld(runId);
      return { traceId: run.trace_id, epoch, length: run.event_count, headHash: run.head_hash };
    });
  }

  async giveBack(runId: string, epoch: number): Promise<void> {
    await this.#db
      .updateTable("runs")
      .set({ lease_owner: null, lease_until: null })
      .where("id", "=", runId)
      .where("lease_epoch", "=", epoch)
      .execute();
  }

  async abandoned(): Promise<UnfinishedRun[]> {
    const unfinished = await this.#db
      .selectFrom("runs")
      .select(["id", "lease_owner", "lease_until", "suspension"])
      .where("finished", "=", 0)
      .orderBy("created_at")
      .execute();
    return unfinished
      .filter((run) => run.lease_owner !== this.#owner.id && this.#isFree(run))
      .map(({ id, suspension }) => ({ runId: id, suspended: suspension !== null }));
  }

  keepRenewing(): void {
    if (this.#timer) return;
    // A renewal that fails is tried again in time; one that never succeeds lets the lease expire, which is safe.
    this.#timer = setInterval(() => void this.#renew().catch(() => undefined), renewEvery);
    this.#timer.unref();
  }

  stopRenewing(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  close(): void {
    this.stopRenewing();
  }

  async #renew(): Promise<void> {
    await this.#db
      .updateTable("runs")
      .set({ lease_until: leaseEnd() })
      .where("lease_owner", "=", this.#owner.id)
      .where("finished", "=", 0)
      .execute();
  }

  /** The caller knows whether this process writes the run; a lease of its own without a writer is what a failed writer left. */
  #isFree(run: { lease_owner: string | null; lease_until: string | null }): boolean {
    if (run.lease_owner === null || run.lease_owner === this.#owner.id) return true;
    if (run.lease_until === null || run.lease_until < new Date().toISOString()) return true;
    return this.#owner.isDead(run.lease_owner);
  }
}
