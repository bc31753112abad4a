import { addressName, parseAddress } from "../address.ts";
import { refusal } from "../../refusal.ts";
import type { CellValue, Edited, SheetEdit } from "../edits.ts";
import { runsAsFormula } from "./injection.ts";
import { lineEnd, openCsv } from "./read.ts";
import { fieldUnits, recordsOf, type Dialect, type Records } from "./records.ts";
import type { SourceText } from "./text.ts";

/** Fields of a file that is edited: more than are compared, since only places are kept of them. */
const mostFields = 3_000_000;
/** Rows that may be added to reach a cell below the last one. */
const farthest = 10_000;

/** Changes fields and rows; every byte of the others stays as it is. */
export function editCsv(bytes: Uint8Array, path: string, edits: readonly SheetEdit[]): Edited {
  const { source, dialect, records } = openCsv(bytes, path, mostFields);
  if (records.end < source.units.length) throw refusal("The file has too many cells to be edited here.");
  if (records.openQuote) {
    throw refusal(
      `A quote that opens in ${addressName(records.openQuote)} is never closed; what follows cannot be told apart.`,
    );
  }
  const text = new DelimitedText(source, dialect, records);
  const summary = edits.map((edit) => text.apply(edit));
  return { bytes: text.bytes(), summary: [...summary, ...text.notes()] };
}

interface Row {
  /** Without its line end. */
  units: string;
  end: string;
}

class DelimitedText {
  readonly #source: SourceText;
  readonly #dialect: Dialect;
  readonly #rows: Row[];
  readonly #lineEnd: string;
  #formulas = 0;

  constructor(source: SourceText, dialect: Dialect, records: Records) {
    this.#source = source;
    this.#dialect = dialect;
    this.#lineEnd = lineEnd(source.units, records);
    this.#rows = records.records.map(({ start, end, next }) => ({
      units: source.units.slice(start, end),
      end: source.units.slice(end, next),
    }));
  }

  /** Gives a sentence on what it did. */
  apply(edit: SheetEdit): string {
    switch (edit.edit) {
      case "set-cells":
        for (const { cell, value } of edit.cells) this.#set(cell, value);
        return `Set ${counted(edit.cells.length, "cell")}.`;
      case "insert-rows":
        if (edit.before > this.#rows.length + 1) throw refusal(`The file has ${this.#rows.length} rows.`);
        this.#insert(edit.before - 1, edit.rows);
        return `Inserted ${counted(edit.rows.length, "row")} before row ${edit.before}.`;
      case "append-rows":
        this.#insert(this.#rows.length, edit.rows);
        return `Appended ${counted(edit.rows.length, "row")}.`;
      case "delete-rows": {
        const { from, count = 1 } = edit;
        if (from + count - 1 > this.#rows.length) throw refusal(`The file has ${this.#rows.length} rows.`);
        this.#rows.splice(from - 1, count);
        return `Deleted ${counted(count, "row")} from row ${from} on.`;
      }
      default:
        throw refusal("A file of delimited text holds one sheet without a name.");
    }
  }

  bytes(): Uint8Array {
    return this.#source.bytes(this.#rows.map(({ units, end }) => units + end).join(""));
  }

  notes(): string[] {
    return this.#formulas === 0
      ? []
      : [`${counted(this.#formulas, "cell")} would run as a formula in a spreadsheet program; the review warns of it.`];
  }

  #set(cell: string, value: CellValue): void {
    const at = parseAddress(cell);
    if (!at) throw refusal("A cell is named by an address such as B3.");
    if (at.row > this.#rows.length + farthest || at.column > 2000)
      throw refusal(`${cell} is too far from the other cells.`);
    while (this.#rows.length < at.row) this.#insert(this.#rows.length, [[]]);
    const row = this.#rows[at.row - 1];
    if (!row) return;
    const { delimiter, quote } = this.#dialect;
    const [{ fields } = { fields: [] }] = recordsOf(row.units, this.#dialect, Infinity).records;
    const field = fields[at.column - 1];
    if (field) {
      const raw = row.units.slice(field.start, field.end);
      const fresh = this.#field(value, quote !== null && raw.startsWith(quote));
      if (this.#source.read(fieldUnits(row.units, field, quote)) === shown(value)) return;
      row.units = row.units.slice(0, field.start) + fresh + row.units.slice(field.end);
    } else {
      const missing = Math.max(at.column - Math.max(fields.length, 1), 0);
      row.units += delimiter.repeat(missing) + this.#field(value, false);
    }
  }

  #insert(at: number, rows: readonly (readonly CellValue[])[]): void {
    const before = this.#rows[at - 1];
    // The last line of a file often has no end; it needs one when a line follows, and the new last line has none then.
    const open = before?.end === "";
    if (before && open) before.end = this.#lineEnd;
    const fresh = rows.map((row) => ({
      units: row.map((value) => this.#field(value, false)).join(this.#dialect.delimiter),
      end: this.#lineEnd,
    }));
    const last = fresh.at(-1);
    if (last && open) last.end = "";
    this.#rows.splice(at, 0, ...fresh);
  }

  #field(value: CellValue, wasQuoted: boolean): string {
    const text = shown(value);
    if (typeof value === "string" && runsAsFormula(text)) this.#formulas++;
    const units = this.#source.write(text);
    if (units === null) throw refusal(`The file is written in ${this.#source.encoding}, which has no such characters.`);
    const { delimiter, quote } = this.#dialect;
    const again = quoted(units, delimiter, quote ?? '"', wasQuoted && text !== "");
    if (again !== units && quote === null) throw refusal("The file knows no quotes, which this text would need.");
    return again;
  }
}

export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function shown(value: CellValue): string {
  if (value === null) return "";
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return value ? "TRUE" : "FALSE";
  if (typeof value === "number") return String(value);
  if ("date" in value) return value.date;
  throw refusal("A file of delimited text holds values, not formulas.");
}

function quoted(units: string, delimiter: string, quote: string, always = false): string {
  const needed =
    always || units.includes(delimiter) || units.includes(quote) || /[\r\n]/.test(units) || /^\s|\s$/.test(units);
  return needed ? quote + units.replaceAll(quote, quote + quote) + quote : units;
}
