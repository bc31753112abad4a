import type { Words } from "./words.ts";

/** A linear model over hashed stems, pairs of neighbours, and pieces of three to five characters. */
export interface LinearModel {
  /** One weight for each bucket; `scale` makes them real numbers. */
  readonly weights: Int8Array;
  readonly scale: number;
  readonly intercept: number;
}

export const buckets = 1 << 14;

export interface Example {
  readonly pieces: readonly number[];
  readonly inside: boolean;
  readonly weight: number;
}

/** Logistic regression by AdaGrad. The order of the examples is shuffled the same way each time. */
export function fitLinear(examples: readonly Example[]): LinearModel {
  const weights = new Float64Array(buckets);
  const squares = new Float64Array(buckets).fill(1e-6);
  let intercept = 0;
  let interceptSquares = 1e-6;
  for (const { pieces, inside, weight } of shuffledRounds(examples)) {
    const size = 1 / Math.sqrt(pieces.length || 1);
    let score = intercept;
    for (const piece of pieces) score += (weights[piece] ?? 0) * size;
    const slope = (1 / (1 + Math.exp(-score)) - (inside ? 1 : 0)) * weight;
    for (const piece of pieces) {
      const gradient = slope * size + decay * (weights[piece] ?? 0);
      const square = (squares[piece] ?? 0) + gradient ** 2;
      squares[piece] = square;
      weights[piece] = (weights[piece] ?? 0) - (pace * gradient) / Math.sqrt(square);
    }
    interceptSquares += slope ** 2;
    intercept -= (pace * slope) / Math.sqrt(interceptSquares);
  }
  const largest = weights.reduce((most, each) => Math.max(most, Math.abs(each)), 1e-9);
  const scale = Number((largest / 127).toPrecision(6));
  return {
    weights: Int8Array.from(weights, (each) => Math.round(each / scale)),
    scale,
    intercept: Number(intercept.toPrecision(6)),
  };
}

const rounds = 20;
const pace = 0.3;
const decay = 2e-5;

function* shuffledRounds(examples: readonly Example[]): Generator<Example> {
  const order = [...examples];
  let state = 1;
  for (let round = 0; round < rounds; round++) {
    for (let at = order.length - 1; at > 0; at--) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      const other = (state >>> 8) % (at + 1);
      const [one, two] = [order[at], order[other]];
      if (one === undefined || two === undefined) continue;
      order[at] = two;
      order[other] = one;
    }
    yield* order;
  }
}

export function linearScore({ weights, scale, intercept }: LinearModel, pieces: readonly number[]): number {
  let sum = 0;
  for (const piece of pieces) sum += weights[piece] ?? 0;
  return intercept + (scale * sum) / Math.sqrt(pieces.length || 1);
}

/** The buckets of what a question is made of, each once. */
export function piecesOf({ words, stems }: Words): number[] {
  const found = new Set<number>();
  const add = (piece: string): void => {
    found.add(hash(piece) & (buckets - 1));
  };
  ["^", ...stems, "$"].forEach((stem, at, all) => {
    if (at > 0) add(`2 ${all[at - 1]} ${stem}`);
  });
  for (const stem of stems) add(`1 ${stem}`);
  for (const word of words) {
    const framed = `_${word.slice(0, longestWord)}_`;
    for (let size = 3; size <= 5; size++)
      for (let at = 0; at + size <= framed.length; at++) add(`c ${framed.slice(at, at + size)}`);
  }
  return [...found];
}

const longestWord = 40;

/** FNV-1a over UTF-16 code units, mixed at the end. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  value = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d);
  return (value ^ (value >>> 13)) >>> 0;
}
