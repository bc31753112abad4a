import { createHash } from "node:crypto";
import type { ReviewWarning } from "../../comparison.ts";
import type { OfficePackage } from "../../package.ts";
import type { XmlElement } from "../../xml.ts";
import { addressName, parseAddress, parseRange } from "../address.ts";
import { boundedText } from "../csv/read.ts";
import { whyUnsafe } from "../formula.ts";
import { maxCells, type Cell, type GridRow, type Sheet, type Workbook } from "../grid.ts";
import { readRows, type CellContext } from "./cells.ts";
import { bounded, outsideOf } from "./outside.ts";
import { isTrue, main, openWorkbook, partsOf, type SheetPlace, type WorkbookParts } from "./parts.ts";
import { readSharedStrings } from "./strings.ts";
import { readStyles } from "./styles.ts";

/** Formulas that reach out, named one by one. */
const formulasShown = 50;
const most = { merged: 10_000, comments: 20_000, tables: 500, names: 5000 };

/** What a workbook shows (ECMA-376, SpreadsheetML). Damaged and hostile ones are `VALIDATION_FAILED`. */
export function readXlsx(bytes: Uint8Array): Workbook {
  const parts = openWorkbook(bytes);
  const { package: pkg } = parts;
  const context: CellContext = {
    strings: readSharedStrings(pkg, parts.sharedStrings),
    style: readStyles(pkg, parts.styles),
    epoch1904: parts.epoch1904,
  };
  const unsafe = new UnsafeFormulas();
  let cells = 0;
  const spend = (): boolean => ++cells <= maxCells;
  const sheets = parts.sheets.map((place) => readSheet(parts, place, context, spend, unsafe));
  const root = pkg.xml(parts.workbook).root;
  const names = (root.first("definedNames", main)?.elements("definedName", main) ?? [])
    .slice(0, most.names)
    .map((element) => ({
      name: element.attribute("name", "") ?? "",
      refersTo: boundedText(element.text).text,
    }));
  for (const { name, refersTo } of names) {
    unsafe.look(refersTo, `name ${bounded(name)}`);
    if (/^(?:_xlnm\.)?auto_(?:open|close|activate|deactivate)/i.test(name)) unsafe.macro(`name ${bounded(name)}`);
  }
  return {
    sheets,
    names,
    warnings: [...outsideOf(parts), ...unsafe.warnings()],
    valuesMayBeOld: isTrue(root.first("calcPr", main)?.attribute("fullCalcOnLoad", "")),
    truncated: sheets.some(({ truncated }) => truncated),
  };
}

function readSheet(
  { package: pkg }: WorkbookParts,
  { name, state, part, kind }: SheetPlace,
  context: CellContext,
  spend: () => boolean,
  unsafe: UnsafeFormulas,
): Sheet {
  const hidden = state !== "visible";
  const { root } = pkg.xml(part);
  const nothing = { rows: [] as GridRow[], rowCount: 0, columnCount: 0, truncated: false };
  const cells =
    kind === "worksheet" || /macrosheet/i.test(kind)
      ? readRows(root, context, spend, (formula, at) =>
          unsafe.look(formula, () => `${bounded(name)}!${addressName(at)}`),
        )
      : nothing;
  const comments = readComments(pkg, part);
  const merged = (root.first("mergeCells", main)?.elements("mergeCell", main) ?? []).flatMap((element) => {
    const range = element.attribute("ref", "") ?? "";
    return parseRange(range) ? [range] : [];
  });
  for (const list of root.elements()) {
    if (list.local === "sheetData") continue;
    for (const rule of list.descendants()) {
      if (/^(?:formula[12]?|f)$/.test(rule.local)) unsafe.look(rule.text, `rules of ${bounded(name)}`);
    }
  }
  return {
    name,
    hidden,
    ...cells,
    rows: withComments(cells.rows, comments),
    merged: merged.slice(0, most.merged),
    comments,
    tables: partsOf(pkg, part, "table")
      .slice(0, most.tables)
      .map((table) => pkg.xml(table).root)
      .map((table) => ({
        name: table.attribute("displayName", "") ?? table.attribute("name", "") ?? "",
        range: table.attribute("ref", "") ?? "",
      })),
    look: lookOf(pkg, part, root),
    truncated: cells.truncated || merged.length > most.merged,
  };
}

/** Notes of cells; where people answered each other, the whole talk. */
function readComments(pkg: OfficePackage, part: string): Map<string, string> {
  const comments = new Map<string, string>();
  const add = (reference: string | undefined, text: string, joined: boolean): void => {
    const at = parseAddress(reference ?? "");
    if (!at || (comments.size >= most.comments && !comments.has(addressName(at)))) return;
    const before = joined ? comments.get(addressName(at)) : undefined;
    comments.set(addressName(at), boundedText(before === undefined ? text : `${before}\n${text}`).text);
  };
  for (const threads of partsOf(pkg, part, "threadedComment")) {
    for (const element of pkg.xml(threads).root.elements("threadedComment")) {
      add(element.attribute("ref", ""), element.first("text")?.text ?? "", true);
    }
  }
  const threaded = new Set(comments.keys());
  for (const notes of partsOf(pkg, part, "comments")) {
    for (const element of pkg.xml(notes).root.at("commentList")?.elements("comment", main) ?? []) {
      // The note of a cell with a talk only repeats it for older programs.
      if (threaded.has(element.attribute("ref", "") ?? "")) continue;
      add(element.attribute("ref", ""), [...element.descendants("t", main)].map((text) => text.text).join(""), false);
    }
  }
  return comments;
}

/** A note can be on a cell that is empty: then the cell is there for its note. */
function withComments(rows: GridRow[], comments: ReadonlyMap<string, string>): GridRow[] {
  if (comments.size === 0) return rows;
  const byRow = new Map(rows.map((row) => [row.row, row]));
  for (const reference of comments.keys()) {
    const at = parseAddress(reference);
    if (!at) continue;
    const row = byRow.get(at.row) ?? { row: at.row, cells: [] };
    if (row.cells.some((cell) => cell.column === at.column)) continue;
    const empty: Cell = { column: at.column, text: "", formula: null, type: "text" };
    byRow.set(at.row, { ...row, cells: [...row.cells, empty].toSorted((a, b) => a.column - b.column) });
  }
  return [...byRow.values()].toSorted((a, b) => a.row - b.row);
}

const looks = new Set(
  (
    "sheetPr sheetFormatPr cols sheetProtection protectedRanges autoFilter sortState conditionalFormatting dataValidations hyperlinks " +
    "printOptions pageMargins pageSetup headerFooter rowBreaks colBreaks extLst"
  ).split(" "),
);

/** A digest of what is around the cells: widths, rules, frozen panes, pictures, charts. */
function lookOf(pkg: OfficePackage, part: string, root: XmlElement): string {
  const hash = createHash("sha256");
  for (const element of root.elements()) {
    // An empty element is written in two ways that mean the same.
    if (looks.has(element.local)) hash.update(element.toString().replace(/><\/[^<>]+>/g, "/>"));
    if (element.local !== "sheetViews") continue;
    for (const view of element.elements("sheetView")) {
      hash.update(
        `${view.attribute("rightToLeft") ?? ""} ${view.attribute("showFormulas") ?? ""} ${view.first("pane")?.toString() ?? ""}`,
      );
    }
  }
  const seen = new Set<string>();
  const follow = (from: string, depth: number): void => {
    for (const { target, external } of pkg.relationships(from)) {
      if (external || seen.has(target) || !pkg.has(target) || /comment|vmlDrawing|persons/i.test(target)) continue;
      seen.add(target);
      hash.update(target).update(pkg.bytes(target));
      if (depth < 4 && seen.size < 200) follow(target, depth + 1);
    }
  };
  follow(part, 0);
  return hash.digest("base64").slice(0, 20);
}

class UnsafeFormulas {
  readonly #found: ReviewWarning[] = [];
  #count = 0;

  look(formula: string, where: string | (() => string)): void {
    const why = whyUnsafe(formula);
    if (why === null || ++this.#count > formulasShown) return;
    this.#found.push({
      kind: "external-reference",
      message: `A formula is not only of this workbook: ${why}.`,
      where: typeof where === "string" ? where : where(),
    });
  }

  macro(where: string): void {
    this.#found.push({ kind: "macro", message: "A macro runs when the workbook opens or closes.", where });
  }

  warnings(): ReviewWarning[] {
    if (this.#count <= formulasShown) return this.#found;
    const message = `${this.#count} formulas are not only of this workbook; the first ${formulasShown} are named.`;
    return [...this.#found, { kind: "external-reference", message, where: null }];
  }
}
