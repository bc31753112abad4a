import { Refusal } from "../api/refusal.ts";
import { networkOf } from "./network.ts";

export interface RateLimit {
  /** Requests that come back each second. */
  readonly perSecond: number;
  /** Requests that may come at once. */
  readonly burst: number;
}

export interface RateLimitOptions {
  /** Of one identity: a key, or a person with their token or session. */
  readonly identity: RateLimit;
  /** Of one address that shows no identity, and as many again of wrong ones. */
  readonly address: RateLimit;
}

export const defaultRateLimits: RateLimitOptions = {
  identity: { perSecond: 500, burst: 2000 },
  address: { perSecond: 20, burst: 200 },
};

const maxCallers = 10_000;

/**
 * A token bucket for each caller, and a bounded number of them: whoever has been quiet the longest is forgotten first, so
 * that many who come once do not give a busy one its requests back.
 */
export class RateLimits {
  readonly #options: RateLimitOptions;
  /** The least recently used stands first. */
  readonly #buckets = new Map<string, { left: number; at: number }>();

  constructor(options: RateLimitOptions = defaultRateLimits) {
    this.#options = options;
  }

  /**
   * Takes one request of an identity, of an address that shows none, or a wrong proof of an address. Throws `RATE_LIMITED`
   * (429) when none is left.
   */
  take(caller: string, kind: "identity" | "address" | "wrong-proof", now = performance.now()): void {
    const { perSecond, burst } = this.#options[kind === "identity" ? "identity" : "address"];
    const key = `${kind}:${kind === "identity" ? caller : networkOf(caller)}`;
    const bucket = this.#use(key) ?? { left: burst, at: now };
    bucket.left = Math.min(burst, bucket.left + ((now - bucket.at) / 1000) * perSecond);
    bucket.at = now;
    this.#buckets.set(key, bucket);
    if (bucket.left < 1) {
      throw new Refusal(429, "RATE_LIMITED", "Too many requests. Wait a moment.", {
        detail: { retry_after_ms: Math.ceil(((1 - bucket.left) / perSecond) * 1000) },
      });
    }
    bucket.left--;
  }

  /** Takes a bucket out, to be put in again behind all others. */
  #use(key: string): { left: number; at: number } | undefined {
    const bucket = this.#buckets.get(key);
    if (bucket !== undefined) {
      this.#buckets.delete(key);
    } else if (this.#buckets.size >= maxCallers) {
      const { value } = this.#buckets.keys().next();
      if (value !== undefined) this.#buckets.delete(value);
    }
    return bucket;
  }
}
