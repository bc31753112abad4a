import { setTimeout as wait } from "node:timers/promises";
import { BenchtopError, type RunEvent } from "@benchtop/protocol";
import { attributesOf } from "./otlp-span.ts";
import type { TraceSink, TraceState } from "./sink.ts";
import { SpanBuilder } from "./spans.ts";

export interface OtlpOptions {
  /** The collector, `http://127.0.0.1:4318`; `/v1/traces` is added to a URL without a path. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** `service.name` and what else describes where the spans come from. */
  readonly resource?: Readonly<Record<string, string>>;
  /** Longest time until a span is sent, in milliseconds; 2 seconds when absent. */
  readonly delayMs?: number;
  /** Spans that may wait; 2,048 when absent. */
  readonly maxWaitingSpans?: number;
  /** Longest time for one request; 10 seconds when absent. */
  readonly timeoutMs?: number;
  /** The first pause before a request is repeated, doubled each time up to 30 seconds; 1 second when absent. */
  readonly retryMs?: number;
  /** A batch that no answer accepted for so long is given up; an hour when absent. */
  readonly giveUpAfterMs?: number;
  /** How requests are made; the process's own `fetch` when absent. */
  readonly fetch?: typeof globalThis.fetch;
}

/**
 * Sends spans to a collector by OTLP over HTTP in JSON. Requests are repeated where the protocol says so (429, 502, 503, 504, no
 * connection), by `Retry-After` or ever later; any other refusal drops the batch. Throws `VALIDATION_FAILED` for a URL that is
 * none or holds credentials.
 */
export function otlpTraces(options: OtlpOptions): TraceSink {
  return new OtlpTraces(options, collectorUrl(options.url));
}

/** The address that spans are sent to. Throws `VALIDATION_FAILED`. */
export function collectorUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !["http:", "https:"].includes(url.protocol) || url.username !== "" || url.password !== "") {
    throw new BenchtopError(
      "VALIDATION_FAILED",
      "The collector is no URL such as http://127.0.0.1:4318, without credentials.",
      {
        phase: "settings",
        detail: { fields: ["url"] },
      },
    );
  }
  if (url.pathname === "/") url.pathname = "/v1/traces";
  return url;
}

const maxBatchSpans = 512;
const maxBatchCharacters = 2_000_000;
const maxWaitingCharacters = 16_000_000;
/** Callers that may wait for room; one that does not wait has its spans dropped beyond. */
const maxWaitingCallers = 1000;
const longestPauseMs = 30_000;
const longestAskedPauseMs = 300_000;
const closingMs = 2000;

class OtlpTraces implements TraceSink {
  readonly #options: OtlpOptions;
  readonly #url: URL;
  readonly #builder = new SpanBuilder();
  readonly #closing = new AbortController();
  /** Spans as text, so that their size is known and nothing is written twice. */
  #queue: string[] = [];
  #queuedCharacters = 0;
  #sending: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #callers: (() => void)[] = [];
  #inFlight = 0;
  #passedOn = 0;
  #dropped = 0;
  #problem: string | undefined;
  #closed = false;

  constructor(options: OtlpOptions, url: URL) {
    this.#options = options;
    this.#url = url;
  }

  get state(): TraceState {
    return {
      passedOn: this.#passedOn,
      dropped: this.#dropped,
      waiting: this.#queue.length + this.#inFlight,
      ...(this.#problem !== undefined && { problem: this.#problem }),
    };
  }

  recall(event: RunEvent): void {
    this.#builder.add(event);
  }

  async event(event: RunEvent): Promise<void> {
    for (const span of this.#builder.add(event)) {
      if (!this.#closed && this.#isFull && this.#callers.length < maxWaitingCallers) await this.#room();
      if (this.#closed || this.#isFull) {
        this.#dropped += 1;
        continue;
      }
      const text = JSON.stringify(span);
      this.#queue.push(text);
      this.#queuedCharacters += text.length;
      this.#schedule();
    }
  }

  async flush(): Promise<void> {
    while (!this.#closed && this.#queue.length + this.#inFlight > 0) await this.#send();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    const timeUp = setTimeout(() => this.#closing.abort(), closingMs);
    await this.flush();
    clearTimeout(timeUp);
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#drop(this.#queue.length);
    this.#queue = [];
    this.#wakeCallers();
  }

  get #isFull(): boolean {
    const { maxWaitingSpans = 2048 } = this.#options;
    return this.#queue.length >= maxWaitingSpans || this.#queuedCharacters > maxWaitingCharacters;
  }

  #room(): Promise<void> {
    return new Promise((resolve) => this.#callers.push(resolve));
  }

  #wakeCallers(): void {
    const callers = this.#callers;
    this.#callers = [];
    for (const wake of callers) wake();
  }

  #schedule(): void {
    if (this.#queue.length >= maxBatchSpans) void this.#send();
    this.#timer ??= setTimeout(() => void this.#send(), this.#options.delayMs ?? 2000).unref();
  }

  /** Sends what waits, one batch at a time; at most one such loop runs. */
  #send(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
    return this.#sending;
  }

  async #sendAll(): Promise<void> {
    while (this.#queue.length > 0) {
      if (this.#closing.signal.aborted) {
        this.#drop(this.#queue.length);
        this.#queue = [];
        this.#queuedCharacters = 0;
        return;
      }
      const batch = this.#take();
      this.#inFlight = batch.length;
      await this.#deliver(batch);
      this.#inFlight = 0;
      this.#wakeCallers();
    }
  }

  #take(): readonly string[] {
    let characters = 0;
    let count = 0;
    for (const text of this.#queue) {
      if (count >= maxBatchSpans || (count > 0 && characters + text.length > maxBatchCharacters)) break;
      characters += text.length;
      count += 1;
    }
    this.#queuedCharacters -= characters;
    return this.#queue.splice(0, count);
  }

  async #deliver(batch: readonly string[]): Promise<void> {
    const { retryMs = 1000, giveUpAfterMs = 3_600_000 } = this.#options;
    const body = bodyOf(batch, this.#options.resource);
    const since = performance.now();
    for (let pauseMs = retryMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      const answer = await this.#post(body);
      if (answer.kind === "accepted") {
        const rejected = Math.min(answer.rejected, batch.length);
        this.#passedOn += batch.length - rejected;
        this.#drop(rejected);
        this.#problem = rejected > 0 ? `The collector rejected ${rejected} spans.` : undefined;
        return;
      }
      this.#problem = answer.problem;
      const waitedMs = performance.now() - since;
      if (answer.kind === "refused" || waitedMs > giveUpAfterMs || this.#closing.signal.aborted) {
        this.#drop(batch.length);
        return;
      }
      // Spread, so that many daemons do not come back at the same moment.
      const askedMs = Math.min(answer.afterMs ?? 0, longestAskedPauseMs);
      await wait(Math.max(askedMs, pauseMs * (0.5 + Math.random() / 2)), undefined, {
        signal: this.#closing.signal,
        ref: false,
      }).catch(() => undefined);
    }
  }

  async #post(body: string): Promise<Answer> {
    const { headers, timeoutMs = 10_000, fetch = globalThis.fetch } = this.#options;
    const timeUp = AbortSignal.timeout(timeoutMs);
    try {
      const response = await fetch(this.#url, {
        method: "POST",
        headers: { ...headers, "content-type": "application/json" },
        body,
        redirect: "manual",
        signal: AbortSignal.any([timeUp, this.#closing.signal]),
      });
      return await answerOf(response);
    } catch (thrown) {
      if (timeUp.aborted) return { kind: "retry", problem: "The collector does not answer." };
      // What the caller's own `fetch` does not let through has a reason that a person can act on.
      const isRefused = BenchtopError.is(thrown) && thrown.code === "EGRESS_BLOCKED_BY_POLICY";
      return { kind: "retry", problem: isRefused ? thrown.message : "The collector cannot be reached." };
    }
  }

  #drop(spans: number): void {
    this.#dropped += spans;
  }
}

type Answer =
  | { readonly kind: "accepted"; readonly rejected: number }
  | { readonly kind: "retry"; readonly problem: string; readonly afterMs?: number }
  | { readonly kind: "refused"; readonly problem: string };

/** OTLP 1.x, "OTLP/HTTP response": four statuses may be tried again, and a success may name spans that it did not take. */
async function answerOf(response: Response): Promise<Answer> {
  const { status } = response;
  if (status >= 200 && status < 300) return { kind: "accepted", rejected: rejectedSpans(await readStart(response)) };
  await response.body?.cancel();
  const problem = `The collector answered ${status}.`;
  if (![429, 502, 503, 504].includes(status)) return { kind: "refused", problem };
  const afterMs = retryAfterMs(response.headers.get("retry-after"));
  return { kind: "retry", problem, ...(afterMs !== undefined && { afterMs }) };
}

const maxAnswerBytes = 65_536;

async function readStart({ body }: Response): Promise<string> {
  if (body === null) return "";
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) return "";
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function rejectedSpans(text: string): number {
  try {
    const parsed = JSON.parse(text) as { partialSuccess?: { rejectedSpans?: unknown } } | null;
    const rejected = Number(parsed?.partialSuccess?.rejectedSpans ?? 0);
    return Number.isSafeInteger(rejected) && rejected > 0 ? rejected : 0;
  } catch {
    // An empty body, or one of another kind, is a success without a remark.
    return 0;
  }
}

function retryAfterMs(text: string | null): number | undefined {
  if (text === null) return undefined;
  const seconds = Number(text);
  const milliseconds = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(milliseconds) && milliseconds > 0 ? milliseconds : undefined;
}

function bodyOf(spans: readonly string[], resource: Readonly<Record<string, string>> = {}): string {
  const attributes = JSON.stringify(attributesOf({ "service.name": "benchtop", ...resource }));
  return `{"resourceSpans":[{"resource":{"attributes":${attributes}},"scopeSpans":[{"scope":{"name":"@benchtop/harness"},"spans":[${spans.join(",")}]}]}]}`;
}
