import type { LlamaModel, LlamaModelFacts, LlamaModelState } from "@benchtop/llama";
import type { AnswerTimes } from "../tally.ts";
import type { LoadPlan } from "./load-plan.ts";

/** Why a load ended. */
export type LeaveReason =
  /** Nobody asked for as long as it was to stay. */
  | "idle"
  /** A person or a program said so. */
  | "asked"
  /** Another model needed its memory. */
  | "memory"
  /** The same model was loaded with other options. */
  | "replaced"
  /** Its file is no longer what was installed. */
  | "changed"
  /** Its process ended by itself. */
  | "crashed"
  /** The fleet was closed. */
  | "closed";

/** What the fleet is told by a resident. */
export interface ResidentEvents {
  loaded(resident: Resident): void;
  loadFailed(resident: Resident, thrown: unknown): void;
  /** Its last answer ended. */
  idle(resident: Resident): void;
  /** Its process is gone, and so is its memory. */
  gone(resident: Resident, reason: LeaveReason): void;
}

/** The use of a resident by one request. */
export interface Lease {
  readonly resident: Resident;
  readonly model: LlamaModel;
  release(): void;
}

/**
 * One load of a model: a process that starts, answers and leaves. As long as somebody holds a lease it is not closed, unless
 * its process ends by itself or the fleet closes.
 */
export class Resident {
  readonly plan: LoadPlan;
  /** What it was admitted for. */
  readonly estimatedBytes: number;
  keepAliveSeconds: number | null;
  pinned: boolean;
  /** Somebody waits for its memory: it finishes what it has and gets nothing new. */
  draining = false;
  lastUsed = performance.now();
  loadedAt: string | undefined;
  expiresAt: number | undefined;
  /** How its last answer went. */
  answered: AnswerTimes | undefined;
  readonly #events: ResidentEvents;
  readonly #abort = new AbortController();
  readonly #loading: Promise<LlamaModel>;
  readonly #gone = Promise.withResolvers<void>();
  #model: LlamaModel | undefined;
  #leases = 0;
  #idleTimer: NodeJS.Timeout | undefined;
  /** Why it leaves, once that is decided. */
  #leaving: LeaveReason | undefined;
  #closing = false;
  #isGone = false;

  constructor(
    plan: LoadPlan,
    settings: { estimatedBytes: number; keepAliveSeconds: number | null; pinned: boolean },
    start: (signal: AbortSignal) => Promise<LlamaModel>,
    events: ResidentEvents,
  ) {
    this.plan = plan;
    this.estimatedBytes = settings.estimatedBytes;
    this.keepAliveSeconds = settings.keepAliveSeconds;
    this.pinned = settings.pinned;
    this.#events = events;
    this.#loading = this.#load(start);
    // Whoever holds a lease hears of it; a load that nobody waits for any more fails in silence.
    this.#loading.catch(() => {});
  }

  get facts(): LlamaModelFacts | undefined {
    return this.#model?.facts;
  }

  get activity(): LlamaModelState | undefined {
    return this.#model?.state;
  }

  get leases(): number {
    return this.#leases;
  }

  /** New requests may use it. */
  get isOpen(): boolean {
    return this.#leaving === undefined && !this.#isGone && !this.draining;
  }

  /** Nobody uses it, so it can be closed. */
  get isIdle(): boolean {
    return this.#leases === 0 && this.#leaving === undefined && !this.#isGone;
  }

  get isLeaving(): boolean {
    return this.#leaving !== undefined && !this.#isGone;
  }

  get state(): "loading" | "ready" | "busy" | "unloading" {
    if (this.#leaving !== undefined || this.draining) return "unloading";
    if (!this.#model) return "loading";
    return this.#leases > 0 ? "busy" : "ready";
  }

  /** What it takes, or is about to take: a process touches its memory little by little. */
  get bytes(): number {
    return Math.max(this.estimatedBytes, this.takenBytes);
  }

  get takenBytes(): number {
    return this.#model?.state.memoryBytes ?? 0;
  }

  /** Resolves once its process is gone. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  /**
   * Waits for the model. Throws what loading threw, or the signal's reason. The load is given up when the last one that waits
   * for it leaves.
   */
  async lease(signal: AbortSignal): Promise<Lease> {
    this.#leases += 1;
    this.#stopIdling();
    this.lastUsed = performance.now();
    try {
      const model = await unlessAborted(this.#loading, signal);
      let released = false;
      const release = (): void => {
        if (released) return;
        released = true;
        this.#release();
      };
      return { resident: this, model, release };
    } catch (thrown) {
      this.#release();
      throw thrown;
    }
  }

  /** Closes it as soon as nobody uses it; new requests go elsewhere from now on. */
  leave(reason: LeaveReason): void {
    this.#leaving ??= reason;
    if (this.#leases === 0) this.#close();
  }

  /** Closes it now. */
  end(reason: LeaveReason): void {
    this.#leaving ??= reason;
    this.#close();
  }

  /** Changes how long it stays, from now on. */
  keepFor(seconds: number | null): void {
    this.keepAliveSeconds = seconds;
    if (this.#model) this.startIdling();
  }

  /** Begins the time after which it leaves when nobody asks. */
  startIdling(): void {
    this.#stopIdling();
    if (this.keepAliveSeconds === null || !this.isIdle) return;
    const waitMs = this.keepAliveSeconds * 1000;
    this.expiresAt = Date.now() + waitMs;
    this.#idleTimer = setTimeout(() => this.leave("idle"), Math.min(waitMs, longestTimer));
    this.#idleTimer.unref();
  }

  async #load(start: (signal: AbortSignal) => Promise<LlamaModel>): Promise<LlamaModel> {
    try {
      const model = await start(this.#abort.signal);
      this.#model = model;
      void model.exited.then(() => this.#ended());
      if (this.#closing) {
        await model.close();
        this.#abort.signal.throwIfAborted();
      }
      this.loadedAt = new Date().toISOString();
      this.#events.loaded(this);
      return model;
    } catch (thrown) {
      if (!this.#model) this.#failed(thrown);
      throw thrown;
    }
  }

  #failed(thrown: unknown): void {
    this.#isGone = true;
    this.#stopIdling();
    if (this.#leaving === undefined) this.#events.loadFailed(this, thrown);
    this.#events.gone(this, this.#leaving ?? "crashed");
    this.#gone.resolve();
  }

  #ended(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#stopIdling();
    this.#events.gone(this, this.#closing ? (this.#leaving ?? "closed") : "crashed");
    this.#gone.resolve();
  }

  #release(): void {
    this.#leases -= 1;
    this.lastUsed = performance.now();
    if (this.#leases > 0 || this.#isGone) return;
    // The last one that waited for the load has left.
    if (!this.#model) return this.leave("idle");
    if (this.#leaving !== undefined) return this.#close();
    if (this.keepAliveSeconds === 0) return this.leave("idle");
    this.startIdling();
    this.#events.idle(this);
  }

  #close(): void {
    if (this.#closing || this.#isGone) return;
    this.#closing = true;
    this.#stopIdling();
    this.#abort.abort(new Error("The load was given up."));
    // `exited` tells of the end, whatever became of the closing.
    this.#model?.close().catch(() => {});
  }

  #stopIdling(): void {
    clearTimeout(this.#idleTimer);
    this.expiresAt = undefined;
  }
}

/** What `setTimeout` takes; about 24 days. */
const longestTimer = 2 ** 31 - 1;

async function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
