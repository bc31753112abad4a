import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { compareTexts } from "./compare.ts";

const folder = mkdtempSync(join(tmpdir(), "benchtop-warnings-"));
afterAll(() => rmSync(folder, { recursive: true }));

function warningsOf(before: string, after: string) {
  const [old, fresh] = [before, after].map((side) => {
    const file = join(folder, createHash("sha256").update(side).digest("hex"));
    writeFileSync(file, side);
    return file;
  });
  const { warnings } = compareTexts({
    before: old ?? null,
    after: fresh ?? null,
    contextLines: 3,
    maxLines: 50_000,
    timeoutMs: 500,
    countsOnly: false,
  });
  return warnings.map(({ kind, where }) => [kind, where]);
}

test("S10 an image that is text is told of where it acts or asks a server, whatever line it is in", () => {
  const file = join(folder, "image.svg");
  writeFileSync(file, '<svg><script href="https://evil.example/x.js"/></svg>\n');
  const input = { before: file, after: file, contextLines: 3, maxLines: 100, timeoutMs: 500, countsOnly: false };
  const kinds = (svg: boolean) => compareTexts({ ...input, svg }).warnings.map(({ kind }) => kind);
  expect([kinds(true), kinds(false)]).toEqual([["macro", "external-reference"], []]);
});

describe("S10 what a person may overlook in a text", () => {
  test.each([
    // The examples of the paper "Trojan Source".
    ["a comment that is code", 'access = "user"\nif access != "user\u202E \u2066// Check if admin\u2069 \u2066":\n', 2],
    ["an early return in a docstring", '"""Subtract funds\u2067""" ;return\n', 1],
    ["a function of another's name", "def is_\u0430dmin():\n", 1],
    ["an invisible function", "def check\u200B():\n", 1],
    ["text in tags", "fine\u{E0068}\u{E0069}\n", 1],
    ["a terminal's backspace", "safe\u0008\u0008\u0008\u0008evil\n", 1],
    ["a byte order mark that begins no file", "a\n\uFEFFb\n", 2],
    ["a filler as a name", "const \u3164 = 1;\n", 1],
  ])("%s", (_, text, line) => {
    expect(warningsOf("", text)).toContainEqual(["spoofed-text", `line ${line}`]);
  });

  test.each([
    ["plain code", "if (a < b) return 'ok';\n\tx = 1;\r\n"],
    ["a byte order mark at the start", "\uFEFFa,b\n"],
    ["colours of a terminal in a log", "\u001B[31mred\u001B[0m\n"],
    ["languages", "Größe, naïve, отчёт, έκθεση, 報告書, 보고서, תקציר\u200F (3), می\u200Cخواهم\n"],
    ["emoji of several parts", "👩\u200D🔬 🏳️\u200D🌈 ❤️\n"],
    ["form feeds", "a\u000Cb\n"],
  ])("leaves in peace: %s", (_, text) => {
    expect(warningsOf("", text)).toEqual([]);
  });

  test("speaks of what a change adds, not of what was there", () => {
    const spoofed = "a\u202Eb\n";
    expect(warningsOf(`${spoofed}1\n`, `${spoofed}2\n`)).toEqual([]);
    expect(warningsOf(`${spoofed}1\n`, "1\n")).toEqual([]);
  });

  test("a long line is told, and looked at as far as it is shown", () => {
    expect(warningsOf("a\n", `a\n${"x".repeat(20_000)}\n`)).toEqual([["long-line", "line 2"]]);
    expect(warningsOf("", `${"x".repeat(1_000_000)}\u202E\n`)).toEqual([["long-line", "line 1"]]);
  });

  test("many are counted, not listed", () => {
    const warnings = warningsOf("", "a\u200Bb\n".repeat(10_000));
    expect(warnings).toHaveLength(21);
    expect(warnings.at(-1)).toEqual(["spoofed-text", null]);
  });
});
