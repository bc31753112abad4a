import type { Run } from "@benchtop/operations";
import type { RunEvent } from "@benchtop/protocol";
import type { Caller } from "../../api/caller.ts";

export interface Journal {
  readonly run: Run;
  /** Without the text as it came; what it added up to is in `ProviderCallFinished`. */
  readonly events: readonly RunEvent[];
  /** Events at the beginning that are left out. */
  readonly leftOut: number;
}

const maxRead = 4000;
const maxEvents = 500;
const maxCharacters = 800_000;

/** A run and the end of its journal, short enough for one answer; `runs_event_page` reads all of it. */
export async function readJournal(caller: Caller, runId: string, signal: AbortSignal): Promise<Journal> {
  const run = await caller.call("runs.get", { runId }, signal);
  const events: RunEvent[] = [];
  let after: number | null = Math.max(-1, run.eventCount - maxRead - 1);
  while (after !== null && events.length < maxRead) {
    const page: { items: RunEvent[]; nextAfter: number | null } = await caller.call(
      "runs.eventPage",
      { runId, after, limit: 1000 },
      signal,
    );
    events.push(...page.items.filter(({ type }) => type !== "OutputDelta"));
    after = page.nextAfter;
  }
  let characters = 0;
  const kept: RunEvent[] = [];
  for (const event of events.toReversed()) {
    characters += JSON.stringify(event).length;
    if (kept.length >= maxEvents || characters > maxCharacters) break;
    kept.unshift(event);
  }
  return { run, events: kept, leftOut: kept[0]?.seq ?? run.eventCount };
}
