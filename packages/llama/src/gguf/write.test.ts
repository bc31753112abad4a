import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tinyModel } from "../../test/tiny-model.ts";
import { readGgufHeader } from "./read.ts";
import { encodeWeights } from "./weights.ts";
import { writeGguf, type GgufContent, type GgufTensorContent } from "./write.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gguf-write-"));
});
afterAll(() => rm(folder, { recursive: true }));

const metadata = { "general.architecture": { type: "string", value: "llama" } } as const;
const weights: GgufTensorContent = {
  name: "w",
  shape: [4, 2],
  type: "F32",
  data: Float32Array.of(0, 1, 2, 3, 4, 5, 6, 7),
};

async function* parts(): AsyncGenerator<Uint8Array> {
  for (let part = 0; part < 8; part++) yield encodeWeights(Float32Array.of(part), "F32");
}

describe("A GGUF file", () => {
  test("is the same for the same content, and tells its own hash", async () => {
    const one = await writeGguf(join(folder, "one.gguf"), tinyModel({ seed: 5 }));
    const other = await writeGguf(join(folder, "other.gguf"), tinyModel({ seed: 5 }));
    const bytes = await readFile(join(folder, "one.gguf"));
    expect(other).toEqual(one);
    expect(one).toEqual({ bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") });
    expect(await writeGguf(join(folder, "third.gguf"), tinyModel({ seed: 6 }))).not.toEqual(one);
  });

  test("takes weights in parts as they come", async () => {
    const whole = await writeGguf(join(folder, "whole.gguf"), {
      metadata,
      tensors: [weights, { ...weights, name: "v" }],
    });
    const streamed = {
      metadata,
      tensors: [
        { ...weights, data: parts },
        { ...weights, name: "v", data: parts },
      ],
    };
    expect(await writeGguf(join(folder, "streamed.gguf"), streamed)).toEqual(whole);
  });

  test("puts tensors where its alignment says", async () => {
    const path = join(folder, "aligned.gguf");
    const aligned = { ...metadata, "general.alignment": { type: "u32", value: 4096 } } as const;
    await writeGguf(path, { metadata: aligned, tensors: [weights, { ...weights, name: "v" }] });
    const header = await readGgufHeader(path);
    expect(header.dataOffset % 4096).toBe(0);
    expect(header.tensors.map((tensor) => tensor.offset)).toEqual([0, 4096]);
    const bytes = await readFile(path);
    expect(bytes.readFloatLE(header.dataOffset + 4096 + 7 * 4)).toBe(7);
  });

  test("replaces what had its name only once it is whole", async () => {
    const path = join(folder, "kept.gguf");
    await writeFile(path, "what was there");
    const failing = {
      metadata,
      tensors: [
        {
          ...weights,
          data: function* () {
            yield new Uint8Array(8);
            throw new Error("the producer failed");
          },
        },
      ],
    };
    await expect(writeGguf(path, failing)).rejects.toThrow("the producer failed");
    expect(await readFile(path, "utf8")).toBe("what was there");
    expect((await readdir(folder)).filter((name) => name.endsWith(".part"))).toEqual([]);
  });

  test("is not written on when it is no longer wanted", async () => {
    const stop = new AbortController();
    const reason = new Error("enough");
    const data = function* (): Generator<Uint8Array> {
      yield new Uint8Array(16);
      stop.abort(reason);
      yield new Uint8Array(16);
    };
    const content = { metadata, tensors: [{ ...weights, data }] };
    await expect(writeGguf(join(folder, "aborted.gguf"), content, stop.signal)).rejects.toBe(reason);
    expect((await readdir(folder)).filter((name) => name.startsWith("aborted"))).toEqual([]);
  });

  test("that cannot be written is a failure to write", async () => {
    await expect(writeGguf(join(folder, "no", "where.gguf"), { metadata, tensors: [] })).rejects.toMatchObject({
      code: "FILE_WRITE_FAILED",
    });
  });
});

describe("Content that GGUF cannot hold is refused", () => {
  const tensor = (change: Partial<GgufTensorContent>): GgufContent => ({
    metadata,
    tensors: [{ ...weights, ...change }],
  });
  const field = (type: string, value: unknown): GgufContent =>
    ({ metadata: { ...metadata, key: { type, value } }, tensors: [] }) as GgufContent;
  const cases: [what: string, content: GgufContent, words: string][] = [
    ["two tensors of one name", { metadata, tensors: [weights, weights] }, "there twice"],
    ["a tensor without a name", tensor({ name: "" }), "1 to 63 bytes"],
    ["a tensor with a long name", tensor({ name: "ä".repeat(32) }), "1 to 63 bytes"],
    ["a tensor of an unknown type", tensor({ type: "F8" }), "no tensors of type F8"],
    ["a tensor without a shape", tensor({ shape: [] }), "a shape that GGUF does not know"],
    ["a tensor with a dimension of 0", tensor({ shape: [8, 0] }), "a shape that GGUF does not know"],
    ["a tensor with half a dimension", tensor({ shape: [1.5] }), "a shape that GGUF does not know"],
    ["rows that are no whole blocks", tensor({ type: "Q8_0" }), "multiple of 32"],
    ["fewer weights than the shape says", tensor({ data: Float32Array.of(1) }), "another number"],
    ["more weights than the shape says", tensor({ data: new Uint8Array(33) }), "another number"],
    ["numbers for a type of blocks", tensor({ type: "Q8_0", shape: [32] }), "give the bytes"],
    ["a key with a space", { metadata: { "a b": { type: "u8", value: 1 } }, tensors: [] }, "no name for a GGUF field"],
    [
      "an alignment of 7",
      { metadata: { "general.alignment": { type: "u32", value: 7 } }, tensors: [] },
      "power of two",
    ],
    ["a byte of 256", field("u8", 256), "u8 cannot hold"],
    ["a fraction as a whole number", field("i32", 1.5), "i32 cannot hold"],
    ["a number below 0 without a sign", field("u64", -1n), "u64 cannot hold"],
    ["a fraction as a large number", field("i64", 0.5), "i64 cannot hold"],
    ["a text as a number", field("u32", "7"), "u32 cannot hold"],
    ["an array with one of them", field("u16[]", [1, 70_000]), "u16 cannot hold"],
  ];
  test.each(cases)("%s", async (_, content, words) => {
    const refusal = { code: "VALIDATION_FAILED", message: expect.stringContaining(words) as string };
    await expect(writeGguf(join(folder, "refused.gguf"), content)).rejects.toMatchObject(refusal);
  });
});

function bits(value: number, type: string): number {
  return Buffer.from(encodeWeights(Float32Array.of(value), type)).readUInt16LE();
}

describe("Numbers are rounded to the nearest, ties to even", () => {
  test("as F16", () => {
    const cases: [number, number][] = [
      [0, 0],
      [-0, 0x8000],
      [1, 0x3c00],
      [-2, 0xc000],
      [65_504, 0x7bff],
      [65_519.996, 0x7bff],
      [65_520, 0x7c00],
      [-Infinity, 0xfc00],
      [NaN, 0x7e00],
      [1 + 2 ** -11, 0x3c00],
      [1 + 3 * 2 ** -11, 0x3c02],
      [2 ** -14, 0x0400],
      [2 ** -24, 0x0001],
      [2 ** -25, 0x0000],
      [1.5 * 2 ** -24, 0x0002],
      [2 ** -14 - 2 ** -26, 0x0400],
      [1e-40, 0],
    ];
    expect(cases.map(([value]) => bits(value, "F16"))).toEqual(cases.map(([, expected]) => expected));
  });

  test("as BF16", () => {
    const cases: [number, number][] = [
      [1, 0x3f80],
      [1 + 2 ** -8, 0x3f80],
      [1 + 3 * 2 ** -8, 0x3f82],
      [-Infinity, 0xff80],
      [3.4e38, 0x7f80],
      [NaN, 0x7fc0],
    ];
    expect(cases.map(([value]) => bits(value, "BF16"))).toEqual(cases.map(([, expected]) => expected));
  });
});
