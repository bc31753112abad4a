import {
  BenchtopError,
  barrierTypes,
  isTerminal,
  type EventInput,
  type JournalWriter,
  type RunEvent,
} from "@benchtop/protocol";
import { runEnd, suspensionOf } from "@benchtop/protocol/records";
import { runEnded } from "./refusals.ts";
import type { AppendOperation, JournalStorage } from "./storage.ts";
import type { Tail } from "./tail.ts";

/** Where a run's journal stands, and the epoch under which it may be written. */
export interface WriterStart {
  readonly runId: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly epoch: number;
  readonly length: number;
  readonly headHash: string;
}

export interface WriterSurroundings {
  readonly storage: JournalStorage;
  readonly tail: Tail;
  /** Called once, when this writer will write no more. `release` says whether it still holds the lease. */
  ended(writer: DurableWriter, release: boolean): Promise<void>;
}

interface QueuedEvent {
  readonly event: EventInput;
  readonly at: string;
  /** Of a delta that others were joined to: the text of all of them. */
  joined?: string;
}

interface Waiter {
  /** Resolves when the journal is this long. */
  readonly length: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Joined deltas stay below this, and a batch below that, so that neither an event nor a commit grows without bound. */
const maxJoinedText = 64 * 1024;
const maxBatch = 4096;

/**
 * How far apart two commits of nothing but deltas begin, at least. A model's own pace is slower, so its deltas commit as
 * they come; a burst is joined instead of waking the database for each of its tokens.
 */
const deltaPaceMs = 4;

/** One batch is in flight at a time; what is written meanwhile is the next one. */
export class DurableWriter implements JournalWriter {
  readonly runId: string;
  readonly traceId: string;
  readonly epoch: number;
  readonly #spanId: string;
  readonly #surroundings: WriterSurroundings;
  #length: number;
  #headHash: string;
  #queue: QueuedEvent[] = [];
  #queuedText = 0;
  #inFlight = 0;
  #inFlightText = 0;
  #committing = false;
  /** When the last commit of nothing but deltas began; long ago when another came after it. */
  #deltasCommittedAt = -Infinity;
  /** Ends the pause between two such commits; set only while there is one. */
  #endPause: (() => void) | undefined;
  #waiters: Waiter[] = [];
  #terminal = false;
  #closed = false;
  #failure: BenchtopError | undefined;

  constructor(start: WriterStart, surroundings: WriterSurroundings) {
    this.runId = start.runId;
    this.traceId = start.traceId;
    this.epoch = start.epoch;
    this.#spanId = start.spanId;
    this.#length = start.length;
    this.#headHash = start.headHash;
    this.#surroundings = surroundings;
  }

  get pending(): number {
    return this.#queuedText + this.#inFlightText;
  }

  write(event: EventInput): void {
    if (this.#failure) throw this.#failure;
    if (this.#terminal || this.#closed) throw runEnded(this.runId);
    if (event.type === "OutputDelta") {
      this.#queuedText += event.text.length;
      if (this.#join(event)) return;
    }
    this.#terminal = isTerminal(event);
    this.#queue.push({ event, at: timestamp() });
    if (event.type !== "OutputDelta") this.#endPause?.();
    if (this.#committing) return;
    this.#committing = true;
    // After every microtask, so that what a program writes without waiting for anything outside is one batch: the events
    // of a network chunk; the end of an answer, what gates said about its call and the request of that call.
    queueMicrotask(() => process.nextTick(() => void this.#commitQueued()));
  }

  committed(): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (!this.#committing) return Promise.resolve();
    this.#endPause?.();
    const length = this.#length + this.#inFlight + this.#queue.length;
    return new Promise((resolve, reject) => this.#waiters.push({ length, resolve, reject }));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.committed();
    if (!this.#terminal) await this.#surroundings.ended(this, true);
  }

  /** Adds a delta to the one that waits before it, if they belong together and have to wait anyway. */
  #join(event: EventInput<"OutputDelta">): boolean {
    const waits = this.#inFlight > 0 || this.#endPause !== undefined;
    const last = waits ? this.#queue.at(-1) : undefined;
    if (last?.event.type !== "OutputDelta") return false;
    const { callId, channel, spanId, text } = last.event;
    if (callId !== event.callId || channel !== event.channel || spanId !== event.spanId) return false;
    const before = last.joined ?? text;
    if (before.length > maxJoinedText) return false;
    last.joined = before + event.text;
    return true;
  }

  async #commitQueued(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        const burst = this.#queue.length < maxBatch && this.#queue.every(({ event }) => event.type === "OutputDelta");
        if (burst) await this.#pace();
        else this.#deltasCommittedAt = -Infinity;
        const operation = this.#takeBatch();
        const { headHash } = await this.#surroundings.storage.append(operation);
        this.#accept(operation, headHash);
      }
      this.#committing = false;
      if (this.#terminal) await this.#surroundings.ended(this, false);
    } catch (error) {
      await this.#fail(BenchtopError.from(error).at({ runId: this.runId }));
    }
  }

  /** Waits until deltas may commit again, or something comes that must not wait. */
  async #pace(): Promise<void> {
    const sinceLast = performance.now() - this.#deltasCommittedAt;
    if (sinceLast < deltaPaceMs && this.#waiters.length === 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, deltaPaceMs);
        this.#endPause = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#endPause = undefined;
    }
    this.#deltasCommittedAt = performance.now();
  }

  #takeBatch(): AppendOperation {
    const batch = this.#queue.length > maxBatch ? this.#queue.splice(0, maxBatch) : this.#queue;
    if (batch === this.#queue) {
      this.#queue = [];
      this.#inFlightText = this.#queuedText;
      this.#queuedText = 0;
    }
    this.#inFlight = batch.length;
    const prefix = `{"runId":${JSON.stringify(this.runId)},"seq":`;
    const trace = `","traceId":${JSON.stringify(this.traceId)},"spanId":`;
    const ownSpan = `${JSON.stringify(this.#spanId)},`;
    const types: string[] = [];
    const bodies: string[] = [];
    let durable = false;
    for (const queued of batch) {
      const { at } = queued;
      const event = queued.joined === undefined ? queued.event : { ...queued.event, text: queued.joined };
      const span = event.spanId === undefined ? ownSpan : `${JSON.stringify(event.spanId)},`;
      const rest = JSON.stringify(event.spanId === undefined ? event : { ...event, spanId: undefined });
      bodies.push(`${prefix}${this.#length + bodies.length},"at":"${at}${trace}${span}${rest.slice(1)}`);
      types.push(event.type);
      durable ||= barrierTypes.has(event.type);
    }
    const last = batch.at(-1)!;
    const end = runEnd(last.event, last.at);
    const { runId, epoch } = this;
    const waitsFor = suspensionOf(last.event, last.at);
    const suspension = waitsFor && JSON.stringify(waitsFor);
    const common = { runId, epoch, length: this.#length, headHash: this.#headHash, types, bodies, durable, suspension };
    return end ? { ...common, end } : common;
  }

  #accept(operation: AppendOperation, headHash: string): void {
    this.#length += operation.bodies.length;
    this.#headHash = headHash;
    this.#inFlight = 0;
    this.#inFlightText = 0;
    this.#surroundings.tail.advance(operation.length, operation.bodies, operation.end !== undefined);
    const waiting = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiting) {
      if (waiter.length <= this.#length) waiter.resolve();
      else this.#waiters.push(waiter);
    }
  }

  async #fail(error: BenchtopError): Promise<void> {
    this.#failure = error;
    this.#queue = [];
    const waiting = this.#waiters;
    this.#waiters = [];
    for (const { reject } of waiting) reject(error);
    await this.#surroundings.ended(this, false);
  }
}

let lastMillisecond = 0;
let lastTimestamp = "";

/** ISO 8601 with milliseconds; made once a millisecond, since a stream asks for it thousands of times a second. */
function timestamp(): RunEvent["at"] {
  const now = Date.now();
  if (now !== lastMillisecond) {
    lastMillisecond = now;
    lastTimestamp = new Date(now).toISOString();
  }
  return lastTimestamp;
}
