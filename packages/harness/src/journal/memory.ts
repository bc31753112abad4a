import {
  BenchtopError,
  isTerminal,
  newSpanId,
  type EventInput,
  type Journal,
  type JournalWriter,
  type ReadOptions,
  type RunEvent,
  type RunInit,
} from "@benchtop/protocol";

export interface MemoryJournalOptions {
  /** Finished runs that are kept; the oldest is forgotten first. */
  readonly maxFinishedRuns?: number;
}

/**
 * A journal that lives as long as the process: the same contract as a durable one, with memory in place of a disk.
 * What is written is committed, and so visible, in the next microtask.
 */
export function memoryJournal(options: MemoryJournalOptions = {}): Journal {
  const maxFinishedRuns = options.maxFinishedRuns ?? 1000;
  const runs = new Map<string, StoredRun>();

  return {
    async create(init) {
      if (runs.has(init.runId)) {
        throw new BenchtopError("RUN_REPLAYED", `The run ${init.runId} exists already.`, { runId: init.runId });
      }
      forgetOldest(runs, maxFinishedRuns);
      const run: StoredRun = { init, rootSpanId: newSpanId(), events: [], epoch: 0, held: false, readers: new Set() };
      runs.set(init.runId, run);
      const writer = new MemoryWriter(run);
      writer.write(startOf(init));
      await writer.committed();
      return writer;
    },
    async acquire(runId) {
      const run = find(runs, runId);
      if (isFinished(run)) throw new BenchtopError("RUN_INTERRUPTED", "This run has ended.", { runId });
      if (run.held) throw new BenchtopError("RUN_INTERRUPTED", "Another writer holds this run.", { runId });
      return new MemoryWriter(run);
    },
    async read(runId, options = {}) {
      return page(find(runs, runId), options);
    },
    follow(runId, options = {}, signal) {
      return follow(() => find(runs, runId), options, signal);
    },
  };
}

interface StoredRun {
  readonly init: RunInit;
  readonly rootSpanId: string;
  readonly events: RunEvent[];
  /** Of the newest writer; one with an older epoch has lost the run. */
  epoch: number;
  held: boolean;
  /** Followers that wait for the next commit. */
  readonly readers: Set<() => void>;
}

class MemoryWriter implements JournalWriter {
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

async function* follow(
  open: () => StoredRun,
  options: ReadOptions,
  signal: AbortSignal | undefined,
): AsyncGenerator<RunEvent> {
  const run = open();
  let next = (options.after ?? -1) + 1;
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  const ended = () => left <= 0 || signal?.aborted === true;
  while (!ended()) {
    const event = run.events[next];
    if (!event) {
      if (isFinished(run)) return;
      await nextCommit(run, signal);
      continue;
    }
    next += 1;
    left -= 1;
    yield event;
    if (isTerminal(event)) return;
  }
}

function nextCommit(run: StoredRun, signal: AbortSignal | undefined): Promise<void> {
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

function page(run: StoredRun, options: ReadOptions): RunEvent[] {
  const first = (options.after ?? -1) + 1;
  return run.events.slice(first, options.limit === undefined ? undefined : first + options.limit);
}

function find(runs: Map<string, StoredRun>, runId: string): StoredRun {
  const run = runs.get(runId);
  if (!run) throw new BenchtopError("NOT_FOUND", `There is no run ${runId}.`, { runId });
  return run;
}

function isFinished(run: StoredRun): boolean {
  const last = run.events.at(-1);
  return last !== undefined && isTerminal(last);
}

function forgetOldest(runs: Map<string, StoredRun>, maxFinishedRuns: number): void {
  if (runs.size <= maxFinishedRuns) return;
  for (const [runId, run] of runs) {
    if (!isFinished(run)) continue;
    runs.delete(runId);
    return;
  }
}

function startOf(init: RunInit): EventInput<"RunStarted"> {
  const { runId: _, traceId: __, ...said } = init;
  return { type: "RunStarted", ...said };
}
