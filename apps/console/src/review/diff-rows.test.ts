import type { DiffLine, TextDiff } from "@benchtop/operations";
import { expect, test } from "vitest";
import { diffRows, type DiffRow } from "./diff-rows.ts";

/** A file of `count` lines of which one is replaced, as a diff with all of its context. */
function replaced(count: number, at: number): TextDiff {
  const lines: DiffLine[] = [];
  for (let n = 1; n <= count; n++) {
    if (n === at) {
      lines.push({ kind: "removed", text: `old ${n}`, oldLine: n, newLine: null });
      lines.push({ kind: "added", text: `new ${n}`, oldLine: null, newLine: n });
    } else lines.push({ kind: "context", text: `line ${n}`, oldLine: n, newLine: n });
  }
  return {
    path: "a",
    change: "modified",
    view: "text",
    hunks: [{ oldStart: 1, oldLines: count, newStart: 1, newLines: count, lines, ...decidable(at) }],
    linesAdded: 1,
    linesRemoved: 1,
    truncated: false,
    oldLineCount: count,
    newLineCount: count,
    warnings: [],
  };
}
const decidable = (at: number) => ({
  id: "s",
  accepted: false,
  stretches: [{ id: "s", oldStart: at, oldLines: 1, newStart: at, newLines: 1, accepted: false }],
});
const gaps = (rows: readonly DiffRow[]) => rows.filter((row) => row.kind === "gap").map(({ from, to }) => [from, to]);

test("three lines stay around a change; the rest is folded", () => {
  const { rows, changes } = diffRows(replaced(40, 20), "split", []);
  expect(gaps(rows)).toEqual([
    [1, 16],
    [24, 40],
  ]);
  expect(changes).toEqual([4]);
  expect(rows[4]).toMatchObject({ left: { line: { text: "old 20" } }, right: { line: { text: "new 20" } } });
});

test("inline, the removed line comes before the added one", () => {
  const { rows } = diffRows(replaced(3, 2), "inline", []);
  expect(rows.map((row) => (row.kind === "gap" ? "gap" : (row.left ?? row.right)?.line.text))).toEqual([
    "line 1",
    "old 2",
    "new 2",
    "line 3",
  ]);
});

test("expanding a part of a fold leaves the rest folded", () => {
  const { rows } = diffRows(replaced(40, 20), "split", [[1, 6]]);
  expect(gaps(rows)).toEqual([
    [7, 16],
    [24, 40],
  ]);
});

test("lines that the diff does not carry are a gap that must be asked for", () => {
  const whole = replaced(40, 20);
  const hunk = whole.hunks[0];
  const lines = hunk?.lines.filter(({ oldLine, newLine }) => Math.abs((oldLine ?? newLine ?? 0) - 20) <= 3) ?? [];
  const { rows } = diffRows(
    { ...whole, hunks: [{ oldStart: 17, oldLines: 7, newStart: 17, newLines: 7, lines, ...decidable(20) }] },
    "split",
    [],
  );
  expect(rows[0]).toMatchObject({ kind: "gap", from: 1, to: 16, missing: true });
  expect(rows.at(-1)).toMatchObject({ kind: "gap", from: 24, to: 40, missing: true });
});

test("what can be decided on has a row above it, which is where the step to a change leads", () => {
  const { rows, changes } = diffRows(replaced(40, 20), "split", [], true);
  expect(changes).toEqual([4]);
  expect(rows[4]).toMatchObject({ kind: "stretch", number: 1, stretch: { id: "s" } });
  expect(rows[5]).toMatchObject({ left: { line: { text: "old 20" } }, right: { line: { text: "new 20" } } });
});
