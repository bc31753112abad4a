import type { LlamaPart } from "./llama-model.ts";

type TextPart = Extract<LlamaPart, { readonly type: "text" | "reasoning" }>;

/**
 * Gathers parts into batches, for a message costs as much as several tokens of a small model: the first part goes at once, then
 * whatever has come within eight milliseconds goes together. Slow models send every token when it is there.
 */
export class PartOutbox {
  readonly #send: (parts: readonly LlamaPart[]) => void;
  #waiting: LlamaPart[] = [];
  #sentAt = -Infinity;
  #timer: NodeJS.Timeout | undefined;

  constructor(send: (parts: readonly LlamaPart[]) => void) {
    this.#send = send;
  }

  /** Tells that the generation begins. */
  begin(): void {
    this.#send([]);
  }

  add(...parts: readonly LlamaPart[]): void {
    for (const part of parts) this.#put(part);
    if (performance.now() - this.#sentAt >= togetherMs) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), togetherMs);
  }

  #put(part: LlamaPart): void {
    const last = this.#waiting.at(-1);
    if (last && isPlain(last) && isPlain(part) && last.type === part.type) {
      this.#waiting[this.#waiting.length - 1] = { type: part.type, text: last.text + part.text };
    } else {
      this.#waiting.push(part);
    }
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.length === 0) return;
    const parts = this.#waiting;
    this.#waiting = [];
    this.#sentAt = performance.now();
    this.#send(parts);
  }

  /** After an abort nobody waits for the rest. */
  drop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting = [];
  }
}

const togetherMs = 8;

/** A part with a probability stays by itself: the probability is that of its text. */
function isPlain(part: LlamaPart): part is TextPart {
  return (part.type === "text" || part.type === "reasoning") && part.logProbability === undefined;
}
