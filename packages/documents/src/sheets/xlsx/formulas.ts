import type { XmlElement } from "../../xml.ts";
import { tokensOf } from "../formula.ts";
import type { EditedWorkbook } from "./edited-workbook.ts";
import { main, partsOf } from "./parts.ts";
import type { SheetEditor } from "./sheet-editor.ts";
import { escapedText, unescapedText } from "./strings.ts";

/**
 * All formulas of a workbook that are not in cells: of names, rules, tables and charts. `change` gives what one becomes; it is told
 * the sheet that a reference without a sheet means, null where there is none.
 */
export function eachFormula(
  workbook: EditedWorkbook,
  change: (formula: string, own: SheetEditor | null) => string,
): void {
  const pkg = workbook.parts.package;
  const apply = (part: string, element: XmlElement, own: SheetEditor | null): void => {
    // Newer rules wrap their formulas once more.
    if (element.elements().length > 0) return;
    const formula = unescapedText(element.text);
    const changed = change(formula, own);
    if (changed === formula) return;
    workbook.touch(part);
    element.text = escapedText(changed);
  };
  const { workbook: part } = workbook.parts;
  for (const name of workbook.workbookRoot.first("definedNames", main)?.elements("definedName", main) ?? [])
    apply(part, name, null);
  for (const sheet of workbook.worksheets()) {
    for (const list of sheet.root.elements()) {
      if (list.local === "sheetData") continue;
      for (const element of list.descendants()) {
        const name = element.local;
        if (name === "formula" || name === "formula1" || name === "formula2" || name === "f")
          apply(sheet.part, element, sheet);
        // Limits of colour scales and data bars can be formulas.
        const limit =
          name === "cfvo" && element.attribute("type", "") === "formula" ? element.attribute("val", "") : undefined;
        const place = name === "hyperlink" ? element.attribute("location", "") : undefined;
        for (const [attribute, formula] of [
          ["val", limit],
          ["location", place],
        ] as const) {
          if (formula === undefined) continue;
          const changed = change(formula, sheet);
          if (changed === formula || changed.includes("#REF!")) continue;
          workbook.touch(sheet.part);
          element.setAttribute(attribute, changed);
        }
      }
    }
    for (const { part: table, element: root } of sheet.tables()) {
      for (const element of root.descendants()) {
        if (element.local.endsWith("Formula")) apply(table, element, sheet);
      }
    }
    for (const drawing of partsOf(pkg, sheet.part, "drawing")) {
      for (const chart of [...partsOf(pkg, drawing, "chart"), ...partsOf(pkg, drawing, "chartEx")]) {
        for (const element of pkg.xml(chart).root.descendants("f")) apply(chart, element, null);
      }
    }
  }
}

/** The formula with one sheet's name changed wherever it stands before `!`. */
export function renameInFormula(formula: string, old: string, name: string): string {
  if (!formula.includes("!")) return formula;
  const folded = old.toLowerCase();
  return tokensOf(formula)
    .map((token) => {
      if (!("sheet" in token) || token.sheet === null) return token.raw;
      const parts = token.sheet.split(":");
      if (!parts.some((part) => part.toLowerCase() === folded)) return token.raw;
      const renamed = parts.map((part) => (part.toLowerCase() === folded ? name : part)).join(":");
      const plain =
        /^[\p{L}_][\p{L}\p{N}_]*$/u.test(renamed) && !/^(?:[A-Za-z]{1,3}\d+|R\d*C\d*|TRUE|FALSE)$/i.test(renamed);
      const prefix = plain ? renamed : `'${renamed.replaceAll("'", "''")}'`;
      return `${prefix}!${token.raw.slice(token.raw.indexOf("!", prefixLength(token.raw)) + 1)}`;
    })
    .join("");
}

/** Where the name before `!` ends: a quoted one can hold a `!` of its own. */
function prefixLength(raw: string): number {
  return /^'(?:[^']|'')*'/.exec(raw)?.[0].length ?? 0;
}
