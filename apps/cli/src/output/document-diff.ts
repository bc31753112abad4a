import type { DocumentDiff } from "@benchtop/operations";
import { printable } from "./format.ts";
import type { Terminal } from "./terminal.ts";

type Pair = { readonly change: string; readonly before: string | null; readonly after: string | null };

/** Prints what differs in a document as lines of text, each with the place it is at. No patch: a document is no text. */
export function printDocumentDiff(terminal: Terminal, diff: DocumentDiff): void {
  for (const { message, where } of diff.warnings) {
    terminal.line(terminal.colours.yellow(`! ${printable(message)}${where === null ? "" : ` (${printable(where)})`}`));
  }
  for (const line of linesOf(diff)) printLine(terminal, line);
  if (diff.truncated) terminal.errorLine("There is more; it is cut here because it is very long.");
}

interface Line extends Pair {
  readonly place: string;
}

function printLine(terminal: Terminal, { place, change, before, after }: Line): void {
  const { colours } = terminal;
  const at = colours.cyan(printable(place));
  if (before !== null && change !== "added") terminal.line(`${at} ${colours.red(`- ${printable(before)}`)}`);
  if (after !== null && change !== "removed") terminal.line(`${at} ${colours.green(`+ ${printable(after)}`)}`);
  if (before === null && after === null) terminal.line(`${at} ${change}`);
}

function linesOf(diff: DocumentDiff): Line[] {
  switch (diff.kind) {
    case "document":
      return changed(diff.blocks).map(({ role, ...pair }) => ({ ...pair, place: role }));
    case "sheets":
      return cellLines(diff.sheets);
    case "slides":
      return changed(diff.slides).flatMap(({ shapes, newNumber, oldNumber, change }) =>
        inside(
          `slide ${newNumber ?? oldNumber ?? ""}`,
          change,
          shapes.map(({ name, ...pair }) => ({ ...pair, part: `, ${name}` })),
        ),
      );
    case "pages":
      return changed(diff.pages).flatMap(({ lines, newPage, oldPage, change }) =>
        inside(`page ${newPage ?? oldPage ?? ""}`, change, lines),
      );
    case "image":
      return [{ place: "image", change: "changed", before: sizeOf(diff.before), after: sizeOf(diff.after) }];
    default:
      return byteLines(diff);
  }
}

/** What changed in a slide or page, or that it changed as a whole. */
function inside(place: string, change: string, parts: readonly (Pair & { readonly part?: string })[]): Line[] {
  const lines = changed(parts).map(({ part = "", ...pair }) => ({ ...pair, place: place + part }));
  return lines.length > 0 ? lines : [{ place, change, before: null, after: null }];
}

function sizeOf(side: Extract<DocumentDiff, { kind: "image" }>["before"]): string | null {
  return side === null ? null : `${side.width} × ${side.height}, ${side.mediaType}`;
}

function byteLines({ metadata, rows }: Extract<DocumentDiff, { kind: "bytes" }>): Line[] {
  const lines = [
    ...metadata.map(({ name, ...sides }) => ({ place: name, ...sides })),
    ...rows.map(({ offset, ...sides }) => ({ place: offset.toString(16).padStart(8, "0"), ...sides })),
  ];
  return lines.filter(({ before, after }) => before !== after).map((line) => ({ ...line, change: "changed" }));
}

type Sheets = Extract<DocumentDiff, { kind: "sheets" }>["sheets"];

function cellLines(sheets: Sheets): Line[] {
  const lines: Line[] = [];
  for (const { name, rows } of sheets) {
    for (const { cells, newRow, oldRow } of rows) {
      for (const { column, change, before, after } of changed(cells)) {
        lines.push({
          place: `${name}!${columnName(column)}${newRow ?? oldRow ?? ""}`,
          change,
          before: before === null ? null : cellText(before),
          after: after === null ? null : cellText(after),
        });
      }
    }
  }
  return lines;
}

function changed<Item extends { readonly change: string }>(items: readonly Item[]): Item[] {
  return items.filter(({ change }) => change !== "same");
}

function cellText({ text, formula }: { readonly text: string; readonly formula: string | null }): string {
  if (formula === null) return text;
  // A value that depends on what was changed is not kept: the program that opens the file computes it.
  return text === "" ? `=${formula}` : `${text} (=${formula})`;
}

/** 1 is A, 27 is AA. */
function columnName(column: number): string {
  let name = "";
  for (let rest = column; rest > 0; rest = Math.floor((rest - 1) / 26)) {
    name = String.fromCharCode(65 + ((rest - 1) % 26)) + name;
  }
  return name;
}
