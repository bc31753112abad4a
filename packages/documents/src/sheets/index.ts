import type { ComparisonInput, DescriptionInput, EditInput, Edited } from "../format.ts";
import type { DocumentComparison } from "../comparison.ts";
import { compareWorkbooks } from "./compare.ts";
import { editCsv } from "./csv/edit.ts";
import { readCsv } from "./csv/read.ts";
import { describeWorkbook } from "./describe.ts";
import { parseEdits } from "./edits.ts";
import type { Workbook } from "./grid.ts";
import { createXlsx } from "./xlsx/create.ts";
import { editXlsx } from "./xlsx/edit.ts";
import { readXlsx } from "./xlsx/read.ts";

export { editSchema } from "./edits.ts";

/** Compares two workbooks, or two files of delimited text, sheet by sheet and cell by cell. */
export function compare({ before, after, path }: ComparisonInput): DocumentComparison {
  return compareWorkbooks(before && read(before, path), after && read(after, path));
}

export function describe({ bytes, path, part }: Omit<DescriptionInput, "kind">): string {
  return describeWorkbook(read(bytes, path), part);
}

export function edit({ bytes, path, edits }: Omit<EditInput, "kind">): Edited {
  const parsed = parseEdits(edits);
  const edited = isWorkbook(bytes, path) ? editXlsx(bytes, parsed) : editCsv(bytes, path, parsed);
  // What nobody could review is not written.
  read(edited.bytes, path);
  return edited;
}

export function create(path: string): Uint8Array {
  return isText(path) ? new Uint8Array() : createXlsx();
}

function read(bytes: Uint8Array, path: string): Workbook {
  return isWorkbook(bytes, path) ? readXlsx(bytes) : readCsv(bytes, path);
}

/** The name decides; one that says neither is decided by how a package begins. */
function isWorkbook(bytes: Uint8Array, path: string): boolean {
  if (isText(path)) return false;
  return /\.(?:xls|xlt)[a-z]$/i.test(path) || (bytes[0] === 0x50 && bytes[1] === 0x4b);
}

function isText(path: string): boolean {
  return /\.(?:csv|tsv|tab|txt)$/i.test(path);
}
