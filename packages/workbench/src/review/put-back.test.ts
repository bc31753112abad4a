import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { compareTexts } from "./compare.ts";
import { putBack, type PutBack } from "./put-back.ts";

const folder = mkdtempSync(join(tmpdir(), "benchtop-put-back-"));
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(side: string | Uint8Array): string {
  const file = join(folder, createHash("sha256").update(side).digest("hex"));
  writeFileSync(file, side);
  return file;
}

const limits = { maxLines: 50_000, timeoutMs: 300 };

function put(before: string, after: string, ids: readonly string[]): PutBack {
  return putBack({ before: fileOf(before), after: fileOf(after), ...limits, ids: [ids], putBack: 0 });
}

function idsOf(before: string, after: string): string[] {
  const compared = compareTexts({
    before: fileOf(before),
    after: fileOf(after),
    ...limits,
    contextLines: 100_000,
    countsOnly: false,
  });
  return compared.hunks.flatMap((hunk) => hunk.stretches.map(({ id }) => id));
}

const characters = (...sides: string[]): string => Array.from(sides.join("")).toSorted().join("");
const textOf = (result: PutBack): string => ("text" in result ? Buffer.from(result.text ?? []).toString() : "none");

const line = fc.constantFrom("a", "b", "", "  c", "a\r", "total,12", "Zeile ü", "\r", "\uFEFFx", "😀");
const text = fc
  .array(line, { maxLength: 30 })
  .chain((lines) => fc.constantFrom(lines.join("\n"), `${lines.join("\n")}\n`, `\uFEFF${lines.join("\r\n")}\r\n`));

describe("putting stretches of a text back", () => {
  test("all of them gives the base, none of them the text as it is, byte by byte", () => {
    fc.assert(
      fc.property(text, text, (before, after) => {
        expect(textOf(put(before, after, idsOf(before, after)))).toBe(before);
        expect(textOf(put(before, after, []))).toBe(after);
      }),
      { numRuns: 300 },
    );
  });

  test("some of them takes away just these: the rest, put back instead, gives just the others", () => {
    fc.assert(
      fc.property(text, text, fc.array(fc.boolean(), { minLength: 60 }), (before, after, choices) => {
        const all = idsOf(before, after);
        const rejected = all.filter((_, index) => choices[index]);
        const once = textOf(put(before, after, rejected));
        // What one lost of the change the other has: no line is lost, and none comes twice.
        const rest = all.filter((id) => !rejected.includes(id));
        const other = textOf(put(before, after, rest));
        expect(characters(once, other)).toBe(characters(before, after));
      }),
      { numRuns: 300 },
    );
  });

  test("names a stretch the same however much context is shown, and after another one was put back", () => {
    const lines = Array.from({ length: 40 }, (_, index) => `line ${index}\n`);
    const before = lines.join("");
    const after = lines.with(3, "three\n").with(5, "five\nand more\n").toSpliced(20, 2).concat("end").join("");
    const whole = idsOf(before, after);
    expect(whole).toHaveLength(4);
    for (const contextLines of [0, 1, 3, 10]) {
      const compared = compareTexts({
        before: fileOf(before),
        after: fileOf(after),
        ...limits,
        contextLines,
        countsOnly: false,
      });
      expect(compared.hunks.flatMap((hunk) => hunk.stretches.map(({ id }) => id))).toEqual(whole);
    }
    for (const id of whole) {
      const left = textOf(put(before, after, [id]));
      expect(idsOf(before, left)).toEqual(whole.filter((other) => other !== id));
    }
  });

  test("a range names all from one stretch to another", () => {
    const [before, after] = ["1\na\n2\nb\n3\nc\n", "1\nA\n2\nB\n3\nC\n"];
    const [first, second, third] = idsOf(before, after);
    expect(textOf(put(before, after, [`${first}..${second}`]))).toBe("1\na\n2\nb\n3\nC\n");
    expect(textOf(put(before, after, [`${first}..${third}`, second ?? ""]))).toBe(before);
  });

  test.each([
    ["an id of another text", idsOf("x\n", "y\n")[0] ?? ""],
    ["no id at all", ""],
    ["a range that runs backwards", idsOf("1\na\n2\nb\n", "1\nA\n2\nB\n").toReversed().join("..")],
    ["a range of three", "a..b..c"],
    ["a name of every object", "__proto__"],
  ])("refuses %s", (_, id) => {
    expect(put("1\na\n2\nb\n", "1\nA\n2\nB\n", [id])).toEqual({ unknown: id });
  });

  test("refuses what is no text, and more lines than the limit", () => {
    const after = fileOf(new Uint8Array([0x61, 0xff, 0x0a]));
    expect(putBack({ before: fileOf("a\n"), after, ...limits, ids: [], putBack: null })).toEqual({ view: "opaque" });
    const long = putBack({
      before: fileOf("a\n".repeat(20)),
      after: fileOf("b\n".repeat(20)),
      ...limits,
      maxLines: 10,
      ids: [],
      putBack: null,
    });
    expect(long).toEqual({ view: "too-large" });
  });

  test("ten thousand ranges over fifty thousand lines are one walk", () => {
    const lines = Array.from({ length: 50_000 }, (_, index) => `line ${index}\n`);
    const before = lines.join("");
    const after = lines.map((one, index) => (index % 3 === 0 ? `new ${index}\n` : one)).join("");
    const input = { before: fileOf(before), after: fileOf(after), ...limits, putBack: null };
    const found = putBack({ ...input, ids: [] });
    const all = "all" in found ? found.all : [];
    const range = `${all[0]}..${all.at(-1)}`;
    expect(putBack({ ...input, ids: [Array(10_000).fill(range)] })).toMatchObject({ named: [all] });
  });
});
