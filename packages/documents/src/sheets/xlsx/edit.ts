import { refusal } from "../../refusal.ts";
import type { XmlElement } from "../../xml.ts";
import { maxRow, parseAddress, rangeName, type Address, type Range } from "../address.ts";
import { counted } from "../csv/edit.ts";
import type { CellValue, Edited, SheetEdit } from "../edits.ts";
import { EditedWorkbook } from "./edited-workbook.ts";
import { eachFormula, renameInFormula } from "./formulas.ts";
import { isTrue, main, partsOf, wholeNumber } from "./parts.ts";
import { hasContent, type SheetEditor } from "./sheet-editor.ts";
import { shiftRows } from "./shift-rows.ts";

/**
 * Changes a workbook. Only the parts that hold what is changed are written anew, and in them only the elements in question; the
 * texts of new cells stand in the cells, so that the list of shared texts stays as it is.
 */
export function editXlsx(bytes: Uint8Array, edits: readonly SheetEdit[]): Edited {
  const workbook = new EditedWorkbook(bytes);
  const notes = new Set<string>();
  const summary = edits.map((edit) => apply(workbook, edit, notes));
  const saved = workbook.save();
  if (saved.uncalculated > 0) {
    notes.add(
      `${counted(saved.uncalculated, "formula")} that depended on what changed ${saved.uncalculated === 1 ? "has" : "have"} no value until a spreadsheet program opens the file.`,
    );
  }
  return { bytes: saved.bytes, summary: [...summary, ...notes] };
}

function apply(workbook: EditedWorkbook, edit: SheetEdit, notes: Set<string>): string {
  switch (edit.edit) {
    case "set-cells": {
      const sheet = editable(workbook, edit.sheet, notes);
      for (const { cell, value } of edit.cells) {
        const at = parseAddress(cell);
        if (!at) throw refusal("A cell is named by an address such as B3.");
        sheet.set(at, value, likeAbove(sheet, at, value));
      }
      return `Set ${counted(edit.cells.length, "cell")} of "${sheet.name}".`;
    }
    case "insert-rows": {
      const sheet = editable(workbook, edit.sheet, notes);
      insertRows(workbook, sheet, edit.before, edit.rows);
      return `Inserted ${counted(edit.rows.length, "row")} before row ${edit.before} of "${sheet.name}".`;
    }
    case "append-rows": {
      const sheet = editable(workbook, edit.sheet, notes);
      const first = appendRows(workbook, sheet, edit.rows);
      return `Appended ${counted(edit.rows.length, "row")} to "${sheet.name}" from row ${first} on.`;
    }
    case "delete-rows": {
      const sheet = editable(workbook, edit.sheet, notes);
      const { from, count = 1 } = edit;
      if (from + count - 1 > maxRow) throw refusal("A sheet has no such rows.");
      shiftRows(workbook, sheet, { at: from, count: -count });
      return `Deleted ${counted(count, "row")} of "${sheet.name}" from row ${from} on.`;
    }
    case "add-sheet": {
      const sheet = workbook.addSheet(edit.name);
      sheet.writeRows(1, edit.rows ?? [], null);
      return `Added the sheet "${edit.name}".`;
    }
    default: {
      const sheet = workbook.sheet(edit.sheet);
      const old = sheet.name;
      rename(workbook, sheet, edit.name);
      return `Renamed the sheet "${old}" to "${edit.name}".`;
    }
  }
}

function editable(workbook: EditedWorkbook, name: string | undefined, notes: Set<string>): SheetEditor {
  const sheet = workbook.sheet(name);
  if (isTrue(sheet.root.first("sheetProtection", main)?.attribute("sheet", ""))) {
    notes.add(`The sheet "${sheet.name}" is protected; a spreadsheet program would have asked before it changed.`);
  }
  return sheet;
}

/** A new number below numbers looks like them; anything else looks like its row or column. */
function likeAbove(sheet: SheetEditor, { row, column }: Address, value: CellValue): XmlElement | undefined {
  const above = sheet.cellAt({ row: row - 1, column });
  const shown = typeof value === "number" || (typeof value === "object" && value !== null);
  return shown && above && (above.attribute("t", "") ?? "n") === "n" && hasContent(above) ? above : undefined;
}

function insertRows(
  workbook: EditedWorkbook,
  sheet: SheetEditor,
  before: number,
  rows: readonly (readonly CellValue[])[],
): void {
  if (before + rows.length > maxRow) throw refusal("The sheet has no room for so many rows.");
  shiftRows(workbook, sheet, { at: before, count: rows.length });
  // New rows look like the row that they pushed down, else like the one above.
  const next = before + rows.length;
  const like = sheet.rows.some(({ row }) => row === next) ? next : before - 1;
  sheet.writeRows(before, rows, like);
}

function appendRows(workbook: EditedWorkbook, sheet: SheetEditor, rows: readonly (readonly CellValue[])[]): number {
  const last = sheet.lastRow;
  const first = last + 1;
  const grown = sheet
    .tables()
    .find(({ element, range }) => range.last.row === last && !wholeNumber(element.attribute("totalsRowCount", "")));
  sheet.writeRows(first, rows, last > 1 ? last : null);
  // Rows right below a table become rows of it, as they do when a person writes them.
  if (grown) growTable(workbook, grown.part, grown.range, rows.length);
  sheet.forgetRanges();
  return first;
}

function growTable(workbook: EditedWorkbook, part: string, range: Range, count: number): void {
  const root = workbook.touch(part);
  const grown = rangeName({ first: range.first, last: { ...range.last, row: range.last.row + count } });
  root.setAttribute("ref", grown);
  root.first("autoFilter", main)?.setAttribute("ref", grown);
}

function rename(workbook: EditedWorkbook, sheet: SheetEditor, name: string): void {
  const old = sheet.name;
  workbook.refuseName(name, old);
  const changed = (formula: string): string => renameInFormula(formula, old, name);
  for (const other of workbook.worksheets()) {
    // A group that shares a formula keeps it: the name changes for all of them at once.
    for (const { written } of other.formulas()) {
      const formula = written.text;
      if (changed(formula) === formula) continue;
      workbook.touch(other.part);
      written.text = changed(formula);
    }
  }
  eachFormula(workbook, changed);
  const pkg = workbook.parts.package;
  for (const cache of partsOf(pkg, workbook.parts.workbook, "pivotCacheDefinition")) {
    const source = pkg.xml(cache).root.at("cacheSource", "worksheetSource");
    if (source?.attribute("sheet", "")?.toLowerCase() !== old.toLowerCase()) continue;
    workbook.touch(cache);
    source.setAttribute("sheet", name);
  }
  workbook.renameInList(sheet, name);
}
