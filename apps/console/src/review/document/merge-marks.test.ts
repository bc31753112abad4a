import { expect, test } from "vitest";
import { mergeMarks } from "./merge-marks.ts";

test("both sides become one text with what was removed before what was added", () => {
  expect(mergeMarks("Rent is 1200 now", "Rent is 1300 now", [[8, 12]], [[8, 12]])).toEqual([
    { text: "Rent is ", kind: "same" },
    { text: "1200", kind: "removed" },
    { text: "1300", kind: "added" },
    { text: " now", kind: "same" },
  ]);
});

test("a word that only one side has needs no counterpart", () => {
  expect(mergeMarks("a c", "a b c", [], [[2, 4]])).toEqual([
    { text: "a ", kind: "same" },
    { text: "b ", kind: "added" },
    { text: "c", kind: "same" },
  ]);
});

test("sides whose unmarked words differ are not laid over each other", () => {
  expect(mergeMarks("one two", "one three", [], [])).toBeUndefined();
});
