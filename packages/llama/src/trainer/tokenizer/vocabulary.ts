import { byteCharacters, toByteText } from "./byte-text.ts";
import { wordsOf } from "./words.ts";

/** Tokens that no text can spell: they mark where messages begin and end. */
export const specialTokens = { endOfText: "<|endoftext|>", start: "<|im_start|>", end: "<|im_end|>" } as const;

/** A byte-level BPE vocabulary as GGUF files hold it. Ids count through `tokens`. */
export interface Vocabulary {
  readonly tokens: readonly string[];
  /** How many at the start are special, and at the end unused (only there to make the number even). */
  readonly specials: number;
  readonly unused: number;
  /** Pairs that become one, the first ones first: `left right`. */
  readonly merges: readonly string[];
}

export interface VocabularyOptions {
  /** Tokens in all. With little text there may be fewer. At least 259: the bytes and the special ones. */
  readonly size: number;
}

/** Products over the vocabulary are fastest where its size is a multiple of this. */
const evenSize = 32;
/** A pair that occurs once teaches nothing. */
const leastOccurrences = 2;

/**
 * Learns a vocabulary from texts: beginning with bytes, the pair of neighbours that occurs most becomes a token of its own, until
 * there are enough. Equal counts are decided by the order of ids, so the same texts give the same vocabulary.
 */
export function trainVocabulary(texts: Iterable<string>, { size }: VocabularyOptions): Vocabulary {
  const specials = Object.values(specialTokens);
  const tokens = [...specials, ...byteCharacters];
  const words = countWords(texts, new Map(tokens.map((token, id) => [token, id])));
  const pairs = new PairCounts(words);
  const merges: string[] = [];
  while (tokens.length < size) {
    const pair = pairs.most();
    if (!pair || pair.count < leastOccurrences) break;
    const [left, right] = [tokens[pair.left] ?? "", tokens[pair.right] ?? ""];
    merges.push(`${left} ${right}`);
    // Two ways may lead to one text; the second way needs no second token.
    const known = tokens.indexOf(left + right);
    const id = known < 0 ? tokens.length : known;
    if (known < 0) tokens.push(left + right);
    pairs.merge(pair, id);
  }
  const unused =
    Math.min(Math.ceil(tokens.length / evenSize) * evenSize, Math.max(size, tokens.length)) - tokens.length;
  for (let at = 0; at < unused; at += 1) tokens.push(`<|unused_${at}|>`);
  return { tokens, specials: specials.length, unused, merges };
}

/** Encodes text with a vocabulary, to the same tokens as llama.cpp. Special tokens are not recognised in it: text is only text. */
export function newEncoder(vocabulary: Vocabulary): (text: string) => number[] {
  const ids = new Map(vocabulary.tokens.map((token, id) => [token, id]));
  const ranks = new Map(vocabulary.merges.map((merge, rank) => [merge, rank]));
  const known = new Map<string, readonly number[]>();
  return (text) =>
    wordsOf(text).flatMap((word) => {
      let encoded = known.get(word);
      if (!encoded) {
        encoded = encodeWord(toByteText(word), ids, ranks);
        known.set(word, encoded);
      }
      return encoded;
    });
}

interface Word {
  ids: number[];
  readonly count: number;
}

function countWords(texts: Iterable<string>, ids: ReadonlyMap<string, number>): Word[] {
  const counts = new Map<string, number>();
  for (const text of texts) for (const word of wordsOf(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return Array.from(counts, ([word, count]) => ({
    ids: Array.from(toByteText(word), (character) => ids.get(character) ?? 0),
    count,
  }));
}

interface Pair {
  readonly left: number;
  readonly right: number;
  count: number;
  readonly words: Set<Word>;
}

/** How often each pair of neighbours occurs, kept up to date while pairs are merged. */
class PairCounts {
  readonly #pairs = new Map<number, Pair>();

  constructor(words: readonly Word[]) {
    for (const word of words) this.#count(word, word.count);
  }

  most(): Pair | undefined {
    let best: Pair | undefined;
    for (const pair of this.#pairs.values()) if (!best || comesBefore(pair, best)) best = pair;
    return best;
  }

  merge({ left, right, words }: Pair, id: number): void {
    for (const word of words) {
      this.#count(word, -word.count);
      const merged: number[] = [];
      for (let at = 0; at < word.ids.length; at += 1) {
        const both = word.ids[at] === left && word.ids[at + 1] === right;
        merged.push(both ? id : (word.ids[at] ?? 0));
        if (both) at += 1;
      }
      word.ids = merged;
      this.#count(word, word.count);
    }
    this.#pairs.delete(keyOf(left, right));
  }

  #count(word: Word, change: number): void {
    for (let at = 1; at < word.ids.length; at += 1) {
      const [left = 0, right = 0] = [word.ids[at - 1], word.ids[at]];
      const key = keyOf(left, right);
      let pair = this.#pairs.get(key);
      if (!pair) this.#pairs.set(key, (pair = { left, right, count: 0, words: new Set() }));
      pair.count += change;
      if (change > 0) pair.words.add(word);
      if (pair.count === 0) this.#pairs.delete(key);
    }
  }
}

function keyOf(left: number, right: number): number {
  return left * 2 ** 24 + right;
}

function comesBefore(a: Pair, b: Pair): boolean {
  if (a.count !== b.count) return a.count > b.count;
  return a.left !== b.left ? a.left < b.left : a.right < b.right;
}

interface Bigram {
  readonly left: number;
  readonly right: number;
  readonly text: string;
  readonly rank: number;
}

/**
 * As llama.cpp does it, down to a detail: a pair that was queued counts as long as its two sides together spell the same, even
 * when the border between them moved.
 */
function encodeWord(text: string, ids: ReadonlyMap<string, number>, ranks: ReadonlyMap<string, number>): number[] {
  const symbols = Array.from(text, (character, at) => ({ text: character, previous: at - 1, next: at + 1 }));
  const last = symbols.at(-1);
  if (last) last.next = -1;
  const queue: Bigram[] = [];
  const consider = (left: number, right: number): void => {
    const [a, b] = [symbols[left], symbols[right]];
    if (!a || !b) return;
    const rank = ranks.get(`${a.text} ${b.text}`);
    if (rank !== undefined) queue.push({ left, right, text: a.text + b.text, rank });
  };
  for (let at = 1; at < symbols.length; at += 1) consider(at - 1, at);
  for (let bigram = takeFirst(queue); bigram; bigram = takeFirst(queue)) {
    const [left, right] = [symbols[bigram.left], symbols[bigram.right]];
    if (!left || !right || left.text === "" || right.text === "" || left.text + right.text !== bigram.text) continue;
    left.text += right.text;
    right.text = "";
    left.next = right.next;
    const after = symbols[right.next];
    if (after) after.previous = bigram.left;
    consider(left.previous, bigram.left);
    consider(bigram.left, left.next);
  }
  return symbols.flatMap((symbol) => {
    if (symbol.text === "") return [];
    const id = ids.get(symbol.text);
    return id === undefined ? Array.from(symbol.text, (character) => ids.get(character) ?? 0) : [id];
  });
}

function takeFirst(queue: Bigram[]): Bigram | undefined {
  let best = 0;
  for (let at = 1; at < queue.length; at += 1) {
    const [a, b] = [queue[at], queue[best]];
    if (a && b && (a.rank < b.rank || (a.rank === b.rank && a.left < b.left))) best = at;
  }
  return queue.splice(best, 1)[0];
}
