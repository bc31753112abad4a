import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { compareTexts } from "./compare.ts";
import type { Comparison, DiffLine } from "./comparison.ts";

const folder = mkdtempSync(join(tmpdir(), "benchtop-compare-"));
afterAll(() => rmSync(folder, { recursive: true }));

type Side = string | Uint8Array | null;

function compare(before: Side, after: Side, options: { contextLines?: number; maxLines?: number } = {}): Comparison {
  const { contextLines = 3, maxLines = 50_000 } = options;
  return compareTexts({
    before: fileOf(before),
    after: fileOf(after),
    contextLines,
    maxLines,
    timeoutMs: 300,
    countsOnly: false,
  });
}

/** By its content, as blobs are: what was compared is remembered by the names of files. */
function fileOf(side: Side): string | null {
  if (side === null) return null;
  const file = join(folder, createHash("sha256").update(side).digest("hex"));
  writeFileSync(file, side);
  return file;
}

const linesOf = ({ hunks }: Comparison): DiffLine[] => hunks.flatMap((hunk) => hunk.lines);

/** One side as the diff tells it: what a reader would put together again. */
function sideOf(comparison: Comparison, kind: "added" | "removed"): string {
  return linesOf(comparison)
    .filter((line) => line.kind === "context" || line.kind === kind)
    .map((line) => line.text + (line.noNewline ? "" : "\n"))
    .join("");
}

const text = fc
  .array(fc.constantFrom("a", "b", "", "  c", "total,12", "Zeile ü", "\r", "x".repeat(50)), { maxLength: 40 })
  .chain((lines) => fc.constantFrom(lines.join("\n"), `${lines.join("\n")}\n`));

describe("S10 a text diff", () => {
  test("with all of its context tells both sides whole", () => {
    fc.assert(
      fc.property(text, text, (before, after) => {
        fc.pre(before !== after);
        const comparison = compare(before, after, { contextLines: 1000 });
        expect(sideOf(comparison, "removed")).toBe(before);
        expect(sideOf(comparison, "added")).toBe(after);
      }),
      { numRuns: 300 },
    );
  });

  test("has hunks whose numbers agree with their lines, and marks inside of the text", () => {
    fc.assert(
      fc.property(text, text, fc.integer({ min: 0, max: 5 }), (before, after, contextLines) => {
        const comparison = compare(before, after, { contextLines });
        let [added, removed] = [0, 0];
        for (const { lines, oldStart, newStart, ...hunk } of comparison.hunks) {
          const old = lines.filter((line) => line.oldLine !== null);
          const fresh = lines.filter((line) => line.newLine !== null);
          expect([hunk.oldLines, hunk.newLines]).toEqual([old.length, fresh.length]);
          expect(old.map((line) => line.oldLine)).toEqual(old.map((_, index) => oldStart + index));
          expect(fresh.map((line) => line.newLine)).toEqual(fresh.map((_, index) => newStart + index));
          added += lines.filter((line) => line.kind === "added").length;
          removed += lines.filter((line) => line.kind === "removed").length;
          const outside = lines.flatMap((line) =>
            (line.marks ?? []).filter(([start, end]) => start < 0 || end <= start || end > line.text.length),
          );
          expect(outside).toEqual([]);
        }
        expect([comparison.linesAdded, comparison.linesRemoved]).toEqual([added, removed]);
      }),
      { numRuns: 300 },
    );
  });

  test("marks the word that changed", () => {
    const lines = linesOf(compare("the total is 1300 today\n", "the total is 1350 today\n"));
    expect(lines.map(({ kind, marks }) => ({ kind, marks }))).toEqual([
      { kind: "removed", marks: [[13, 17]] },
      { kind: "added", marks: [[13, 17]] },
    ]);
  });

  test("shows changed line ends and a missing last one", () => {
    expect(compare("a\r\nb\r\n", "a\nb\n")).toMatchObject({ linesAdded: 2, linesRemoved: 2 });
    const lines = linesOf(compare("a\nb\n", "a\nb"));
    expect(lines.map(({ kind, text, noNewline = false }) => [kind, text, noNewline])).toEqual([
      ["context", "a", false],
      ["removed", "b", false],
      ["added", "b", true],
    ]);
  });

  test("of a file that did not change is empty", () => {
    expect(compare("a\nb\n", "a\nb\n")).toMatchObject({ hunks: [], linesAdded: 0, linesRemoved: 0 });
  });

  test("of a file that is new or gone has one side", () => {
    expect(compare(null, "a\nb\n")).toMatchObject({ linesAdded: 2, linesRemoved: 0, oldLineCount: 0 });
    expect(compare("a\nb\n", null)).toMatchObject({ linesAdded: 0, linesRemoved: 2, newLineCount: 0 });
    expect(compare(null, "").hunks).toEqual([]);
  });
});

const numbered = (count: number, word: string) =>
  Array.from({ length: count }, (_, index) => `${word} ${index}\n`).join("");
const shuffled = (count: number) =>
  Array.from({ length: count }, (_, index) => `line ${(index * 7919) % count}\n`).join("");

describe("hostile texts", () => {
  test.each([
    ["a NUL byte", "a\0b"],
    ["invalid UTF-8", new Uint8Array([0x61, 0xff, 0xfe, 0x0a])],
    ["a lone continuation byte", new Uint8Array([0x80])],
  ])("%s is opaque, not garbage", (_, content) => {
    expect(compare("a\n", content)).toMatchObject({ view: "opaque", hunks: [] });
    expect(compare(content, "a\n")).toMatchObject({ view: "opaque", hunks: [] });
  });

  test("more lines than the limit are counted and not shown", () => {
    expect(compare("a\n".repeat(101), "b\n", { maxLines: 100 })).toMatchObject({
      view: "too-large",
      hunks: [],
      oldLineCount: 101,
    });
  });

  test.each([
    ["50,000 lines that all differ", numbered(50_000, "old"), numbered(50_000, "new")],
    ["50,000 lines in another order", numbered(50_000, "line"), shuffled(50_000)],
    ["50,000 lines of which each is doubled", "a\nb\n".repeat(25_000), "b\na\na\n".repeat(16_000)],
    ["one line of two million characters", "ab ".repeat(700_000), "ba ".repeat(700_000)],
  ])("%s: an answer that is bounded and says so", (_, before, after) => {
    const comparison = compare(before, after);
    expect(comparison.view).toBe("text");
    const lines = linesOf(comparison);
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.length).toBeLessThanOrEqual(20_000);
    expect(comparison.linesAdded + comparison.linesRemoved).toBeLessThanOrEqual(
      comparison.truncated ? 20_000 : comparison.oldLineCount + comparison.newLineCount,
    );
    expect(comparison.truncated).toBe(comparison.oldLineCount > 1);
  });
});
