import type { Kysely } from "kysely";
import type { Tables } from "../schema.ts";
import type { Tail } from "./tail.ts";

/** Tells of appends by other processes. Hints, not truth: one may be lost, so somebody still looks from time to time. */
export interface RunNotifications {
  /** Resolves once `appended` will be called; `lost` says that it will not be called any more. */
  start(appended: (runId: string) => void, lost: () => void): Promise<void>;
  stop(): Promise<void>;
}

const lookEvery = 250;

/** Looks after the journals that are followed here and written elsewhere. */
export class Watch {
  readonly #db: Kysely<Tables>;
  readonly #notifications: RunNotifications | undefined;
  readonly #watched = new Map<string, Tail>();
  #timer: NodeJS.Timeout | undefined;
  #listening = false;
  #closed = false;

  constructor(db: Kysely<Tables>, notifications: RunNotifications | undefined) {
    this.#db = db;
    this.#notifications = notifications;
  }

  /** Watches a tail for as long as it is followed, not ended, and not written by this process. */
  consider(tail: Tail): void {
    if (this.#closed || !needsWatching(tail)) return;
    this.#watched.set(tail.runId, tail);
    this.#listen();
    if (this.#timer) return;
    this.#timer = setInterval(() => void this.#look([...this.#watched.values()]), lookEvery);
    this.#timer.unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#watched.clear();
    clearInterval(this.#timer);
    if (this.#listening) await this.#notifications?.stop();
  }

  #listen(): void {
    if (this.#listening || !this.#notifications) return;
    this.#listening = true;
    const appended = (runId: string) => {
      const tail = this.#watched.get(runId);
      if (tail) void this.#look([tail]);
    };
    // Without notifications it is slower, not wrong: the timer looks anyway. The next tail tries again.
    const lost = () => {
      this.#listening = false;
    };
    this.#notifications.start(appended, lost).catch(lost);
  }

  async #look(tails: readonly Tail[]): Promise<void> {
    const wanted = tails.filter(needsWatching);
    for (const tail of tails) if (!needsWatching(tail)) this.#watched.delete(tail.runId);
    if (this.#watched.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    if (wanted.length === 0) return;
    const ids = wanted.map(({ runId }) => runId);
    try {
      const heads = await this.#db
        .selectFrom("runs")
        .select(["id", "event_count", "finished"])
        .where("id", "in", ids)
        .execute();
      const byId = new Map(heads.map((head) => [head.id, head]));
      for (const tail of wanted) {
        const head = byId.get(tail.runId);
        if (head && !tail.local) tail.observe(head.event_count, head.finished === 1);
      }
    } catch {
      // The database does not answer now; whoever writes sees that error, and the timer looks again.
    }
  }
}

function needsWatching(tail: Tail): boolean {
  return !tail.local && !tail.ended && tail.followers.size > 0;
}
