import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BenchtopError } from "@benchtop/protocol";
import type { DocumentComparison, SheetChanges } from "../src/comparison.ts";
import { OfficePackage } from "../src/package.ts";
import { compare, create, edit } from "../src/sheets/index.ts";

const folder = join(import.meta.dirname, "fixtures");

export const workbooks = readdirSync(join(folder, "xlsx"));
export const texts = readdirSync(join(folder, "csv"));

export function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(join(folder, name.endsWith(".xlsx") ? "xlsx" : "csv", name)));
}

/** Text as the bytes of a file. */
export const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
export const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");

export function sheetsOf(comparison: DocumentComparison): SheetChanges[] {
  if (comparison.kind !== "sheets") throw new Error(`The comparison is of ${comparison.kind}.`);
  return comparison.sheets;
}

export function compared(before: Uint8Array | null, after: Uint8Array | null, path = "a.xlsx"): SheetChanges[] {
  return sheetsOf(compare({ kind: "sheets", before, after, path, mediaType: "" }));
}

/** What changed, in short: `B2 1 → 5`, `+A3 x`, `-A4 y`; a row that moved has the place of the new side. */
export function changesOf(sheet: SheetChanges | undefined): string[] {
  return (sheet?.rows ?? []).flatMap(({ oldRow, newRow, cells }) =>
    cells
      .filter((cell) => cell.change !== "same")
      .map(({ column, change, before, after }) => {
        const place = letters(column) + (newRow ?? oldRow ?? 0);
        if (change === "added") return `+${place} ${shown(after)}`;
        return change === "removed" ? `-${place} ${shown(before)}` : `${place} ${shown(before)} → ${shown(after)}`;
      }),
  );
}

export function edited(bytes: Uint8Array, edits: readonly unknown[], path = "a.xlsx"): Uint8Array {
  return edit({ bytes, path, edits }).bytes;
}

/** The names of the parts that differ. */
export function changedParts(before: Uint8Array, after: Uint8Array): string[] {
  const [old, fresh] = [OfficePackage.open(before), OfficePackage.open(after)];
  const names = [...new Set([...old.names, ...fresh.names])];
  return names.filter((name) => {
    if (!old.has(name) || !fresh.has(name)) return true;
    return !Buffer.from(old.bytes(name)).equals(fresh.bytes(name));
  });
}

/** A workbook whose first sheet is `sheet`, the XML of a worksheet's inner part; other parts are put as they are given. */
export function workbookOf(sheet: string, others: Readonly<Record<string, string>> = {}): Uint8Array {
  const pkg = OfficePackage.open(create("a.xlsx"));
  const main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
  const relationships = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
  pkg.put("xl/worksheets/sheet1.xml", `<worksheet xmlns="${main}" xmlns:r="${relationships}">${sheet}</worksheet>`);
  for (const [name, content] of Object.entries(others)) pkg.put(name, content);
  return pkg.save();
}

/** Rows of plain values as the inner part of a worksheet. */
export function sheetData(rows: readonly (readonly (string | number | { f: string; v?: number } | null)[])[]): string {
  const cells = rows.map((row) =>
    row
      .map((value) => {
        if (value === null) return "<c/>";
        if (typeof value === "number") return `<c><v>${value}</v></c>`;
        if (typeof value === "string") return `<c t="inlineStr"><is><t>${value}</t></is></c>`;
        return `<c><f>${value.f}</f>${value.v === undefined ? "" : `<v>${value.v}</v>`}</c>`;
      })
      .join(""),
  );
  return `<sheetData>${cells.map((row) => `<row>${row}</row>`).join("")}</sheetData>`;
}

/** With what words something is refused as a document is; any other failure is a defect of ours. */
export function refusalOf(action: () => unknown): string {
  try {
    action();
  } catch (thrown) {
    if (BenchtopError.is(thrown) && thrown.code === "VALIDATION_FAILED") return thrown.message;
    throw thrown;
  }
  throw new Error("It was not refused.");
}

const letters = (column: number): string => String.fromCharCode(64 + column);

const shown = (content: { text: string; formula: string | null } | null): string =>
  content ? (content.formula === null ? content.text : `=${content.formula} ${content.text}`) : "";
