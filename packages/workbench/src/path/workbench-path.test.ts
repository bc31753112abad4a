import { BenchtopError } from "@benchtop/protocol";
import { describe, expect, test } from "vitest";
import { defaultLimits } from "../limits.ts";
import { Names } from "./names.ts";
import { parseWorkbenchPath, twinKey } from "./workbench-path.ts";

const parse = (text: string) => parseWorkbenchPath(text, defaultLimits);

function codeOf(work: () => unknown): string {
  try {
    work();
    return "accepted";
  } catch (thrown) {
    return BenchtopError.is(thrown) ? thrown.code : `threw ${String(thrown)}`;
  }
}

const add = (existing: string[], path: string) => codeOf(() => new Names(existing).add(parse(path)));

const escapes = [
  "..",
  "../secret",
  "a/../../secret",
  "a/..",
  "a/../b",
  "./../x",
  "...", // Windows drops trailing dots
  ".. ",
  ".. /x",
  "..  ../x",
  ". .",
  "a/. ./b",
  "/etc/passwd",
  "/",
  "//server/share",
  "\\\\server\\share",
  "\\\\?\\C:\\x",
  "\\\\.\\pipe\\x",
  "a\\b",
  "..\\x",
  "\\",
  "C:",
  "C:\\x",
  "C:/x",
  "c:x",
  "Z:../x",
  "a\0b",
  "\0",
  "a/\0",
  "../\0",
  "a/b/../../../c",
];

const invalid = [
  "",
  ".",
  "./a",
  "a/./b",
  "a//b",
  "a/",
  "a/b/",
  "a ",
  "a.",
  "a /b",
  "a./b",
  "....x.",
  "a\nb",
  "a\tb",
  "a\rb",
  "\u0001",
  "a\u007F",
  "a\u0085b",
  "CON",
  "con",
  "Con.txt",
  "a/nul",
  "NUL.tar.gz",
  "PRN",
  "aux.md",
  "COM1",
  "com9.log",
  "COM0",
  "COM¹",
  "com².txt",
  "LPT³",
  "lpt1/x",
  "CONIN$",
  "CONOUT$.txt",
  "CLOCK$",
  "nul .txt",
  "a<b",
  "a>b",
  "name:stream",
  "file::$DATA",
  'a"b',
  "a|b",
  "a?b",
  "a*b",
  "a\u202Eb.txt",
  "a\u200Bb",
  "a\u200Db",
  "\uFEFFa",
  "a\u2066b",
  "a\u00ADb",
  "a\u2028b",
  "a\u2029b",
  "a\u034Fb",
  "\u3164",
  "a\u115Fb",
  "a\u2800b",
  "a\u{E0041}b",
  "a\uFFFEb",
  "a\uFDD0b",
  "a\uD800b",
  "\uDC00",
  "e\u0301.txt", // decomposed é
  "\u212B", // ANGSTROM SIGN normalises to Å
  "가".normalize("NFD"),
  "a".repeat(256),
  "é".repeat(128),
  "x".repeat(300),
  `${"a/".repeat(64)}a`,
  Array.from({ length: 5 }, () => "a".repeat(250)).join("/"),
];

const fine = [
  "a",
  "notes.md",
  ".gitignore",
  ".env",
  "a/b/c.txt",
  "..a",
  "a..b",
  "...a",
  "a b.txt",
  " a",
  "console",
  "CONSOLE.txt",
  "com10",
  "nully",
  "auxiliary/x",
  "é.txt",
  "日本語/資料.md",
  "Ω",
  "❤️.txt",
  "a\u202Fb.png", // macOS names screenshots with a narrow no-break space
  "a".repeat(255),
  "é".repeat(127),
  `${"a/".repeat(63)}a`,
  "%2e%2e",
  "~",
  "-rf",
  "$(x)",
  "a'b",
  "#;&!",
];

describe("a path of a workbench", () => {
  test.each(escapes)("%j would leave it: SANDBOX_VIOLATION", (text) => {
    expect(codeOf(() => parse(text))).toBe("SANDBOX_VIOLATION");
  });

  test.each(invalid)("%j cannot be kept everywhere: VALIDATION_FAILED", (text) => {
    expect(codeOf(() => parse(text))).toBe("VALIDATION_FAILED");
  });

  test.each(fine)("%j is fine", (text) => {
    expect(parse(text)).toBe(text);
  });

  test("a refusal says what to change and shows no hidden character", () => {
    expect(() => parse("a\u202Etxt.exe")).toThrow(/a\\u\{202e\}txt\.exe.*invisible or direction-changing.*remove it/);
    expect(() => parse("x".repeat(256))).toThrow(/256 bytes; the limit maxSegmentBytes is 255/);
  });

  test("the limits are configuration", () => {
    expect(codeOf(() => parseWorkbenchPath("a/b/c", { ...defaultLimits, maxDepth: 2 }))).toBe("VALIDATION_FAILED");
    expect(codeOf(() => parseWorkbenchPath("abc", { ...defaultLimits, maxPathBytes: 2 }))).toBe("VALIDATION_FAILED");
  });
});

describe("names that are taken", () => {
  test.each([
    [["Notes.md"], "notes.md"],
    [["a/b.txt"], "A/c.txt"],
    [["a/B/c"], "a/b/d"],
    [["straße"], "STRASSE"],
    [["é"], "É"],
    [["ﬁ.txt"], "FI.txt"],
    [["❤.txt"], "❤️.txt"],
    [["a"], "a/b"],
    [["A"], "a/b"],
    [["a/b"], "a"],
    [["a/b"], "A"],
    [["ſ"], "s"],
  ])("%j leave no room for %j", (existing, path) => {
    expect(add(existing, path)).toBe("VALIDATION_FAILED");
  });

  test("the same path again, and neighbours, are fine", () => {
    expect(add(["a/b.txt"], "a/b.txt")).toBe("accepted");
    expect(add(["a/b.txt"], "a/c.txt")).toBe("accepted");
    expect(add(["a.txt"], "a/b.txt")).toBe("accepted");
  });

  test("normalisation twins have one key", () => {
    expect(twinKey("é")).toBe(twinKey("e\u0301"));
    expect(twinKey("K")).toBe(twinKey("k"));
  });
});
