import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { Example } from "./examples.ts";
import { refusal } from "./refusal.ts";

/** The tokens of one example, and which of them count: those that the model has to find by itself. */
export interface Sequence {
  readonly tokens: Int32Array;
  /** 1 where the token is to be learnt. Never at the first, which nothing comes before. */
  readonly counts: Uint8Array;
}

export interface SequenceOptions {
  /** The longest one. */
  readonly contextTokens: number;
  /** What becomes of a longer one: refused, or its end is cut off. Text is cut into pieces in any case. */
  readonly tooLong: "refuse" | "cut";
  /** Learn prompts too, and not only the answers. */
  readonly learnsPrompts: boolean;
}

/** Throws `VALIDATION_FAILED`, naming the line, for an example that is too long or of which nothing is left to learn. */
export function sequencesOf(examples: readonly Example[], tokenizer: Tokenizer, options: SequenceOptions): Sequence[] {
  return examples.flatMap((example) => {
    const parts = partsOf(example, tokenizer);
    const sequence = join(parts, options.learnsPrompts || example.kind === "text");
    if (example.kind === "text") return pieces(sequence, options.contextTokens);
    return [fitted(sequence, example.line, options)];
  });
}

/** How many tokens the longest example has, to choose a context by. */
export function longest(examples: readonly Example[], tokenizer: Tokenizer): number {
  return examples.reduce((most, example) => {
    const length = partsOf(example, tokenizer).reduce((sum, { tokens }) => sum + tokens.length, 0);
    return Math.max(most, length);
  }, 0);
}

interface Part {
  readonly tokens: readonly number[];
  readonly counts: boolean;
}

function partsOf(example: Example, tokenizer: Tokenizer): readonly Part[] {
  const ended = (text: string): Part => ({ tokens: [...tokenizer.encode(text), tokenizer.endOfText], counts: true });
  if (example.kind === "chat") {
    const parts = tokenizer.chat(example.messages);
    return example.unfinished === true ? withoutEnd(parts) : parts;
  }
  if (example.kind === "text") return [ended(example.text)];
  return [{ tokens: tokenizer.encode(example.prompt), counts: false }, ended(example.completion)];
}

/** Without the token that ends the last message. */
function withoutEnd(parts: readonly Part[]): readonly Part[] {
  return parts.map((part, at) => (at === parts.length - 1 ? { ...part, tokens: part.tokens.slice(0, -1) } : part));
}

function join(parts: readonly Part[], all: boolean): Sequence {
  const tokens = Int32Array.from(parts.flatMap((part) => part.tokens));
  const counts = Uint8Array.from(parts.flatMap((part) => part.tokens.map(() => (part.counts || all ? 1 : 0))));
  counts[0] = 0;
  return { tokens, counts };
}

function fitted({ tokens, counts }: Sequence, line: number, { contextTokens, tooLong }: SequenceOptions): Sequence {
  if (tokens.length > contextTokens && tooLong === "refuse") {
    throw refusal(
      `Line ${line} of the training data has ${tokens.length} tokens, and ${contextTokens} fit. Shorten it, train with more context tokens, or have long examples cut.`,
      { line, tokens: tokens.length, contextTokens },
    );
  }
  const kept = { tokens: tokens.subarray(0, contextTokens), counts: counts.subarray(0, contextTokens) };
  if (!kept.counts.includes(1)) {
    throw refusal(
      tokens.length > contextTokens
        ? `Line ${line} of the training data is cut before its answer begins. Shorten it or train with more context tokens.`
        : `Line ${line} of the training data holds nothing to learn.`,
      { line },
    );
  }
  return kept;
}

function pieces({ tokens, counts }: Sequence, contextTokens: number): Sequence[] {
  const result: Sequence[] = [];
  for (let at = 0; at < tokens.length; at += contextTokens) {
    const piece = { tokens: tokens.subarray(at, at + contextTokens), counts: counts.slice(at, at + contextTokens) };
    piece.counts[0] = 0;
    if (piece.counts.includes(1)) result.push(piece);
  }
  return result;
}
