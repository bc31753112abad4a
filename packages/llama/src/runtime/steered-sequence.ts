import type { LlamaContextSequence, SequenceEvaluateOptions, Token } from "node-llama-cpp";

/** What a generation wants of the sequence that it runs in, and what it is told. */
export interface Steering {
  readonly signal: AbortSignal;
  readonly maxOutputTokens: number;
  readonly confidence: boolean;
  /** Once, before anything is evaluated: tokens of the prompt, and how many of them the sequence still holds. */
  readonly onPrompt: (tokens: number, held: number) => void;
  /** Something was computed. */
  readonly onProgress: (tokens: number) => void;
  readonly onToken: (token: Token, confidence: number | undefined) => void;
}

/**
 * A sequence of the context that keeps its state from one generation to the next, and whose evaluation we steer: node-llama-cpp's
 * `LlamaChat` writes prompts and reads answers, and calls `sequence.evaluate` for every token. In its place:
 *
 * - a long prompt is evaluated in pieces, so that an abort takes effect and progress is seen in between;
 * - at the limit of tokens, or of the context, the model is made to end its turn. `LlamaChat` would let go of what it still holds
 *   back at its own limit, and at the end of the context it would drop the beginning of the conversation and go on;
 * - the probability of each token is kept where it is asked for.
 */
export class SteeredSequence {
  readonly sequence: LlamaContextSequence;
  /** Of the clock, when a generation was last in it. */
  usedAt = 0;
  #steering: Steering | undefined;
  #sampled = 0;
  #limited = false;
  readonly #pieces: PieceSize;

  constructor(sequence: LlamaContextSequence, pieces: PieceSize) {
    this.sequence = sequence;
    this.#pieces = pieces;
    const evaluate: LlamaContextSequence["evaluate"] = (tokens, options) => this.#evaluate(tokens, options);
    Object.defineProperty(sequence, "evaluate", { value: evaluate });
  }

  get busy(): boolean {
    return this.#steering !== undefined;
  }

  /** The generation was ended at its limit. */
  get limited(): boolean {
    return this.#limited;
  }

  async use<Result>(steering: Steering, generation: () => Promise<Result>): Promise<Result> {
    this.#steering = steering;
    this.#sampled = 0;
    this.#limited = false;
    try {
      return await generation();
    } finally {
      this.#steering = undefined;
      this.usedAt = performance.now();
    }
  }

  async *#evaluate(
    tokens: Token[],
    options?: SequenceEvaluateOptions,
  ): AsyncGenerator<Token, void, void | Token | Token[]> {
    const { sequence } = this;
    const steering = this.#steering;
    if (!steering) throw new Error("A sequence is evaluated for nobody.");
    steering.onPrompt(sequence.nextTokenIndex + tokens.length, sequence.nextTokenIndex);
    const last = await this.#evaluatePieces(tokens, steering);
    const iterator = sequence.evaluateWithMetadata(last, { confidence: steering.confidence }, options);
    try {
      let upcoming = last.length;
      let replacement: Token | Token[] | undefined;
      while (!this.#limited) {
        steering.signal.throwIfAborted();
        if (this.#sampled >= steering.maxOutputTokens || !this.#hasRoomFor(upcoming)) {
          this.#limited = true;
          const { eos, eot } = sequence.model.tokens;
          const end = eos ?? eot;
          if (end !== null) yield end;
          return;
        }
        const { value, done } = await iterator.next(replacement);
        if (done) return;
        this.#sampled += 1;
        steering.onProgress(upcoming);
        steering.onToken(value.token, confidenceOf(value));
        upcoming = 1;
        replacement = (yield value.token) ?? undefined;
      }
    } finally {
      await iterator.return();
    }
  }

  /** One cell less than the context has: at the last one `LlamaChat` would make room by itself. */
  #hasRoomFor(tokens: number): boolean {
    return this.sequence.nextTokenIndex + tokens <= usableTokens(this.sequence.contextSize);
  }

  /** All but the last piece, which is evaluated together with the first token's sampling. */
  async #evaluatePieces(tokens: Token[], { signal, onProgress }: Steering): Promise<Token[]> {
    let rest = tokens;
    while (rest.length > this.#pieces.tokens) {
      signal.throwIfAborted();
      const piece = rest.slice(0, this.#pieces.tokens);
      const started = performance.now();
      await this.sequence.evaluateWithoutGeneratingNewTokens(piece);
      this.#pieces.took(performance.now() - started);
      onProgress(piece.length);
      rest = rest.slice(piece.length);
    }
    return rest;
  }
}

/** Tokens of a context that a prompt and its answer can have; the last one of the answer needs no room. */
export function usableTokens(contextTokens: number): number {
  return contextTokens - 2;
}

function confidenceOf(output: object): number | undefined {
  return "confidence" in output && typeof output.confidence === "number" ? output.confidence : undefined;
}

/** How many tokens of a prompt are evaluated at once: as many as take about a quarter of a second, learnt while it goes on. */
export class PieceSize {
  readonly #most: number;
  tokens: number;

  constructor(most: number) {
    this.#most = most;
    this.tokens = Math.min(most, 32);
  }

  took(milliseconds: number): void {
    if (milliseconds < 150) this.tokens = Math.min(this.#most, this.tokens * 2);
    else if (milliseconds > 600) this.tokens = Math.max(8, this.tokens >> 1);
  }
}
