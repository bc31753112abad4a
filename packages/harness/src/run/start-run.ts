import { isTerminal, type Journal, type JournalWriter, type RunEvent, type RunInit } from "@benchtop/protocol";
import { ActiveRun, type Recorded } from "./active-run.ts";
import { ceilingsOf, type Ceilings } from "./contract.ts";
import type { RunBody, RunHandle } from "./scope.ts";

/**
 * Starts a run and returns as soon as `RunStarted` is durable: the body runs on its own, then exactly one terminal
 * event is written, after everything the body left open is closed. A run that waits for a person is left without one.
 *
 * Rejects only when nothing was started: `RUN_REPLAYED` when the id is taken, `DISK_FULL`. Whatever goes wrong later is
 * the run's `Error` event and its result. Should the journal itself fail, the body is aborted, nothing more is written,
 * and the result carries that failure with `recorded: false`.
 */
export async function startRun(
  journal: Journal,
  init: RunInit,
  body: RunBody,
  signal?: AbortSignal,
): Promise<RunHandle> {
  const ceilings = ceilingsOf(init.contract);
  const writer = await journal.create({ ...init, contract: ceilings });
  return driveRun(journal, { init, ceilings, writer }, body, signal).handle;
}

/** What a run is driven with: new, or continued from what is recorded. */
export interface DrivenRun {
  readonly init: RunInit;
  readonly ceilings: Ceilings;
  readonly writer: JournalWriter;
  readonly recorded?: Recorded;
}

/** Drives a run whose writer is at hand. `live` rejects when a recorded run came to nothing new. */
export function driveRun(
  journal: Journal,
  { init, ceilings, writer, recorded }: DrivenRun,
  body: RunBody,
  signal?: AbortSignal,
): { readonly handle: RunHandle; readonly live: Promise<void> } {
  const run = new ActiveRun(init, ceilings, writer, recorded);
  const left = new AbortController();
  const result = run.drive(body, signal).then((result) => {
    if (!result.recorded || result.status === "suspended") left.abort();
    return result;
  });
  const { runId, traceId } = init;
  const events = () => committedEvents(journal, runId, left.signal);
  return { handle: { runId, traceId, control: run, result, [Symbol.asyncIterator]: events }, live: run.live };
}

/** Committed events to the terminal one; of a run that was left without one, to the last that was committed. */
async function* committedEvents(journal: Journal, runId: string, left: AbortSignal): AsyncGenerator<RunEvent> {
  let after = -1;
  for await (const event of journal.follow(runId, {}, left)) {
    after = event.seq;
    yield event;
    if (isTerminal(event)) return;
  }
  for (;;) {
    const page = await journal.read(runId, { after });
    if (page.length === 0) return;
    for (const event of page) {
      after = event.seq;
      yield event;
    }
  }
}
