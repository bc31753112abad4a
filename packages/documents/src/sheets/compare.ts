import type { CellContent, ChangeOfPart, DocumentComparison, SheetChanges, SheetRow } from "../comparison.ts";
import { alignSheets, type Alignment } from "./align.ts";
import { addressName, parseRange, rangeName } from "./address.ts";
import { withReferences } from "./formula.ts";
import type { Cell, GridRow, Sheet, Workbook } from "./grid.ts";

/** Rows around a changed one that are shown. */
const context = 2;
/** What one comparison shows, all sheets together. */
const most = { rows: 2000, cells: 20_000, characters: 2_000_000, merged: 500, sheets: 500 };

/** The differences of two workbooks; one that is not there has no sheets. */
export function compareWorkbooks(before: Workbook | null, after: Workbook | null): DocumentComparison {
  const pairs = pairSheets(before?.sheets ?? [], after?.sheets ?? []);
  const aligned = pairs.map(([old, fresh]) => (old && fresh ? alignSheets(old, fresh) : null));
  const budget = { rows: most.rows, cells: most.cells, characters: most.characters };
  const translate = translator(pairs, aligned);
  const namesChanged = before && after ? JSON.stringify(before.names) !== JSON.stringify(after.names) : false;
  const sheets = pairs.slice(0, most.sheets).map(([old, fresh], index): SheetChanges => {
    const alignment = aligned[index];
    if (old && fresh && alignment) {
      const changes = changesOf(old, fresh, alignment, translate, budget);
      // Names are of the whole workbook; the first sheet says that they changed.
      if (index > 0 || !namesChanged) return changes;
      return { ...changes, formatChanged: true, change: "changed" };
    }
    return oneSided(old, fresh, budget);
  });
  return {
    kind: "sheets",
    sheets,
    warnings: [...((after ?? before)?.warnings ?? [])],
    truncated:
      pairs.length > most.sheets ||
      [before, after].some((side) => side?.truncated) ||
      sheets.some((one) => one.truncated),
  };
}

type Pair = readonly [before: Sheet | null, after: Sheet | null];

/** By name, then by content: a sheet that has half of its rows under another name was renamed. */
function pairSheets(before: readonly Sheet[], after: readonly Sheet[]): Pair[] {
  const left = new Set(before);
  const found = new Map<Sheet, Sheet>();
  for (const fresh of after) {
    const old = before.find((one) => left.has(one) && folded(one.name) === folded(fresh.name));
    if (!old) continue;
    found.set(fresh, old);
    left.delete(old);
  }
  for (const fresh of after) {
    if (found.has(fresh) || left.size > 50) continue;
    let best: { old: Sheet; share: number } | null = null;
    for (const old of left) {
      const share = sharedRows(old, fresh);
      if (share >= 0.5 && share > (best?.share ?? 0)) best = { old, share };
    }
    if (!best) continue;
    found.set(fresh, best.old);
    left.delete(best.old);
  }
  return [
    ...after.map((fresh): Pair => [found.get(fresh) ?? null, fresh]),
    ...[...left].map((old): Pair => [old, null]),
  ];
}

function folded(name: string): string {
  return name.normalize("NFC").toLowerCase();
}

function sharedRows(before: Sheet, after: Sheet): number {
  const [old, fresh] = [before.rows.slice(0, 1000), after.rows.slice(0, 1000)];
  if (old.length === 0 || fresh.length === 0) return old.length === fresh.length ? 0.5 : 0;
  const rows = new Set(old.map(textOf));
  return (2 * fresh.filter((row) => rows.has(textOf(row))).length) / (old.length + fresh.length);
}

type Translate = (sheet: Sheet, formula: string) => string;

/** How a formula of the old side reads on the new one, if nothing but places changed. */
function translator(pairs: readonly Pair[], aligned: readonly (Alignment | null)[]): Translate {
  const byName = new Map<string, { alignment: Alignment; name: string }>();
  for (const [index, [old, fresh]] of pairs.entries()) {
    const alignment = aligned[index];
    if (old && fresh && alignment) byName.set(folded(old.name), { alignment, name: fresh.name });
  }
  return (sheet, formula) => {
    const moved = withReferences(formula, ({ sheet: named, ends }) => {
      const there = byName.get(folded(named ?? sheet.name))?.alignment;
      if (!there?.moved) return null;
      return ends.map((end) => ({
        ...end,
        row: end.row === null ? null : there.newRow(end.row),
        column: end.column === null ? null : (there.newColumn(end.column) ?? end.column),
      }));
    });
    let renamed = moved;
    for (const [old, { name }] of byName) {
      if (old === folded(name)) continue;
      // Names of sheets before `!`, as they are written with or without quotes.
      renamed = renamed.replaceAll(/'(?:[^']|'')+'!|[\p{L}\p{N}_.]+!/gu, (prefix) => {
        const bare = prefix.slice(0, -1).replace(/^'|'$/g, "").replaceAll("''", "'");
        if (folded(bare) !== old) return prefix;
        return /^[\p{L}_][\p{L}\p{N}_.]*$/u.test(name) ? `${name}!` : `'${name.replaceAll("'", "''")}'!`;
      });
    }
    return renamed;
  };
}

type Budget = { rows: number; cells: number; characters: number };

function changesOf(old: Sheet, fresh: Sheet, alignment: Alignment, translate: Translate, budget: Budget): SheetChanges {
  const sides = new Sides(old, fresh, alignment, translate);
  const counts = alignment.rows.map(([before, after]) => sides.changedCells(before, after));
  const changes = alignment.rows.map(([before, after], index): ChangeOfPart => {
    if (!before) return "added";
    return !after ? "removed" : counts[index] === 0 ? "same" : "changed";
  });
  const shown = shownRows(changes, budget, (index) => {
    const [before, after] = alignment.rows[index] ?? [null, null];
    const cells = sides.cells(before, after);
    return { change: changes[index] ?? "same", oldRow: before?.row ?? null, newRow: after?.row ?? null, cells };
  });
  const merged = old.merged.map((range) => movedRange(range, alignment));
  const formatChanged = sides.looksDiffer || old.look !== fresh.look || !sameSet(merged, fresh.merged);
  const changedCells = counts.reduce((sum, count) => sum + count, 0);
  const renamed = old.name !== fresh.name;
  const changed = changedCells > 0 || formatChanged || renamed || alignment.moved || old.hidden !== fresh.hidden;
  return {
    ...factsOf(old, fresh),
    oldName: renamed ? old.name : null,
    change: changed ? "changed" : "same",
    changedCells,
    rows: shown.rows,
    formatChanged,
    truncated: shown.truncated || old.truncated || fresh.truncated,
  };
}

/** The cells of two sheets next to each other. */
class Sides {
  looksDiffer = false;
  readonly #old: Sheet;
  readonly #fresh: Sheet;
  readonly #alignment: Alignment;
  readonly #translate: (formula: string) => string;

  constructor(old: Sheet, fresh: Sheet, alignment: Alignment, translate: Translate) {
    [this.#old, this.#fresh, this.#alignment] = [old, fresh, alignment];
    this.#translate = (formula) => translate(old, formula);
  }

  changedCells(before: GridRow | null, after: GridRow | null): number {
    if (!before || !after) return (before ?? after)?.cells.length ?? 0;
    if (before.look !== after.look) this.looksDiffer = true;
    let count = 0;
    for (const [left, right] of pairCells(before.cells, after.cells, this.#alignment.newColumn)) {
      if (left && right && left.look !== right.look) this.looksDiffer = true;
      if (!this.#same(before, left, after, right)) count++;
    }
    return count;
  }

  cells(before: GridRow | null, after: GridRow | null): SheetRow["cells"] {
    const pairs = pairCells(before?.cells ?? [], after?.cells ?? [], this.#alignment.newColumn);
    return pairs.map(([left, right]) => ({
      column: (right ?? left)?.column ?? 1,
      change: !left ? "added" : !right ? "removed" : this.#same(before, left, after, right) ? "same" : "changed",
      before: left && contentOf(left),
      after: right && contentOf(right),
      comment: commentOf(this.#fresh, after, right) ?? commentOf(this.#old, before, left),
    }));
  }

  #same(before: GridRow | null, left: Cell | null, after: GridRow | null, right: Cell | null): boolean {
    if (!left || !right || !sameCell(left, right, this.#translate)) return false;
    return commentOf(this.#old, before, left) === commentOf(this.#fresh, after, right);
  }
}

function commentOf({ comments }: Sheet, row: GridRow | null, cell: Cell | null): string | null {
  if (comments.size === 0 || !row || !cell) return null;
  return comments.get(addressName({ row: row.row, column: cell.column })) ?? null;
}

function oneSided(old: Sheet | null, fresh: Sheet | null, budget: Budget): SheetChanges {
  const sheet = fresh ?? old;
  const change = fresh ? ("added" as const) : ("removed" as const);
  const rows = sheet?.rows ?? [];
  const shown = shownRows(
    rows.map(() => change),
    budget,
    (index): SheetRow => {
      const row = rows[index];
      const cells = (row?.cells ?? []).map((cell) => ({
        column: cell.column,
        change,
        before: fresh ? null : contentOf(cell),
        after: fresh ? contentOf(cell) : null,
        comment: sheet && row ? commentOf(sheet, row, cell) : null,
      }));
      return { change, oldRow: fresh ? null : (row?.row ?? null), newRow: fresh ? (row?.row ?? null) : null, cells };
    },
  );
  return {
    ...factsOf(old, fresh),
    oldName: null,
    change,
    changedCells: rows.reduce((sum, { cells }) => sum + cells.length, 0),
    rows: shown.rows,
    formatChanged: false,
    truncated: shown.truncated || (sheet?.truncated ?? false),
  };
}

function factsOf(old: Sheet | null, fresh: Sheet | null) {
  const sheet = fresh ?? old;
  return {
    name: sheet?.name ?? "",
    hidden: sheet?.hidden ?? false,
    columns: Math.max(old?.columnCount ?? 0, fresh?.columnCount ?? 0),
    oldRows: old?.rowCount ?? 0,
    newRows: fresh?.rowCount ?? 0,
    merged: (fresh?.merged ?? []).slice(0, most.merged),
  };
}

type CellPair = readonly [before: Cell | null, after: Cell | null];

/** The cells of a row side by side, in the order of the new side; those whose column went stand where it was. */
function pairCells(
  before: readonly Cell[],
  after: readonly Cell[],
  newColumn: (old: number) => number | null,
): readonly CellPair[] {
  const aligned =
    before.length === after.length && before.every((cell, at) => newColumn(cell.column) === after[at]?.column);
  if (aligned) return before.map((cell, at) => [cell, after[at] ?? null]);
  const old = new Map<number, Cell>();
  const placed: { column: number; pair: CellPair }[] = [];
  for (const cell of before) {
    const column = newColumn(cell.column);
    if (column === null) placed.push({ column: cell.column - 0.5, pair: [cell, null] });
    else old.set(column, cell);
  }
  for (const cell of after) {
    placed.push({ column: cell.column, pair: [old.get(cell.column) ?? null, cell] });
    old.delete(cell.column);
  }
  for (const [column, cell] of old) placed.push({ column, pair: [cell, null] });
  return placed.toSorted((a, b) => a.column - b.column).map(({ pair }) => pair);
}

function sameCell(before: Cell, after: Cell, translate: (formula: string) => string): boolean {
  if (before.text !== after.text || before.type !== after.type || before.digest !== after.digest) return false;
  if (before.formula === after.formula) return true;
  return before.formula !== null && after.formula !== null && translate(before.formula) === after.formula;
}

function contentOf({ text, formula, type }: Cell): CellContent {
  return { text, formula, type };
}

/** Changed rows with their surroundings, as far as there is room. */
function shownRows(
  changes: readonly ChangeOfPart[],
  budget: Budget,
  rowAt: (index: number) => SheetRow,
): { rows: SheetRow[]; truncated: boolean } {
  const wanted = new Uint8Array(changes.length);
  for (const [index, change] of changes.entries()) {
    if (change !== "same") wanted.fill(1, Math.max(0, index - context), index + context + 1);
  }
  const shown: SheetRow[] = [];
  for (let index = wanted.indexOf(1); index !== -1; index = wanted.indexOf(1, index + 1)) {
    if (budget.rows <= 0 || budget.cells <= 0 || budget.characters <= 0) return { rows: shown, truncated: true };
    const row = rowAt(index);
    const cells = row.cells.slice(0, budget.cells);
    budget.rows--;
    budget.cells -= cells.length;
    for (const { before, after, comment } of cells) {
      budget.characters -= lengthOf(before) + lengthOf(after) + (comment?.length ?? 0);
    }
    shown.push(cells.length === row.cells.length ? row : { ...row, cells });
    if (cells.length < row.cells.length) return { rows: shown, truncated: true };
  }
  return { rows: shown, truncated: false };
}

function lengthOf(content: CellContent | null): number {
  return content ? content.text.length + (content.formula?.length ?? 0) : 0;
}

function movedRange(range: string, { newRow, newColumn }: Alignment): string {
  const cells = parseRange(range);
  if (!cells) return range;
  const move = ({ row, column }: { row: number; column: number }) => ({
    row: newRow(row),
    column: newColumn(column) ?? column,
  });
  return rangeName({ first: move(cells.first), last: move(cells.last) });
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  const other = new Set(b);
  return a.length === b.length && a.every((one) => other.has(one));
}

const textOf = ({ cells }: GridRow): string => cells.map(({ text, column }) => `${column}:${text}`).join("\u0001");
