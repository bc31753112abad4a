import type { Journal, RunEvent } from "@benchtop/protocol";

/**
 * Where traces go. A sink gets committed events, those of one run in order; events of several runs may be mixed. It never
 * throws and never fails a run: what it cannot pass on is counted and shown in `state`.
 */
export interface TraceSink {
  /**
   * Takes one event; resolves once there is room for the next. Whoever waits loses nothing while the other side is away,
   * for the journal keeps what was not taken yet. Whoever does not wait may lose what finds no room.
   */
  event(event: RunEvent): Promise<void>;
  /** Takes an event that was passed on before (by a process that is gone) for what later ones need of it. It is not passed on again. */
  recall?(event: RunEvent): void;
  /** Resolves once everything taken so far has arrived or was given up. */
  flush(): Promise<void>;
  /** Passes on what it can in two seconds, gives up the rest and takes nothing more. */
  close(): Promise<void>;
  readonly state: TraceState;
}

/** How a sink fares. Counted in what it passes on: lines of a file, spans of a collector. */
export interface TraceState {
  readonly passedOn: number;
  /** Given up: refused by the other side, or no room. */
  readonly dropped: number;
  readonly waiting: number;
  /** Why the last attempt failed; absent when it did not. Holds no content. */
  readonly problem?: string;
}

export interface TraceRunOptions {
  /** Events up to this `seq` were passed on before. */
  readonly after?: number;
  readonly signal?: AbortSignal;
  /** Called with the `seq` of each event that the sink has taken. */
  readonly taken?: (seq: number) => void;
}

/**
 * Hands the events of a run to a sink: those that are stored, then live, until the run has ended, as far as the sink takes
 * them. A run that ended long ago is exported the same way. Rejects when the journal cannot be read (`NOT_FOUND`).
 */
export async function traceRun(
  journal: Journal,
  runId: string,
  sink: TraceSink,
  { after = -1, signal, taken }: TraceRunOptions = {},
): Promise<void> {
  const from = sink.recall ? -1 : after;
  for await (const event of journal.follow(runId, { after: from }, signal)) {
    if (signal?.aborted === true) return;
    if (event.seq <= after) {
      sink.recall?.(event);
      continue;
    }
    await sink.event(event);
    taken?.(event.seq);
  }
}

/** One sink made of several: each gets every event, and the slowest sets the pace. */
export function everySink(sinks: readonly TraceSink[]): TraceSink {
  return {
    event: async (event) => void (await Promise.all(sinks.map((sink) => sink.event(event)))),
    recall: (event) => {
      for (const sink of sinks) sink.recall?.(event);
    },
    flush: async () => void (await Promise.all(sinks.map((sink) => sink.flush()))),
    close: async () => void (await Promise.all(sinks.map((sink) => sink.close()))),
    get state() {
      const states = sinks.map((sink) => sink.state);
      const problem = states.map((state) => state.problem).find((problem) => problem !== undefined);
      return {
        passedOn: sumOf(states.map((state) => state.passedOn)),
        dropped: sumOf(states.map((state) => state.dropped)),
        waiting: sumOf(states.map((state) => state.waiting)),
        ...(problem !== undefined && { problem }),
      };
    },
  };
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
