/**
 * Every place in the harness that makes an error of the taxonomy, and whether a test made it there:
 *
 *     npm run coverage
 *
 * Prints the places that no test reached and `unreached` does not explain, and exits 1 if there are any.
 */
import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

export const root = resolve(import.meta.dirname, "..");

/** A place where an error is made, `line` and `column` from 1 and 0 as coverage counts them. */
export interface ErrorSite {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly code: string;
  /** Enough of the source to find it by. */
  readonly text: string;
}

/** Places that no test reaches, by file and beginning of their message, and why not. */
export const unreached: Readonly<Record<string, string>> = {
  'packages/harness/src/evals/run-suite.ts: "INTERNAL", "A suite that was checked misses a variable."); } async #j':
    "a suite whose variables are missing is refused before it runs; this guards that check",
  'packages/harness/src/provider/ai-sdk/parts.ts: "PROVIDER_UNAVAILABLE", `${this.#context.providerId} could not finish ':
    "the SDK's providers send an error before they finish with one; this is for a provider that does not",
};

export function errorSites(pattern = "packages/harness/src/**/*.ts"): ErrorSite[] {
  return globSync(pattern, { cwd: root, exclude: (name) => /\.test\.ts$|node_modules/.test(name) })
    .filter((file) => !file.endsWith(".test.ts"))
    .toSorted()
    .flatMap(sitesIn);
}

export function keyOf({ file, text }: ErrorSite): string {
  return `${file}: ${text}`;
}

function sitesIn(file: string): ErrorSite[] {
  const source = readFileSync(join(root, file), "utf8");
  return [...source.matchAll(/new BenchtopError\(|\bfailure\((?=\s*")/g)].map((match) => {
    const before = source.slice(0, match.index);
    const said = source.slice(match.index + match[0].length, match.index + 400).replaceAll(/\s+/g, " ");
    return {
      file,
      line: before.split("\n").length,
      column: match.index - (before.lastIndexOf("\n") + 1),
      code: /^ ?"([A-Z_]+)"/.exec(said)?.[1] ?? "",
      text: said.trim().slice(0, 70),
    };
  });
}

interface Range {
  readonly start: { readonly line: number; readonly column: number };
  readonly end: { readonly line: number; readonly column: number | null };
}
interface FileCoverage {
  readonly statementMap: Readonly<Record<string, Range>>;
  readonly s: Readonly<Record<string, number>>;
  readonly branchMap: Readonly<Record<string, { readonly locations: readonly Range[] }>>;
  readonly b: Readonly<Record<string, readonly number[]>>;
}

/** Whether the smallest statement and the smallest branch around a place were executed. */
function wasReached(site: ErrorSite, coverage: FileCoverage): boolean {
  const statements = Object.entries(coverage.statementMap).map(([id, range]) => ({
    range,
    count: coverage.s[id] ?? 0,
  }));
  const branches = Object.entries(coverage.branchMap).flatMap(([id, { locations }]) =>
    locations.map((range, index) => ({ range, count: coverage.b[id]?.[index] ?? 0 })),
  );
  return [statements, branches].every((ranges) => {
    const around = ranges.filter(({ range }) => contains(range, site));
    const smallest = around.toSorted((left, right) => sizeOf(left.range) - sizeOf(right.range))[0];
    return smallest === undefined || smallest.count > 0;
  });
}

function contains({ start, end }: Range, { line, column }: ErrorSite): boolean {
  const isAfter = line > start.line || (line === start.line && column >= start.column);
  return isAfter && (line < end.line || (line === end.line && column <= (end.column ?? Number.POSITIVE_INFINITY)));
}

function sizeOf({ start, end }: Range): number {
  return (end.line - start.line) * 10_000 + (end.column ?? 10_000) - start.column;
}

if (import.meta.main) {
  const path = process.argv[2] ?? join(root, "coverage/coverage-final.json");
  const coverage = JSON.parse(readFileSync(path, "utf8")) as Record<string, FileCoverage>;
  const sites = errorSites();
  const missed = sites.filter((site) => {
    const file = coverage[join(root, site.file)];
    return !file || !wasReached(site, file);
  });
  const unexplained = missed.filter((site) => !(keyOf(site) in unreached));
  for (const site of unexplained) console.log(`${site.file}:${site.line} ${site.text}`);
  console.log(`${sites.length} places make errors; tests reach ${sites.length - missed.length}.`);
  process.exitCode = unexplained.length === 0 ? 0 : 1;
}
