import { deflateRawSync, gzipSync } from "node:zlib";
import { DatabaseSync } from "node:sqlite";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { archive } from "../../test/hostile-zip.ts";
import { compareDocuments } from "../index.ts";
import { compare, differenceFrom } from "./compare.ts";
import { factsOf } from "./facts.ts";

const facts = (bytes: Uint8Array): Record<string, string> => Object.fromEntries(factsOf(bytes));

function sqlite(): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "bytes-"));
  try {
    const database = new DatabaseSync(join(folder, "x.db"));
    database.exec("PRAGMA user_version = 7; CREATE TABLE things (id INTEGER); INSERT INTO things VALUES (1)");
    database.close();
    return readFileSync(join(folder, "x.db"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function long(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function gguf(entries: [string, string][], count = entries.length): Buffer {
  const text = (value: string): Buffer => Buffer.concat([long(Buffer.byteLength(value)), Buffer.from(value)]);
  const pairs = entries.map(([key, value]) => Buffer.concat([text(key), Buffer.from([8, 0, 0, 0]), text(value)]));
  return Buffer.concat([Buffer.from("GGUF"), Buffer.from([3, 0, 0, 0]), long(291), long(count), ...pairs]);
}

describe("files by their bytes", () => {
  it("S10: rows begin before the first difference and face each other by position", () => {
    const before = Buffer.alloc(5_000, 1);
    const after = Buffer.from(before);
    after[1_234] = 2;
    after[4_000] = 3;
    const comparison = compare({ before, after });
    expect(comparison.offset).toBe(1_200);
    expect(comparison.rows).toHaveLength(64);
    expect(comparison.rows.filter((row) => row.before !== row.after)).toEqual([
      { offset: 1_232, before: "01".repeat(16), after: `010102${"01".repeat(13)}` },
    ]);
    expect(comparison.nextDifference).toBe(4_000);
    expect(compare({ before, after, offset: 4_000 })).toMatchObject({ offset: 4_000, nextDifference: null });
  });

  it("S10: what one side has beyond the other is a difference", () => {
    const comparison = compare({ before: Buffer.from("abc"), after: Buffer.from("abcdef") });
    expect(comparison.rows).toEqual([{ offset: 0, before: "616263", after: "616263646566" }]);
    expect(differenceFrom(Buffer.from("abc"), Buffer.from("abcdef"), 0)).toBe(3);
    expect(differenceFrom(Buffer.from("abc"), Buffer.from("abcdef"), 5)).toBe(5);
    expect(differenceFrom(Buffer.from("abc"), Buffer.from("abc"), 0)).toBeNull();
  });

  it("S10: a missing side is null everywhere", () => {
    const bytes = Buffer.alloc(2_000, 9);
    expect(compare({ before: null, after: bytes })).toMatchObject({
      offset: 0,
      nextDifference: 1_024,
      truncated: true,
    });
    expect(compare({ before: bytes, after: null }).rows[0]).toEqual({
      offset: 0,
      before: "09".repeat(16),
      after: null,
    });
    expect(compare({ before: null, after: null })).toMatchObject({ rows: [], nextDifference: null });
  });

  it("S10: an offset beyond the end shows the end", () => {
    const bytes = Buffer.alloc(100);
    expect(compare({ before: bytes, after: bytes, offset: 1e12 })).toMatchObject({
      offset: 96,
      rows: [{ offset: 96 }],
    });
  });

  it("S10: a difference at the end of a hundred megabytes is found", () => {
    const before = Buffer.alloc(100_000_000);
    const after = Buffer.from(before);
    after[99_999_999] = 1;
    expect(compare({ before, after }).offset).toBe(99_999_952);
  });

  it.each<[string, () => Uint8Array, Record<string, string>]>([
    ["nothing", () => Buffer.alloc(0), { type: "empty" }],
    ["text", () => Buffer.from("hello\n"), { type: "text" }],
    ["noise", () => Buffer.from("0102030405", "hex"), { type: "unknown" }],
    [
      "an archive",
      () =>
        archive([
          { name: "a.txt", content: Buffer.from("hello") },
          { name: "b/c.txt", content: Buffer.from("!") },
        ]),
      { type: "ZIP archive", files: "2", "bytes unpacked": "6", names: "a.txt, b/c.txt" },
    ],
    [
      "an archive that lies",
      () => archive([{ name: "../x" }], { entries: 9 }),
      { type: "ZIP archive", state: "damaged or cut off" },
    ],
    ["gzip", () => gzipSync("hello"), { type: "gzip", "bytes unpacked (modulo 4 GiB)": "5" }],
    ["a database", sqlite, { type: "SQLite database", "user version": "7", "page size": "4096", encoding: "UTF-8" }],
    [
      "a model",
      () =>
        gguf([
          ["general.architecture", "llama"],
          ["general.name", "Tiny"],
        ]),
      { type: "GGUF model", version: "3", tensors: "291", name: "Tiny", architecture: "llama" },
    ],
    [
      "a model that claims a key of 2^62 bytes",
      () => Buffer.concat([gguf([], 1), Buffer.alloc(8, 0x3f)]),
      { state: "damaged or cut off" },
    ],
    [
      "a program",
      () => readFileSync(process.execPath).subarray(0, 4_096),
      { type: expect.stringMatching(/program/) as string },
    ],
    ["a script", () => Buffer.from("#!/bin/sh\nrm -rf /\n"), { type: "script", interpreter: "/bin/sh" }],
    [
      "an array",
      () =>
        Buffer.concat([
          Buffer.from("934e554d5059010076 00".replace(" ", ""), "hex"),
          Buffer.from("{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }"),
        ]),
      { type: "NumPy array", "data type": "<f8", shape: "(3, 4)" },
    ],
    ["Parquet", () => Buffer.from("PAR1....\x10\0\0\0PAR1"), { type: "Parquet", "bytes of metadata": "16" }],
    ["half of a Parquet file", () => Buffer.from("PAR1...."), { type: "Parquet", state: "damaged or cut off" }],
    [
      "an old Office file",
      () => Buffer.from("d0cf11e0a1b11ae1", "hex"),
      { type: expect.stringMatching(/OLE/) as string },
    ],
  ])("S10: facts about %s", (_, make, expected) => {
    expect(facts(make())).toMatchObject(expected);
  });

  it("S10: what a file says of itself cannot turn the text around it", () => {
    const { name } = facts(gguf([["general.name", `evil\u202Etxt.exe\u0007${"x".repeat(500)}`]]));
    expect(name).not.toContain("\u202E");
    expect(name).not.toContain("\u0007");
    expect(name?.length).toBeLessThanOrEqual(200);
  });

  it("S10: facts of cut and flipped files never throw", () => {
    const samples = [
      gguf([["general.name", "Tiny"]]),
      gzipSync("hello"),
      sqlite(),
      deflateRawSync("x"),
      archive([{ name: "a" }]),
    ];
    let state = 11;
    const random = (below: number): number => {
      state = (state * 48_271) % 2_147_483_647;
      return state % below;
    };
    for (let round = 0; round < 2_000; round += 1) {
      const bytes = Buffer.from(samples[round % samples.length] ?? []);
      for (let flip = 0; flip < 4; flip += 1) bytes[random(Math.min(bytes.length, 200))] = random(256);
      expect(factsOf(bytes.subarray(0, random(bytes.length) + 1)).get("type")).toBeDefined();
    }
  });

  it("S10: an opaque file is compared with what each side is", async () => {
    const comparison = await compareDocuments({
      kind: null,
      before: gguf([["general.name", "Old"]]),
      after: gguf([["general.name", "New"]]),
      mediaType: "application/octet-stream",
      path: "model.gguf",
    });
    expect(comparison).toMatchObject({ kind: "bytes", warnings: [] });
    expect(comparison).toHaveProperty(
      "metadata",
      expect.arrayContaining([{ name: "name", before: "Old", after: "New" }]),
    );
  });
});
