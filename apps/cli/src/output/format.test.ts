import { expect, test } from "vitest";
import { formatBytes, formatCost, formatCounts, formatDuration, printableText } from "./format.ts";

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [999_950, "1.0 MB"],
  [1_500_000_000, "1.5 GB"],
])("%d bytes are %s", (bytes, text) => expect(formatBytes(bytes)).toBe(text));

test.each([
  [12.4, "12 ms"],
  [1200, "1.2 s"],
  [59_960, "1 min 0 s"],
  [125_000, "2 min 5 s"],
  [3_600_000, "1 h 0 min"],
])("%d milliseconds are %s", (milliseconds, text) => expect(formatDuration(milliseconds)).toBe(text));

test.each([
  [0, "$0.00"],
  [1730, "$0.0017"],
  [250_000, "$0.25"],
  [12_345_678, "$12.35"],
])("%d micro-dollars are %s", (micros, text) => expect(formatCost(micros)).toBe(text));

test("a change set in words", () => {
  expect(formatCounts({ added: 1, modified: 0, deleted: 2 })).toBe("1 added, 2 deleted");
  expect(formatCounts({ added: 0, modified: 0, deleted: 0 })).toBe("no changes");
});

test("what a model says cannot steer the terminal; lines and tabs stay", () => {
  expect(printableText("a\tb\nc\r\n\u001B[31mred\u0007")).toBe("a\tb\nc\n\\u{1b}[31mred\\u{7}");
});
