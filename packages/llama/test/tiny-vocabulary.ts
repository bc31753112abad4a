import type { GgufField } from "../src/gguf/field.ts";

/** `gpt2`: byte-level BPE. `llama`: SentencePiece with byte tokens. */
export type TokenizerKind = "gpt2" | "llama";

export interface TinyVocabulary {
  readonly kind: TokenizerKind;
  /** By id, spelled as the tokenizer spells them. */
  readonly tokens: readonly string[];
  readonly metadata: Readonly<Record<string, GgufField>>;
  idOf(token: string): number;
}

export const turnBegins = "<|im_start|>";
export const turnEnds = "<|im_end|>";

/**
 * A vocabulary that can spell everything (each byte is a token) and has some words. `pieces` are further
 * tokens (see `spell`) for a model to say: in BPE the tokenizer never makes them of text. `marks` are words that text is always
 * split at.
 */
export function tinyVocabulary(
  kind: TokenizerKind,
  { words = commonWords, pieces = [], marks = [] }: TinyVocabularyOptions = {},
): TinyVocabulary {
  const builder = new Builder(kind === "llama");
  if (kind === "llama") {
    builder.add("<unk>", unknown);
    builder.add("<s>", control);
    builder.add("</s>", control);
    for (let value = 0; value < 256; value++) builder.add(byteToken(value), byte);
    builder.add("▁", normal);
    for (const letter of letters) builder.add(letter, normal);
  } else {
    for (let value = 0; value < 256; value++) builder.add(byteLetters[value] ?? "", normal);
  }
  const merges: string[] = [];
  for (const word of words) {
    const spelled = spell(kind, word);
    for (let length = 2; length <= spelled.length; length++) {
      const known = builder.has(spelled.slice(0, length));
      builder.add(spelled.slice(0, length), normal);
      if (!known) merges.push(`${spelled.slice(0, length - 1)} ${spelled.slice(length - 1, length)}`);
    }
  }
  for (const mark of marks) builder.add(mark, userDefined);
  for (const piece of pieces) builder.add(piece, normal);
  builder.add(turnBegins, control);
  builder.add(turnEnds, control);
  if (kind === "gpt2") builder.add("<|endoftext|>", control);
  return {
    kind,
    tokens: builder.tokens,
    idOf: (token) => builder.idOf(token),
    metadata: { ...builder.metadata(kind), ...(kind === "gpt2" && { [key("merges")]: strings(merges) }) },
  };
}

export interface TinyVocabularyOptions {
  readonly words?: readonly string[];
  readonly pieces?: readonly string[];
  readonly marks?: readonly string[];
}

/** Text as the tokenizer spells it in its tokens: in BPE one letter a byte. */
export function spell(kind: TokenizerKind, text: string): string {
  if (kind === "llama") return text.replaceAll(" ", "▁");
  return Array.from(Buffer.from(text), (value) => byteLetters[value]).join("");
}

const normal = 1;
const unknown = 2;
const control = 3;
const userDefined = 4;
const byte = 6;

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;!?'\"()[]{}<>/|_-+=*#@&%$";

const commonWords = (
  " the of and to in is it that for was on are as with be at by this have from or one had not but what all were when we " +
  "there can an your which their said if do will each about how up out them then she many some so these would other into " +
  "has more her two like him see time could no make than first been its who now people my made over did down only way " +
  "Hello world system user assistant"
)
  .split(" ")
  .flatMap((word) => (word === "" ? [] : [word, ` ${word}`]));

/**
 * GPT-2 spells each byte as one visible letter: those that are visible in Latin-1 as themselves, the others in order from
 * U+0100 on.
 */
const byteLetters: readonly string[] = Array.from({ length: 256 }, (_, value) => {
  if (isVisible(value)) return String.fromCharCode(value);
  const before = Array.from({ length: value }, (__, each) => each).filter((each) => !isVisible(each)).length;
  return String.fromCharCode(0x100 + before);
});

function isVisible(letter: number): boolean {
  return (letter > 0x20 && letter < 0x7f) || (letter > 0xa0 && letter !== 0xad);
}

function byteToken(value: number): string {
  return `<0x${value.toString(16).toUpperCase().padStart(2, "0")}>`;
}

class Builder {
  readonly tokens: string[] = [];
  readonly #types: number[] = [];
  readonly #ids = new Map<string, number>();
  readonly #scored: boolean;

  constructor(scored: boolean) {
    this.#scored = scored;
  }

  /** llama.cpp stops at a vocabulary that has a token twice, so nothing is added twice. */
  add(token: string, type: number): void {
    if (this.#ids.has(token)) return;
    this.#ids.set(token, this.tokens.length);
    this.tokens.push(token);
    this.#types.push(type);
  }

  has(token: string): boolean {
    return this.#ids.has(token);
  }

  idOf(token: string): number {
    const id = this.#ids.get(token);
    if (id === undefined) throw new Error(`The vocabulary has no token ${token}.`);
    return id;
  }

  metadata(kind: TokenizerKind): Record<string, GgufField> {
    const id = (token: string): GgufField => ({ type: "u32", value: this.idOf(token) });
    return {
      [key("model")]: { type: "string", value: kind },
      [key("pre")]: { type: "string", value: kind === "gpt2" ? "gpt-2" : "default" },
      [key("tokens")]: strings(this.tokens),
      // SentencePiece joins what scores highest first; earlier tokens score higher.
      ...(this.#scored && { [key("scores")]: { type: "f32[]", value: this.tokens.map((_, at) => -at) } as const }),
      [key("token_type")]: { type: "i32[]", value: this.#types },
      [key("bos_token_id")]: id(kind === "llama" ? "<s>" : "<|endoftext|>"),
      [key("eos_token_id")]: id(turnEnds),
      [key("eot_token_id")]: id(turnEnds),
      ...(kind === "llama" && { [key("unknown_token_id")]: id("<unk>") }),
      [key("add_bos_token")]: { type: "bool", value: kind === "llama" },
    };
  }
}

function key(name: string): string {
  return `tokenizer.ggml.${name}`;
}

function strings(value: readonly string[]): GgufField {
  return { type: "string[]", value };
}
