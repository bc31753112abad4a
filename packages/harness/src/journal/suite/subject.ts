import assert from "node:assert/strict";
import {
  BenchtopError,
  type CheckpointStore,
  type ErrorCode,
  type Journal,
  type RunEvent,
  type RunStore,
  type SessionStore,
} from "@benchtop/protocol";

/** What a journal is kept with. */
export interface Kept {
  readonly journal: Journal;
  readonly runs: RunStore;
  readonly sessions: SessionStore;
  readonly checkpoints: CheckpointStore;
}

/** What the suite runs on. `test` is that of any test runner; the suite itself needs none. */
export interface JournalSubject {
  readonly test: (name: string, body: () => Promise<void>) => void;
  /** Calls the body with an empty journal, and takes it away afterwards whatever happens. */
  readonly withJournal: (body: (kept: Kept) => Promise<void>) => Promise<void>;
}

/** The whole journal, page by page. */
export async function allEvents(journal: Journal, runId: string): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for (;;) {
    const page = await journal.read(runId, { after: events.length - 1, limit: 300 });
    if (page.length === 0) return events;
    events.push(...page);
  }
}

export async function collect(events: AsyncIterable<RunEvent>): Promise<RunEvent[]> {
  const seen: RunEvent[] = [];
  for await (const event of events) seen.push(event);
  return seen;
}

export function hasCode(code: ErrorCode): (error: unknown) => boolean {
  return (error) => BenchtopError.is(error) && error.code === code;
}

export async function rejectsWith(code: ErrorCode, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(BenchtopError.is(error), String(error));
    assert.equal(error.code, code);
    return true;
  });
}
