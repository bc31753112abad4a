import { columnName, columnNumber, maxColumn, maxRow } from "./address.ts";

/** One end of a reference; null where it is a whole row or a whole column. */
export interface Point {
  readonly row: number | null;
  readonly column: number | null;
  readonly rowFixed: boolean;
  readonly columnFixed: boolean;
}

export type Token =
  | { readonly kind: "reference"; readonly raw: string; readonly sheet: string | null; readonly ends: readonly Point[] }
  /** A name of a range, a table, or a constant, with what a table's `[…]` says; `sheet` as it is written before `!`. */
  | { readonly kind: "name"; readonly raw: string; readonly sheet: string | null; readonly name: string }
  | { readonly kind: "function"; readonly raw: string; readonly name: string }
  | { readonly kind: "string" | "other"; readonly raw: string };

/** Longer ones are no formulas of a spreadsheet program, and are left as they are. */
const maxLength = 8192;

const patterns = {
  string: /"(?:[^"]|"")*"/y,
  error: /#(?:REF!|DIV\/0!|N\/A|NAME\?|NULL!|NUM!|VALUE!|SPILL!|CALC!|FIELD!|BLOCKED!|BUSY!|GETTING_DATA)/y,
  sheet: /(?:'(?:[^']|'')*'|(?:\[[^\][]*\])?[\p{L}\p{N}_.\\]*(?::[\p{L}\p{N}_.\\]+)?)!/uy,
  cells: /\$?[A-Za-z]{1,3}\$?[1-9]\d{0,6}(?::\$?[A-Za-z]{1,3}\$?[1-9]\d{0,6})?(?![\p{L}\p{N}_.([!?\\])/uy,
  columns: /\$?[A-Za-z]{1,3}:\$?[A-Za-z]{1,3}(?![\p{L}\p{N}_.([!?\\$])/uy,
  rows: /\$?[1-9]\d{0,6}:\$?[1-9]\d{0,6}(?![\p{L}\p{N}_.(!])/uy,
  word: /[\p{L}_\\][\p{L}\p{N}_.?\\]*/uy,
  run: /[\p{L}\p{N}_.\\]+/uy,
  dull: /'+|\.+|\s+/y,
  number: /(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y,
};

/** The parts of a formula (without its `=`), which joined are the formula again. Never fails, and takes one pass. */
export function tokensOf(formula: string): Token[] {
  if (formula.length > maxLength) return [{ kind: "other", raw: formula }];
  const tokens: Token[] = [];
  let at = 0;
  // What was looked through once without a find is not looked through again: a hostile formula takes one pass as well.
  let noSheetBefore = 0;
  let bracketsClose = true;
  const match = (pattern: RegExp, from = at): string | null => {
    pattern.lastIndex = from;
    return pattern.exec(formula)?.[0] ?? null;
  };
  const push = (token: Token): void => {
    tokens.push(token);
    at += token.raw.length;
  };
  while (at < formula.length) {
    const string = match(patterns.string);
    if (string !== null) {
      push({ kind: "string", raw: string });
      continue;
    }
    const error = match(patterns.error);
    if (error !== null) {
      push({ kind: "other", raw: error });
      continue;
    }
    const prefix = at < noSheetBefore ? "" : (match(patterns.sheet) ?? "");
    if (prefix === "") noSheetBefore = Math.max(noSheetBefore, at + (match(patterns.run)?.length ?? 0));
    const sheet = prefix === "" ? null : sheetOf(prefix);
    const body = at + prefix.length;
    const reference = match(patterns.cells, body) ?? match(patterns.columns, body) ?? match(patterns.rows, body);
    const ends = reference?.split(":").map(pointOf);
    if (reference && ends?.every((end) => end !== null)) {
      push({ kind: "reference", raw: prefix + reference, sheet, ends });
      continue;
    }
    const word = match(patterns.word, body);
    if (word !== null) {
      const after = formula[body + word.length];
      if (after === "(") push({ kind: "function", raw: prefix + word, name: word });
      else {
        const inside: string = bracketsClose && after === "[" ? bracketed(formula, body + word.length) : "";
        bracketsClose &&= after !== "[" || inside !== "";
        push({ kind: "name", raw: prefix + word + inside, sheet, name: word });
      }
      continue;
    }
    push({ kind: "other", raw: prefix || match(patterns.number) || match(patterns.dull) || formula.charAt(at) });
  }
  return tokens;
}

/** What stands before `!`, without quotes. */
function sheetOf(prefix: string): string {
  const name = prefix.slice(0, -1);
  return name.startsWith("'") ? name.slice(1, -1).replaceAll("''", "'") : name;
}

function pointOf(text: string): Point | null {
  const parts = /^(\$?)([A-Za-z]*)(\$?)(\d*)$/.exec(text);
  if (!parts) return null;
  const [, dollar, letters = "", second, digits = ""] = parts;
  const column = letters === "" ? null : columnNumber(letters);
  const row = digits === "" ? null : Number(digits);
  if ((letters !== "" && column === null) || (row !== null && row > maxRow)) return null;
  return letters === ""
    ? { row, column, rowFixed: dollar === "$" || second === "$", columnFixed: true }
    : { row, column, columnFixed: dollar === "$", rowFixed: second === "$" };
}

/** `[…]` of a table's reference, brackets within it included; empty where it does not end. */
function bracketed(formula: string, from: number): string {
  let depth = 0;
  for (let at = from; at < formula.length; at++) {
    const letter = formula[at];
    if (letter === "'") at++;
    else if (letter === "[") depth++;
    else if (letter === "]" && --depth === 0) return formula.slice(from, at + 1);
  }
  return "";
}

export function pointName({ row, column, rowFixed, columnFixed }: Point): string {
  const letters = column === null ? "" : (columnFixed ? "$" : "") + columnName(column);
  return letters + (row === null ? "" : (rowFixed ? "$" : "") + row);
}

/** The formula with each of its references as `change` gives it; null leaves one as it is. */
export function withReferences(
  formula: string,
  change: (reference: Extract<Token, { kind: "reference" }>) => readonly Point[] | "#REF!" | null,
): string {
  let changed = false;
  const parts = tokensOf(formula).map((token) => {
    if (token.kind !== "reference") return token.raw;
    const ends = change(token);
    if (ends === null) return token.raw;
    changed = true;
    const prefix = token.raw.slice(0, token.raw.lastIndexOf("!") + 1);
    return ends === "#REF!" ? "#REF!" : prefix + ends.map(pointName).join(":");
  });
  return changed ? parts.join("") : formula;
}

/** Rows that come in (count above 0) or go (below 0); the first of them is `at`. */
export interface RowShift {
  readonly at: number;
  readonly count: number;
}

/** Where the rows `first` to `last` are after the shift; null when all of them went, or were pushed off the sheet. */
export function shiftedRows(first: number, last: number, { at, count }: RowShift): [number, number] | null {
  if (count >= 0) {
    const moved: [number, number] = [first >= at ? first + count : first, last >= at ? last + count : last];
    return moved[0] > maxRow ? null : [moved[0], Math.min(moved[1], maxRow)];
  }
  const end = at - count;
  const from = first < at ? first : first >= end ? first + count : at;
  const to = last < at ? last : last >= end ? last + count : at - 1;
  return from <= to ? [from, to] : null;
}

/** The formula after rows of the sheet that `isThere` accepts came or went. */
export function shiftFormula(formula: string, isThere: (sheet: string | null) => boolean, shift: RowShift): string {
  return withReferences(formula, ({ sheet, ends }) => {
    const [first, last = first] = ends;
    if (!first || !last || first.row === null || last.row === null || !isThere(sheet)) return null;
    const [low, high] = first.row <= last.row ? [first, last] : [last, first];
    const rows = shiftedRows(low.row ?? 1, high.row ?? 1, shift);
    if (!rows) return "#REF!";
    if (rows[0] === low.row && rows[1] === high.row) return null;
    return ends.map((end) => ({ ...end, row: end === low ? rows[0] : rows[1] }));
  });
}

/** A formula as it reads when it is copied to a cell that lies `rows` and `columns` further. */
export function moveFormula(formula: string, rows: number, columns: number): string {
  return withReferences(formula, ({ ends }) => {
    const moved = ends.map((end) => ({
      ...end,
      row: end.row === null || end.rowFixed ? end.row : end.row + rows,
      column: end.column === null || end.columnFixed ? end.column : end.column + columns,
    }));
    const outside = moved.some(
      ({ row, column }) =>
        (row !== null && (row < 1 || row > maxRow)) || (column !== null && (column < 1 || column > maxColumn)),
    );
    return outside ? "#REF!" : moved;
  });
}

/** A formula without where it points to: equal for formulas that were copied along, or moved by rows that came. */
export function formulaShape(formula: string): string {
  return tokensOf(formula)
    .map((token) => (token.kind === "reference" ? `${token.sheet ?? ""}!${token.ends.length}` : token.raw))
    .join("");
}

/** Functions that reach out of the workbook, or run something. */
const reachesOut = new Set(
  (
    "WEBSERVICE FILTERXML ENCODEURL DDE RTD CALL REGISTER REGISTER.ID EXEC EVALUATE IMAGE HYPERLINK SQL.REQUEST STOCKHISTORY " +
    "TRANSLATE DETECTLANGUAGE COPILOT PY IMPORTDATA IMPORTXML IMPORTHTML IMPORTFEED IMPORTRANGE IMPORTJSON GOOGLEFINANCE " +
    "GOOGLETRANSLATE CUBEVALUE CUBEMEMBER CUBESET CUBESETCOUNT CUBEMEMBERPROPERTY CUBERANKEDMEMBER CUBEKPIMEMBER"
  ).split(" "),
);

/** Why a formula may not be written, or should be looked at; null when all it does stays in the workbook. */
export function whyUnsafe(formula: string): string | null {
  if (formula.length > maxLength) return `it is longer than ${maxLength} characters`;
  for (const token of tokensOf(formula)) {
    if (token.kind === "function") {
      const name = token.name.toUpperCase().replace(/^(?:_XLFN\.|_XLWS\.|_XLUDF\.)+/, "");
      if (reachesOut.has(name)) return `${name} reaches out of the workbook`;
      if (/^_XLL\.|^COM\.|^ORG\./.test(name) || token.raw.includes("!"))
        return "it calls a program outside of the workbook";
    }
    if ("sheet" in token && token.sheet !== null && /[[\]|]|:\/\/|\\|^file:/i.test(token.sheet)) {
      return token.sheet.includes("|") ? "it asks another program for data (DDE)" : "it reads from another file";
    }
    if (token.kind === "other" && token.raw.includes("|")) return "it asks another program for data (DDE)";
    if (token.kind === "other" && /^'|^\[|^!$|!$/.test(token.raw) && !token.raw.startsWith("#")) {
      return "it reads from another file";
    }
  }
  return null;
}
