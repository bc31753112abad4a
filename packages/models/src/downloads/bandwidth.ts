import { setTimeout as sleep } from "node:timers/promises";

/** Looks again this often while it waits, so that a limit that is changed holds from the next moment on. */
const patienceMs = 100;

/** One limit that all downloads share. What has come is paid for afterwards, one piece after the other. */
export class Bandwidth {
  readonly #limit: () => number | null;
  #credit = 0;
  #at = performance.now();
  #last: Promise<void> = Promise.resolve();

  /** Bytes a second, asked for each time; null for no limit. */
  constructor(limit: () => number | null) {
    this.#limit = limit;
  }

  /** Resolves when more may come after so many bytes that came. Rejects with the signal's reason. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#earn() === null) return;
    const before = this.#last;
    const paid = before.then(() => this.#pay(bytes, signal));
    this.#last = paid.catch(() => undefined);
    await paid;
  }

  async #pay(bytes: number, signal: AbortSignal): Promise<void> {
    this.#credit -= bytes;
    for (;;) {
      signal.throwIfAborted();
      const limit = this.#earn();
      if (limit === null || this.#credit >= 0) return;
      await sleep(Math.min(patienceMs, (-this.#credit / limit) * 1000), undefined, { signal }).catch(() =>
        signal.throwIfAborted(),
      );
    }
  }

  /** What was not used within a tenth of a second is lost: nothing is saved up for a burst. */
  #earn(): number | null {
    const limit = this.#limit();
    const now = performance.now();
    if (limit === null) this.#credit = 0;
    else this.#credit = Math.min(limit / 10, this.#credit + ((now - this.#at) / 1000) * limit);
    this.#at = now;
    return limit;
  }
}
