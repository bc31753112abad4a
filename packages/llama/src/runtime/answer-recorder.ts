import { randomBytes } from "node:crypto";
import type { FinishReason } from "@benchtop/protocol";
import type { LlamaChatResponseChunk, Token } from "node-llama-cpp";
import type { LlamaPart } from "./llama-model.ts";
import type { PartOutbox } from "./part-outbox.ts";
import { TokenConfidences } from "./token-confidences.ts";

/** Makes parts of what `LlamaChat` tells of an answer, and counts. */
export class AnswerRecorder {
  readonly #outbox: PartOutbox;
  readonly #isEnd: (token: Token) => boolean;
  readonly #confidences: TokenConfidences | undefined;
  readonly #startedAt = performance.now();
  #firstAt: number | undefined;
  #inputTokens = 0;
  #heldTokens: number | undefined;
  #outputTokens = 0;
  #reasoningTokens = 0;
  #lastCall: string | undefined;

  constructor(outbox: PartOutbox, confidence: boolean, isEnd: (token: Token) => boolean) {
    this.#outbox = outbox;
    this.#confidences = confidence ? new TokenConfidences() : undefined;
    this.#isEnd = isEnd;
  }

  get inputTokens(): number {
    return this.#inputTokens;
  }

  get saidNothing(): boolean {
    return this.#outputTokens === 0;
  }

  get called(): boolean {
    return this.#lastCall !== undefined;
  }

  /** Tokens of the prompt, and how many of them were known from before; the first time counts. */
  prompt(tokens: number, held: number): void {
    if (this.#heldTokens !== undefined) return;
    this.#inputTokens = tokens;
    this.#heldTokens = held;
  }

  token(token: Token, confidence: number | undefined): void {
    this.#firstAt ??= performance.now();
    if (!this.#isEnd(token)) this.#outputTokens += 1;
    this.#confidences?.add(token, confidence);
  }

  chunk(chunk: LlamaChatResponseChunk): void {
    if (chunk.type === "segment") this.#reasoningTokens += chunk.tokens.length;
    if (chunk.text === "") return;
    const logProbability = this.#confidences?.of(chunk.tokens);
    const type = chunk.type === "segment" ? "reasoning" : "text";
    this.#outbox.add({ type, text: chunk.text, ...(logProbability !== undefined && { logProbability }) });
  }

  /** False for the same call again: small models that do not know when to end a turn write it without end. */
  call(name: string, params: unknown): boolean {
    const call = { name, arguments: JSON.stringify(params ?? {}) };
    const written = JSON.stringify(call);
    if (written === this.#lastCall) return false;
    this.#lastCall = written;
    this.#outbox.add({ type: "tool-call", callId: `call_${randomBytes(9).toString("base64url")}`, ...call });
    return true;
  }

  finish(reason: FinishReason): void {
    const now = performance.now();
    const firstAt = this.#firstAt ?? now;
    const usage: LlamaPart = {
      type: "usage",
      usage: {
        inputTokens: this.#inputTokens,
        outputTokens: this.#outputTokens,
        cachedInputTokens: this.#heldTokens ?? 0,
        ...(this.#reasoningTokens > 0 && { reasoningTokens: this.#reasoningTokens }),
      },
      promptMs: firstAt - this.#startedAt,
      outputMs: now - firstAt,
    };
    this.#outbox.add(usage, { type: "finish", reason });
  }
}
