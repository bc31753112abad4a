import { expect, test } from "vitest";
import {
  formatAmount,
  formatBytes,
  formatCost,
  formatCounts,
  formatDuration,
  formatSeconds,
  formatUntil,
  printableText,
} from "./format.ts";

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

test.each([
  [512, "512"],
  [999.6, "1k"],
  [4096, "4.1k"],
  [131_072, "131k"],
  [7_615_616_512, "7.6B"],
  [99_960, "100k"],
])("%d tokens or parameters are %s", (amount, text) => expect(formatAmount(amount)).toBe(text));

test.each([
  [59.7, "1 min"],
  [50, "50 s"],
  [75, "1 min 15 s"],
  [7200, "2 h"],
])("%d seconds are %s", (seconds, text) => expect(formatSeconds(seconds)).toBe(text));

test("a time to come is so long away, or now", () => {
  const now = Date.parse("2026-01-01T00:00:00.000Z");
  expect(formatUntil("2026-01-01T00:04:32.400Z", now)).toBe("in 4 min 32 s");
  expect(formatUntil("2026-01-01T00:00:00.100Z", now)).toBe("now");
});

test("a change set in words", () => {
  expect(formatCounts({ added: 1, modified: 0, deleted: 2 })).toBe("1 added, 2 deleted");
  expect(formatCounts({ added: 0, modified: 0, deleted: 0 })).toBe("no changes");
});

test("what a model says cannot steer the terminal; lines and tabs stay", () => {
  expect(printableText("a\tb\nc\r\n\u001B[31mred\u0007")).toBe("a\tb\nc\n\\u{1b}[31mred\\u{7}");
});
