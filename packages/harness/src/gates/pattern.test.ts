import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { glob, regularExpression } from "./pattern.ts";

const atom = fc.constantFrom("a", "b", ".", "[ab]", "[^a]", "\\d", "\\w", "\\b", "1", "^", "$", "[a-c1]");
const repeatable = fc.constantFrom("a", "b", ".", "[ab]", "[^a]", "\\d", "(?:ab|b)", "(a|1)", "(?:a*b)");
const repetition = fc.constantFrom("*", "+", "?", "{2}", "{1,3}", "{0,2}", "{1,}", "*?", "");
const piece = fc.oneof(
  atom,
  fc.tuple(repeatable, repetition).map((parts) => parts.join("")),
);
const source = fc.array(
  fc.array(piece, { maxLength: 4 }).map((parts) => parts.join("")),
  { minLength: 1, maxLength: 3 },
);
const text = fc.string({ unit: fc.constantFrom("a", "b", "c", "1", " ", "\n", "😀"), maxLength: 12 });

describe("H6 patterns", () => {
  test("match what the regular expressions of the language match", () => {
    fc.assert(
      fc.property(source, text, (alternatives, value) => {
        const pattern = alternatives.join("|");
        expect([pattern, value, regularExpression(pattern)(value)]).toEqual([
          pattern,
          value,
          new RegExp(pattern, "su").test(value),
        ]);
      }),
      { numRuns: 5000 },
    );
  });

  test.each([
    ["(a+)+$", "a".repeat(50_000) + "!"],
    ["^(a|a)*$", "a".repeat(50_000) + "!"],
    ["(.*)*x", "y".repeat(50_000)],
    ["^(?:(?:a*)*)*$", "a".repeat(20_000) + "b"],
  ])(
    "%s needs no time to find out that it does not match",
    (pattern, value) => {
      expect(regularExpression(pattern)(value)).toBe(false);
    },
    5000,
  );

  test.each([
    "(",
    ")",
    "[a",
    "a**",
    "*",
    "(?=a)",
    "(?<n>a)",
    "\\1",
    "\\p{L}",
    "a{3,1}",
    "a{",
    "\\",
    "\\u{110000}",
    "[z-a]",
    "(?:a{1000}){1000}",
    "(?:(?:(?:){9999}){9999}){9999}",
    "(".repeat(100),
  ])("%s is refused with words", (pattern) => {
    expect(() => regularExpression(pattern)).toThrow(
      expect.objectContaining({ info: expect.objectContaining({ error_code: "VALIDATION_FAILED" }) as unknown }),
    );
  });

  test("can leave case aside, in both directions", () => {
    for (const [pattern, value] of [
      ["Secret", "SECRET"],
      ["[A-F]", "b"],
      ["[a-f]", "B"],
      ["É", "é"],
    ] as const) {
      expect(regularExpression(pattern, { ignoreCase: true })(value)).toBe(true);
    }
    expect(regularExpression("secret")("SECRET")).toBe(false);
  });

  test.each([
    ["src/**", "src/a/b.ts", true],
    ["src/**", "srcs/a", false],
    ["**/*.ts", "a.ts", true],
    ["**/*.ts", "a/b/c.ts", true],
    ["*.ts", "a/b.ts", false],
    ["file_*", "file_read", true],
    ["a.b", "axb", false],
    ["a?c", "abc", true],
    ["{read,list}_file", "list_file", true],
    ["{read,list}_file", "write_file", false],
    ["a+(b)[c]$", "a+(b)[c]$", true],
    ["*", "x\ny", true],
    ["", "", true],
  ])("the glob %s and %s", (pattern, value, matches) => {
    expect(glob(pattern)(value)).toBe(matches);
  });
});
