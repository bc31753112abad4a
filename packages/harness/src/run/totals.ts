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
  #children: RunTotals["children"];

  constructor(queuedMs: number, startedAt: number = performance.now()) {
    this.#queuedMs = round(queuedMs);
    this.#startedAt = startedAt;
  }

  /** Steps begun so far. */
  get steps(): number {
    return this.#steps;
  }

  /** Tokens that this run and the runs it started have used. */
  get totalTokens(): number {
    return tokensOf(this.#usage) + (this.#children ? tokensOf(this.#children.usage) : 0);
  }

  /** The same in money, as far as prices are known. */
  get costMicros(): number {
    return (this.#costMicros ?? 0) + (this.#children?.costMicros ?? 0);
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  record(event: EventInput, at?: number): void {
    switch (event.type) {
      case "Resumed":
        if (event.reason === "fork") this.#forget();
        return;
      case "SubRunFinished":
        this.#children = withChild(this.#children, event.totals);
        return;
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
        if (event.costMicros !== undefined) this.#costMicros = (this.#costMicros ?? 0) + event.costMicros;
        if (event.usage && event.firstTokenMs !== undefined) {
          this.#generatingMs += event.durationMs - event.firstTokenMs;
          this.#generatedTokens += event.usage.outputTokens;
        }
        return;
      default:
    }
  }

  /** A fork begins with what its origin did, and pays for what it does itself. */
  #forget(): void {
    this.#steps = 0;
    this.#toolCalls = 0;
    this.#usage = { inputTokens: 0, outputTokens: 0 };
    this.#costMicros = undefined;
    this.#children = undefined;
    this.#firstTokenMs = undefined;
    this.#generatingMs = 0;
    this.#generatedTokens = 0;
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
      ...(this.#children && { children: this.#children }),
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

function tokensOf({ inputTokens, outputTokens }: Usage): number {
  return inputTokens + outputTokens;
}

/** A child's own children count as the child's. */
function withChild(before: RunTotals["children"], child: RunTotals): RunTotals["children"] {
  const costs = [before?.costMicros, child.costMicros, child.children?.costMicros].filter((cost) => cost !== undefined);
  const own = sum(before?.usage ?? { inputTokens: 0, outputTokens: 0 }, child.usage);
  return {
    runs: (before?.runs ?? 0) + 1 + (child.children?.runs ?? 0),
    usage: child.children ? sum(own, child.children.usage) : own,
    ...(costs.length > 0 && { costMicros: costs.reduce((sum, cost) => sum + cost, 0) }),
  };
}

function sum(left: Usage, right: Usage): Usage {
  const cached = (left.cachedInputTokens ?? 0) + (right.cachedInputTokens ?? 0);
  const written = (left.cacheWriteInputTokens ?? 0) + (right.cacheWriteInputTokens ?? 0);
  const reasoning = (left.reasoningTokens ?? 0) + (right.reasoningTokens ?? 0);
  return {
    inputTokens: left.inputTokens + right.inputTokens,
    outputTokens: left.outputTokens + right.outputTokens,
    ...(cached > 0 && { cachedInputTokens: cached }),
    ...(written > 0 && { cacheWriteInputTokens: written }),
    ...(reasoning > 0 && { reasoningTokens: reasoning }),
    ...((left.estimated === true || right.estimated === true) && { estimated: true }),
  };
}
