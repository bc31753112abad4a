import { refusal } from "../../refusal.ts";
import type { XmlElement } from "../../xml.ts";
import { addressName, maxRow, parseRange, rangeName } from "../address.ts";
import { shiftedRows, shiftFormula, tokensOf, type RowShift } from "../formula.ts";
import type { EditedWorkbook } from "./edited-workbook.ts";
import { eachFormula } from "./formulas.ts";
import { main, partsOf, wholeNumber } from "./parts.ts";
import type { SheetEditor } from "./sheet-editor.ts";
import { escapedText } from "./strings.ts";

/**
 * Moves what is below rows that come or go, and whatever points there from anywhere in the workbook: formulas, names, merged
 * cells, rules, tables, notes, pictures and charts. What cannot be moved safely is refused before anything changes.
 */
export function shiftRows(workbook: EditedWorkbook, sheet: SheetEditor, shift: RowShift): void {
  refuseUnsafe(workbook, sheet, shift);
  const isThere =
    (own: SheetEditor | null) =>
    (named: string | null): boolean =>
      named === null ? own === sheet : named.toLowerCase() === sheet.name.toLowerCase();
  for (const other of workbook.worksheets()) shiftCellFormulas(workbook, other, isThere(other), shift);
  sheet.renumber((row) => shiftedRows(row, row, shift)?.[0] ?? null);
  sheet.forgetRanges();
  workbook.touch(sheet.part);
  shiftPlaces(sheet.root, shift);
  eachFormula(workbook, (formula, own) => shiftFormula(formula, isThere(own), shift));
  shiftTables(workbook, sheet, shift);
  sheet.forgetRanges();
  shiftNotes(workbook, sheet, shift);
  shiftDrawings(workbook, sheet, shift);
  workbook.formulasChanged ||= workbook.worksheets().some((one) => one.formulas().length > 0);
}

function refuseUnsafe(workbook: EditedWorkbook, sheet: SheetEditor, { at, count }: RowShift): void {
  const pkg = workbook.parts.package;
  const last = count < 0 ? at - count - 1 : at;
  if (count > 0 && (sheet.rows.at(-1)?.row ?? 0) + count > maxRow)
    throw refusal("The sheet has no room for so many rows.");
  for (const kind of ["pivotTable", "queryTable"]) {
    if (partsOf(pkg, sheet.part, kind).length > 0)
      throw refusal(`Rows of a sheet with a pivot or query table cannot be moved here.`);
  }
  for (const cache of partsOf(pkg, workbook.parts.workbook, "pivotCacheDefinition")) {
    const source = pkg.xml(cache).root.at("cacheSource", "worksheetSource");
    if (source?.attribute("sheet", "")?.toLowerCase() === sheet.name.toLowerCase()) {
      throw refusal("A pivot table reads from this sheet; its rows cannot be moved here.");
    }
  }
  for (const name of [
    "scenarios",
    "dataConsolidate",
    "customSheetViews",
    "oleObjects",
    "controls",
    "legacyDrawingHF",
  ]) {
    if (sheet.root.first(name, main)) throw refusal(`Rows of a sheet with ${name} cannot be moved here.`);
  }
  for (const { range, what } of sheet.fixedRanges()) {
    const inside =
      count > 0 ? at > range.first.row && at <= range.last.row : at <= range.last.row && last >= range.first.row;
    if (inside) throw refusal(`The rows cut through ${what} in ${rangeName(range)}.`);
  }
  if (count > 0) return;
  for (const { element, range } of sheet.tables()) {
    const headers = wholeNumber(element.attribute("headerRowCount", "")) ?? 1;
    const totals = wholeNumber(element.attribute("totalsRowCount", "")) ?? 0;
    const [first, end] = [range.first.row + headers, range.last.row - totals];
    const cutsEdge =
      (headers > 0 && at <= range.first.row && last >= range.first.row) ||
      (totals > 0 && at <= range.last.row && last > end);
    if (cutsEdge || (at <= first && last >= end)) {
      throw refusal(`The rows are the heading, the totals or all rows of the table in ${rangeName(range)}.`);
    }
  }
}

/** Functions whose result depends on where they stand. */
const ofPlaces = /^(?:ROWS?|COLUMNS?|ADDRESS|CELL)$/i;

function shiftCellFormulas(
  workbook: EditedWorkbook,
  sheet: SheetEditor,
  isThere: (named: string | null) => boolean,
  shift: RowShift,
): void {
  const moves = (): { written: XmlElement; formula: string; moved: string; at: SheetEditor["changed"][number] }[] =>
    sheet
      .formulas()
      .map(({ written, formula, at }) => ({ written, formula, at, moved: shiftFormula(formula, isThere, shift) }));
  const own = isThere(null);
  let found = moves();
  const affected = found.some(({ formula, moved }) => formula !== moved);
  if (!affected && !own) return;
  workbook.touch(sheet.part);
  if (found.some(({ written }) => written.attribute("t", "") === "shared")) {
    sheet.unshare();
    found = moves();
  }
  for (const { written, formula, moved, at } of found) {
    if (moved !== formula) written.text = escapedText(moved);
    const range = own ? parseRange(written.attribute("ref", "") ?? "") : null;
    const rows = range && shiftedRows(range.first.row, range.last.row, shift);
    if (range && rows) written.setAttribute("ref", withRows(range, rows));
    // A value holds where the formula only moved along; not where it reads more or fewer cells, or where it stands.
    const grew = sizesOf(formula) !== sizesOf(moved);
    const whole = tokensOf(formula).some(
      (token) => token.kind === "reference" && isThere(token.sheet) && token.ends.some(({ row }) => row === null),
    );
    if (grew || whole || tokensOf(formula).some((token) => token.kind === "function" && ofPlaces.test(token.name)))
      sheet.changed.push(at);
  }
}

function sizesOf(formula: string): string {
  return tokensOf(formula)
    .map((token) => {
      if (token.kind !== "reference") return token.raw === "#REF!" ? "gone" : "";
      const [first, last] = token.ends;
      return first && last ? (last.row ?? 0) - (first.row ?? 0) : "";
    })
    .join(" ");
}

const removable = new Set([
  "mergeCell",
  "hyperlink",
  "dataValidation",
  "conditionalFormatting",
  "ignoredError",
  "protectedRange",
  "brk",
]);
const textLists = new Set(["sqref"]);

/** Places outside of the cells: `ref`, `sqref` and the like of all elements of the sheet. */
function shiftPlaces(root: XmlElement, shift: RowShift): void {
  const gone: XmlElement[] = [];
  for (const part of root.elements()) {
    if (part.local === "sheetData") continue;
    for (const element of [part, ...part.descendants()]) {
      for (const name of ["ref", "sqref", "activeCell", "topLeftCell"]) {
        const places = element.attribute(name, "");
        if (places === undefined || places === "") continue;
        const moved = shiftedPlaces(places, shift);
        if (moved === "" && removable.has(element.local)) gone.push(element);
        else if (moved !== places) element.setAttribute(name, moved === "" ? "A1" : moved);
      }
      if (textLists.has(element.local) && element.elements().length === 0) {
        const moved = shiftedPlaces(element.text, shift);
        if (moved !== element.text) element.text = moved === "" ? "A1" : moved;
      }
      if (element.local === "brk" && element.parent?.local === "rowBreaks") {
        const row = wholeNumber(element.attribute("id", ""));
        const moved = row === null ? null : shiftedRows(row, row, shift);
        if (moved) element.setAttribute("id", String(moved[0]));
        else gone.push(element);
      }
    }
  }
  for (const element of gone) {
    const list = element.parent;
    if (!list) continue;
    list.remove(element);
    const left = list.elements().length;
    if (list !== root && left === 0) list.parent?.remove(list);
    else if (list.attribute("count", "") !== undefined) list.setAttribute("count", String(left));
  }
}

/** Ranges with spaces between; those whose rows all went are left out. */
function shiftedPlaces(places: string, shift: RowShift): string {
  return places
    .split(/\s+/)
    .flatMap((place) => {
      const range = parseRange(place);
      if (!range) return [place];
      const rows = shiftedRows(range.first.row, range.last.row, shift);
      return rows ? [withRows(range, rows, place.includes(":"))] : [];
    })
    .join(" ");
}

function withRows(
  range: NonNullable<ReturnType<typeof parseRange>>,
  [first, last]: [number, number],
  always = true,
): string {
  const from = addressName({ ...range.first, row: first });
  const to = addressName({ ...range.last, row: last });
  return from === to && !always ? from : `${from}:${to}`;
}

function shiftTables(workbook: EditedWorkbook, sheet: SheetEditor, shift: RowShift): void {
  for (const { part } of sheet.tables()) {
    const root = workbook.touch(part);
    for (const element of [root, ...root.descendants()]) {
      const places = element.attribute("ref", "");
      if (places !== undefined) element.setAttribute("ref", shiftedPlaces(places, shift));
    }
  }
}

function shiftNotes(workbook: EditedWorkbook, sheet: SheetEditor, shift: RowShift): void {
  const pkg = workbook.parts.package;
  for (const part of [...partsOf(pkg, sheet.part, "comments"), ...partsOf(pkg, sheet.part, "threadedComment")]) {
    const root = workbook.touch(part);
    for (const element of Array.from(root.descendants())) {
      const place = element.attribute("ref", "");
      if (place === undefined) continue;
      const moved = shiftedPlaces(place, shift);
      if (moved === "") element.parent?.remove(element);
      else element.setAttribute("ref", moved);
    }
  }
  // The boxes of notes are VML, which is often no XML: only the numbers of rows in it are changed.
  for (const part of partsOf(pkg, sheet.part, "vmlDrawing")) {
    const text = pkg.text(part);
    const moved = text.replace(/<v:shape\b[\s\S]*?<\/v:shape>/g, (shape) => {
      const row = /<x:Row>\s*(\d+)\s*<\/x:Row>/.exec(shape);
      const rows = row ? shiftedRows(Number(row[1]) + 1, Number(row[1]) + 1, shift) : null;
      if (!row) return shape;
      if (!rows) return "";
      const by = rows[0] - 1 - Number(row[1]);
      return shape
        .replace(row[0], `<x:Row>${rows[0] - 1}</x:Row>`)
        .replace(/(<x:Anchor>)([^<]*)(<\/x:Anchor>)/, (_, open: string, numbers: string, close: string) => {
          const places = numbers
            .split(",")
            .map((number, index) => (index === 2 || index === 6 ? ` ${Math.max(0, Number(number) + by)}` : number));
          return open + places.join(",") + close;
        });
    });
    if (moved !== text) pkg.put(part, moved);
  }
}

/** Pictures and charts move with the row that they begin in. */
function shiftDrawings(workbook: EditedWorkbook, sheet: SheetEditor, shift: RowShift): void {
  for (const part of partsOf(workbook.parts.package, sheet.part, "drawing")) {
    const root = workbook.touch(part);
    for (const anchor of root.elements()) {
      for (const end of ["from", "to"]) {
        const place = anchor.at(end, "row");
        const row = wholeNumber(place?.text.trim());
        if (!place || row === null) continue;
        const moved = shiftedRows(row + 1, row + 1, shift)?.[0] ?? shift.at;
        if (moved - 1 !== row) place.text = String(Math.max(0, moved - 1));
      }
    }
  }
}
