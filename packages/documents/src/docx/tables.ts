import { refusal } from "../refusal.ts";
import type { XmlElement } from "../xml.ts";
import { cellsOf } from "./blocks.ts";
import { readParagraph, unwrapped } from "./paragraph.ts";
import { attributePrefix } from "./properties.ts";
import { newRun, nodesOf } from "./text.ts";

/** Puts a row beside one, with the same cells and looks. `anchor` is what it goes after, or before. */
export function addRow(
  model: XmlElement,
  anchor: XmlElement,
  texts: readonly string[],
  after: boolean,
  name: string,
): XmlElement {
  const parent = anchor.parent;
  const cells = cellsOf(model);
  if (!parent) throw refusal(`${name}: that row is no longer in the document.`);
  if (texts.length > cells.length) throw refusal(`${name}: the row has ${cells.length} cells, not ${texts.length}.`);
  const next = after ? followingRow(anchor) : anchor;
  const row = model.create("tr");
  const properties = model.first("trPr")?.clone();
  for (const child of properties?.elements() ?? []) if (ofOneRow.has(child.local)) properties?.remove(child);
  const exceptions = model.first("tblPrEx")?.clone();
  if (exceptions) row.append(exceptions);
  if (properties && properties.elements().length > 0) row.append(properties);
  let column = 0;
  for (const [index, cell] of cells.entries()) {
    const goesOn = next ? mergeAt(next, column) === "continue" : false;
    row.append(cellLike(cell, texts[index] ?? "", goesOn));
    column += spanOf(cell);
  }
  parent.insert(row, after ? parent.after(anchor) : anchor);
  return row;
}

/** Takes a row away. Cells that were merged down from it go on from the row below. */
export function removeRow(row: XmlElement, startsWith: string, name: string): void {
  const parent = row.parent;
  if (!parent) throw refusal(`${name}: that row is no longer in the document.`);
  const said = cellsOf(row)
    .map((cell) =>
      [...unwrapped(cell)]
        .filter((child) => child.local === "p")
        .map((child) => readParagraph(child).text)
        .join("\n"),
    )
    .find((text) => text !== "");
  if (!begins(said ?? "", startsWith)) throw refusal(`${name}: the row does not begin with that text.`);
  if (parent.elements("tr").length < 2) throw refusal(`${name}: that is the only row of its table.`);
  const next = followingRow(row);
  let column = 0;
  for (const cell of cellsOf(row)) {
    if (next && mergeOf(cell) === "restart" && mergeAt(next, column) === "continue") {
      const below = cellAt(next, column)?.at("tcPr", "vMerge");
      below?.setAttribute(`${attributePrefix(below)}val`, "restart");
    }
    column += spanOf(cell);
  }
  parent.remove(row);
}

/** Whether a text is the one that was meant: nothing is the beginning of nothing alone. */
export function begins(text: string, start: string): boolean {
  return start === "" ? text === "" : text.startsWith(start);
}

/** Puts a table after a paragraph or table, with a paragraph after it where none follows. */
export function addTable(
  anchor: XmlElement,
  rows: readonly (readonly string[])[],
  style: string | undefined,
): XmlElement {
  const parent = anchor.parent;
  if (!parent) throw refusal("That place is no longer in the document.");
  const columns = Math.max(...rows.map((row) => row.length));
  const w = attributePrefix(anchor);
  const table = anchor.create("tbl");
  const properties = table.create("tblPr");
  if (style === undefined) {
    const borders = table.create("tblBorders");
    for (const side of ["top", "left", "bottom", "right", "insideH", "insideV"]) {
      borders.append(
        table.create(side, { [`${w}val`]: "single", [`${w}sz`]: "4", [`${w}space`]: "0", [`${w}color`]: "auto" }),
      );
    }
    properties.append(table.create("tblW", { [`${w}w`]: "0", [`${w}type`]: "auto" }), borders);
  } else {
    properties.append(
      table.create("tblStyle", { [`${w}val`]: style }),
      table.create("tblW", { [`${w}w`]: "0", [`${w}type`]: "auto" }),
    );
  }
  const grid = table.create("tblGrid");
  const width = String(Math.floor(9000 / columns));
  for (let column = 0; column < columns; column++) grid.append(table.create("gridCol", { [`${w}w`]: width }));
  table.append(properties, grid);
  for (const texts of rows) {
    const row = table.create("tr");
    for (let column = 0; column < columns; column++) {
      const cell = table.create("tc");
      const cellProperties = table.create("tcPr");
      cellProperties.append(table.create("tcW", { [`${w}w`]: width, [`${w}type`]: "dxa" }));
      cell.append(cellProperties, paragraphOf(table, undefined, undefined, texts[column] ?? ""));
      row.append(cell);
    }
    table.append(row);
  }
  const siblings = parent.children;
  const next = siblings.slice(siblings.indexOf(anchor) + 1).find((child) => child.kind === "element") ?? null;
  parent.insert(table, next);
  // Two tables that touch become one, and a document or cell cannot end with one.
  if (next?.kind !== "element" || next.local !== "p") parent.insert(anchor.create("p"), next);
  if (anchor.local === "tbl") parent.insert(anchor.create("p"), table);
  return table;
}

/** What belongs to one row alone. */
const ofOneRow = new Set(["ins", "del", "trPrChange", "tblHeader", "cnfStyle"]);

function cellLike(cell: XmlElement, text: string, goesOn: boolean): XmlElement {
  const copy = cell.create("tc");
  const properties = cell.first("tcPr")?.clone();
  if (properties) {
    for (const child of properties.elements()) {
      if (child.local === "vMerge" || child.local === "tcPrChange" || child.local.startsWith("cell")) {
        if (child.local !== "vMerge" || !goesOn) properties.remove(child);
        else child.setAttribute(`${attributePrefix(cell)}val`, "continue");
      }
    }
    copy.append(properties);
  }
  const model = [...unwrapped(cell)].find((child) => child.local === "p");
  let look: XmlElement | undefined;
  for (const run of model?.descendants("r") ?? []) {
    if (!run.first("t")) continue;
    look = run.first("rPr");
    break;
  }
  copy.append(paragraphOf(cell, model?.first("pPr"), look ?? model?.at("pPr", "rPr"), text));
  return copy;
}

function paragraphOf(
  near: XmlElement,
  properties: XmlElement | undefined,
  look: XmlElement | undefined,
  text: string,
): XmlElement {
  const paragraph = near.create("p");
  const copy = properties?.clone();
  for (const child of copy?.elements() ?? []) if (["sectPr", "pPrChange"].includes(child.local)) copy?.remove(child);
  if (copy) paragraph.append(copy);
  if (text === "") return paragraph;
  const run = newRun(paragraph, look);
  run.append(...nodesOf(run, text));
  paragraph.append(run);
  return paragraph;
}

function followingRow(row: XmlElement): XmlElement | undefined {
  const rows = row.parent?.elements("tr") ?? [];
  return rows[rows.indexOf(row) + 1];
}

function spanOf(cell: XmlElement): number {
  const span = Number(cell.at("tcPr", "gridSpan")?.attribute("val") ?? 1);
  return span >= 1 && span <= 63 ? span : 1;
}

function cellAt(row: XmlElement, column: number): XmlElement | undefined {
  let at = 0;
  for (const cell of cellsOf(row)) {
    if (at === column) return cell;
    at += spanOf(cell);
  }
  return undefined;
}

function mergeAt(row: XmlElement, column: number): "restart" | "continue" | undefined {
  const cell = cellAt(row, column);
  return cell && mergeOf(cell);
}

function mergeOf(cell: XmlElement): "restart" | "continue" | undefined {
  const merge = cell.at("tcPr", "vMerge");
  if (!merge) return undefined;
  return merge.attribute("val") === "restart" ? "restart" : "continue";
}
