import { setTimeout as sleep } from "node:timers/promises";

/** What has changed, for whoever watches. A slow watcher is told less often, never kept waiting for, and costs no memory. */
export class Changes {
  readonly #watchers = new Set<Watcher>();

  /** `now` is for what people wait for: the end of something. The rest is told a few times a second. */
  changed(id: string, now = false): void {
    for (const watcher of this.#watchers) {
      watcher.changed.add(id);
      watcher.wake();
      if (now) watcher.hurry();
    }
  }

  /** Resolves with the next change of one. Rejects with the signal's reason. */
  async next(id: string, signal: AbortSignal): Promise<void> {
    for await (const changed of this.watch(signal)) if (changed === id) return;
    signal.throwIfAborted();
  }

  /** Ids of what has changed since this was called, each once a round. Ends when the signal is aborted. */
  watch(signal: AbortSignal): AsyncGenerator<string> {
    const watcher = new Watcher();
    const stop = () => {
      this.#watchers.delete(watcher);
      watcher.wake();
      watcher.hurry();
    };
    if (signal.aborted) stop();
    else this.#watchers.add(watcher);
    signal.addEventListener("abort", stop, { once: true });
    return this.#follow(watcher, signal, stop);
  }

  async *#follow(watcher: Watcher, signal: AbortSignal, stop: () => void): AsyncGenerator<string> {
    try {
      while (!signal.aborted) {
        await watcher.somethingChanged();
        yield* watcher.take();
        if (!signal.aborted) await Promise.race([sleep(restMs, undefined, { ref: false }), watcher.hurried()]);
      }
    } finally {
      signal.removeEventListener("abort", stop);
      this.#watchers.delete(watcher);
    }
  }
}

/** Between two rounds of telling. */
const restMs = 200;

class Watcher {
  readonly changed = new Set<string>();
  #woken = Promise.withResolvers<void>();
  #hurried = Promise.withResolvers<void>();

  wake(): void {
    this.#woken.resolve();
  }

  hurry(): void {
    this.#hurried.resolve();
  }

  async somethingChanged(): Promise<void> {
    await this.#woken.promise;
    this.#woken = Promise.withResolvers();
  }

  async hurried(): Promise<void> {
    await this.#hurried.promise;
  }

  *take(): Generator<string> {
    const ids = [...this.changed];
    this.changed.clear();
    this.#hurried = Promise.withResolvers();
    yield* ids;
  }
}
