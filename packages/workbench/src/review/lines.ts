import { diffArrays } from "diff";

/** A stretch of lines that both sides share, or that one side has instead of the other. Positions count from 0, ends are exclusive. */
export interface Stretch {
  readonly equal: boolean;
  readonly oldStart: number;
  readonly oldEnd: number;
  readonly newStart: number;
  readonly newEnd: number;
}

/**
 * Lines of a text, each with its line feed, so that a missing last one is a difference. Nothing but `\n` divides lines:
 * a carriage return stays visible as part of its line.
 */
export function splitLines(text: string): string[] {
  const lines = text.split("\n").map((line) => `${line}\n`);
  const last = lines.pop()?.slice(0, -1) ?? "";
  if (last !== "") lines.push(last);
  return lines;
}

/**
 * The differences of two lists of lines, in order. Minimal when that is found in `timeoutMs`; else cut at the lines that
 * occur once on each side, which takes time that only grows with the size. Never fails, never hangs.
 */
export function compareLines(before: readonly string[], after: readonly string[], timeoutMs: number): Stretch[] {
  const numbers = new Map<string, number>();
  const numberOf = (line: string): number => {
    const known = numbers.get(line);
    if (known !== undefined) return known;
    numbers.set(line, numbers.size);
    return numbers.size - 1;
  };
  const a = before.map(numberOf);
  const b = after.map(numberOf);
  const { start, oldEnd, newEnd } = trim(a, b, 0, a.length, 0, b.length);
  const middle = differences(a, b, start.old, oldEnd, start.new, newEnd, timeoutMs);
  return joined([
    { equal: true, oldStart: 0, oldEnd: start.old, newStart: 0, newEnd: start.new },
    ...middle,
    { equal: true, oldStart: oldEnd, oldEnd: a.length, newStart: newEnd, newEnd: b.length },
  ]);
}

function trim(a: readonly number[], b: readonly number[], a0: number, a1: number, b0: number, b1: number) {
  let [old, fresh, oldEnd, newEnd] = [a0, b0, a1, b1];
  while (old < oldEnd && fresh < newEnd && a[old] === b[fresh]) [old, fresh] = [old + 1, fresh + 1];
  while (oldEnd > old && newEnd > fresh && a[oldEnd - 1] === b[newEnd - 1]) [oldEnd, newEnd] = [oldEnd - 1, newEnd - 1];
  return { start: { old, new: fresh }, oldEnd, newEnd };
}

function differences(
  a: readonly number[],
  b: readonly number[],
  a0: number,
  a1: number,
  b0: number,
  b1: number,
  timeoutMs: number,
): Stretch[] {
  if (a0 === a1 || b0 === b1) return [{ equal: false, oldStart: a0, oldEnd: a1, newStart: b0, newEnd: b1 }];
  const parts = diffArrays(a.slice(a0, a1), b.slice(b0, b1), { timeout: timeoutMs, maxEditLength: 20_000 });
  if (!parts) return atUniqueLines(a, b, a0, a1, b0, b1);
  const stretches: Stretch[] = [];
  let [old, fresh] = [a0, b0];
  for (const part of parts) {
    const oldEnd = part.added ? old : old + part.count;
    const newEnd = part.removed ? fresh : fresh + part.count;
    const equal = !part.added && !part.removed;
    stretches.push({ equal, oldStart: old, oldEnd, newStart: fresh, newEnd });
    [old, fresh] = [oldEnd, newEnd];
  }
  return stretches;
}

/** Patience: anchors are the lines that occur once on each side, in the longest run that keeps both orders. */
function atUniqueLines(a: readonly number[], b: readonly number[], a0: number, a1: number, b0: number, b1: number) {
  const inOld = onlyOnce(a, a0, a1);
  const inNew = onlyOnce(b, b0, b1);
  const pairs: [number, number][] = [];
  for (const [line, old] of inOld) {
    const fresh = inNew.get(line);
    if (fresh !== undefined) pairs.push([old, fresh]);
  }
  const stretches: Stretch[] = [];
  let [old, fresh] = [a0, b0];
  for (const [anchorOld, anchorNew] of [...longestRising(pairs), [a1, b1] as const]) {
    const gap = trim(a, b, old, anchorOld, fresh, anchorNew);
    stretches.push(
      { equal: true, oldStart: old, oldEnd: gap.start.old, newStart: fresh, newEnd: gap.start.new },
      { equal: false, oldStart: gap.start.old, oldEnd: gap.oldEnd, newStart: gap.start.new, newEnd: gap.newEnd },
      { equal: true, oldStart: gap.oldEnd, oldEnd: anchorOld, newStart: gap.newEnd, newEnd: anchorNew },
    );
    [old, fresh] = [anchorOld, anchorNew];
  }
  return stretches;
}

function onlyOnce(lines: readonly number[], from: number, to: number): Map<number, number> {
  const once = new Map<number, number>();
  const more = new Set<number>();
  for (let at = from; at < to; at++) {
    const line = lines[at] ?? -1;
    if (once.has(line) || more.has(line)) {
      more.add(line);
      once.delete(line);
    } else once.set(line, at);
  }
  return once;
}

/** The longest subsequence whose second parts rise; the first parts rise already. */
function longestRising(pairs: readonly [number, number][]): [number, number][] {
  const tails: number[] = [];
  const previous = new Int32Array(pairs.length).fill(-1);
  for (const [index, pair] of pairs.entries()) {
    let [low, high] = [0, tails.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((pairs[tails[middle] ?? 0]?.[1] ?? 0) < pair[1]) low = middle + 1;
      else high = middle;
    }
    previous[index] = low > 0 ? (tails[low - 1] ?? -1) : -1;
    tails[low] = index;
  }
  const run: [number, number][] = [];
  for (let at = tails.at(-1) ?? -1; at !== -1; at = previous[at] ?? -1) {
    const pair = pairs[at];
    if (pair) run.push(pair);
  }
  return run.toReversed();
}

/** Neighbours of one kind become one; empty ones go. A removed and an added neighbour become one replaced stretch. */
function joined(stretches: readonly Stretch[]): Stretch[] {
  const result: Stretch[] = [];
  for (const stretch of stretches) {
    if (stretch.oldStart === stretch.oldEnd && stretch.newStart === stretch.newEnd) continue;
    const last = result.at(-1);
    if (last?.equal === stretch.equal) {
      result[result.length - 1] = { ...last, oldEnd: stretch.oldEnd, newEnd: stretch.newEnd };
    } else result.push(stretch);
  }
  return result;
}
