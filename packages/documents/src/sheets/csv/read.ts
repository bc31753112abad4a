import { createHash } from "node:crypto";
import type { CellContent, ReviewWarning } from "../../comparison.ts";
import { refusal } from "../../refusal.ts";
import { addressName } from "../address.ts";
import { maxCells, maxCellText, type Cell, type GridRow, type Workbook } from "../grid.ts";
import { dialectOf } from "./dialect.ts";
import { runsAsFormula } from "./injection.ts";
import { fieldUnits, recordsOf, type Dialect, type Records } from "./records.ts";
import { sourceText, type SourceText } from "./text.ts";

export interface CsvFile {
  readonly source: SourceText;
  readonly dialect: Dialect;
  readonly records: Records;
}

/** Cells whose warning is given one by one; the rest is counted. */
const warningsShown = 50;
/** Units of one field from which on it is worth a warning. */
const longField = 100_000;

export function openCsv(bytes: Uint8Array, path: string, maxFields = maxCells): CsvFile {
  const source = sourceText(bytes);
  if (source.units.includes("\0")) throw refusal("The file holds bytes that no text has.");
  const dialect = dialectOf(source.units, /\.tsv$/i.test(path) ? "\t" : null);
  return { source, dialect, records: recordsOf(source.units, dialect, maxFields) };
}

/** A file of delimited text as a workbook of one sheet without formulas. */
export function readCsv(bytes: Uint8Array, path: string): Workbook {
  const { source, dialect, records } = openCsv(bytes, path);
  const warnings: ReviewWarning[] = source.warning ? [source.warning] : [];
  let [formulas, longFields] = [0, 0];
  const rows: GridRow[] = [];
  let columnCount = 0;
  for (const [index, { fields }] of records.records.entries()) {
    const row = index + 1;
    const cells: Cell[] = [];
    for (const [at, field] of fields.entries()) {
      const where = (): string => addressName({ row, column: at + 1 });
      if (field.end - field.start > longField && longFields++ < warningsShown) {
        warnings.push({
          kind: "long-line",
          message: "A cell is longer than a spreadsheet program can hold.",
          where: where(),
        });
      }
      const text = source.read(fieldUnits(source.units, field, dialect.quote));
      if (text === "") continue;
      if (runsAsFormula(text) && formulas++ < warningsShown) {
        warnings.push({
          kind: "csv-formula",
          message: "A spreadsheet program would run this cell as a formula.",
          where: where(),
        });
      }
      cells.push({ column: at + 1, ...textCell(text) });
    }
    columnCount = Math.max(columnCount, cells.at(-1)?.column ?? 0);
    if (cells.length > 0) rows.push({ row, cells });
  }
  if (formulas > warningsShown) {
    warnings.push({
      kind: "csv-formula",
      message: `A spreadsheet program would run ${formulas} cells of this file as formulas; the first ${warningsShown} are named.`,
      where: null,
    });
  }
  if (records.openQuote) {
    warnings.push({
      kind: "unreadable",
      message: "A quote opens here that nothing closes: everything after it is one cell.",
      where: addressName(records.openQuote),
    });
  }
  const truncated = records.end < source.units.length;
  return {
    sheets: [
      {
        name: "Sheet1",
        hidden: false,
        rows,
        rowCount: records.records.length,
        columnCount,
        merged: [],
        comments: new Map(),
        tables: [],
        look: `${source.encoding} ${source.mark.length} ${dialect.delimiter} ${lineEnd(source.units, records)}`,
        truncated,
      },
    ],
    names: [],
    warnings,
    valuesMayBeOld: false,
    truncated,
  };
}

/** The line end of the first record that has one. */
export function lineEnd(units: string, { records }: Records): string {
  const first = records[0];
  return (first && units.slice(first.end, first.next)) || "\n";
}

export function textCell(text: string): CellContent & { digest?: string } {
  const type = text.length < 40 && /^[+-]?(?:\d+(?:[.,]\d+)*|\.\d+)(?:e[+-]?\d+)?%?$/i.test(text) ? "number" : "text";
  return { ...boundedText(text), formula: null, type };
}

/** A long text is cut; its digest still tells it from another. */
export function boundedText(text: string): { text: string; digest?: string } {
  if (text.length <= maxCellText) return { text };
  const digest = createHash("sha256").update(text).digest("hex");
  return { text: `${text.slice(0, maxCellText).toWellFormed()}…`, digest };
}
