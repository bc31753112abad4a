import { isTerminal, type RunEvent } from "@benchtop/protocol";
import { useEffect, useState, useSyncExternalStore } from "react";
import { client, failureOf, isCode, live, reportUnauthorized, type Failure } from "./client.ts";

export interface FeedSnapshot {
  /** Grows in place; a new snapshot object says that it grew. */
  readonly events: readonly RunEvent[];
  readonly state: "loading" | "live" | "ended" | "failed";
  readonly failure?: Failure;
}

/**
 * The events of one run, as they are committed. What is stored comes in pages, what happens now comes live; listeners
 * hear of it at most once a frame, however many events arrive.
 */
export class RunFeed {
  readonly #runId: string;
  readonly #events: RunEvent[];
  readonly #listeners = new Set<() => void>();
  #snapshot: FeedSnapshot;
  #frame: number | undefined;
  #stop: AbortController | undefined;

  /** `seed`: events that are known already, without deltas; the feed goes on after the last of them. */
  constructor(runId: string, seed: readonly RunEvent[] = []) {
    this.#runId = runId;
    this.#events = [...seed];
    const last = seed.at(-1);
    this.#snapshot = { events: this.#events, state: last !== undefined && isTerminal(last) ? "ended" : "loading" };
  }

  readonly getSnapshot = (): FeedSnapshot => this.#snapshot;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    if (this.#stop === undefined && this.#snapshot.state !== "ended") void this.#run();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#stop?.abort();
      this.#stop = undefined;
    };
  };

  async #run(): Promise<void> {
    const stop = new AbortController();
    this.#stop = stop;
    try {
      if (this.#events.length === 0) await this.#loadStored(stop.signal);
      if (stop.signal.aborted) return;
      if (this.#ended()) return this.#publish("ended");
      this.#publish("live");
      for await (const event of live.follow(this.#runId, { after: this.#lastSeq(), signal: stop.signal })) {
        if (event.seq <= this.#lastSeq()) continue;
        this.#events.push(event);
        this.#publishSoon();
      }
      if (!stop.signal.aborted) this.#publish(this.#ended() ? "ended" : "live");
    } catch (thrown) {
      if (stop.signal.aborted) return;
      if (isCode(thrown, "AUTH_REQUIRED")) reportUnauthorized();
      this.#publish("failed", failureOf(thrown));
    }
  }

  async #loadStored(signal: AbortSignal): Promise<void> {
    let after: number | null = -1;
    while (after !== null) {
      const page: { items: RunEvent[]; nextAfter: number | null } = await client.call("runs.eventPage", {
        runId: this.#runId,
        after,
        limit: 5000,
      });
      if (signal.aborted) return;
      for (const event of page.items) this.#events.push(event);
      after = page.nextAfter;
      if (after !== null) this.#publishSoon();
    }
  }

  #lastSeq(): number {
    return this.#events.at(-1)?.seq ?? -1;
  }

  #ended(): boolean {
    const last = this.#events.at(-1);
    return last !== undefined && isTerminal(last);
  }

  #publishSoon(): void {
    this.#frame ??= requestAnimationFrame(() => this.#publish(this.#snapshot.state));
  }

  #publish(state: FeedSnapshot["state"], failure?: Failure): void {
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    this.#frame = undefined;
    this.#snapshot = { events: this.#events, state, ...(failure !== undefined && { failure }) };
    for (const listener of this.#listeners) listener();
  }
}

/** Follows a run while the component is on screen. The seed is read once, when the run changes. */
export function useRunFeed(runId: string, seed?: readonly RunEvent[]): FeedSnapshot {
  const [feed, setFeed] = useState(() => ({ runId, feed: new RunFeed(runId, seed) }));
  useEffect(() => {
    if (feed.runId !== runId) setFeed({ runId, feed: new RunFeed(runId, seed) });
  }, [feed, runId, seed]);
  return useSyncExternalStore(feed.feed.subscribe, feed.feed.getSnapshot);
}
