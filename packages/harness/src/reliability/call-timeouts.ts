import { BenchtopError, type EventInput } from "@benchtop/protocol";
import type { Timeouts } from "./policy.ts";

type Scope = "connect" | "first-token" | "idle";

/** Watches one provider call: aborts it when it takes too long to begin, to say something, or to go on. */
export class CallTimeouts {
  readonly signal: AbortSignal;
  readonly #abort = new AbortController();
  readonly #timeouts: Timeouts;
  readonly #run: AbortSignal;
  readonly #cancel: () => void;
  #connect: NodeJS.Timeout | undefined;
  #silence: NodeJS.Timeout | undefined;
  #isIdleTimer = false;
  #expired: { scope: Scope; limitMs: number } | undefined;

  constructor(timeouts: Timeouts, run: AbortSignal) {
    this.#timeouts = timeouts;
    this.#run = run;
    this.signal = this.#abort.signal;
    this.#cancel = () => this.#abort.abort(run.reason);
    if (run.aborted) this.#cancel();
    else run.addEventListener("abort", this.#cancel, { once: true });
    this.#connect = this.#after("connect", timeouts.connectMs);
    this.#silence = this.#after("first-token", timeouts.firstTokenMs);
  }

  /** The response began; `said` tells whether something of the answer came with it. Cheap: it is called for every network chunk. */
  heard(said: boolean): void {
    if (this.#connect) {
      clearTimeout(this.#connect);
      this.#connect = undefined;
    }
    if (this.#isIdleTimer) {
      this.#silence?.refresh();
    } else if (said) {
      clearTimeout(this.#silence);
      this.#isIdleTimer = true;
      this.#silence = this.#after("idle", this.#timeouts.idleMs);
    }
  }

  stop(): void {
    clearTimeout(this.#connect);
    clearTimeout(this.#silence);
    this.#run.removeEventListener("abort", this.#cancel);
  }

  /** The event that says what took too long; undefined when nothing did. */
  timedOut(callId: string): EventInput<"TimedOut"> | undefined {
    return this.#expired && { type: "TimedOut", callId, ...this.#expired };
  }

  #after(scope: Scope, limitMs: number): NodeJS.Timeout | undefined {
    if (limitMs <= 0) return undefined;
    return setTimeout(() => {
      if (this.signal.aborted) return;
      this.#expired = { scope, limitMs };
      this.#abort.abort(tookTooLong(scope, limitMs));
    }, limitMs);
  }
}

/** The failure of a call that was ended because it took too long. */
export function tookTooLong(scope: Scope, limitMs: number): BenchtopError {
  const what = {
    connect: "did not begin to answer",
    "first-token": "said nothing",
    idle: "stopped in the middle of its answer and said nothing more",
  }[scope];
  return new BenchtopError("PROVIDER_UNAVAILABLE", `The provider ${what} for ${limitMs / 1000} s.`, {
    subphase: "timeout",
    detail: { timeout: scope, limit_ms: limitMs },
  });
}
