import { expect, test } from "vitest";
import { columnName, readRange } from "./cell-names.ts";

test("columns are named as spreadsheets name them", () => {
  expect([1, 26, 27, 52, 703, 16_384].map(columnName)).toEqual(["A", "Z", "AA", "AZ", "AAA", "XFD"]);
});

test("a range of merged cells becomes numbers, and nothing else does", () => {
  expect(readRange("B2:AA10")).toEqual({ fromColumn: 2, fromRow: 2, toColumn: 27, toRow: 10 });
  expect(readRange("Sheet1!A1")).toBeUndefined();
});
