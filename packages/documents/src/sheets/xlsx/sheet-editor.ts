import { refusal } from "../../refusal.ts";
import type { XmlElement } from "../../xml.ts";
import {
  addressName,
  contains,
  maxColumn,
  maxRow,
  parseRange,
  rangeName,
  type Address,
  type Range,
} from "../address.ts";
import type { CellValue } from "../edits.ts";
import { serialOf } from "../number-format.ts";
import { SharedFormulas, writtenRows } from "./cells.ts";
import type { EditedWorkbook } from "./edited-workbook.ts";
import { main, partsOf, wholeNumber } from "./parts.ts";
import { escapedText } from "./strings.ts";

interface EditedRow {
  row: number;
  readonly element: XmlElement;
  /** By column. */
  readonly cells: Map<number, XmlElement>;
}

export interface SheetTable {
  readonly part: string;
  readonly element: XmlElement;
  readonly range: Range;
}

/** The cells of one worksheet, changed in its own tree: what is not changed is written back as it was. */
export class SheetEditor {
  readonly root: XmlElement;
  readonly part: string;
  name: string;
  readonly #workbook: EditedWorkbook;
  /** In rising order. */
  readonly rows: EditedRow[] = [];
  readonly #byRow = new Map<number, EditedRow>();
  /** Cells whose content changed; formulas that read them are calculated anew. */
  readonly changed: Address[] = [];

  constructor(workbook: EditedWorkbook, part: string, name: string, root: XmlElement) {
    [this.#workbook, this.part, this.name, this.root] = [workbook, part, name, root];
    if (!root.first("sheetData", main)) throw refusal(`The sheet "${name}" has no cells.`);
    for (const { row, element, cells } of writtenRows(root)) {
      // Places that follow from the one before would follow from another one after a change.
      if (element.attribute("r", "") === undefined) element.setAttribute("r", String(row));
      for (const cell of cells) {
        if (cell.element.attribute("r", "") === undefined) cell.element.setAttribute("r", addressName(cell));
      }
      this.#add({ row, element, cells: new Map(cells.map((cell) => [cell.column, cell.element])) });
    }
  }

  #add(row: EditedRow): void {
    this.rows.push(row);
    this.#byRow.set(row.row, row);
  }

  get data(): XmlElement {
    const data = this.root.first("sheetData", main);
    if (!data) throw refusal(`The sheet "${this.name}" has no cells.`);
    return data;
  }

  /** The last row that holds a value or a formula; 0 where none does. */
  get lastRow(): number {
    return this.rows.findLast(({ cells }) => [...cells.values()].some(hasContent))?.row ?? 0;
  }

  cellAt({ row, column }: Address): XmlElement | undefined {
    return this.#byRow.get(row)?.cells.get(column);
  }

  /** All formulas, those of shared groups as each cell reads. */
  formulas(): { at: Address; cell: XmlElement; written: XmlElement; formula: string }[] {
    const shared = new SharedFormulas();
    const found = [];
    for (const { row, cells } of this.rows) {
      for (const [column, cell] of [...cells].toSorted((a, b) => a[0] - b[0])) {
        const written = cell.first("f", main);
        if (!written) continue;
        const at = { row, column };
        found.push({ at, cell, written, formula: shared.formulaOf({ ...at, element: cell }) ?? "" });
      }
    }
    return found;
  }

  /** Gives each cell of a shared group its own formula, so that one of them can change. */
  unshare(): void {
    for (const { written, formula } of this.formulas()) {
      if (written.attribute("t", "") !== "shared") continue;
      for (const name of ["t", "ref", "si"]) written.removeAttribute(name);
      written.text = escapedText(formula);
    }
  }

  set(at: Address, value: CellValue, styleFrom?: XmlElement): void {
    if (at.row > maxRow || at.column > maxColumn) throw refusal("A sheet has no such cell.");
    this.#refuseFixed(at);
    const known = this.cellAt(at);
    if (value === null) {
      if (!known || !hasContent(known)) return;
      this.#empty(known);
      if (known.attribute("s", "") === undefined) this.#removeCell(at);
      this.changed.push(at);
      return;
    }
    const cell = known ?? this.#newCell(at, styleFrom);
    this.#empty(cell);
    this.#write(cell, value);
    this.changed.push(at);
  }

  #write(cell: XmlElement, value: Exclude<CellValue, null>): void {
    const put = (local: string, text: string, attributes: Readonly<Record<string, string>> = {}): void => {
      const child = cell.create(local, attributes);
      child.text = text;
      cell.append(child);
    };
    if (typeof value === "string") {
      cell.setAttribute("t", "inlineStr");
      const inline = cell.create("is");
      const text = inline.create("t", { "xml:space": "preserve" });
      text.text = escapedText(value);
      inline.append(text);
      cell.append(inline);
    } else if (typeof value === "number") {
      if (!Number.isFinite(value)) throw refusal("A cell cannot hold such a number.");
      put("v", String(value));
    } else if (typeof value === "boolean") {
      cell.setAttribute("t", "b");
      put("v", value ? "1" : "0");
    } else if ("date" in value) {
      const serial = serialOf(value.date, this.#workbook.parts.epoch1904);
      if (serial === null)
        throw refusal("A date is a day or a moment such as 2026-01-31 or 2026-01-31T12:30:00, from 1900 on.");
      const style = this.#workbook.dateStyle(cell.attribute("s", ""), !Number.isInteger(serial));
      if (style !== undefined) cell.setAttribute("s", style);
      put("v", String(serial));
    } else {
      const { formula, array } = this.#workbook.checkedFormula(value.formula);
      const own = cell.attribute("r", "") ?? "";
      put("f", escapedText(formula), array ? { t: "array", ref: own } : {});
      this.#workbook.formulasChanged = true;
    }
  }

  #empty(cell: XmlElement): void {
    const written = cell.first("f", main);
    if (written) {
      if (written.attribute("t", "") === "shared") this.unshare();
      this.#workbook.formulasChanged = true;
    }
    for (const child of cell.elements()) if (["f", "v", "is"].includes(child.local)) cell.remove(child);
    for (const name of ["t", "cm", "vm"]) cell.removeAttribute(name);
  }

  /** Rows of values below everything else, or from a row on that is known to be empty. */
  writeRows(from: number, rows: readonly (readonly CellValue[])[], model: number | null): void {
    if (from + rows.length - 1 > maxRow) throw refusal("The sheet has no room for so many rows.");
    const like = model === null ? undefined : this.#byRow.get(model);
    for (const [index, row] of rows.entries()) {
      for (const [column, value] of row.entries()) {
        if (value !== null) this.set({ row: from + index, column: column + 1 }, value, like?.cells.get(column + 1));
      }
    }
  }

  #newCell(at: Address, styleFrom?: XmlElement): XmlElement {
    const row = this.#byRow.get(at.row) ?? this.#newRow(at.row);
    const style = styleFrom?.attribute("s", "") ?? this.#emptyStyle(row, at.column);
    const cell = row.element.create("c", { r: addressName(at), ...(style !== undefined && { s: style }) });
    let next = Infinity;
    for (const column of row.cells.keys()) if (column > at.column && column < next) next = column;
    row.element.insert(cell, row.cells.get(next) ?? null);
    row.cells.set(at.column, cell);
    row.element.removeAttribute("spans");
    this.#growTo(at);
    return cell;
  }

  /** A cell that is not written has the look of its row or of its column. */
  #emptyStyle({ element }: EditedRow, column: number): string | undefined {
    const custom = element.attribute("customFormat", "");
    if (custom === "1" || custom === "true") return element.attribute("s", "");
    for (const group of this.root.first("cols", main)?.elements("col", main) ?? []) {
      const [first, last] = [wholeNumber(group.attribute("min", "")), wholeNumber(group.attribute("max", ""))];
      if (first !== null && last !== null && column >= first && column <= last) return group.attribute("style", "");
    }
    return undefined;
  }

  #newRow(row: number): EditedRow {
    const element = this.data.create("row", { r: String(row) });
    const below = (this.rows.at(-1)?.row ?? 0) < row;
    const next = below ? -1 : this.rows.findIndex((one) => one.row > row);
    this.data.insert(element, next === -1 ? null : (this.rows[next]?.element ?? null));
    const fresh = { row, element, cells: new Map<number, XmlElement>() };
    this.rows.splice(next === -1 ? this.rows.length : next, 0, fresh);
    this.#byRow.set(row, fresh);
    return fresh;
  }

  #removeCell(at: Address): void {
    const row = this.#byRow.get(at.row);
    const cell = row?.cells.get(at.column);
    if (!row || !cell) return;
    row.element.remove(cell);
    row.cells.delete(at.column);
  }

  #growTo(at: Address): void {
    const dimension = this.root.first("dimension", main);
    const range = parseRange(dimension?.attribute("ref", "") ?? "");
    if (!dimension || !range || contains(range, at)) return;
    const { first, last } = range;
    const grown = {
      first: { row: Math.min(first.row, at.row), column: Math.min(first.column, at.column) },
      last: { row: Math.max(last.row, at.row), column: Math.max(last.column, at.column) },
    };
    dimension.setAttribute("ref", rangeName(grown));
  }

  /** Cells that are part of something larger, which a change of one would break. */
  #refuseFixed(at: Address): void {
    const name = addressName(at);
    for (const range of this.merged()) {
      if (contains(range, at) && addressName(range.first) !== name) {
        throw refusal(
          `${name} is covered by the merged cells ${rangeName(range)}; write to ${addressName(range.first)}.`,
        );
      }
    }
    for (const { range, what } of this.fixedRanges()) {
      if (contains(range, at))
        throw refusal(`${name} is part of ${what} in ${rangeName(range)}, which cannot be changed in part.`);
    }
    for (const { element, range } of this.tables()) {
      const headers = wholeNumber(element.attribute("headerRowCount", "")) ?? 1;
      if (headers > 0 && contains(range, at) && at.row === range.first.row) {
        throw refusal(
          `${name} is a heading of the table ${rangeName(range)}; headings of tables cannot be changed here.`,
        );
      }
    }
  }

  merged(): Range[] {
    this.#merged ??= rangesOf(this.root.first("mergeCells", main)?.elements("mergeCell", main) ?? []);
    return this.#merged;
  }
  #merged: Range[] | undefined;

  /** Array formulas over several cells, tables of what-if analysis, and pivot tables. */
  fixedRanges(): { range: Range; what: string }[] {
    this.#fixed ??= this.#findFixed();
    return this.#fixed;
  }
  #fixed: { range: Range; what: string }[] | undefined;

  #findFixed(): { range: Range; what: string }[] {
    const found: { range: Range; what: string }[] = [];
    for (const { cells } of this.rows) {
      for (const cell of cells.values()) {
        const written = cell.first("f", main);
        const kind = written?.attribute("t", "");
        if (kind !== "array" && kind !== "dataTable") continue;
        const range = parseRange(written?.attribute("ref", "") ?? "");
        const single = range && rangeName(range) === addressName(range.first);
        if (range && !single) found.push({ range, what: kind === "array" ? "an array formula" : "a data table" });
      }
    }
    for (const part of partsOf(this.#workbook.parts.package, this.part, "pivotTable")) {
      const location = this.#workbook.parts.package.xml(part).root.first("location", main);
      const range = parseRange(location?.attribute("ref", "") ?? "");
      if (range) found.push({ range, what: "a pivot table" });
    }
    return found;
  }

  /** What was found out about ranges no longer holds, since rows moved. */
  forgetRanges(): void {
    [this.#fixed, this.#merged, this.#tables] = [undefined, undefined, undefined];
  }

  tables(): readonly SheetTable[] {
    const pkg = this.#workbook.parts.package;
    this.#tables ??= partsOf(pkg, this.part, "table").flatMap((part) => {
      const element = pkg.xml(part).root;
      const range = parseRange(element.attribute("ref", "") ?? "");
      return range ? [{ part, element, range }] : [];
    });
    return this.#tables;
  }
  #tables: SheetTable[] | undefined;

  /** Gives rows new numbers, as `place` says; null removes one. The order stays. */
  renumber(place: (row: number) => number | null): void {
    for (const { row, element, cells } of this.rows.splice(0)) {
      const moved = place(row);
      if (moved === null) this.data.remove(element);
      else if (moved !== row) {
        element.setAttribute("r", String(moved));
        for (const [column, cell] of cells) cell.setAttribute("r", addressName({ row: moved, column }));
      }
      if (moved !== null) this.rows.push({ row: moved, element, cells });
    }
    this.#byRow.clear();
    for (const row of this.rows) this.#byRow.set(row.row, row);
    const moved = this.changed.splice(0).flatMap(({ row, column }) => {
      const at = place(row);
      return at === null ? [] : [{ row: at, column }];
    });
    this.changed.push(...moved);
  }
}

export function hasContent(cell: XmlElement): boolean {
  return cell.elements().some(({ local }) => local === "f" || local === "v" || local === "is");
}

function rangesOf(elements: readonly XmlElement[]): Range[] {
  return elements.flatMap((element) => {
    const range = parseRange(element.attribute("ref", "") ?? "");
    return range ? [range] : [];
  });
}
