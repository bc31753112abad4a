import { Refusal } from "../api/refusal.ts";

export interface RateLimit {
  /** Requests that come back each second. */
  readonly perSecond: number;
  /** Requests that may come at once. */
  readonly burst: number;
}

export interface RateLimitOptions {
  /** Of one identity: a key, or a person with their token or session. */
  readonly identity: RateLimit;
  /** Of one address that shows no identity, or a wrong one. */
  readonly address: RateLimit;
}

export const defaultRateLimits: RateLimitOptions = {
  identity: { perSecond: 500, burst: 2000 },
  address: { perSecond: 20, burst: 200 },
};

const maxCallers = 10_000;

/**
 * A token bucket for each caller. Callers whose bucket is full again are forgotten, and there are never more than a
 * bounded number of them.
 */
export class RateLimits {
  readonly #options: RateLimitOptions;
  readonly #buckets = new Map<string, { left: number; at: number }>();

  constructor(options: RateLimitOptions = defaultRateLimits) {
    this.#options = options;
  }

  /** Takes one request. Throws `RATE_LIMITED` (429) when none is left. */
  take(caller: string, kind: "identity" | "address", now = performance.now()): void {
    const { perSecond, burst } = this.#options[kind];
    const key = `${kind}:${caller}`;
    const bucket = this.#buckets.get(key) ?? this.#add(key, burst, now);
    bucket.left = Math.min(burst, bucket.left + ((now - bucket.at) / 1000) * perSecond);
    bucket.at = now;
    if (bucket.left < 1) {
      throw new Refusal(429, "RATE_LIMITED", "Too many requests. Wait a moment.", {
        detail: { retry_after_ms: Math.ceil(((1 - bucket.left) / perSecond) * 1000) },
      });
    }
    bucket.left--;
  }

  #add(key: string, burst: number, now: number): { left: number; at: number } {
    if (this.#buckets.size >= maxCallers) {
      // The one that has been quiet the longest stands first: each use below moves a bucket nowhere, so age is by arrival.
      const { value } = this.#buckets.keys().next();
      if (value !== undefined) this.#buckets.delete(value);
    }
    const bucket = { left: burst, at: now };
    this.#buckets.set(key, bucket);
    return bucket;
  }
}
