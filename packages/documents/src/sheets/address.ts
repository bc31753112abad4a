/** Cells by their address. Rows and columns count from 1. */

export const maxRow = 1_048_576;
export const maxColumn = 16_384;

export interface Address {
  readonly row: number;
  readonly column: number;
}

/** Both corners belong to it. */
export interface Range {
  readonly first: Address;
  readonly last: Address;
}

/** `A`, `Z`, `AA`, … `XFD`. */
export function columnName(column: number): string {
  let name = "";
  for (let rest = column; rest > 0; rest = Math.floor((rest - 1) / 26)) {
    name = String.fromCharCode(65 + ((rest - 1) % 26)) + name;
  }
  return name;
}

/** Null for what is no column of a sheet. */
export function columnNumber(name: string): number | null {
  if (!/^[A-Za-z]{1,3}$/.test(name)) return null;
  let column = 0;
  for (const letter of name.toUpperCase()) column = column * 26 + letter.charCodeAt(0) - 64;
  return column <= maxColumn ? column : null;
}

export function addressName({ row, column }: Address): string {
  return columnName(column) + row;
}

/** `B3` or `$B$3`; null for what is outside of every sheet, such as `XFE1` or `A1048577`. */
export function parseAddress(text: string): Address | null {
  const parts = /^\$?([A-Za-z]{1,3})\$?([1-9]\d{0,6})$/.exec(text);
  if (!parts) return null;
  const column = columnNumber(parts[1] ?? "");
  const row = Number(parts[2]);
  return column !== null && row <= maxRow ? { row, column } : null;
}

/** `A1:C5` or `B3`; corners in any order; null for anything else. */
export function parseRange(text: string): Range | null {
  const [one = "", other = one, ...more] = text.split(":");
  const a = parseAddress(one);
  const b = parseAddress(other);
  if (!a || !b || more.length > 0) return null;
  return {
    first: { row: Math.min(a.row, b.row), column: Math.min(a.column, b.column) },
    last: { row: Math.max(a.row, b.row), column: Math.max(a.column, b.column) },
  };
}

export function rangeName({ first, last }: Range): string {
  const [from, to] = [addressName(first), addressName(last)];
  return from === to ? from : `${from}:${to}`;
}

export function contains({ first, last }: Range, { row, column }: Address): boolean {
  return row >= first.row && row <= last.row && column >= first.column && column <= last.column;
}
