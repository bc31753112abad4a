import { describedCharacters } from "../format.ts";
import { refusal } from "../refusal.ts";
import { addressName, columnName, maxColumn, maxRow, parseRange, rangeName, type Range } from "./address.ts";
import { pointName, tokensOf } from "./formula.ts";
import type { Cell, GridRow, Sheet, Workbook } from "./grid.ts";

/** Characters of one row and of one cell that are given before it is cut. */
const longestRow = 8000;
const longestCell = 1000;
/** Room for what a part begins and ends with. */
const margin = 1000;

/**
 * A workbook as text for a model: one line for a row, `A "text" | B 1.5 | D =B2*C2 → 6`. Texts are quoted as in JSON, so that
 * no text looks like something else. `part` is a sheet, a range, or a range of a sheet; what does not fit is named at the end.
 */
export function describeWorkbook(workbook: Workbook, part?: string): string {
  if (part !== undefined && part !== "") {
    const { sheet, range } = placeOf(workbook, part);
    const lines: string[] = [];
    describeSheet(workbook, sheet, range, lines, describedCharacters - margin);
    return lines.join("\n");
  }
  const lines = overviewOf(workbook);
  let room = describedCharacters - margin - lengthOf(lines);
  const unshown: string[] = [];
  for (const sheet of workbook.sheets) {
    if (room < longestRow) {
      unshown.push(sheet.name);
      continue;
    }
    const own: string[] = [""];
    describeSheet(workbook, sheet, everything, own, room);
    room -= lengthOf(own);
    lines.push(...own);
  }
  if (unshown.length > 0)
    lines.push("", `Not shown here: ${unshown.slice(0, 10).map(nameOf).join(", ")}. Ask for each as a part.`);
  return lines.join("\n");
}

const everything: Range = { first: { row: 1, column: 1 }, last: { row: maxRow, column: maxColumn } };

function lengthOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + line.length + 1, 0);
}

function nameOf(name: string): string {
  return JSON.stringify(name);
}

function overviewOf({ sheets, names, valuesMayBeOld, truncated, warnings }: Workbook): string[] {
  const lines = [`Workbook with ${sheets.length} ${sheets.length === 1 ? "sheet" : "sheets"}:`];
  for (const sheet of sheets.slice(0, 100)) {
    const size = sheet.rowCount === 0 ? "empty" : rangeName({ first: { row: 1, column: 1 }, last: lastOf(sheet) });
    lines.push(`- ${nameOf(sheet.name)}: ${size}${sheet.hidden ? ", hidden" : ""}`);
  }
  if (sheets.length > 100) lines.push(`- and ${sheets.length - 100} more`);
  for (const { name, refersTo } of names.slice(0, 50)) lines.push(`Name ${nameOf(name)} = ${refersTo.slice(0, 200)}`);
  if (names.length > 50) lines.push(`… and ${names.length - 50} more names`);
  if (valuesMayBeOld) {
    lines.push(
      "Values of formulas may be from before the last change; a spreadsheet program calculates them when it opens the file.",
    );
  }
  if (truncated) lines.push("The workbook is larger than what is read here.");
  if (warnings.length > 0)
    lines.push(`Warnings: ${[...new Set(warnings.map(({ message }) => message))].slice(0, 5).join(" ")}`);
  return lines;
}

function lastOf({ rowCount, columnCount }: Sheet) {
  return { row: Math.max(rowCount, 1), column: Math.max(columnCount, 1) };
}

function describeSheet(workbook: Workbook, sheet: Sheet, range: Range, lines: string[], room: number): void {
  const facts = [
    sheet.hidden ? "hidden" : "",
    sheet.merged.length > 0 ? `merged ${sheet.merged.slice(0, 30).join(", ")}` : "",
    ...sheet.tables.slice(0, 20).map(({ name, range: cells }) => `table ${name} ${cells}`),
  ].filter((fact) => fact !== "");
  lines.push(`Sheet ${nameOf(sheet.name)}${facts.length > 0 ? ` (${facts.join("; ")})` : ""}`);
  let left = room - lengthOf(lines);
  let shown = 0;
  for (const row of sheet.rows) {
    if (row.row < range.first.row) continue;
    if (row.row > range.last.row) break;
    const line = describeRow(row, sheet, range, workbook);
    if (line === null) continue;
    if (line.length + 1 > left) {
      const rest = { first: { row: row.row, column: range.first.column }, last: lastWithin(sheet, range) };
      lines.push(`There is more: ask for part ${nameOf(`${sheet.name}!${rangeName(rest)}`)}.`);
      return;
    }
    lines.push(line);
    left -= line.length + 1;
    shown++;
  }
  if (shown === 0) lines.push("(no cells with content)");
  if (sheet.truncated) lines.push("(The sheet goes on; more of it is not read here.)");
}

function lastWithin(sheet: Sheet, { last }: Range) {
  const end = lastOf(sheet);
  return { row: Math.min(end.row, last.row), column: Math.min(end.column, last.column) };
}

function describeRow(row: GridRow, sheet: Sheet, range: Range, workbook: Workbook): string | null {
  const cells = row.cells.filter(({ column }) => column >= range.first.column && column <= range.last.column);
  if (cells.length === 0) return null;
  let line = `${row.row}:`;
  for (const [index, cell] of cells.entries()) {
    const note = sheet.comments.get(addressName({ row: row.row, column: cell.column }));
    const shown = ` ${columnName(cell.column)} ${describeCell(cell, workbook)}${note === undefined ? "" : ` (note ${quoted(note)})`}`;
    if (line.length + shown.length > longestRow) {
      const rest = `${sheet.name}!${columnName(cell.column)}${row.row}:${columnName(lastOf(sheet).column)}${row.row}`;
      return `${line} | … more of this row: part ${nameOf(rest)}`;
    }
    line += index === 0 ? shown : ` |${shown}`;
  }
  return line;
}

function describeCell({ text, formula, type }: Cell, { valuesMayBeOld }: Workbook): string {
  const value = type === "text" ? (text === "" && formula !== null ? "(not calculated)" : quoted(text)) : text;
  if (formula === null) return value;
  const written = formula.length > longestCell ? `${formula.slice(0, longestCell)}…` : formula;
  return `=${written} → ${value}${valuesMayBeOld && text !== "" ? " (may be old)" : ""}`;
}

function quoted(text: string): string {
  return JSON.stringify(text.length > longestCell ? `${text.slice(0, longestCell).toWellFormed()}…` : text);
}

/** `Budget!A1:D20`, `'It''s'!A1`, `Budget`, `A1:D20`, `Budget!5:100`. */
function placeOf(workbook: Workbook, part: string): { sheet: Sheet; range: Range } {
  const byName = (name: string): Sheet | undefined =>
    workbook.sheets.find((sheet) => sheet.name === name) ??
    workbook.sheets.find((sheet) => sheet.name.toLowerCase() === name.toLowerCase());
  const whole = byName(part) ?? byName(unquoted(part));
  if (whole) return { sheet: whole, range: everything };
  const mark = part.lastIndexOf("!");
  const sheet = mark === -1 ? workbook.sheets.find(({ hidden }) => !hidden) : byName(unquoted(part.slice(0, mark)));
  const range = rangeOf(part.slice(mark + 1));
  if (!sheet || !range)
    throw refusal("There is no such part. A part is a sheet, or a range of it such as Sheet1!A1:H50.");
  return { sheet, range };
}

function rangeOf(text: string): Range | null {
  const cells = parseRange(text);
  if (cells) return cells;
  const [token, ...more] = tokensOf(text);
  if (token?.kind !== "reference" || more.length > 0 || token.sheet !== null) return null;
  const [first, last = first] = token.ends;
  if (!first || !last || pointName(first) === "") return null;
  const [rows, columns] = [
    [first.row ?? 1, last.row ?? maxRow],
    [first.column ?? 1, last.column ?? maxColumn],
  ];
  return {
    first: { row: Math.min(...rows), column: Math.min(...columns) },
    last: { row: Math.max(...rows), column: Math.max(...columns) },
  };
}

const unquoted = (name: string): string => (/^'.*'$/s.test(name) ? name.slice(1, -1).replaceAll("''", "'") : name);
