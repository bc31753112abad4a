import {
  BenchtopError,
  type RunFilter,
  type RunPage,
  type RunRecord,
  type RunStore,
  type SessionStore,
} from "@benchtop/protocol";
import { runEnd, startedRecord, suspensionOf } from "@benchtop/protocol/records";
import { hashAt, type StoredRun } from "./memory-writer.ts";

/** Records of the runs in memory, made of their events when somebody asks. */
export function memoryRuns(runs: ReadonlyMap<string, StoredRun>): { runs: RunStore; sessions: SessionStore } {
  return {
    runs: {
      async get(runId) {
        const run = runs.get(runId);
        return run && withHead(recordOf(run), run);
      },
      async list(filter = {}) {
        return pageOf(runs, filter);
      },
    },
    sessions: {
      async runs(sessionId, limit) {
        const ids = [...runs.values()].filter(
          ({ init }) => init.sessionId === sessionId && init.parentRunId === undefined,
        );
        return limit <= 0 ? [] : ids.slice(-limit).map(({ init }) => init.runId);
      },
    },
  };
}

function recordOf(run: StoredRun): RunRecord {
  const first = run.events[0];
  const last = run.events.at(-1);
  const record = startedRecord(run.init, first?.at ?? "");
  if (!last) return record;
  return {
    ...record,
    ...runEnd(last, last.at),
    suspension: suspensionOf(last, last.at),
    eventCount: run.events.length,
  };
}

/** The hash is made for what is shown alone: a chain costs as much as its journal is long. */
function withHead(record: RunRecord, run: StoredRun): RunRecord {
  return run.events.length === 0 ? record : { ...record, headHash: hashAt(run, run.events.length - 1) };
}

/** Newest first; the cursor is the id of the last run shown, whatever has come or gone meanwhile. */
function pageOf(runs: ReadonlyMap<string, StoredRun>, filter: RunFilter): RunPage {
  const limit = Math.max(1, Math.min(filter.limit ?? 100, 1000));
  const newestFirst = [...runs.values()].toReversed();
  const start = filter.cursor === undefined ? 0 : placeAfter(newestFirst, filter.cursor);
  const items: RunRecord[] = [];
  for (const run of newestFirst.slice(start)) {
    const record = recordOf(run);
    if (!matches(record, filter)) continue;
    if (items.length === limit) return { items, nextCursor: btoa(items.at(-1)?.runId ?? "") };
    items.push(withHead(record, run));
  }
  return { items, nextCursor: null };
}

function placeAfter(newestFirst: readonly StoredRun[], cursor: string): number {
  const place = newestFirst.findIndex(({ init }) => btoa(init.runId) === cursor);
  if (place >= 0) return place + 1;
  throw new BenchtopError("VALIDATION_FAILED", "The cursor is not one that this list gave. Start without a cursor.");
}

const filterFields = [
  "status",
  "kind",
  "toolId",
  "userId",
  "workspaceId",
  "workbenchId",
  "sessionId",
  "parentRunId",
  "traceId",
] as const satisfies (keyof RunFilter)[];

function matches(record: RunRecord, filter: RunFilter): boolean {
  if (filter.suspended === true && record.suspension === null) return false;
  return filterFields.every((field) => filter[field] == null || record[field] === filter[field]);
}
