import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  bytesOf,
  changesOf,
  compared,
  edited,
  fixture,
  sheetData,
  sheetsOf,
  workbookOf,
} from "../../test/sheet-files.ts";
import { compare } from "./index.ts";

type Value = string | number | null | { f: string; v?: number };
const book = (rows: readonly (readonly Value[])[]): Uint8Array => workbookOf(sheetData(rows));
const csv = (before: string | null, after: string | null) =>
  compared(before === null ? null : bytesOf(before), after === null ? null : bytesOf(after), "a.csv")[0];

const table: Value[][] = [
  ["Item", "Price", "Count"],
  ["Apples", 1.5, 4],
  ["Pears", 2, 3],
  ["Plums", 0.5, 10],
  ["Figs", 3, 1],
  ["Dates", 4, 2],
  ["Limes", 5, 2],
];

const styled = (style: number): Uint8Array =>
  workbookOf(`<cols><col min="1" max="1" width="${style}"/></cols>${sheetData([["x"]])}`);

const merged = (range: string): Uint8Array =>
  workbookOf(`${sheetData([["x"]])}<mergeCells><mergeCell ref="${range}"/></mergeCells>`);

const lines = (word: string): string => Array.from({ length: 30_000 }, (_, row) => `${word} ${row},${row}`).join("\n");

const shownCells = (side: string[][]): string[] =>
  side.flatMap((row, at) => row.flatMap((text, column) => (text === "" ? [] : [`${at + 1} ${column + 1} ${text}`])));

const write = (side: string[][]): Uint8Array => bytesOf(side.map((row) => `${row.join(",")},end\n`).join(""));

describe("S10 a comparison of sheets", () => {
  test("shows a changed cell with two rows around it", () => {
    const [sheet] = compared(book(table), book(table.with(4, ["Figs", 3.5, 1])));
    expect(sheet).toMatchObject({ change: "changed", changedCells: 1, oldRows: 7, newRows: 7, columns: 3 });
    expect(changesOf(sheet)).toEqual(["B5 3 → 3.5"]);
    expect(sheet?.rows.map(({ change, newRow }) => `${change} ${newRow}`)).toEqual([
      "same 3",
      "same 4",
      "changed 5",
      "same 6",
      "same 7",
    ]);
  });

  test("does not take rows for changed that only moved down", () => {
    const rows = Array.from({ length: 50 }, (_, row): Value[] => [
      `row ${row}`,
      row,
      { f: `B${row + 1}*$B$50`, v: row * 49 },
    ]);
    const moved = [
      ...rows.slice(0, 3),
      ["inserted", 7, { f: "B4*$B$51", v: 343 }],
      ...rows
        .slice(3)
        .map(([name, value], row): Value[] => [
          name ?? null,
          value ?? null,
          { f: `B${row + 5}*$B$51`, v: (row + 3) * 49 },
        ]),
    ];
    const fixed = moved.map((row, at) => (at < 3 ? row.with(2, { f: `B${at + 1}*$B$51`, v: at * 49 }) : row));
    const [sheet] = compared(book(rows), book(fixed));
    expect(changesOf(sheet)).toEqual(["+A4 inserted", "+B4 7", "+C4 =B4*$B$51 343"]);
  });

  test("shows a formula that changed though its value did not", () => {
    const [sheet] = compared(book([[1, 1, { f: "A1+B1", v: 2 }]]), book([[1, 1, { f: "A1*2", v: 2 }]]));
    expect(changesOf(sheet)).toEqual(["C1 =A1+B1 2 → =A1*2 2"]);
    const [frozen] = compared(book([[1, { f: "A1", v: 1 }]]), book([[1, 1]]));
    expect(changesOf(frozen)).toEqual(["B1 =A1 1 → 1"]);
  });

  test("shows an inserted column as that column, and a removed one", () => {
    const wider = table.map(([name = null, ...rest], row): Value[] => [
      name,
      row === 0 ? "Colour" : `c${row}`,
      ...rest,
    ]);
    const [more] = compared(book(table), book(wider));
    expect(changesOf(more)).toEqual(["+B1 Colour", "+B2 c1", "+B3 c2", "+B4 c3", "+B5 c4", "+B6 c5", "+B7 c6"]);
    const [less] = compared(book(wider), book(table));
    expect(changesOf(less)?.every((change) => change.startsWith("-B"))).toBe(true);
    expect(less?.changedCells).toBe(7);
  });

  test("shows a column whose values all changed as changed", () => {
    const [sheet] = compared(book(table), book(table.map((row, at) => (at === 0 ? row : row.with(1, at * 111)))));
    expect(changesOf(sheet)?.slice(0, 2)).toEqual(["B2 1.5 → 111", "B3 2 → 222"]);
    expect(sheet?.changedCells).toBe(6);
  });

  test("knows a sheet that was renamed by what is in it", () => {
    const before = fixture("08-sheets.xlsx");
    const after = edited(before, [{ edit: "rename-sheet", sheet: "Budget", name: "Plan" }]);
    expect(
      compared(before, after).map(({ name, oldName, change, changedCells }) => [name, oldName, change, changedCells]),
    ).toEqual([
      ["Plan", "Budget", "changed", 0],
      ["Summary", null, "same", 0],
      ["It's a list", null, "same", 0],
    ]);
  });

  test("shows files that are new or gone", () => {
    expect(changesOf(csv(null, "a,b\n1,2\n"))).toEqual(["+A1 a", "+B1 b", "+A2 1", "+B2 2"]);
    expect(csv("a\n", null)).toMatchObject({ change: "removed", changedCells: 1 });
    expect(compared(null, null)).toEqual([]);
  });

  test("says that a look changed where no content did", () => {
    expect(compared(styled(9), styled(12))).toMatchObject([
      { change: "changed", formatChanged: true, changedCells: 0, rows: [] },
    ]);
    expect(compared(merged("A1:B1"), merged("A1:C1"))).toMatchObject([{ formatChanged: true, merged: ["A1:C1"] }]);
  });

  test("shows a note that changed", () => {
    const before = fixture("05-comments.xlsx");
    const [sheet] = compared(before, edited(before, [{ edit: "delete-rows", from: 2 }]));
    expect(sheet?.rows.find(({ change }) => change === "removed")?.cells[1]).toMatchObject({ comment: "The answer" });
  });

  test("bounds what it shows, and says that there is more", () => {
    const sheet = csv(lines("old"), lines("new"));
    expect(sheet?.truncated).toBe(true);
    expect(sheet?.rows.length).toBeLessThanOrEqual(2000);
    expect(sheet?.changedCells).toBe(30_000);
    const [wide] = compared(null, bytesOf(`${"x".repeat(5000)}\n`.repeat(3000)), "a.csv");
    expect(JSON.stringify(wide).length).toBeLessThan(5_000_000);
  });

  test.each([
    ["rows in another order", (rows: string[]) => rows.map((_, row) => rows[(row * 7919) % rows.length] ?? "")],
    ["every second row gone", (rows: string[]) => rows.filter((_, row) => row % 2 === 0)],
    ["rows that are all alike", (rows: string[]) => rows.map((_, row) => ["a,b", "c,d"][row % 2] ?? "")],
  ])("%s: an answer that tells both sides", (_, change) => {
    const rows = Array.from({ length: 20_000 }, (_, row) => `row ${row},${row % 10}`);
    const comparison = compare({
      kind: "sheets",
      before: bytesOf(rows.join("\n")),
      after: bytesOf(change(rows).join("\n")),
      path: "a.csv",
      mediaType: "",
    });
    expect(sheetsOf(comparison)[0]?.changedCells).toBeGreaterThan(0);
  });

  test("tells both sides whole, whatever they are", () => {
    const rows = fc.array(fc.array(fc.constantFrom("a", "b", "c", "12", "", "x y"), { minLength: 1, maxLength: 4 }), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(rows, rows, (before, after) => {
        const [sheet] = compared(write(before), write(after), "a.csv");
        // Two rows around a change are not all of them; those that are shown have to be right.
        const told = (side: "before" | "after"): string[] =>
          (sheet?.rows ?? []).flatMap(({ oldRow, newRow, cells }) =>
            cells.flatMap((cell) => {
              const content = cell[side];
              const row = side === "before" ? oldRow : newRow;
              return content && content.text !== "end" && side === "after"
                ? [`${row} ${cell.column} ${content.text}`]
                : [];
            }),
          );
        const all = new Set(shownCells(after));
        expect(told("after").filter((cell) => !all.has(cell))).toEqual([]);
        const differ = JSON.stringify(shownCells(before)) !== JSON.stringify(shownCells(after));
        expect(differ && (sheet?.change ?? "same") === "same").toBe(false);
        expect(JSON.stringify(before) === JSON.stringify(after) && (sheet?.changedCells ?? 0) > 0).toBe(false);
      }),
      { numRuns: 300, seed: 7 },
    );
  });
});
