import type { SheetChanges, SheetRow } from "@benchtop/operations";
import { readRange } from "./cell-names.ts";

export type Cell = SheetRow["cells"][number];

export interface Place {
  readonly row: number;
  readonly column: number;
}

export type GridRow =
  | { readonly kind: "row"; readonly row: SheetRow; readonly cells: ReadonlyMap<number, Cell>; readonly tall: boolean }
  | { readonly kind: "gap"; readonly count: number };

export const heights = { plain: 26, tall: 42, gap: 22, head: 26 } as const;

/** The number of a row, and where it was before where rows above it came or went. */
export function rowLabel({ oldRow, newRow }: SheetRow): string {
  return oldRow !== null && newRow !== null && oldRow !== newRow ? `${oldRow} → ${newRow}` : `${newRow ?? oldRow}`;
}

export function headWidthOf(sheet: SheetChanges): number {
  const longest = sheet.rows.reduce((most, row) => Math.max(most, rowLabel(row).length), 3);
  return 36 + longest * 7;
}

export function gridRows(sheet: SheetChanges): GridRow[] {
  const rows: GridRow[] = [];
  let oldAt = 0;
  let newAt = 0;
  for (const row of sheet.rows) {
    const skipped = row.newRow !== null ? row.newRow - newAt - 1 : (row.oldRow ?? 0) - oldAt - 1;
    if (skipped > 0) rows.push({ kind: "gap", count: skipped });
    // After a gap both sides have moved on by as much.
    oldAt = row.oldRow ?? oldAt + Math.max(0, skipped);
    newAt = row.newRow ?? newAt + Math.max(0, skipped);
    const cells = new Map(row.cells.map((cell) => [cell.column, cell]));
    const tall = row.cells.some(
      ({ change, before, after }) => change === "changed" && before !== null && after !== null,
    );
    rows.push({ kind: "row", row, cells, tall });
  }
  const left = sheet.newRows - newAt;
  if (left > 0 && !sheet.truncated) rows.push({ kind: "gap", count: left });
  return rows;
}

/** By what the cells hold, within bounds. */
export function columnWidths(sheet: SheetChanges): number[] {
  const most = Array.from({ length: Math.max(1, sheet.columns) }, () => 6);
  for (const row of sheet.rows) {
    for (const { column, before, after } of row.cells) {
      const length = Math.max(before?.text.length ?? 0, after?.text.length ?? 0);
      while (most.length < column) most.push(6);
      most[column - 1] = Math.max(most[column - 1] ?? 6, length);
    }
  }
  return most.map((length) => Math.min(280, Math.max(64, length * 7 + 18)));
}

/** Which cells span others of their row, and which are covered. Merges over several rows span in each of them. */
export function mergedCells(sheet: SheetChanges) {
  const spans = new Map<string, number>();
  const covered = new Set<string>();
  const shown = new Set(sheet.rows.map(({ newRow }) => newRow));
  for (const text of sheet.merged) {
    const range = readRange(text);
    if (range === undefined || range.toColumn === range.fromColumn) continue;
    for (const row of shown) {
      if (row === null || row < range.fromRow || row > range.toRow) continue;
      spans.set(`${row}:${range.fromColumn}`, range.toColumn - range.fromColumn + 1);
      for (let column = range.fromColumn + 1; column <= range.toColumn; column++) covered.add(`${row}:${column}`);
    }
  }
  return { spans, covered };
}
