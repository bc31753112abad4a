import type { EventInput, RunTotals, Usage } from "@benchtop/protocol";

/**
 * Counts what a run uses, read from its events. All times are milliseconds since the run began; for events that come from
 * a journal, `at` says when they were written, on the clock of `startedAt`.
 */
export class TotalsRecorder {
  readonly #startedAt: number;
  readonly #queuedMs: number;
  #steps = 0;
  #toolCalls = 0;
  #usage: Usage = { inputTokens: 0, outputTokens: 0 };
  #costMicros: number | undefined;
  #firstTokenMs: number | undefined;
  #generatingMs = 0;
  #generatedTokens = 0;

  constructor(queuedMs: number, startedAt: number = performance.now()) {
    this.#queuedMs = round(queuedMs);
    this.#startedAt = startedAt;
  }

  get totalTokens(): number {
    return this.#usage.inputTokens + this.#usage.outputTokens;
  }

  get costMicros(): number {
    return this.#costMicros ?? 0;
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  record(event: EventInput, at?: number): void {
    switch (event.type) {
      case "OutputDelta":
        this.#firstTokenMs ??= (at ?? performance.now()) - this.#startedAt;
        return;
      case "StepStarted":
        this.#steps += 1;
        return;
      case "ToolCallRequested":
        this.#toolCalls += 1;
        return;
      case "ProviderCallFinished":
        if (event.usage) this.#usage = sum(this.#usage, event.usage);
        if (event.costMicros !== undefined) this.#costMicros = this.costMicros + event.costMicros;
        if (event.usage && event.firstTokenMs !== undefined) {
          this.#generatingMs += event.durationMs - event.firstTokenMs;
          this.#generatedTokens += event.usage.outputTokens;
        }
        return;
      default:
    }
  }

  /** `tokensPerSecond` counts output tokens over the time from the first token to the end of each call; absent below a millisecond. */
  snapshot(now: number = performance.now()): RunTotals {
    const speed = this.#generatingMs >= 1 && {
      tokensPerSecond: round((this.#generatedTokens * 1000) / this.#generatingMs),
    };
    return {
      steps: this.#steps,
      toolCalls: this.#toolCalls,
      usage: this.#usage,
      ...(this.#costMicros !== undefined && { costMicros: this.#costMicros }),
      queuedMs: this.#queuedMs,
      ...(this.#firstTokenMs !== undefined && { firstTokenMs: round(this.#firstTokenMs) }),
      durationMs: round(now - this.#startedAt),
      ...speed,
    };
  }
}

/** Milliseconds with microseconds' precision: finer is noise in every journal. */
export function round(milliseconds: number): number {
  return Math.max(0, Math.round(milliseconds * 1000) / 1000);
}

function sum(left: Usage, right: Usage): Usage {
  const cached = (left.cachedInputTokens ?? 0) + (right.cachedInputTokens ?? 0);
  const reasoning = (left.reasoningTokens ?? 0) + (right.reasoningTokens ?? 0);
  return {
    inputTokens: left.inputTokens + right.inputTokens,
    outputTokens: left.outputTokens + right.outputTokens,
    ...(cached > 0 && { cachedInputTokens: cached }),
    ...(reasoning > 0 && { reasoningTokens: reasoning }),
    ...((left.estimated === true || right.estimated === true) && { estimated: true }),
  };
}
