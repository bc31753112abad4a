import { setTimeout as wait } from "node:timers/promises";
import { BenchtopError } from "@benchtop/protocol";

interface Failures {
  /** Loads in a row that failed. */
  loads: number;
  /** Processes in a row that ended by themselves before an answer of theirs was whole. */
  crashes: number;
  /** As `performance.now()` counts. */
  notBefore: number;
}

/** Loads that fail in a row, after which the same load is not tried again. */
const mostLoads = 3;
const longestDelayMs = 30_000;
/** More loads that fail at the same time than anyone has models. */
const mostKept = 1000;

/**
 * Remembers which loads fail, by their key: a changed file or other options are another load. Each failure makes the next try
 * wait longer; after three loads in a row that failed there is none.
 */
export class CrashGuard {
  readonly #providerId: string;
  readonly #firstDelayMs: number;
  readonly #failures = new Map<string, Failures>();

  constructor(providerId: string, firstDelayMs = 500) {
    this.#providerId = providerId;
    this.#firstDelayMs = firstDelayMs;
  }

  /**
   * Waits until a load may be tried. Throws `PROVIDER_UNAVAILABLE`, not retryable, for one that failed too often, and the
   * signal's reason.
   */
  async pass(key: string, modelId: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const failures = this.#failures.get(key);
    if (!failures) return;
    if (failures.loads >= mostLoads) throw this.#hopeless(modelId);
    const delayMs = failures.notBefore - performance.now();
    if (delayMs <= 0) return;
    await wait(delayMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }

  isHopeless(key: string): boolean {
    return (this.#failures.get(key)?.loads ?? 0) >= mostLoads;
  }

  /** A load failed. What will not pass by itself says so; only what might pass is counted. */
  loadFailed(key: string, error: BenchtopError): void {
    if (error.info.retryable) this.#failed(key, "loads");
  }

  loaded(key: string): void {
    const failures = this.#failures.get(key);
    if (failures) failures.loads = 0;
  }

  crashed(key: string): void {
    this.#failed(key, "crashes");
  }

  answered(key: string): void {
    this.#failures.delete(key);
  }

  #failed(key: string, what: "loads" | "crashes"): void {
    const { loads, crashes } = this.#failures.get(key) ?? { loads: 0, crashes: 0 };
    const failures = { loads, crashes, notBefore: 0 };
    failures[what] += 1;
    const delayMs = Math.min(
      longestDelayMs,
      this.#firstDelayMs * 2 ** (Math.max(failures.loads, failures.crashes) - 1),
    );
    failures.notBefore = performance.now() + delayMs;
    this.#failures.delete(key);
    this.#failures.set(key, failures);
    for (const [oldest] of this.#failures) {
      if (this.#failures.size <= mostKept) break;
      this.#failures.delete(oldest);
    }
  }

  #hopeless(modelId: string): BenchtopError {
    return new BenchtopError(
      "PROVIDER_UNAVAILABLE",
      `Loading ${modelId} failed ${mostLoads} times in a row, so it is not tried again as it is. ` +
        `Verify its files with: benchtop models verify ${modelId}, or load it with a shorter context.`,
      { providerId: this.#providerId, modelId, retryable: false, actions: ["switch_model", "open_settings"] },
    );
  }
}
