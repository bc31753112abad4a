import type { WebSocket } from "ws";

/** From here on streams wait; calls are still answered. */
const fullBytes = 1024 * 1024;
/** From here on nothing more is read: whoever does not take answers does not get to ask. */
const deafBytes = 8 * 1024 * 1024;
/** Of those who wait, so many are let on at once. */
const letOn = 16;

/**
 * What goes out on one connection, and how much may come in meanwhile. What a slow peer has not taken is bounded, and no
 * stream waits longer than others.
 */
export class Outbox {
  readonly #socket: WebSocket;
  readonly #maxHeld: number;
  readonly #waiting: (() => void)[] = [];
  #held = 0;

  /** `maxHeld`: text of messages that are being served; nothing more is read while there is more of it. */
  constructor(socket: WebSocket, maxHeld: number) {
    this.#socket = socket;
    this.#maxHeld = maxHeld;
  }

  /** True when the peer is behind; a stream then waits for `room`. */
  get isFull(): boolean {
    return this.#socket.bufferedAmount > fullBytes;
  }

  /** Resolves once the text was taken, or the connection is over. */
  send(text: string): Promise<void> {
    // Nothing here keeps the text itself until then: the socket has its bytes.
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#socket.send(text, () => {
      resolve();
      this.#drained();
    });
    this.#regulate();
    return promise;
  }

  /** A message came in; `served` is called once nothing is left of it. */
  hold({ length }: string): { served(): void } {
    this.#held += length;
    this.#regulate();
    return {
      served: () => {
        this.#held -= length;
        this.#regulate();
      },
    };
  }

  /** Resolves when the peer has caught up, for those first who waited first, or when the signal aborts. */
  room(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        signal.removeEventListener("abort", stop);
        resolve();
      };
      const stop = (): void => {
        const place = this.#waiting.indexOf(done);
        if (place !== -1) this.#waiting.splice(place, 1);
        done();
      };
      if (signal.aborted || !this.isFull) return resolve();
      signal.addEventListener("abort", stop);
      this.#waiting.push(done);
    });
  }

  #drained(): void {
    this.#regulate();
    if (this.isFull) return;
    for (const next of this.#waiting.splice(0, letOn)) next();
    // What those write comes back here; where they have nothing to write, the next ones are let on.
    if (this.#waiting.length > 0) setImmediate(() => this.#drained());
  }

  #regulate(): void {
    const isDeaf = this.#socket.bufferedAmount > deafBytes || this.#held > this.#maxHeld;
    if (isDeaf && !this.#socket.isPaused) this.#socket.pause();
    if (!isDeaf && this.#socket.isPaused) this.#socket.resume();
  }
}
