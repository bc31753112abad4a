import { expect, test } from "vitest";
import { keepAlive, numberFromZeroTo, numberUpTo, orNull, size, sizeOr } from "./command.ts";

test.each([
  ["50GB", 50_000_000_000],
  ["10MB/s", 10_000_000],
  ["1.5 kB", 1500],
  ["8GiB", 8 * 1024 ** 3],
  ["512B", 512],
])("a size is read with its unit: %s", (text, bytes) => expect(size(text)).toBe(bytes));

test.each(["50", "50G", "50gb", "-1GB", "0GB", "1e3MB", "50GBps", "", "many", "99999999TB", "1iB"])(
  "what is no size is refused, not guessed: %j",
  (text) => expect(() => size(text)).toThrow("A size with its unit is needed"),
);

test("the word that lifts a limit is taken, and the word of another option is no size", () => {
  expect([sizeOr("none")("none"), sizeOr("auto")("auto"), sizeOr("none")("1MB")]).toEqual(["none", "auto", 1_000_000]);
  expect([orNull("none"), orNull(5)]).toEqual([null, 5]);
  expect(() => sizeOr("none")("auto")).toThrow("A size with its unit");
});

test.each([
  ["10m", 600],
  ["1.5m", 90],
  ["30s", 30],
  ["0s", 0],
  ["forever", "forever"],
])("an idle model stays for whole seconds: %s", (text, seconds) => expect(keepAlive(text)).toBe(seconds));

test.each(["10", "500ms", "0.5s", "never", "0m", "-1m"])("what is no time to stay is refused: %j", (text) =>
  expect(() => keepAlive(text)).toThrow("is needed"),
);

test("shares and temperatures keep to their ranges", () => {
  expect([numberUpTo(1)("0.9"), numberUpTo(1)("1e-4"), numberFromZeroTo(2)("0"), numberFromZeroTo(2)("2")]).toEqual([
    0.9, 0.0001, 0, 2,
  ]);
  for (const text of ["1.1", "-0.1", "NaN", ""]) expect(() => numberUpTo(1)(text)).toThrow("A number above 0");
  expect(() => numberUpTo(1)("0")).toThrow("A number above 0");
});
