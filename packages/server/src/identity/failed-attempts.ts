import { networkOf } from "./network.ts";

/**
 * Counts failed sign-ins by address. Above the limit every attempt of that address is refused, right or wrong, until
 * the window has passed. Holds a bounded number of addresses: the longest known goes first.
 */
export class FailedAttempts {
  readonly #limit: number;
  readonly #windowMs: number;
  readonly #failures = new Map<string, { count: number; until: number }>();

  constructor(limit = 10, windowMs = 60_000) {
    this.#limit = limit;
    this.#windowMs = windowMs;
  }

  /** Milliseconds until this address may try again; 0 when it may now. */
  blockedFor(address: string, now = Date.now()): number {
    const entry = this.#failures.get(networkOf(address));
    return entry === undefined || entry.count < this.#limit ? 0 : Math.max(0, entry.until - now);
  }

  failed(address: string, now = Date.now()): void {
    const network = networkOf(address);
    const entry = this.#failures.get(network);
    if (entry !== undefined && entry.until > now) {
      entry.count++;
      return;
    }
    this.#failures.delete(network);
    if (this.#failures.size >= maxAddresses) this.#forgetOldest();
    this.#failures.set(network, { count: 1, until: now + this.#windowMs });
  }

  #forgetOldest(): void {
    const { value } = this.#failures.keys().next();
    if (value !== undefined) this.#failures.delete(value);
  }
}

const maxAddresses = 10_000;
