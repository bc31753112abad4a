import type { LlamaModel } from "@benchtop/llama";
import { BenchtopError } from "@benchtop/protocol";
import type { CrashGuard } from "./crash-guard.ts";
import type { LoadPlan } from "./load-plan.ts";
import { highestLimitOf, inWords, limitOf, type MachineMemory, type MemoryBudget } from "./memory.ts";
import { Resident, type LeaveReason, type Lease } from "./resident.ts";

export interface ResidentsOptions {
  readonly providerId: string;
  readonly machine: MachineMemory;
  readonly guard: CrashGuard;
  /** Requests that may wait, for memory and for a place in a model together. */
  readonly maxWaiting: number;
  /** Starts the process of a load. What it throws is of the taxonomy. */
  readonly start: (plan: LoadPlan, signal: AbortSignal) => Promise<LlamaModel>;
  /** Told of what happens; must not throw. */
  readonly events: ResidentsEvents;
}

export interface ResidentsEvents {
  loading(resident: Resident): void;
  loaded(resident: Resident): void;
  loadFailed(resident: Resident, error: BenchtopError): void;
  left(resident: Resident, reason: LeaveReason): void;
  /** A request begins to wait for memory, or has waited so long. */
  waits(admission: Admission): void;
  waited(ms: number): void;
}

/** What a request wants of the memory. */
export interface Admission {
  readonly plan: LoadPlan;
  readonly keepAliveSeconds: number | null;
  readonly pinned: boolean;
  /** Bytes that the load will take. Asked only when a load is needed. */
  estimate(): Promise<number>;
}

interface Waiting extends Admission {
  readonly bytes: number;
  grant(resident: Resident): void;
  refuse(error: BenchtopError): void;
}

/**
 * The loads of this machine and the queue before them. A request for what is loaded, or being loaded, joins it at once. Any
 * other waits in order until its memory is free. To free it, idle loads leave, the least recently used first; where they are
 * not enough, busy ones finish what they have and get nothing new. Nothing that answers is ever ended for another.
 */
export class Residents {
  budget: MemoryBudget;
  readonly #options: ResidentsOptions;
  readonly #residents = new Map<string, Resident>();
  readonly #queue: Waiting[] = [];
  isClosed = false;

  constructor(options: ResidentsOptions, budget: MemoryBudget) {
    this.#options = options;
    this.budget = budget;
  }

  get all(): readonly Resident[] {
    return [...this.#residents.values()];
  }

  /** Requests that wait for memory, or for a place in a model. */
  get waiting(): number {
    return this.#queue.length + this.all.reduce((sum, resident) => sum + waitingIn(resident), 0);
  }

  get usedBytes(): number {
    return bytesOf(this.all);
  }

  get limitBytes(): number {
    const takenBytes = this.all.reduce((sum, resident) => sum + resident.takenBytes, 0);
    return limitOf(this.budget, this.#options.machine, takenBytes);
  }

  /**
   * The model that a plan describes, loaded. Throws `PROVIDER_UNAVAILABLE` when its memory can never be had (not retryable) or
   * not now, `PROVIDER_RATE_LIMITED` when too many wait, what loading threw, or the signal's reason.
   */
  async lease(admission: Admission, signal: AbortSignal): Promise<Lease> {
    const { key, installed } = admission.plan;
    await this.#options.guard.pass(key, installed.name, signal);
    const there = this.#open(key);
    if (there) return await this.#join(there, admission, signal);
    const bytes = await admission.estimate();
    signal.throwIfAborted();
    // Another request may have begun to load it meanwhile.
    const meanwhile = this.#open(key);
    return await (meanwhile ? this.#join(meanwhile, admission, signal) : this.#queued({ ...admission, bytes }, signal));
  }

  /** Looks at the queue again: something changed that it may have waited for. */
  proceed(): void {
    for (const resident of this.#residents.values()) resident.draining = false;
    for (let head = this.#queue[0]; head && this.#serve(head); head = this.#queue[0]);
  }

  /** Brings what is loaded below a limit that was lowered, as far as it is idle. */
  trim(): void {
    const tooMuch = this.usedBytes - this.limitBytes;
    const idle = this.all.filter(({ pinned, isIdle }) => isIdle && !pinned);
    let left = tooMuch;
    for (const resident of idle.toSorted((one, other) => one.lastUsed - other.lastUsed)) {
      if (left <= 0) break;
      left -= resident.bytes;
      resident.leave("memory");
    }
    this.proceed();
  }

  /** Ends everything. Resolves once every process is gone. */
  async close(): Promise<void> {
    this.isClosed = true;
    for (const waiting of this.#queue.slice()) waiting.refuse(this.#shutDown());
    const residents = this.all;
    for (const resident of residents) resident.end("closed");
    await Promise.all(residents.map(({ gone }) => gone));
  }

  #open(key: string): Resident | undefined {
    if (this.isClosed) throw this.#shutDown();
    const resident = this.#residents.get(key);
    return resident?.isOpen === true ? resident : undefined;
  }

  /** The lease counts from here on, before anything is awaited: whoever was let in is never made room of. */
  #join(resident: Resident, admission: Admission, signal: AbortSignal): Promise<Lease> {
    const { installed, options } = admission.plan;
    if (resident.leases >= (options.parallel ?? 1)) this.#checkRoom(installed.name);
    resident.keepAliveSeconds = admission.keepAliveSeconds;
    resident.pinned = admission.pinned;
    return resident.lease(signal);
  }

  #queued(admission: Admission & { readonly bytes: number }, signal: AbortSignal): Promise<Lease> {
    this.#checkRoom(admission.plan.installed.name);
    const { promise, resolve, reject } = Promise.withResolvers<Lease>();
    const since = performance.now();
    const leaveQueue = (): void => {
      signal.removeEventListener("abort", abort);
      this.#queue.splice(this.#queue.indexOf(waiting), 1);
      this.#options.events.waited(performance.now() - since);
    };
    const abort = (): void => {
      leaveQueue();
      reject(signal.reason);
      this.proceed();
    };
    const waiting: Waiting = {
      ...admission,
      grant: (resident) => {
        leaveQueue();
        resolve(this.#join(resident, admission, signal));
      },
      refuse: (error) => {
        leaveQueue();
        reject(error);
      },
    };
    signal.addEventListener("abort", abort, { once: true });
    this.#queue.push(waiting);
    this.proceed();
    if (this.#queue.includes(waiting)) this.#options.events.waits(admission);
    return promise;
  }

  /** Grants or refuses the first request of the queue. False when it has to wait. */
  #serve(head: Waiting): boolean {
    const there = this.#residents.get(head.plan.key);
    if (there?.isOpen === true) {
      head.grant(there);
      return true;
    }
    if (there) return false;
    const missing = this.usedBytes + head.bytes - this.limitBytes;
    if (missing <= 0) {
      head.grant(this.#begin(head));
      return true;
    }
    const refusal = this.#free(head, missing);
    if (refusal) head.refuse(refusal);
    return refusal !== undefined;
  }

  /** Begins to free so many bytes. Gives the refusal when they cannot be had. */
  #free(head: Waiting, missing: number): BenchtopError | undefined {
    const { all } = this;
    let left = missing - bytesOf(all.filter(({ isLeaving }) => isLeaving));
    if (left <= 0) return undefined;
    const staying = all.filter(({ isLeaving }) => !isLeaving);
    const leastRecent = staying.filter(({ pinned }) => !pinned).toSorted((one, other) => one.lastUsed - other.lastUsed);
    const idle = leastRecent.filter(({ isIdle }) => isIdle);
    const busy = leastRecent.filter(({ isIdle }) => !isIdle);
    const isEnough = bytesOf(idle) >= left;
    if (!isEnough && bytesOf(leastRecent) < left) return this.#noRoom(head, bytesOf(staying) - bytesOf(leastRecent));
    for (const resident of isEnough ? idle : [...idle, ...busy]) {
      if (left <= 0) break;
      left -= resident.bytes;
      if (isEnough) resident.leave("memory");
      // Those that are idle stay until the busy ones are: were they to leave now, it might be for nothing.
      else resident.draining = true;
    }
    return undefined;
  }

  #begin({ plan, bytes, keepAliveSeconds, pinned }: Waiting): Resident {
    const { guard, events, start } = this.#options;
    const { key } = plan;
    const settings = { estimatedBytes: bytes, keepAliveSeconds, pinned };
    const resident = new Resident(plan, settings, (signal) => start(plan, signal), {
      loaded: () => {
        guard.loaded(key);
        events.loaded(resident);
      },
      loadFailed: (_resident, thrown) => {
        const error = BenchtopError.from(thrown);
        guard.loadFailed(key, error);
        events.loadFailed(resident, error);
      },
      idle: () => this.proceed(),
      gone: (_resident, reason) => {
        if (this.#residents.get(key) === resident) this.#residents.delete(key);
        if (reason === "crashed" && resident.facts) guard.crashed(key);
        events.left(resident, reason);
        this.proceed();
      },
    });
    this.#residents.set(key, resident);
    events.loading(resident);
    return resident;
  }

  #checkRoom(modelId: string): void {
    const { maxWaiting, providerId } = this.#options;
    const { waiting } = this;
    if (waiting < maxWaiting) return;
    throw new BenchtopError(
      "PROVIDER_RATE_LIMITED",
      `${waiting} requests wait for models of this machine already. Ask again later.`,
      {
        providerId,
        modelId,
        detail: { waiting },
      },
    );
  }

  #noRoom({ plan, bytes }: Waiting, pinnedBytes: number): BenchtopError {
    const modelId = plan.installed.name;
    const highest = highestLimitOf(this.budget, this.#options.machine);
    const needs = `${modelId} needs ${inWords(bytes)} of memory`;
    const detail = { needed_bytes: bytes, limit_bytes: highest, pinned_bytes: pinnedBytes };
    const refusal = (message: string, retryable: boolean): BenchtopError =>
      new BenchtopError("PROVIDER_UNAVAILABLE", message, {
        providerId: this.#options.providerId,
        modelId,
        retryable,
        detail,
        ...(!retryable && { actions: ["switch_model", "open_settings"] }),
      });
    if (bytes > highest) {
      return refusal(
        `${needs}, and models may take ${inWords(highest)} on this machine. Take a smaller model or a shorter context, or raise the limit.`,
        false,
      );
    }
    if (bytes > highest - pinnedBytes) {
      return refusal(
        `${needs}, and models that are pinned hold ${inWords(pinnedBytes)} of ${inWords(highest)}. Unload one.`,
        false,
      );
    }
    return refusal(
      `${needs}, and other programs leave ${inWords(Math.max(0, this.limitBytes - pinnedBytes))} for models now. Close some, or take a smaller model.`,
      true,
    );
  }

  #shutDown(): BenchtopError {
    return new BenchtopError("PROVIDER_UNAVAILABLE", "The models of this machine are being shut down.", {
      providerId: this.#options.providerId,
      retryable: false,
    });
  }
}

function bytesOf(residents: readonly Resident[]): number {
  return residents.reduce((sum, { bytes }) => sum + bytes, 0);
}

function waitingIn({ leases, plan }: Resident): number {
  return Math.max(0, leases - (plan.options.parallel ?? 1));
}
