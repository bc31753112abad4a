import { refusal } from "../../refusal.ts";
import type { XmlElement } from "../../xml.ts";
import { addressName, maxColumn, maxRow, parseAddress, type Address } from "../address.ts";
import { boundedText } from "../csv/read.ts";
import { moveFormula } from "../formula.ts";
import type { Cell, GridRow } from "../grid.ts";
import { shownNumber } from "../number-format.ts";
import { main, wholeNumber } from "./parts.ts";
import { richText, unescapedText, type SharedString } from "./strings.ts";
import type { Style } from "./styles.ts";

export interface CellContext {
  readonly strings: readonly SharedString[];
  readonly style: (index: string | undefined) => Style;
  readonly epoch1904: boolean;
}

/** A row of the sheet as it is written, with its cells in order. */
export interface WrittenRow {
  readonly row: number;
  readonly element: XmlElement;
  readonly cells: readonly WrittenCell[];
}

export interface WrittenCell extends Address {
  readonly element: XmlElement;
}

/**
 * The rows and cells of a sheet by their numbers, which may be left out where they follow the one before. A sheet that names a
 * place twice, or one that no sheet has, is refused: programs disagree on what it shows.
 */
export function* writtenRows(sheet: XmlElement): Generator<WrittenRow> {
  const rows: { row: number; element: XmlElement }[] = [];
  let last = 0;
  let sorted = true;
  for (const element of sheet.first("sheetData", main)?.elements("row", main) ?? []) {
    const given = element.attribute("r", "");
    const row = given === undefined ? last + 1 : wholeNumber(given);
    if (row === null || row < 1 || row > maxRow) throw refusal("A sheet has a row that no sheet can have.");
    sorted &&= row > last;
    last = row;
    rows.push({ row, element });
  }
  if (!sorted) rows.sort((a, b) => a.row - b.row);
  let before = 0;
  for (const { row, element } of rows) {
    if (row === before) throw refusal("A sheet has a row twice.");
    before = row;
    yield { row, element, cells: writtenCells(element, row) };
  }
}

function writtenCells(element: XmlElement, row: number): WrittenCell[] {
  const cells: WrittenCell[] = [];
  let last = 0;
  let sorted = true;
  for (const cell of element.elements("c", main)) {
    const given = cell.attribute("r", "");
    const at = given === undefined ? { row, column: last + 1 } : parseAddress(given);
    if (!at || at.row !== row || at.column > maxColumn || given?.includes("$")) {
      throw refusal("A sheet has a cell at a place that no sheet has.");
    }
    sorted &&= at.column > last;
    last = at.column;
    cells.push({ ...at, element: cell });
  }
  if (sorted) return cells;
  cells.sort((a, b) => a.column - b.column);
  if (cells.some((cell, index) => cell.column === cells[index - 1]?.column)) throw refusal("A sheet has a cell twice.");
  return cells;
}

/** Formulas that a group of cells shares: written once, and moved along for the others. */
export class SharedFormulas {
  readonly #masters = new Map<string, { formula: string; at: Address }>();

  /** The formula of a cell without its `=`; null where it has none. */
  formulaOf({ element, row, column }: WrittenCell): string | null {
    const written = element.first("f", main);
    if (!written) return null;
    const formula = unescapedText(written.text);
    if (written.attribute("t", "") !== "shared") return formula;
    const group = written.attribute("si", "") ?? "";
    if (formula !== "") {
      this.#masters.set(group, { formula, at: { row, column } });
      return formula;
    }
    const master = this.#masters.get(group);
    return master ? moveFormula(master.formula, row - master.at.row, column - master.at.column) : "";
  }
}

export interface ReadRows {
  readonly rows: GridRow[];
  readonly rowCount: number;
  readonly columnCount: number;
  readonly truncated: boolean;
}

/** What the cells of a sheet show. `spend` counts the cells of the workbook, and says when there were enough. */
export function readRows(
  sheet: XmlElement,
  context: CellContext,
  spend: () => boolean,
  onFormula: (formula: string, at: Address) => void,
): ReadRows {
  const rows: GridRow[] = [];
  const shared = new SharedFormulas();
  let [rowCount, columnCount] = [0, 0];
  for (const { row, element, cells } of writtenRows(sheet)) {
    const shown: Cell[] = [];
    for (const written of cells) {
      const cell = readCell(written, shared, context);
      if (!cell) continue;
      if (!spend()) return { rows, rowCount, columnCount, truncated: true };
      if (cell.formula !== null) onFormula(cell.formula, written);
      shown.push(cell);
      columnCount = Math.max(columnCount, written.column);
    }
    const look = ["ht", "hidden", "s"].map((name) => element.attribute(name, "") ?? "").join(" ");
    if (shown.length === 0) continue;
    rows.push({ row, cells: shown, look: look.replace(/\bfalse\b|\b0\b/g, "") });
    rowCount = row;
  }
  return { rows, rowCount, columnCount, truncated: false };
}

/** Null for a cell that has a look and nothing in it. */
function readCell(written: WrittenCell, shared: SharedFormulas, context: CellContext): Cell | null {
  const { element, column } = written;
  // Prefixes that functions newer than the format are written with, and that no program shows.
  const formula = shared.formulaOf(written)?.replace(/\b_xlfn\.(?:_xlws\.)?(?=[A-Z])/g, "") ?? null;
  const { format, look } = context.style(element.attribute("s", ""));
  const array = element.first("f", main)?.attribute("t", "") === "array" ? " array" : "";
  const common = { column, formula, ...((look !== "" || array !== "") && { look: look + array }) };
  const type = element.attribute("t", "") ?? "n";
  if (type === "inlineStr") {
    const inline = element.first("is", main);
    const text = inline ? richText(inline) : "";
    return text === "" && formula === null ? null : { ...common, ...boundedText(text), type: "text" };
  }
  const value = element.first("v", main)?.text;
  if (value === undefined || value === "") return formula === null ? null : { ...common, text: "", type: "text" };
  switch (type) {
    case "s": {
      const string = context.strings[wholeNumber(value) ?? -1];
      if (!string) throw refusal(`The text of cell ${addressName(written)} is missing.`);
      return string.text === "" && formula === null ? null : { ...common, ...string, type: "text" };
    }
    case "str":
      return { ...common, ...boundedText(unescapedText(value)), type: "text" };
    case "b":
      return { ...common, text: value === "1" || value === "true" ? "TRUE" : "FALSE", type: "boolean" };
    case "e":
      return { ...common, ...boundedText(value), type: "error" };
    case "d":
      return { ...common, ...boundedText(value), type: "date" };
    default: {
      const number =
        /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*$/.test(value) && value.length < 400 ? Number(value) : NaN;
      if (!Number.isFinite(number)) return { ...common, ...boundedText(value), type: "error" };
      return { ...common, ...shownNumber(number, format, context.epoch1904) };
    }
  }
}
