import type { GgufContent } from "../src/gguf/write.ts";
import { tinyLlama, uniform, type TinyModelOptions, type TinySize } from "./tiny-model.ts";
import { spell, tinyVocabulary, turnEnds, type TinyVocabulary, type TokenizerKind } from "./tiny-vocabulary.ts";

export interface ScriptedModelOptions extends Pick<
  TinyModelOptions,
  "tokenizer" | "name" | "contextTokens" | "tools" | "embeds" | "weights" | "metadata"
> {
  /** What it answers, whatever it is asked. */
  readonly script: string;
  /** What it answers where a word stands in the conversation; of several words the last one decides. */
  readonly answers?: readonly { readonly after: string; readonly script: string }[];
  /** Says the script again and again instead of ending. */
  readonly endless?: boolean;
  /** With `bytes` letters may be divided between tokens, as real tokenizers do with rare ones (`gpt2` only). `words` unless told. */
  readonly pieces?: "words" | "bytes";
}

/**
 * A model that answers with a script, letter by letter the same at every temperature that people use, through the real
 * llama.cpp: its weights are made, not trained.
 *
 * Every piece of a script is a token of its own, with a direction of its own in the embedding; the row of a piece in the
 * output matrix points where its predecessor points. Every other token points to the beginning. The one attention head that
 * is not zero looks for the last of the `after` words and adds the direction of its script. A prompt may not end within a
 * script; contexts of up to 4096 tokens keep `after` words 8 tokens apart in order.
 */
export function tinyScriptedModel(options: ScriptedModelOptions): GgufContent {
  const kind = options.tokenizer ?? "gpt2";
  const answers = options.answers ?? [];
  const marks = answers.map((answer) => answer.after);
  const base = tinyVocabulary(kind, { marks });
  const used = new Set(base.tokens);
  const scripts = [options.script, ...answers.map((answer) => answer.script)].map((script) =>
    piecesOf(script, kind, options.pieces ?? "words", used),
  );
  const vocabulary = tinyVocabulary(kind, { marks, pieces: scripts.flat() });
  const contextTokens = options.contextTokens ?? 2048;
  const size: TinySize = { ...shape, contextTokens };
  const weights = scriptWeights(vocabulary, scripts, marks, options.endless ?? false);
  checkAnswers(weights, scripts.length);
  const metadata = {
    // The frequency of the pair of dimensions that measures distance: half a turn is a little more than the context.
    "llama.rope.freq_base": { type: "f32", value: (contextTokens / 2.4) ** (headWidth / 2 / distancePair) } as const,
    ...options.metadata,
  };
  const named = { name: "Tiny script", ...options, metadata };
  return tinyLlama(
    named,
    vocabulary,
    (name, [row = 1, rows = 1]) => weights.get(name) ?? fixed(name, row * rows),
    size,
  );
}

/**
 * Divides a script into pieces of which none is another or a known token: each is the shortest one that is new. What is left at
 * the end is put to the piece before it.
 */
function piecesOf(script: string, kind: TokenizerKind, by: "words" | "bytes", used: Set<string>): string[] {
  const units =
    by === "bytes" ? Array.from(spell(kind, script)) : (script.match(words) ?? []).map((unit) => spell(kind, unit));
  const pieces: string[] = [];
  let piece = "";
  for (const unit of units) {
    piece += unit;
    // SentencePiece makes tokens of any text that is one: the prompt's last line break has to stay a token of its own.
    if (used.has(piece) || (kind === "llama" && piece.endsWith("\n"))) continue;
    used.add(piece);
    pieces.push(piece);
    piece = "";
  }
  while (piece !== "" && pieces.length > 0 && used.has(piece)) {
    const last = pieces.pop() ?? "";
    used.delete(last);
    piece = last + piece;
  }
  if (piece !== "") pieces.push(piece);
  used.add(piece);
  if (pieces.length === 0) throw new Error("A script has to say something.");
  return pieces;
}

const words = / ?[\p{Letter}\p{Number}]+|\s|[^\s]/gu;

/** The width: directions of tokens, one that all tokens have, one of all `after` words, then one for each of these. */
const directions = 128;
const everyToken = directions;
const anyMark = directions + 1;
const firstMark = directions + 2;
const shape = { embeddingLength: 192, layers: 1, heads: 3, keyValueHeads: 3, feedForwardLength: 32 };
const width = shape.embeddingLength;
const headWidth = width / shape.heads;
/** How far the parts of an embedding that are no directions stand out. */
const strength = 4;
/** How far the sum with the direction of a script stands out. */
const markStrength = 8;
/** Sureness of the answer in nats. */
const sureness = 200;
/** Dimensions of the head: this pair of them turns with the distance, the last one hardly at all. */
const distancePair = 8;
const stillPair = headWidth / 2 - 1;

type Weights = ReadonlyMap<string, Float32Array>;

function scriptWeights(
  vocabulary: TinyVocabulary,
  scripts: readonly (readonly string[])[],
  marks: readonly string[],
  endless: boolean,
): Weights {
  if (firstMark + scripts.length > width) throw new Error("There are more answers than this model has room for.");
  const embedding = new Float32Array(vocabulary.tokens.length * width);
  const output = new Float32Array(vocabulary.tokens.length * width);
  const random = uniform(7);
  const direction = (): Float32Array => Float32Array.from({ length: directions }, () => (random() < 0 ? -1 : 1));
  const start = direction();
  for (let token = 0; token < vocabulary.tokens.length; token++) {
    embedding.set(start, token * width);
    embedding[token * width + everyToken] = strength;
  }
  const follow = (token: number, along: Float32Array, share: number): void => {
    for (const [at, value] of along.entries()) {
      const place = token * width + at;
      output[place] = (output[place] ?? 0) + (share * sureness * value) / directions;
    }
  };
  for (const [index, script] of scripts.entries()) {
    const ids = script.map((piece) => vocabulary.idOf(piece));
    const first = ids[0] ?? 0;
    follow(first, start, index === 0 ? 0.6 : 0.5);
    output[first * width + firstMark + index] = (0.4 * sureness) / markStrength;
    for (const [at, id] of ids.entries()) {
      const own = direction();
      embedding.set(own, id * width);
      follow(ids[at + 1] ?? (endless ? first : vocabulary.idOf(turnEnds)), own, 1);
    }
  }
  for (const [index, mark] of marks.entries()) {
    const at = vocabulary.idOf(mark) * width;
    embedding[at + anyMark] = strength;
    embedding[at + firstMark + 1 + index] = strength;
  }
  return new Map([["token_embd.weight", embedding], ["output.weight", output], ...attention(scripts.length)]);
}

/**
 * The head's score of a word is `still + turning · cos(angle)`, where the angle grows with the distance and stays below half a
 * turn; of any other token it is 0. Both are large against the rounding of a 16-bit cache.
 */
function attention(scripts: number): [string, Float32Array][] {
  const turning = 4000;
  const still = turning + 200;
  const angleAtOnce = 0.3;
  const key = 8;
  const plainSize = Math.sqrt((directions + strength ** 2) / width);
  const markSize = Math.sqrt((directions + 3 * strength ** 2) / width);
  const queries = new Float32Array(width * width);
  const keys = new Float32Array(width * width);
  const values = new Float32Array(width * width);
  const out = new Float32Array(width * width);
  const ask = (dimension: number, amount: number): void => {
    // The score is divided by the root of the head's width.
    const scale = Math.sqrt(headWidth) / key / (strength / plainSize);
    queries[dimension * width + everyToken] = amount * scale;
  };
  ask(2 * stillPair, still);
  ask(2 * distancePair, turning * Math.cos(angleAtOnce));
  ask(2 * distancePair + 1, turning * Math.sin(angleAtOnce));
  for (const pair of [stillPair, distancePair]) keys[2 * pair * width + anyMark] = key / (strength / markSize);
  for (let index = 0; index < scripts; index++) {
    values[index * width + firstMark + index] = 1 / (strength / markSize);
    out[(firstMark + index) * width + index] = markStrength;
  }
  return [
    ["blk.0.attn_q.weight", queries],
    ["blk.0.attn_k.weight", keys],
    ["blk.0.attn_v.weight", values],
    ["blk.0.attn_output.weight", out],
  ];
}

/** What is no part of the script: norms are 1, the rest says nothing. */
function fixed(name: string, length: number): Float32Array {
  return new Float32Array(length).fill(name.endsWith("_norm.weight") ? 1 : 0);
}

/** Random directions are only nearly apart: makes sure that the next piece is surer than all others (in long scripts by samples). */
function checkAnswers(weights: Weights, scripts: number): void {
  const embedding = weights.get("token_embd.weight") ?? new Float32Array();
  const output = weights.get("output.weight") ?? new Float32Array();
  const tokens = embedding.length / width;
  const step = Math.ceil(tokens / 1000);
  for (let token = 0; token < tokens; token += step) {
    const state = embedding.slice(token * width, (token + 1) * width);
    if (token > 0 && state.every((value, at) => value === embedding[at])) continue;
    for (let script = 0; script < scripts; script++) {
      const marked = state.slice();
      if (script > 0) marked[firstMark + script] = (marked[firstMark + script] ?? 0) + markStrength;
      const size = Math.sqrt(marked.reduce((sum, value) => sum + value * value, 0) / width);
      let best = 0;
      let second = 0;
      for (let next = 0; next < tokens; next++) {
        let score = 0;
        for (let at = 0; at < width; at++) score += (marked[at] ?? 0) * (output[next * width + at] ?? 0);
        if (score > best) [best, second] = [score, best];
        else if (score > second) second = score;
      }
      if ((best - second) / size < 15) throw new Error("This script is too long for a model of this size.");
    }
  }
}
