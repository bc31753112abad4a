import type { ProviderAdapter } from "@benchtop/harness";
import type { Usage } from "@benchtop/protocol";

/** Answers that means are taken over. */
const lastAnswers = 20;

/** How one answer went. */
export interface AnswerTimes {
  readonly outputTokens: number;
  readonly tokensPerSecond?: number;
  readonly firstTokenMs?: number;
}

/** Counts requests, tokens and times of a runtime. */
export class Tally {
  running = 0;
  requests = 0;
  failed = 0;
  inputTokens = 0;
  outputTokens = 0;
  cachedInputTokens = 0;
  readonly #last: AnswerTimes[] = [];

  get counts() {
    const { requests, failed, inputTokens, outputTokens, cachedInputTokens } = this;
    return { requests, failed, inputTokens, outputTokens, cachedInputTokens };
  }

  /** Means over the last answers; absent before there was one. */
  get means(): { readonly tokensPerSecond?: number; readonly firstTokenMs?: number } {
    const tokensPerSecond = mean(this.#last.map((answer) => answer.tokensPerSecond));
    const firstTokenMs = mean(this.#last.map((answer) => answer.firstTokenMs));
    return {
      ...(tokensPerSecond !== undefined && { tokensPerSecond }),
      ...(firstTokenMs !== undefined && { firstTokenMs }),
    };
  }

  begin(): Count {
    this.running += 1;
    this.requests += 1;
    return new Count(this);
  }

  counted({ inputTokens, outputTokens, cachedInputTokens = 0 }: Usage): void {
    this.inputTokens += inputTokens;
    this.outputTokens += outputTokens;
    this.cachedInputTokens += cachedInputTokens;
  }

  answered(times: AnswerTimes): void {
    this.#last.push(times);
    if (this.#last.length > lastAnswers) this.#last.shift();
  }

  /** The same adapter, counted. */
  counting(adapter: ProviderAdapter): ProviderAdapter {
    const { id } = adapter;
    const begin = (): Count => this.begin();
    return {
      id,
      async *stream(request, signal) {
        const count = begin();
        try {
          for await (const parts of adapter.stream(request, signal)) {
            count.hear(parts);
            yield parts;
          }
          count.finish();
        } catch (thrown) {
          if (!signal.aborted) count.fail();
          throw thrown;
        } finally {
          count.end();
        }
      },
    };
  }
}

/** One request, while it goes. */
export class Count {
  readonly #tally: Tally;
  readonly #startedAt = performance.now();
  #firstAt: number | undefined;
  #usage: Usage | undefined;
  #hasEnded = false;

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  hear(parts: readonly { readonly type: string; readonly usage?: Usage }[]): void {
    if (parts.length === 0) return;
    this.#firstAt ??= performance.now();
    for (const { usage } of parts) if (usage) this.#usage = usage;
  }

  /** The answer is whole. `outputMs` is how long its tokens took, where the runtime says so. */
  finish(outputMs?: number): AnswerTimes {
    const outputTokens = this.#usage?.outputTokens ?? 0;
    const firstAt = this.#firstAt ?? performance.now();
    const seconds = (outputMs ?? performance.now() - firstAt) / 1000;
    const times: AnswerTimes = {
      outputTokens,
      firstTokenMs: round(firstAt - this.#startedAt),
      // A single token says nothing of a rate.
      ...(outputTokens > 1 && seconds > 0 && { tokensPerSecond: round(outputTokens / seconds) }),
    };
    this.#tally.answered(times);
    return times;
  }

  fail(): void {
    this.#tally.failed += 1;
  }

  /** However it ended: whole, failed, or because nobody wanted more of it. */
  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#tally.running -= 1;
    if (this.#usage) this.#tally.counted(this.#usage);
  }
}

function mean(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : round(known.reduce((sum, value) => sum + value, 0) / known.length);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
