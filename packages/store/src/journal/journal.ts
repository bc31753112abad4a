import {
  newSpanId,
  replayToken,
  type Journal,
  type JournalWriter,
  type ReadOptions,
  type ReplayPoint,
  type RunEvent,
  type RunInit,
} from "@benchtop/protocol";
import type { Kysely } from "kysely";
import { ledgerRow } from "../ledger/row.ts";
import type { Owner } from "../owner.ts";
import type { Tables } from "../schema.ts";
import { leaseEnd, Leases, type UnfinishedRun } from "./leases.ts";
import { journalDeleted, leaseHeld, noSuchRun } from "./refusals.ts";
import { pointAt, resolveToken } from "./replay-point.ts";
import type { JournalStorage } from "./storage.ts";
import { Follower, StoredEvent, Tail } from "./tail.ts";
import { verifyRun, type Verification } from "./verify.ts";
import { Watch, type RunNotifications } from "./watch.ts";
import { DurableWriter, type WriterStart } from "./writer.ts";

/** Pages read for a follower hold about this much text, so that its memory is bounded whatever events weigh. */
const pageText = 512 * 1024;
const firstPageSize = 64;
const maxPageSize = 512;
const defaultReadLimit = 1000;

export interface JournalParts {
  readonly db: Kysely<Tables>;
  readonly storage: JournalStorage;
  readonly owner: Owner;
  /** Told when another process has appended, where the database can tell. */
  readonly notifications?: RunNotifications;
}

/** The journal in a database; the contract is that of `Journal`. */
export class DurableJournal implements Journal {
  readonly #parts: JournalParts;
  readonly #leases: Leases;
  readonly #watch: Watch;
  readonly #writers = new Map<string, DurableWriter>();
  /** Runs that are being taken over: the lease is ours before the writer is there. */
  readonly #taking = new Set<string>();
  readonly #tails = new Map<string, Tail>();

  constructor(parts: JournalParts) {
    this.#parts = parts;
    this.#leases = new Leases(parts.db, parts.owner);
    this.#watch = new Watch(parts.db, parts.notifications);
  }

  async create(run: RunInit): Promise<JournalWriter> {
    const { storage, owner } = this.#parts;
    const spanId = newSpanId();
    const at = new Date().toISOString();
    const body = JSON.stringify(startedEvent(run, spanId, at));
    const { headHash } = await storage.create({
      runId: run.runId,
      traceId: run.traceId,
      runKind: run.kind,
      owner: owner.id,
      leaseUntil: leaseEnd(),
      body,
      ledger: ledgerRow(run, "pending", at),
    });
    const { runId, traceId } = run;
    return this.#startWriter({ runId, traceId, spanId, epoch: 1, length: 1, headHash });
  }

  async acquire(runId: string): Promise<JournalWriter> {
    if (this.#writers.has(runId) || this.#taking.has(runId)) throw leaseHeld(runId);
    this.#taking.add(runId);
    try {
      const lease = await this.#leases.take(runId);
      const [started] = await this.read(runId, { limit: 1 });
      return this.#startWriter({ runId, spanId: started?.spanId ?? newSpanId(), ...lease });
    } finally {
      this.#taking.delete(runId);
    }
  }

  async read(runId: string, options: ReadOptions = {}): Promise<RunEvent[]> {
    const bodies = await this.readBodies(runId, options);
    return bodies.map((body) => JSON.parse(body) as RunEvent);
  }

  /** One page as it is stored: the JSON text of each event, the first of which has `seq` `after + 1`. */
  async readBodies(runId: string, { after = -1, limit = defaultReadLimit }: ReadOptions = {}): Promise<string[]> {
    const bodies = await this.#parts.storage.bodies(runId, after, limit);
    if (bodies.length === 0) await this.#head(runId);
    return bodies;
  }

  async *follow(runId: string, options?: ReadOptions, signal?: AbortSignal): AsyncIterable<RunEvent> {
    for await (const page of this.followPages(runId, options, signal)) {
      for (const { event } of page) {
        yield event;
        if (signal?.aborted) return;
      }
    }
  }

  /**
   * What `follow` gives, in the pieces in which it is at hand and unparsed: for surfaces that pass events on as text.
   * Rejects with `NOT_FOUND` when there is no such run.
   */
  async *followPages(
    runId: string,
    { after = -1, limit = Infinity }: ReadOptions = {},
    signal?: AbortSignal,
  ): AsyncIterable<readonly StoredEvent[]> {
    const tail = await this.#openTail(runId);
    const follower = new Follower();
    const stop = () => follower.wake();
    tail.followers.add(follower);
    signal?.addEventListener("abort", stop);
    try {
      this.#watch.consider(tail);
      let next = after + 1;
      let size = firstPageSize;
      const end = next + limit;
      for (;;) {
        if (signal?.aborted || next >= end) return;
        if (next < tail.length) {
          const page = await this.#page(tail, next, Math.min(size, end - next));
          next += page.length;
          size = nextPageSize(page);
          yield page;
        } else if (tail.ended) {
          return;
        } else {
          await follower.changed();
        }
      }
    } finally {
      signal?.removeEventListener("abort", stop);
      tail.followers.delete(follower);
      this.#dropIfUnused(tail);
    }
  }

  async token(runId: string, seq?: number): Promise<string> {
    return replayToken(await pointAt(this.#parts.db, runId, seq));
  }

  resolveToken(token: string): Promise<ReplayPoint> {
    return resolveToken(this.#parts.db, token);
  }

  /** Recomputes the hash chain of a run and checks every invariant. Rejects with `NOT_FOUND`. */
  verify(runId: string): Promise<Verification> {
    return verifyRun(this.#parts.db, this.#parts.storage, runId);
  }

  /** Runs without a terminal event that nobody executes any more, oldest first: after a crash, those to go on with or to close. */
  unfinished(): Promise<UnfinishedRun[]> {
    return this.#leases.abandoned();
  }

  /** Commits what is written, gives the leases back and ends what waits for more. */
  async close(): Promise<void> {
    const closed = await Promise.allSettled([...this.#writers.values()].map((writer) => writer.close()));
    this.#leases.close();
    await this.#watch.close();
    for (const tail of this.#tails.values()) {
      tail.ended = true;
      tail.wakeAll();
    }
    const failed = closed.find((outcome) => outcome.status === "rejected");
    if (failed) throw failed.reason;
  }

  #startWriter(start: WriterStart): DurableWriter {
    const tail = this.#tails.get(start.runId) ?? new Tail(start.runId, start.length, false);
    tail.local = true;
    tail.observe(start.length, false);
    this.#tails.set(start.runId, tail);
    const writer = new DurableWriter(start, {
      storage: this.#parts.storage,
      tail,
      ended: async (ended, release) => {
        if (this.#writers.get(ended.runId) === ended) this.#writers.delete(ended.runId);
        tail.local = false;
        this.#dropIfUnused(tail);
        this.#watch.consider(tail);
        if (this.#writers.size === 0) this.#leases.stopRenewing();
        if (release) await this.#leases.giveBack(ended.runId, ended.epoch);
      },
    });
    this.#writers.set(start.runId, writer);
    this.#leases.keepRenewing();
    return writer;
  }

  async #openTail(runId: string): Promise<Tail> {
    const known = this.#tails.get(runId);
    if (known) return known;
    const head = await this.#head(runId);
    // Somebody else may have opened it meanwhile.
    const tail = this.#tails.get(runId) ?? new Tail(runId, head.event_count, head.finished === 1);
    this.#tails.set(runId, tail);
    return tail;
  }

  #dropIfUnused(tail: Tail): void {
    if (!tail.local && tail.followers.size === 0) this.#tails.delete(tail.runId);
  }

  async #page(tail: Tail, seq: number, limit: number): Promise<readonly StoredEvent[]> {
    const recent = tail.recent(seq, limit);
    if (recent) return recent;
    const bodies = await this.#parts.storage.bodies(tail.runId, seq - 1, limit);
    if (bodies.length === 0) {
      await this.#head(tail.runId);
      throw new Error(`The journal of run ${tail.runId} has no event ${seq}.`);
    }
    return bodies.map((body, place) => new StoredEvent(seq + place, body));
  }

  async #head(runId: string): Promise<{ event_count: number; finished: number }> {
    const head = await this.#parts.db
      .selectFrom("runs")
      .select(["event_count", "finished", "deleted_at"])
      .where("id", "=", runId)
      .executeTakeFirst();
    if (!head) throw noSuchRun(runId);
    if (head.deleted_at !== null) throw journalDeleted(runId, head.deleted_at);
    return head;
  }
}

function nextPageSize(page: readonly StoredEvent[]): number {
  const text = page.reduce((sum, { body }) => sum + body.length, 0);
  return Math.max(1, Math.min(maxPageSize, 2 * page.length + 1, Math.floor((page.length * pageText) / text)));
}

function startedEvent(run: RunInit, spanId: string, at: string): RunEvent {
  const { runId, traceId, ...rest } = run;
  return { runId, seq: 0, at, traceId, spanId, type: "RunStarted", ...rest };
}
