import { setTimeout as sleep } from "node:timers/promises";
import type { WebSocket } from "ws";
import type { Outbox } from "./outbox.ts";
import { Slots } from "./slots.ts";

/** Reads that go on at once: their answers may be large, and those of files are. */
const readsAtOnce = 8;
const downloadsAtOnce = 2;
/** Answers that the peers of one identity have not taken, on all its connections. */
const maxUntakenBytes = 64 * 1024 * 1024;
const lookAgainMs = 50;

/** What all connections of one identity have going on together: more connections get nobody more of the memory. */
export class Load {
  readonly sockets = new Set<WebSocket>();
  readonly maxSubscriptions: number;
  subscriptions = 0;
  readonly #reads = new Slots(readsAtOnce, Infinity);
  readonly #downloads = new Slots(downloadsAtOnce, Infinity);

  constructor(maxSubscriptions: number) {
    this.maxSubscriptions = maxSubscriptions;
  }

  /** Resolves when there is room for the answer of one more read; call what it gives once the answer was handed over. */
  async turn(outbox: Outbox, isDownload: boolean, signal: AbortSignal): Promise<() => void> {
    const slots = isDownload ? this.#downloads : this.#reads;
    for (;;) {
      await outbox.room(signal);
      while (this.#isFull && !signal.aborted) await sleep(lookAgainMs);
      await slots.take();
      if (signal.aborted || (!outbox.isFull && !this.#isFull)) return () => slots.give();
      slots.give();
    }
  }

  get #isFull(): boolean {
    let untaken = 0;
    for (const { bufferedAmount } of this.sockets) untaken += bufferedAmount;
    return untaken > maxUntakenBytes;
  }
}
