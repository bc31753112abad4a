import { expect, test } from "vitest";
import { paint } from "./paint.ts";

test("a mark across two colours is cut at the border", () => {
  expect(paint("abcdef", [{ text: "abc", style: "x" }, { text: "def" }], [[2, 4]])).toEqual([
    { text: "ab", style: "x", marked: false },
    { text: "c", style: "x", marked: true },
    { text: "d", style: undefined, marked: true },
    { text: "ef", style: undefined, marked: false },
  ]);
});

test("a line without colours is one segment", () => {
  expect(paint("abc", undefined, [])).toEqual([{ text: "abc", style: undefined, marked: false }]);
});
