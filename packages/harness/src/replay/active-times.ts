import type { RunEvent } from "@benchtop/protocol";

/** When a run did what, on a clock that stands still while nobody drives the run: from the last event before to `Resumed`. */
export interface ActiveTimes {
  /** Milliseconds from the run's start to its last event. */
  readonly totalMs: number;
  /** Milliseconds from the run's start to the event with this `seq`; to the end where there is none. */
  at(seq: number): number;
}

export function activeTimes(events: Iterable<RunEvent>): ActiveTimes {
  const times = new Map<number, number>();
  let elapsed = 0;
  let before: number | undefined;
  for (const event of events) {
    const at = Date.parse(event.at);
    if (before !== undefined && event.type !== "Resumed") elapsed += Math.max(0, at - before);
    before = at;
    times.set(event.seq, elapsed);
  }
  return { totalMs: elapsed, at: (seq) => times.get(seq) ?? elapsed };
}
