interface Waiter {
  readonly exclusive: boolean;
  enter(): void;
}

/**
 * Lets single statements pass and gives a transaction the writer for itself, first come, first served. A statement that
 * passes is sent at once and the thread works in order, so nothing has to be given back for it.
 */
export class Gate {
  #held = false;
  readonly #waiting: Waiter[] = [];

  /** Calls `send` at once, or as soon as the transaction that is open has ended. */
  pass<Output>(send: () => Promise<Output>): Promise<Output> {
    if (!this.#held) return send();
    return new Promise((resolve, reject) =>
      this.#waiting.push({ exclusive: false, enter: () => void send().then(resolve, reject) }),
    );
  }

  /** Resolves, to the function that gives it back, when the writer is the caller's alone. */
  async exclusive(): Promise<() => void> {
    if (this.#held) {
      await new Promise<void>((resolve) => this.#waiting.push({ exclusive: true, enter: resolve }));
    }
    this.#held = true;
    return () => this.#release();
  }

  /** Wakes waiters in order up to and including the next transaction, which then holds the writer. */
  #release(): void {
    this.#held = false;
    while (this.#waiting.length > 0) {
      const next = this.#waiting.shift()!;
      this.#held = next.exclusive;
      next.enter();
      if (next.exclusive) return;
    }
  }
}
