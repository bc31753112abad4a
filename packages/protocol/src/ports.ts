import type { EventInput, EventOf, ForkOrigin, RunEvent, RunStatus } from "./events.ts";
import type { Contract, Json } from "./messages.ts";

export type * from "./memory.ts";

/** What is known of a run before its first event; the ledger row and `RunStarted` are made of it in one commit. */
export interface RunInit {
  readonly runId: string;
  readonly traceId: string;
  readonly kind: string;
  readonly userId: string;
  readonly toolId?: string;
  readonly workspaceId?: string;
  readonly workbenchId?: string;
  readonly sessionId?: string;
  readonly parentRunId?: string;
  readonly parentCallId?: string;
  readonly forkedFrom?: ForkOrigin;
  readonly model?: string;
  readonly contract: Contract;
  readonly input: Json;
  readonly queuedMs?: number;
}

/**
 * The one writer of one run, under a lease with a fencing epoch.
 *
 * Events get `seq`, `at`, `traceId` and `spanId` here. Nothing that is written is visible to any reader before it
 * is committed. After the terminal event, or once the lease is lost, `write` throws `RUN_INTERRUPTED`.
 */
export interface JournalWriter {
  readonly runId: string;
  readonly traceId: string;
  /** Queues one event in order and returns at once. Adjacent `OutputDelta`s of one call and channel may be joined while a commit is in flight. */
  write(event: EventInput): void;
  /**
   * Resolves once everything written so far is committed, and on disk where a barrier event is among it.
   * Rejects with `RUN_INTERRUPTED` when another writer holds the run, `DISK_FULL` when there is no room; the
   * writer is unusable from then on.
   */
  committed(): Promise<void>;
  /** Text queued and not yet committed, in UTF-16 units. The loop waits for `committed()` above its high-water mark. */
  readonly pending: number;
  /** Gives the lease back. Uncommitted events are committed first. */
  close(): Promise<void>;
}

export interface ReadOptions {
  /** Events with `seq` greater than this; from the start when absent. */
  readonly after?: number;
  readonly limit?: number;
}

/** Append-only event sequences, one a run. Reading never sees an uncommitted event and never slows a writer. */
export interface Journal {
  /** Starts a run: ledger row, lease and `RunStarted` in one durable commit. Rejects with `RUN_REPLAYED` when the id is taken. */
  create(run: RunInit): Promise<JournalWriter>;
  /** Takes over a run whose lease is free or expired, with the next epoch. Rejects with `NOT_FOUND`, or `RUN_INTERRUPTED` when the lease is held. */
  acquire(runId: string): Promise<JournalWriter>;
  /** One page of committed events in order of `seq`. */
  read(runId: string, options?: ReadOptions): Promise<RunEvent[]>;
  /**
   * Committed events from a cursor on: first what is stored, then live, until the terminal event (included).
   * Ends early, without throwing, when the signal aborts. A slow consumer holds no memory: it reads again from the store.
   */
  follow(runId: string, options?: ReadOptions, signal?: AbortSignal): AsyncIterable<RunEvent>;
  /** A replay token for an event, the newest one when `seq` is absent. Rejects with `NOT_FOUND` when there is no such event. */
  token(runId: string, seq?: number): Promise<string>;
  /**
   * The point that a token names, proven to be in this journal still. Rejects with `VALIDATION_FAILED` when it is no token,
   * `NOT_FOUND` when there is no such run or event, `REPLAY_DIVERGED` when the journal says something else up to there.
   */
  resolveToken(token: string): Promise<ReplayPoint>;
}

/** An event of a journal, and the hash of the chain at that event (`chain.ts`). */
export interface ReplayPoint {
  readonly runId: string;
  readonly seq: number;
  readonly hash: string;
}

/** Which runs a list shows; every condition must hold. */
export interface RunFilter {
  readonly status?: RunStatus | undefined;
  readonly kind?: string | undefined;
  readonly toolId?: string | undefined;
  readonly userId?: string | undefined;
  /** Of every workspace when absent or null. */
  readonly workspaceId?: string | null | undefined;
  readonly workbenchId?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly parentRunId?: string | undefined;
  readonly traceId?: string | undefined;
  /** Only runs that wait for a person to decide. */
  readonly suspended?: boolean | undefined;
  /** Runs whose journal was deleted, too; they are left out otherwise. */
  readonly deleted?: boolean | undefined;
  /** What the page before gave as `nextCursor`. */
  readonly cursor?: string | undefined;
  /** 1 to 1000; 100 when absent. */
  readonly limit?: number | undefined;
}

export interface RunPage {
  readonly items: RunRecord[];
  readonly nextCursor: string | null;
}

/** What is known of runs without reading their journals. */
export interface RunStore {
  get(runId: string): Promise<RunRecord | undefined>;
  /** One page, newest first. Rejects with `VALIDATION_FAILED` when the cursor is not one that this list gave. */
  list(filter?: RunFilter): Promise<RunPage>;
}

/** A named point of a journal, from which a run can be resumed or forked. */
export interface RunCheckpoint extends ReplayPoint {
  readonly name: string;
  readonly userId: string;
  readonly createdAt: string;
}

/** The named points of journals. A name is unique within its run, and is never moved: remove it first. */
export interface CheckpointStore {
  /**
   * Names an event. Naming the same event so again gives the point that is there. Rejects with `NOT_FOUND` when there is no
   * such event, `VALIDATION_FAILED` when the name is taken, empty or longer than 100 characters, or the run has 1000 points.
   */
  save(checkpoint: Pick<RunCheckpoint, "runId" | "seq" | "name" | "userId">): Promise<RunCheckpoint>;
  /** The points of one run in order of `seq`. */
  list(runId: string): Promise<readonly RunCheckpoint[]>;
  /** False when there was none of this name. */
  remove(runId: string, name: string): Promise<boolean>;
}

/** Which runs make up a conversation, so that one of before can be continued from their journals. */
export interface SessionStore {
  /**
   * Ids of the newest runs of a session, oldest first: at most `limit`. Runs that another run started (sub-runs, replays,
   * forks) and refused repetitions are not among them.
   */
  runs(sessionId: string, limit: number): Promise<readonly string[]>;
}

export type Suspension = Pick<
  EventOf<"Suspended">,
  "at" | "reason" | "callId" | "tool" | "arguments" | "gate" | "question"
>;

/** What a ledger row says (`workbench_runs`). Money in micro-dollars, times in ISO 8601 UTC. */
export interface RunRecord {
  readonly runId: string;
  readonly traceId: string;
  readonly kind: string;
  readonly toolId: string | null;
  readonly userId: string;
  readonly workspaceId: string | null;
  readonly workbenchId: string | null;
  readonly sessionId: string | null;
  readonly parentRunId: string | null;
  readonly contract: Contract;
  readonly providerId: string | null;
  readonly modelId: string | null;
  readonly status: RunStatus;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costMicros: number | null;
  readonly steps: number;
  readonly toolCalls: number;
  readonly firstTokenMs: number | null;
  readonly durationMs: number | null;
  readonly errorCode: string | null;
  /** First 200 characters of the prompt or task, for lists. */
  readonly title: string;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  /** When its journal was deleted; the record stays, without its title. */
  readonly deletedAt: string | null;
  /** What a run that has not ended waits for a person to decide; null while it waits for nobody. */
  readonly suspension: Suspension | null;
  /** Length of the journal and the hash of its last event, so that a cut tail shows. */
  readonly eventCount: number;
  readonly headHash: string;
}
