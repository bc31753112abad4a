import {
  BenchtopError,
  type CheckpointStore,
  type Journal,
  type ReadOptions,
  type ReplayPoint,
  type RunEvent,
  type RunStore,
  type SessionStore,
} from "@benchtop/protocol";
import { parseReplayToken, replayToken } from "@benchtop/protocol";
import { MemoryCheckpoints } from "./memory-checkpoints.ts";
import { memoryRuns } from "./memory-runs.ts";
import { hashAt, isFinished, MemoryWriter, nextCommit, newRun, startOf, type StoredRun } from "./memory-writer.ts";

export interface MemoryJournalOptions {
  /** Finished runs that are kept; the oldest is forgotten first, its checkpoints with it. */
  readonly maxFinishedRuns?: number;
}

/** What a harness needs to keep of runs, all of it in memory. */
export interface MemoryJournal extends Journal {
  readonly runs: RunStore;
  readonly sessions: SessionStore;
  readonly checkpoints: CheckpointStore;
}

/**
 * A journal that lives as long as the process: the same contract as a durable one, with memory in place of a disk.
 * What is written is committed, and so visible, in the next microtask.
 */
export function memoryJournal(options: MemoryJournalOptions = {}): MemoryJournal {
  const maxFinishedRuns = options.maxFinishedRuns ?? 1000;
  const runs = new Map<string, StoredRun>();
  const checkpoints = new MemoryCheckpoints((runId, seq) => pointAt(find(runs, runId), seq));

  return {
    ...memoryRuns(runs),
    checkpoints,
    async create(init) {
      if (runs.has(init.runId)) {
        throw new BenchtopError("RUN_REPLAYED", `The run ${init.runId} exists already.`, { runId: init.runId });
      }
      const forgotten = forgetOldest(runs, maxFinishedRuns);
      if (forgotten !== undefined) checkpoints.forget(forgotten);
      const run = newRun(init);
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
    async token(runId, seq) {
      return replayToken(pointAt(find(runs, runId), seq));
    },
    async resolveToken(token) {
      const claimed = parseReplayToken(token);
      const point = pointAt(find(runs, claimed.runId), claimed.seq);
      if (point.hash !== claimed.hash) throw otherHistory(claimed);
      return point;
    },
  };
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
  }
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

function pointAt(run: StoredRun, seq = run.events.length - 1): ReplayPoint {
  const { runId } = run.init;
  if (!run.events[seq]) throw new BenchtopError("NOT_FOUND", `Run ${runId} has no event ${seq}.`, { runId });
  return { runId, seq, hash: hashAt(run, seq) };
}

function otherHistory({ runId, seq }: ReplayPoint): BenchtopError {
  return new BenchtopError("REPLAY_DIVERGED", `The journal of run ${runId} is not the one this token was made of.`, {
    runId,
    detail: { seq },
  });
}

function forgetOldest(runs: Map<string, StoredRun>, maxFinishedRuns: number): string | undefined {
  if (runs.size <= maxFinishedRuns) return undefined;
  for (const [runId, run] of runs) {
    if (!isFinished(run)) continue;
    runs.delete(runId);
    return runId;
  }
  return undefined;
}
