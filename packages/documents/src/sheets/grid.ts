import type { CellContent, ReviewWarning } from "../comparison.ts";

/** What a workbook shows, whatever format it comes from. Sparse: rows and cells without content are not there. */
export interface Workbook {
  readonly sheets: readonly Sheet[];
  readonly names: readonly { readonly name: string; readonly refersTo: string }[];
  readonly warnings: readonly ReviewWarning[];
  /** Values of formulas were not calculated since something changed. */
  readonly valuesMayBeOld: boolean;
  readonly truncated: boolean;
}

export interface Sheet {
  readonly name: string;
  readonly hidden: boolean;
  /** In rising order. */
  readonly rows: readonly GridRow[];
  /** The last row and column that hold something, as far as the sheet was read. */
  readonly rowCount: number;
  readonly columnCount: number;
  readonly merged: readonly string[];
  /** Notes of cells by address. */
  readonly comments: ReadonlyMap<string, string>;
  readonly tables: readonly { readonly name: string; readonly range: string }[];
  /** Whatever is no cell's content, so that two sheets can be told apart by it: widths, formats, merges. */
  readonly look: string;
  readonly truncated: boolean;
}

export interface GridRow {
  readonly row: number;
  /** By rising column. */
  readonly cells: readonly Cell[];
  /** Height, hidden or not: whatever is no cell's content. */
  readonly look?: string;
}

export interface Cell extends CellContent {
  readonly column: number;
  /** Tells long texts apart, of which `text` is the beginning. */
  readonly digest?: string;
  /** Its format, in words that mean the same in every file. */
  readonly look?: string;
}

/** Cells that are read of one workbook. What is beyond is not compared, and the answer says so. */
export const maxCells = 300_000;
/** Characters of a cell that are shown. */
export const maxCellText = 2000;
