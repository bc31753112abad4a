import type { Marks } from "./comparison.ts";

/** Two sequences side by side: indices into each, null where one side has nothing. In the order of reading. */
export type Aligned = readonly [before: number | null, after: number | null][];

/**
 * Aligns by equal keys first (Myers' shortest edit script). Between what is equal, entries that are alike are paired, so that a
 * line with one other word is one changed line. `alike` gives 0 to 1; pairs below one half are taken for different things.
 */
export function align(
  before: readonly string[],
  after: readonly string[],
  alike: (before: number, after: number) => number = (left, right) =>
    similarity(before[left] ?? "", after[right] ?? ""),
): Aligned {
  const aligned: [number | null, number | null][] = [];
  let left = 0;
  let right = 0;
  for (const [i, j] of [...common(before, after), [before.length, after.length] as const]) {
    // Not spread into one call: a long gap would be more arguments than a call takes.
    for (const pair of pairAlike(left, i, right, j, alike)) aligned.push(pair);
    if (i < before.length || j < after.length) aligned.push([i, j]);
    left = i + 1;
    right = j + 1;
  }
  return aligned;
}

/** The words that differ, as marks of either side. */
export function markWords(before: string, after: string): { marksBefore: Marks; marksAfter: Marks } {
  const left = words(before);
  const right = words(after);
  const pairs = common(left, right);
  return {
    marksBefore: marksBetween(left, new Set(pairs.map(([index]) => index))),
    marksAfter: marksBetween(right, new Set(pairs.map(([, index]) => index))),
  };
}

/** Words in common as a share of all words (Dice), 0 to 1. */
export function similarity(before: string, after: string): number {
  if (before === after) return 1;
  const left = words(before.slice(0, 4_000)).filter((word) => word.trim() !== "");
  const right = words(after.slice(0, 4_000)).filter((word) => word.trim() !== "");
  if (left.length + right.length === 0) return 1;
  const counts = new Map<string, number>();
  for (const word of left) counts.set(word, (counts.get(word) ?? 0) + 1);
  let shared = 0;
  for (const word of right) {
    const count = counts.get(word) ?? 0;
    if (count === 0) continue;
    counts.set(word, count - 1);
    shared += 1;
  }
  return (2 * shared) / (left.length + right.length);
}

/** Words, stretches of space, and all else one by one. */
export function words(text: string): string[] {
  // Letters of scripts that write without spaces are words of their own.
  return (
    text.match(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]|[\p{L}\p{M}\p{N}_]+|\s+|./gsu) ??
    []
  );
}

function marksBetween(tokens: readonly string[], shared: ReadonlySet<number>): Marks {
  const marks: Marks = [];
  let offset = 0;
  tokens.forEach((token, index) => {
    const last = marks.at(-1);
    if (!shared.has(index)) {
      if (last?.[1] === offset) last[1] = offset + token.length;
      else marks.push([offset, offset + token.length]);
    }
    offset += token.length;
  });
  return marks;
}

/** Differences beyond this are no longer looked for one by one: everything between the equal ends is taken for different. */
const mostDifferences = 1_200;

/** The pairs of indices of a longest common subsequence, in order. */
export function common(before: readonly string[], after: readonly string[]): [number, number][] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start += 1;
  let end = 0;
  while (
    end < before.length - start &&
    end < after.length - start &&
    before[before.length - 1 - end] === after[after.length - 1 - end]
  ) {
    end += 1;
  }
  const pairs: [number, number][] = Array.from({ length: start }, (_, index) => [index, index]);
  const middle = myers(before.slice(start, before.length - end), after.slice(start, after.length - end));
  for (const [left, right] of middle) pairs.push([left + start, right + start]);
  for (let index = end; index > 0; index -= 1) pairs.push([before.length - index, after.length - index]);
  return pairs;
}

/** E. W. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986), with the furthest points of every step kept. */
function myers(before: readonly string[], after: readonly string[]): [number, number][] {
  const [n, m] = [before.length, after.length];
  if (n === 0 || m === 0) return [];
  const most = Math.min(n + m, mostDifferences);
  const furthest = new Int32Array(2 * most + 3);
  const middle = most + 1;
  /** For each step, what was furthest before it, on the diagonals -d-1 to d+1. */
  const steps: Int32Array[] = [];
  for (let d = 0; d <= most; d += 1) {
    steps.push(furthest.slice(middle - d - 1, middle + d + 2));
    for (let k = -d; k <= d; k += 2) {
      const below = furthest[middle + k - 1] ?? 0;
      const above = furthest[middle + k + 1] ?? 0;
      let x = k === -d || (k !== d && below < above) ? above : below + 1;
      while (x < n && x - k < m && before[x] === after[x - k]) x += 1;
      furthest[middle + k] = x;
      if (x >= n && x - k >= m) return walkBack(steps, n, m);
    }
  }
  return [];
}

function walkBack(steps: readonly Int32Array[], n: number, m: number): [number, number][] {
  const pairs: [number, number][] = [];
  let [x, y] = [n, m];
  for (let d = steps.length - 1; d >= 0; d -= 1) {
    const k = x - y;
    const at = (diagonal: number): number => steps[d]?.[diagonal + d + 1] ?? 0;
    const fromK = k === -d || (k !== d && at(k - 1) < at(k + 1)) ? k + 1 : k - 1;
    const fromX = at(fromK);
    const fromY = fromX - fromK;
    while (x > fromX && y > fromY) {
      x -= 1;
      y -= 1;
      pairs.push([x, y]);
    }
    [x, y] = [fromX, fromY];
  }
  return pairs.toReversed();
}

/** Gaps beyond this many comparisons are paired by position. */
const mostComparisons = 20_000;

function pairAlike(
  fromLeft: number,
  toLeft: number,
  fromRight: number,
  toRight: number,
  alike: (before: number, after: number) => number,
): [number | null, number | null][] {
  const [n, m] = [toLeft - fromLeft, toRight - fromRight];
  const pairs: [number | null, number | null][] = [];
  if (n === 0 || m === 0 || n * m > mostComparisons) {
    for (let index = 0; index < Math.max(n, m); index += 1) {
      pairs.push([index < n ? fromLeft + index : null, index < m ? fromRight + index : null]);
    }
    return pairs;
  }
  // The pairing in order with the greatest sum of likeness.
  const scores = Array.from({ length: n + 1 }, () => new Float64Array(m + 1));
  const value = new Map<number, number>();
  for (let i = n - 1; i >= 0; i -= 1) {
    for (let j = m - 1; j >= 0; j -= 1) {
      const likeness = alike(fromLeft + i, fromRight + j);
      if (likeness >= 0.5) value.set(i * m + j, likeness);
      const row = scores[i];
      if (!row) continue;
      const paired = likeness >= 0.5 ? likeness + (scores[i + 1]?.[j + 1] ?? 0) : 0;
      row[j] = Math.max(paired, scores[i + 1]?.[j] ?? 0, row[j + 1] ?? 0);
    }
  }
  let [i, j] = [0, 0];
  while (i < n || j < m) {
    const likeness = value.get(i * m + j);
    const best = scores[i]?.[j] ?? 0;
    if (i < n && j < m && likeness !== undefined && best === likeness + (scores[i + 1]?.[j + 1] ?? 0)) {
      pairs.push([fromLeft + i, fromRight + j]);
      i += 1;
      j += 1;
    } else if (i < n && (j >= m || (scores[i + 1]?.[j] ?? 0) >= (scores[i]?.[j + 1] ?? 0))) {
      pairs.push([fromLeft + i, null]);
      i += 1;
    } else {
      pairs.push([null, fromRight + j]);
      j += 1;
    }
  }
  return pairs;
}
