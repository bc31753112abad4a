import { BenchtopError } from "@benchtop/protocol";
import type { Retention } from "@benchtop/store";
import type { Log } from "../log/log.ts";

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

export interface DailyRetention {
  /** Stops between two runs, and waits for the step that is going on. */
  close(): Promise<void>;
}

/**
 * Completes deletions that a crash interrupted, a while after the start, so that it does not slow it; then, and every day after,
 * deletes what is older than the operator keeps, and uploads of more than a day ago that nobody has used. Without `days` no
 * run is deleted.
 */
export function startDailyRetention(options: {
  readonly retention: Retention;
  readonly days: number | undefined;
  readonly log: Log;
  /** Milliseconds until the first time; a minute when absent. */
  readonly firstAfterMs?: number;
}): DailyRetention {
  const { retention, days, log, firstAfterMs = minuteMs } = options;
  const stop = new AbortController();
  let working: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout;
  const schedule = (delayMs: number) => {
    timer = setTimeout(() => {
      working = work();
    }, delayMs);
    timer.unref();
  };
  schedule(firstAfterMs);

  async function work(): Promise<void> {
    try {
      if (days === undefined) {
        await retention.finish();
        await retention.removeOldUploads(stop.signal);
        return;
      }
      const before = new Date(Date.now() - days * dayMs).toISOString();
      const { runs, events, kept, blobs, bytes } = await retention.prune({
        workspaceId: null,
        before,
        signal: stop.signal,
      });
      log.info("retention", { days, runs, events, kept, blobs: blobs ?? 0, bytes: bytes ?? 0 });
    } catch (thrown) {
      // Tomorrow is another day; nothing is half deleted for readers.
      log.warn("retention.failed", { code: BenchtopError.from(thrown).code });
    } finally {
      if (!stop.signal.aborted) schedule(dayMs);
    }
  }

  return {
    async close() {
      stop.abort();
      clearTimeout(timer);
      await working;
    },
  };
}
