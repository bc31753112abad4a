import {
  BenchtopError,
  isTerminal,
  newSpanId,
  type EventInput,
  type JournalWriter,
  type RunEvent,
  type RunInit,
} from "@benchtop/protocol";
import { emptyHead, linkHash } from "@benchtop/protocol/chain";

/** One run in memory. */
export interface StoredRun {
  readonly init: RunInit;
  readonly rootSpanId: string;
  readonly events: RunEvent[];
  /** The chain, as far as somebody has asked for it: most runs in memory are never proven. */
  readonly hashes: string[];
  /** Of the newest writer; one with an older epoch has lost the run. */
  epoch: number;
  held: boolean;
  /** Followers that wait for the next commit. */
  readonly readers: Set<() => void>;
}

export function newRun(init: RunInit): StoredRun {
  return { init, rootSpanId: newSpanId(), events: [], hashes: [], epoch: 0, held: false, readers: new Set() };
}

export function startOf(init: RunInit): EventInput<"RunStarted"> {
  const { runId: _, traceId: __, ...said } = init;
  return { type: "RunStarted", ...said };
}

export function isFinished(run: StoredRun): boolean {
  const last = run.events.at(-1);
  return last !== undefined && isTerminal(last);
}

/** The hash of the chain at an event that exists. */
export function hashAt({ events, hashes }: StoredRun, seq: number): string {
  for (let next = hashes.length; next <= seq; next += 1) {
    hashes.push(linkHash(hashes.at(-1) ?? emptyHead, JSON.stringify(events[next])));
  }
  return hashes[seq] ?? emptyHead;
}

export function nextCommit(run: StoredRun, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      run.readers.delete(wake);
      signal?.removeEventListener("abort", wake);
      resolve();
    };
    run.readers.add(wake);
    signal?.addEventListener("abort", wake, { once: true });
  });
}

export class MemoryWriter implements JournalWriter {
  readonly runId: string;
  readonly traceId: string;
  readonly #run: StoredRun;
  readonly #epoch: number;
  #queue: EventInput[] = [];
  #pending = 0;
  #commit: Promise<void> = Promise.resolve();
  #ended = false;

  constructor(run: StoredRun) {
    this.#run = run;
    this.runId = run.init.runId;
    this.traceId = run.init.traceId;
    this.#epoch = ++run.epoch;
    run.held = true;
  }

  get pending(): number {
    return this.#pending;
  }

  write(event: EventInput): void {
    if (this.#ended || this.#epoch !== this.#run.epoch) {
      throw new BenchtopError("RUN_INTERRUPTED", "This run takes no more events.", { runId: this.runId });
    }
    if (isTerminal(event)) this.#ended = true;
    if (event.type === "OutputDelta") {
      this.#pending += event.text.length;
      if (this.#joined(event)) return;
    }
    if (this.#queue.length === 0) this.#commit = Promise.resolve().then(() => this.#commitQueue());
    this.#queue.push(event);
  }

  committed(): Promise<void> {
    return this.#commit;
  }

  async close(): Promise<void> {
    await this.#commit;
    if (this.#epoch !== this.#run.epoch) return;
    this.#ended = true;
    this.#run.held = false;
  }

  #joined(event: EventInput<"OutputDelta">): boolean {
    const last = this.#queue.at(-1);
    if (last?.type !== "OutputDelta" || last.callId !== event.callId || last.channel !== event.channel) return false;
    if (last.spanId !== event.spanId) return false;
    this.#queue[this.#queue.length - 1] = { ...last, text: last.text + event.text };
    return true;
  }

  #commitQueue(): void {
    const at = new Date().toISOString();
    const { init, rootSpanId, events, readers } = this.#run;
    for (const input of this.#queue) {
      const place = { runId: init.runId, seq: events.length, at, traceId: init.traceId };
      events.push(Object.freeze({ ...place, ...input, spanId: input.spanId ?? rootSpanId }) as RunEvent);
    }
    this.#queue = [];
    this.#pending = 0;
    const waiting = [...readers];
    readers.clear();
    for (const wake of waiting) wake();
  }
}
