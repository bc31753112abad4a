/** `A`, `Z`, `AA`: the name of a column, counted from 1. */
export function columnName(column: number): string {
  let name = "";
  for (let rest = column; rest > 0; rest = Math.floor((rest - 1) / 26)) {
    name = String.fromCharCode(65 + ((rest - 1) % 26)) + name;
  }
  return name;
}

export interface CellRange {
  readonly fromColumn: number;
  readonly fromRow: number;
  readonly toColumn: number;
  readonly toRow: number;
}

/** `A1:C2` as numbers from 1; undefined for anything else. */
export function readRange(text: string): CellRange | undefined {
  const found = /^([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})$/.exec(text);
  if (found === null) return undefined;
  const [, fromColumn = "", fromRow, toColumn = "", toRow] = found;
  return {
    fromColumn: columnNumber(fromColumn),
    fromRow: Number(fromRow),
    toColumn: columnNumber(toColumn),
    toRow: Number(toRow),
  };
}

function columnNumber(name: string): number {
  return Array.from(name).reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 64, 0);
}
