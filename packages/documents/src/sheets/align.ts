import { align, type Aligned } from "../align.ts";
import { formulaShape } from "./formula.ts";
import type { Cell, GridRow, Sheet } from "./grid.ts";

/** Which rows and columns of two sheets are the same ones. Numbers count from 1. */
export interface Alignment {
  /** In the order of reading; null where a side has no such row. Rows without content are not among them. */
  readonly rows: readonly (readonly [before: GridRow | null, after: GridRow | null])[];
  /** The column on the new side; null for one that went. */
  readonly newColumn: (old: number) => number | null;
  /** Where a row of the old side is now, nearly: rows that went give the place where they were. */
  readonly newRow: (old: number) => number;
  readonly moved: boolean;
}

/** Rows of a gap that are compared one by one; larger gaps are cut first, at rows that occur once on each side. */
const smallGap = 1000;
/** Rows of a gap without such rows that are paired by their position alone. */
const largeGap = 20_000;
/** Columns beyond this are taken for what their number says. */
const mostColumns = 300;
/** Rows of the beginning by which columns are known. */
const sampleRows = 2000;

export function alignSheets(before: Sheet, after: Sheet): Alignment {
  const columns = alignColumns(before, after);
  const newColumn = (old: number): number | null => (columns ? (columns.get(old) ?? null) : old);
  const kept = columns ? new Set([...columns.values()].filter((column) => column !== null)) : null;
  const oldKeys = before.rows.map((row) => rowKey(row, newColumn));
  const newKeys = after.rows.map((row) => rowKey(row, (column) => (!kept || kept.has(column) ? column : null)));
  const alike = (left: number, right: number): number =>
    likeness(before.rows[left]?.cells ?? [], after.rows[right]?.cells ?? [], newColumn);
  const rows: [GridRow | null, GridRow | null][] = alignKeys(oldKeys, newKeys, alike).map(([left, right]) => [
    left === null ? null : (before.rows[left] ?? null),
    right === null ? null : (after.rows[right] ?? null),
  ]);
  const pairs = rows.flatMap(([old, fresh]) => (old && fresh ? [[old.row, fresh.row] as const] : []));
  const moved = (columns !== null && columnsMoved(columns)) || pairs.some(([old, fresh]) => old !== fresh);
  return { rows, newColumn, newRow: rowFinder(pairs), moved };
}

function columnsMoved(columns: ReadonlyMap<number, number | null>): boolean {
  for (const [old, fresh] of columns) if (old !== fresh) return true;
  return false;
}

function rowFinder(pairs: readonly (readonly [old: number, fresh: number])[]): (old: number) => number {
  return (old) => {
    let [low, high] = [0, pairs.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((pairs[middle]?.[0] ?? 0) <= old) low = middle + 1;
      else high = middle;
    }
    const pair = pairs[low - 1];
    return pair ? pair[1] + old - pair[0] : old;
  };
}

/** What a cell says, without where its formula points to and without what that came to. */
function cellKey({ text, formula, digest }: Cell): string {
  return formula === null ? (digest ?? text) : `=${formulaShape(formula)}`;
}

function rowKey({ cells }: GridRow, place: (column: number) => number | null): string {
  let key = "";
  for (const cell of cells) {
    const column = place(cell.column);
    if (column !== null && (cell.text !== "" || cell.formula !== null)) key += `${column}\u0001${cellKey(cell)}\u0002`;
  }
  return key;
}

/** The share of cells that two rows have in common, 0 to 1. */
function likeness(before: readonly Cell[], after: readonly Cell[], newColumn: (old: number) => number | null): number {
  const most = 200;
  const old = new Map<number, string>();
  for (const cell of before.slice(0, most)) old.set(newColumn(cell.column) ?? -cell.column, cellKey(cell));
  let shared = 0;
  for (const cell of after.slice(0, most)) if (old.get(cell.column) === cellKey(cell)) shared += 1;
  const all = Math.min(before.length, most) + Math.min(after.length, most);
  // One cell of two, or of three, may be the one that changed.
  return all === 0 ? 1 : Math.min(1, (2 * shared) / all + (shared > 0 ? 0.17 : 0));
}

type Pairs = [number | null, number | null][];

function alignKeys(before: string[], after: string[], alike: (left: number, right: number) => number): Pairs {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start++;
  let end = 0;
  const most = Math.min(before.length, after.length) - start;
  while (end < most && before[before.length - 1 - end] === after[after.length - 1 - end]) end++;
  const pairs: Pairs = Array.from({ length: start }, (_, index) => [index, index]);
  const gaps = gapsBetween(before, after, start, before.length - end, after.length - end);
  for (const { old, oldEnd, fresh, freshEnd, anchored } of gaps) {
    const large = oldEnd - old > largeGap || freshEnd - fresh > largeGap;
    const inGap = large
      ? byPosition(oldEnd - old, freshEnd - fresh)
      : align(before.slice(old, oldEnd), after.slice(fresh, freshEnd), (left, right) =>
          alike(left + old, right + fresh),
        );
    for (const pair of settled(inGap, old, fresh)) pairs.push(pair);
    if (anchored) pairs.push([oldEnd, freshEnd]);
  }
  for (let index = end; index > 0; index--) pairs.push([before.length - index, after.length - index]);
  return pairs;
}

/** Where as many rows went as came at one place, these are rows that changed throughout. */
function settled(inGap: Aligned, old: number, fresh: number): Pairs {
  const pairs: Pairs = [];
  let lost: number[] = [];
  let come: number[] = [];
  const settle = (): void => {
    const same = lost.length === come.length;
    for (const [index, left] of lost.entries()) pairs.push([left, same ? (come[index] ?? null) : null]);
    if (!same) for (const right of come) pairs.push([null, right]);
    [lost, come] = [[], []];
  };
  for (const [left, right] of inGap) {
    if (left !== null && right !== null) {
      settle();
      pairs.push([left + old, right + fresh]);
    } else if (left !== null) lost.push(left + old);
    else if (right !== null) come.push(right + fresh);
  }
  settle();
  return pairs;
}

function byPosition(old: number, fresh: number): Aligned {
  return Array.from({ length: Math.max(old, fresh) }, (_, index) => [
    index < old ? index : null,
    index < fresh ? index : null,
  ]);
}

interface Gap {
  readonly old: number;
  readonly oldEnd: number;
  readonly fresh: number;
  readonly freshEnd: number;
  /** The rows after it are the same on both sides. */
  readonly anchored: boolean;
}

function gapsBetween(before: string[], after: string[], start: number, oldEnd: number, freshEnd: number): Gap[] {
  const small = oldEnd - start <= smallGap && freshEnd - start <= smallGap;
  const anchors = small ? [] : uniqueInBoth(before, after, start, oldEnd, freshEnd);
  const gaps: Gap[] = [];
  let [old, fresh] = [start, start];
  for (const [left, right] of anchors) {
    gaps.push({ old, oldEnd: left, fresh, freshEnd: right, anchored: true });
    [old, fresh] = [left + 1, right + 1];
  }
  return [...gaps, { old, oldEnd, fresh, freshEnd, anchored: false }];
}

/** Patience: rows that occur once on each side, in the longest run that keeps both orders. */
function uniqueInBoth(
  before: string[],
  after: string[],
  start: number,
  oldEnd: number,
  freshEnd: number,
): [number, number][] {
  const inOld = onlyOnce(before, start, oldEnd);
  const inNew = onlyOnce(after, start, freshEnd);
  const pairs: [number, number][] = [];
  for (const [key, left] of inOld) {
    const right = inNew.get(key);
    if (right !== undefined) pairs.push([left, right]);
  }
  return longestRising(pairs);
}

function onlyOnce(keys: readonly string[], from: number, to: number): Map<string, number> {
  const once = new Map<string, number>();
  const more = new Set<string>();
  for (let at = from; at < to; at++) {
    const key = keys[at] ?? "";
    if (more.has(key)) continue;
    if (once.delete(key)) more.add(key);
    else once.set(key, at);
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

/** The new column of each old one; null for "as their numbers say". */
function alignColumns(before: Sheet, after: Sheet): Map<number, number | null> | null {
  const [n, m] = [before.columnCount, after.columnCount];
  if (n === 0 || m === 0 || n > mostColumns || m > mostColumns) return null;
  const old = contentsOf(before);
  const fresh = contentsOf(after);
  const aligned = align(
    old.map(({ key }) => key),
    fresh.map(({ key }) => key),
    (left, right) => columnLikeness(old[left], fresh[right]),
  );
  const columns = new Map<number, number | null>();
  let lost: number[] = [];
  let come: number[] = [];
  const settle = (): void => {
    // As many as went came at their place: these are columns that changed throughout.
    const same = lost.length === come.length;
    for (const [index, column] of lost.entries()) columns.set(column + 1, same ? (come[index] ?? 0) + 1 : null);
    [lost, come] = [[], []];
  };
  for (const [left, right] of aligned) {
    if (left !== null && right !== null) {
      settle();
      columns.set(left + 1, right + 1);
    } else if (left !== null) lost.push(left);
    else if (right !== null) come.push(right);
  }
  settle();
  return columns;
}

interface ColumnContent {
  readonly counts: Map<string, number>;
  readonly key: string;
  readonly size: number;
  readonly head: string | null;
}

function contentsOf({ rows, columnCount }: Sheet): ColumnContent[] {
  const columns = Array.from({ length: columnCount }, () => ({
    counts: new Map<string, number>(),
    key: "",
    size: 0,
    head: null as string | null,
  }));
  for (const { cells } of rows.slice(0, sampleRows)) {
    for (const cell of cells) {
      const column = columns[cell.column - 1];
      if (!column || (cell.text === "" && cell.formula === null)) continue;
      const key = cellKey(cell);
      column.counts.set(key, (column.counts.get(key) ?? 0) + 1);
      if (column.key.length < 20_000) column.key += `${key}\u0001`;
      column.size++;
      column.head ??= key;
    }
  }
  return columns;
}

function columnLikeness(a: ColumnContent | undefined, b: ColumnContent | undefined): number {
  if (!a || !b) return 0;
  if (a.size === 0 || b.size === 0) return a.size === b.size ? 0.6 : 0;
  const [small, large] = a.counts.size < b.counts.size ? [a.counts, b.counts] : [b.counts, a.counts];
  let shared = 0;
  for (const [key, count] of small) shared += Math.min(count, large.get(key) ?? 0);
  const share = (2 * shared) / (a.size + b.size);
  return a.head !== null && a.head === b.head ? Math.max(share, 0.6) : share;
}
