import type { BenchtopError } from "@benchtop/protocol";

/** When a provider call is made again, and how long anything may take. Milliseconds; 0 of a timeout means without limit. */
export interface ReliabilityPolicy {
  readonly retry: RetryPolicy;
  readonly timeouts: Timeouts;
}

export interface RetryPolicy {
  /** Calls to one candidate before the next one is asked, the first among them. */
  readonly maxAttempts: number;
  /** The first wait is up to this long; each further one up to twice the one before. */
  readonly initialDelayMs: number;
  readonly maxDelayMs: number;
  /** A provider that asks for a longer wait than this is not waited for: the next candidate is asked, or the run ends. */
  readonly maxRetryAfterMs: number;
}

export interface Timeouts {
  /** From sending the request until the response begins. */
  readonly connectMs: number;
  /** From sending the request until the first part of the answer. */
  readonly firstTokenMs: number;
  /** Between two parts of the answer. */
  readonly idleMs: number;
  /** One tool call, unless its tool says otherwise. */
  readonly toolMs: number;
}

/** Parts of a policy; what is absent is the default. */
export interface ReliabilityOptions {
  readonly retry?: Partial<RetryPolicy>;
  readonly timeouts?: Partial<Timeouts>;
}

export const defaultReliability: ReliabilityPolicy = {
  retry: { maxAttempts: 4, initialDelayMs: 500, maxDelayMs: 20_000, maxRetryAfterMs: 60_000 },
  // A local model may load for minutes before its response begins, and think for minutes before it says anything.
  timeouts: { connectMs: 300_000, firstTokenMs: 600_000, idleMs: 120_000, toolMs: 600_000 },
};

export function reliabilityOf(options: ReliabilityOptions = {}): ReliabilityPolicy {
  return {
    retry: { ...defaultReliability.retry, ...options.retry },
    timeouts: { ...defaultReliability.timeouts, ...options.timeouts },
  };
}

/**
 * How long to wait before attempt `attempt + 1`, or undefined when there is none: full jitter over a ceiling that doubles
 * (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/), never less than the provider asked for.
 */
export function retryDelayMs(
  policy: RetryPolicy,
  attempt: number,
  error: BenchtopError,
  random: () => number = Math.random,
): number | undefined {
  if (!error.info.retryable || attempt >= policy.maxAttempts) return undefined;
  const asked = error.info.detail?.["retry_after_ms"];
  const retryAfterMs = typeof asked === "number" ? asked : 0;
  if (retryAfterMs > policy.maxRetryAfterMs) return undefined;
  const ceiling = Math.min(policy.maxDelayMs, policy.initialDelayMs * 2 ** (attempt - 1));
  return Math.round(retryAfterMs + random() * ceiling);
}
