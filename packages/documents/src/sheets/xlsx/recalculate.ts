import type { XmlElement } from "../../xml.ts";
import type { Address } from "../address.ts";
import { tokensOf, type Point } from "../formula.ts";
import type { EditedWorkbook } from "./edited-workbook.ts";
import { main } from "./parts.ts";
import type { SheetEditor } from "./sheet-editor.ts";

interface Reading {
  /** Folded name of the sheet. */
  readonly sheet: string;
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

interface Formula {
  readonly sheet: SheetEditor;
  readonly at: Address;
  readonly cell: XmlElement;
  /** Null for one whose inputs cannot be told, such as `INDIRECT`: it may read anything. */
  readonly reads: readonly Reading[] | null;
}

/** Formulas whose inputs are followed one by one; in larger workbooks, none of the values is taken to hold. */
const mostFormulas = 50_000;
const mostRounds = 40;

/**
 * Removes the values of all formulas that depend on changed cells, in whichever sheet they are. A value that no longer holds would
 * be shown as if it did: not every program calculates anew when it opens a file. Gives how many values went.
 */
export function recalculate(workbook: EditedWorkbook): number {
  const sheets = workbook.worksheets();
  const changed = new ChangedCells();
  for (const sheet of sheets) for (const at of sheet.changed) changed.add(sheet.name, at);
  if (changed.empty) return 0;
  const names = namesOf(workbook);
  let open: Formula[] = sheets.flatMap((sheet) =>
    sheet
      .formulas()
      .map(({ at, cell, formula }) => ({ sheet, at, cell, reads: readingsOf(formula, sheet.name, names) })),
  );
  let count = 0;
  const drop = ({ sheet, at, cell }: Formula): void => {
    changed.add(sheet.name, at);
    if (dropValue(workbook, sheet, cell)) count++;
  };
  if (open.length > mostFormulas) {
    open.forEach(drop);
    return count;
  }
  for (let round = 0; round < mostRounds; round++) {
    const before = open.length;
    open = open.filter((formula) => {
      const touched =
        formula.reads === null ||
        changed.has(formula.sheet.name, formula.at) ||
        formula.reads.some((one) => changed.within(one));
      if (touched) drop(formula);
      return !touched;
    });
    if (open.length === before) return count;
    // Chains run down or up a sheet; the next round goes the other way.
    open.reverse();
  }
  open.forEach(drop);
  return count;
}

function dropValue(workbook: EditedWorkbook, sheet: SheetEditor, cell: XmlElement): boolean {
  const value = cell.first("v", main);
  if (!value) return false;
  workbook.touch(sheet.part);
  cell.remove(value);
  cell.removeAttribute("t");
  return true;
}

type Names = ReadonlyMap<string, string>;

function namesOf(workbook: EditedWorkbook): Names {
  const names = new Map<string, string>();
  for (const element of workbook.workbookRoot.first("definedNames", main)?.elements("definedName", main) ?? []) {
    const name = element.attribute("name", "")?.toLowerCase() ?? "";
    // Two of one name, for two sheets, cannot be told apart here: such a name may be anything.
    names.set(name, names.has(name) ? "INDIRECT(0)" : element.text);
  }
  return names;
}

/** Functions that read what their text does not say. */
const unforeseeable = new Set(["INDIRECT", "OFFSET", "CELL", "INFO", "GETPIVOTDATA"]);

function readingsOf(formula: string, own: string, names: Names, depth = 0): readonly Reading[] | null {
  const readings: Reading[] = [];
  for (const token of tokensOf(formula)) {
    if (token.kind === "function" && unforeseeable.has(token.name.toUpperCase())) return null;
    if (token.kind === "other" && (token.raw === "[" || token.raw.length > 1000)) return null;
    if (token.kind === "name" && !/^(?:true|false)$/i.test(token.raw)) {
      const refersTo = names.get(token.name.toLowerCase());
      const inner = refersTo === undefined || depth > 8 ? null : readingsOf(refersTo, own, names, depth + 1);
      if (inner === null || readings.length > 1000) return null;
      readings.push(...inner);
    }
    if (token.kind !== "reference") continue;
    if (token.sheet?.includes(":")) return null;
    readings.push(readingOf(token.sheet ?? own, token.ends));
  }
  return readings;
}

function readingOf(sheet: string, ends: readonly Point[]): Reading {
  const rows = ends.map(({ row }) => row);
  const columns = ends.map(({ column }) => column);
  return {
    sheet: sheet.toLowerCase(),
    top: all<number>(rows) ? Math.min(...rows) : 1,
    bottom: all<number>(rows) ? Math.max(...rows) : Infinity,
    left: all<number>(columns) ? Math.min(...columns) : 1,
    right: all<number>(columns) ? Math.max(...columns) : Infinity,
  };
}

/** Changed cells by sheet and column, and by how far they reach, so that most formulas are told at a glance. */
class ChangedCells {
  readonly #sheets = new Map<string, Map<number, { rows: Set<number>; top: number; bottom: number }>>();

  get empty(): boolean {
    return this.#sheets.size === 0;
  }

  add(sheet: string, { row, column }: Address): void {
    const key = sheet.toLowerCase();
    let columns = this.#sheets.get(key);
    if (!columns) this.#sheets.set(key, (columns = new Map()));
    const known = columns.get(column);
    if (!known) columns.set(column, { rows: new Set([row]), top: row, bottom: row });
    else {
      known.rows.add(row);
      known.top = Math.min(known.top, row);
      known.bottom = Math.max(known.bottom, row);
    }
  }

  has(sheet: string, { row, column }: Address): boolean {
    return this.#sheets.get(sheet.toLowerCase())?.get(column)?.rows.has(row) ?? false;
  }

  within({ sheet, top, bottom, left, right }: Reading): boolean {
    for (const [column, { rows, top: first, bottom: last }] of this.#sheets.get(sheet) ?? []) {
      if (column < left || column > right || last < top || first > bottom) continue;
      if (first >= top && first <= bottom) return true;
      if (last >= top && last <= bottom) return true;
      if (bottom - top < rows.size) {
        for (let row = top; row <= bottom; row++) if (rows.has(row)) return true;
      } else for (const row of rows) if (row >= top && row <= bottom) return true;
    }
    return false;
  }
}

const all = <T>(values: readonly (T | null)[]): values is readonly T[] => values.every((value) => value !== null);
