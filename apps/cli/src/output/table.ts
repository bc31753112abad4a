import type { Terminal } from "./terminal.ts";
import { printable } from "./format.ts";

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  readonly align?: "right";
  /** Colours the padded cell. */
  readonly paint?: (cell: string, row: Row) => string;
  /** This column gives way when the line would be wider than the terminal. */
  readonly shrink?: boolean;
}

/** Prints aligned columns with a dim header; the last column is not padded. */
export function printTable<Row>(terminal: Terminal, rows: readonly Row[], columns: readonly Column<Row>[]): void {
  const cells = rows.map((row) => columns.map((column) => printable(column.value(row))));
  const widths = columns.map((column, index) =>
    Math.max(widthOf(column.title), ...cells.map((line) => widthOf(line[index] ?? ""))),
  );
  const spare = terminal.width - widths.reduce((sum, width) => sum + width + 2, -2);
  const shrinking = columns.findIndex((column) => column.shrink === true);
  if (spare < 0 && shrinking >= 0) widths[shrinking] = Math.max(12, (widths[shrinking] ?? 0) + spare);
  const pad = (text: string, index: number) => {
    const width = widths[index] ?? 0;
    const shown = widthOf(text) > width ? `${text.slice(0, width - 1)}…` : text;
    const space = " ".repeat(Math.max(0, width - widthOf(shown)));
    if (columns[index]?.align === "right") return space + shown;
    return index === columns.length - 1 ? shown : shown + space;
  };
  terminal.line(terminal.colours.dim(columns.map((column, index) => pad(column.title, index)).join("  ")));
  for (const [rowIndex, row] of rows.entries()) {
    const line = columns.map((column, index) => {
      const cell = pad(cells[rowIndex]?.[index] ?? "", index);
      return column.paint ? column.paint(cell, row) : cell;
    });
    terminal.line(line.join("  ").trimEnd());
  }
}

/** Prints `name  value` lines with the values aligned. */
export function printFacts(terminal: Terminal, facts: readonly (readonly [string, string])[]): void {
  const width = Math.max(...facts.map(([name]) => name.length));
  for (const [name, value] of facts) terminal.line(`${terminal.colours.dim(name.padEnd(width))}  ${printable(value)}`);
}

/** Columns that a text takes: wide East Asian characters and emoji take two. */
function widthOf(text: string): number {
  let width = 0;
  for (const character of text) {
    if (/\p{Mn}|\u200D|\uFE0F/u.test(character)) continue;
    width +=
      /[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60]|\p{Emoji_Presentation}/u.test(
        character,
      )
        ? 2
        : 1;
  }
  return width;
}
