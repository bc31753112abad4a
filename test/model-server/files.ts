/** What the agent knows about files: how to make a table's total row true, and how to sum a folder up. */

export interface Fix {
  /** The line as it is, and as it should be. */
  readonly before: string;
  readonly after: string;
  /** The whole file after this fix. */
  readonly whole: string;
}

/**
 * Total rows of CSV, TSV and Markdown tables whose numbers are not the sum of the rows above. A total row is one whose
 * first cell starts with "total" or "sum".
 */
export function fixTotals(path: string, content: string): Fix[] {
  const separator = /\.csv$/i.test(path) ? "," : /\.tsv$/i.test(path) ? "\t" : /\.md$/i.test(path) ? "|" : undefined;
  if (separator === undefined) return [];
  const lines = content.split("\n");
  const fixes: Fix[] = [];
  let sums: number[] = [];
  for (const [index, line] of lines.entries()) {
    const cells = line.split(separator);
    if (cells.length < 2) sums = [];
    else if (!/^[\s|*"]*(?:total|sum)\b/i.test(line)) cells.forEach((cell, column) => addTo(sums, column, cell));
    else {
      const after = cells.map((cell, column) => withSum(cell, sums[column])).join(separator);
      sums = [];
      if (after === line) continue;
      lines[index] = after;
      fixes.push({ before: line, after, whole: lines.join("\n") });
    }
  }
  return fixes;
}

/** A Markdown summary made of the files: one section each, with sums for the columns of tables. */
export function summarise(contents: ReadonlyMap<string, string>, except: string): string {
  const sections = [...contents]
    .filter(([path]) => path !== except)
    .map(([path, content]) => `## ${path}\n\n${describeFile(path, content)}`);
  return ["# Summary", `${sections.length} files were read.`, ...sections].join("\n\n") + "\n";
}

function describeFile(path: string, content: string): string {
  const lines = content.split("\n").filter((line) => line.trim() !== "");
  if (/\.[ct]sv$/i.test(path)) return describeTable(lines, path.toLowerCase().endsWith(".csv") ? "," : "\t");
  const first = (lines.find((line) => /\p{L}/u.test(line)) ?? "").replace(/^#+\s*/, "");
  return `${lines.length} lines, ${content.split(/\s+/).filter(Boolean).length} words. It begins: ${first.slice(0, 120)}`;
}

function describeTable(lines: readonly string[], separator: string): string {
  const [header = "", ...rows] = lines;
  const sums: number[] = [];
  const data = rows.filter((row) => !/^[\s"]*(?:total|sum)\b/i.test(row));
  for (const row of data) {
    row.split(separator).forEach((cell, column) => addTo(sums, column, cell));
  }
  const names = header.split(separator);
  const totals = names.flatMap((name, column) =>
    sums[column] === undefined ? [] : [`${name.trim()}: ${format(sums[column])}`],
  );
  return `${data.length} rows, ${names.length} columns.${totals.length > 0 ? ` Sums — ${totals.join(", ")}.` : ""}`;
}

/** A number, with a currency sign or emphasis around it. "Q1" and dates are none. */
const number = /^([^\p{L}\d]*?)(-?\d+(?:\.\d+)?)(\D*)$/u;

function addTo(sums: number[], column: number, cell: string): void {
  const value = number.exec(cell.trim())?.[2];
  if (value !== undefined) sums[column] = (sums[column] ?? 0) + Number(value);
}

/** Keeps what surrounds the number: spaces, currency signs, emphasis. */
function withSum(cell: string, sum: number | undefined): string {
  if (sum === undefined || !number.test(cell)) return cell;
  return cell.replace(number, (_, before: string, was: string, after: string) =>
    Math.abs(Number(was) - sum) < 1e-9 ? `${before}${was}${after}` : `${before}${format(sum)}${after}`,
  );
}

function format(value: number): string {
  return String(Math.round(value * 1e6) / 1e6);
}
