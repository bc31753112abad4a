import type { BenchtopError } from "@benchtop/protocol";

export interface CircuitBreakerOptions {
  /** Failures in a row after which a provider is no longer asked. */
  readonly failures: number;
  /** How long it is left alone before one call may try again, in milliseconds. */
  readonly cooldownMs: number;
  readonly now?: () => number;
}

const defaults = { failures: 5, cooldownMs: 30_000 };

/**
 * Leaves a provider alone that keeps failing, for all runs that share this object. Open after so many failures in a row;
 * after the cool-down a single call may try (half open), and its success closes it. Only failures of the provider or the way
 * to it count: a refused request or an exhausted budget says nothing about its health.
 */
export class CircuitBreaker {
  readonly #options: Required<CircuitBreakerOptions>;
  readonly #circuits = new Map<string, { failures: number; openUntil: number; trying: boolean }>();

  constructor(options: Partial<CircuitBreakerOptions> = {}) {
    this.#options = { ...defaults, now: () => performance.now(), ...options };
  }

  /** How long the provider is still left alone, in milliseconds; undefined when it may be asked now. */
  waitMs(providerId: string): number | undefined {
    const circuit = this.#circuits.get(providerId);
    if (!circuit || circuit.failures < this.#options.failures) return undefined;
    const left = circuit.openUntil - this.#options.now();
    if (left > 0) return Math.ceil(left);
    return circuit.trying ? this.#options.cooldownMs : undefined;
  }

  /** Says that a call begins; of a provider that is half open it is the one that tries. */
  began(providerId: string): void {
    const circuit = this.#circuits.get(providerId);
    if (circuit && circuit.failures >= this.#options.failures) circuit.trying = true;
  }

  succeeded(providerId: string): void {
    this.#circuits.delete(providerId);
  }

  failed(providerId: string, error: BenchtopError): void {
    if (!countsAgainst(error)) return this.#ended(providerId);
    const failures = (this.#circuits.get(providerId)?.failures ?? 0) + 1;
    const openUntil = this.#options.now() + this.#options.cooldownMs;
    this.#circuits.set(providerId, { failures, openUntil, trying: false });
  }

  #ended(providerId: string): void {
    const circuit = this.#circuits.get(providerId);
    if (circuit) circuit.trying = false;
  }
}

function countsAgainst({ code, info }: BenchtopError): boolean {
  return info.retryable && (code === "PROVIDER_UNAVAILABLE" || code === "NETWORK_UNAVAILABLE");
}
