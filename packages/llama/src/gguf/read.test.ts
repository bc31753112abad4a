import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, open, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BenchtopError } from "@benchtop/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  arrayField,
  field,
  fieldBytes,
  rawArray,
  rawGguf,
  text,
  u32,
  u64,
  type RawGguf,
} from "../../test/gguf-hostile.ts";
import { scalarTypes } from "./layout.ts";
import { readGgufFields, readGgufHeader } from "./read.ts";
import { writeGguf } from "./write.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gguf-read-"));
});
afterAll(() => rm(folder, { recursive: true }));

let files = 0;
async function fileOf(bytes: Uint8Array | string): Promise<string> {
  files += 1;
  const path = join(folder, `${files}.gguf`);
  await writeFile(path, bytes);
  return path;
}

/** The code and the words with which a file is refused; empty where it is not. */
async function refused(path: string): Promise<string> {
  try {
    await readGgufHeader(path);
    return "";
  } catch (thrown) {
    if (!BenchtopError.is(thrown)) throw thrown;
    return `${thrown.code}: ${thrown.message}`;
  }
}

describe("A hostile or broken header is refused in words", () => {
  const architecture = field("general.architecture", "llama");
  const tokens = arrayField("tokenizer.ggml.tokens", "string", ["a", "b", "c"]);
  const cases: [what: string, file: RawGguf, words: string][] = [
    ["is of version 1", { version: 1 }, "version 1"],
    ["is of version 0", { version: 0 }, "version 0"],
    ["is of a version to come", { version: 4 }, "version 4"],
    ["is for big-endian machines", { version: 0x0300_0000 }, "big-endian"],
    ["is for big-endian machines to the first byte", { magic: "FUGG" }, "big-endian"],
    ["says that it has no end of fields", { fieldCount: 2n ** 64n - 1n }, "metadata fields"],
    [
      "says that it has more fields than it has",
      { fieldCount: 2n, tensors: [], data: 0 },
      "no printable|without a name|cut off",
    ],
    ["says that it has no end of tensors", { tensorCount: 2n ** 63n }, "tensors"],
    ["says that it has more tensors than it has", { tensorCount: 5n, data: 0 }, "without a name|cut off"],
    ["has a field without a name", { fields: [{ key: "" }] }, "field without a name"],
    ["has a field with an endless name", { fields: [{ keyLength: 2n ** 64n - 1n }] }, "more than 65535 bytes"],
    ["has a field whose name goes on beyond the file", { fields: [{ keyLength: 60_000n }] }, "cut off"],
    ["has a field whose name is no text", { fields: [{ key: "a\u001b[31mb" }] }, "no printable ASCII"],
    ["has a field whose name is no UTF-8", { fields: [{ key: new Uint8Array([0xff, 0xfe]) }] }, "no printable ASCII"],
    ["has a field twice", { fields: [architecture, architecture] }, "`general.architecture` twice"],
    ["has a field of an unknown type", { fields: [{ type: 13 }] }, "unknown type 13"],
    ["has a field of a negative type", { fields: [{ type: 0xffff_ffff }] }, "unknown type"],
    ["has a text that goes on beyond the file", { fields: [{ type: 8, value: text("x", 10_000n) }] }, "cut off"],
    ["has a text of 2⁶⁴ bytes", { fields: [{ type: 8, value: text("x", 2n ** 64n - 1n) }] }, "more than 32 MiB"],
    ["has a text of 2⁵³ + 1 bytes", { fields: [{ type: 8, value: text("x", 2n ** 53n + 1n) }] }, "more than 32 MiB"],
    [
      "has something between true and false",
      { fields: [{ type: 7, value: Buffer.from([2]) }] },
      "neither true nor false",
    ],
    [
      "has an array of arrays",
      { fields: [rawArray("a", 9, 1n, Buffer.concat([u32(4), u64(1n), u32(1)]))] },
      "array of arrays",
    ],
    ["has an array of an unknown type", { fields: [rawArray("a", 99, 1n)] }, "unknown type 99"],
    ["has an array of 2⁶⁴ numbers", { fields: [rawArray("a", 4, 2n ** 64n - 1n)] }, "more than 4000000 elements"],
    ["has an array of 2⁶⁴ texts", { fields: [rawArray("a", 8, 2n ** 64n - 1n)] }, "more than 4000000 elements"],
    ["has an array that goes on beyond the file", { fields: [rawArray("a", 4, 1_000_000n)] }, "cut off"],
    ["has texts that go on beyond the file", { fields: [rawArray("a", 8, 3n, text("x"))] }, "cut off|32 MiB"],
    [
      "has an architecture that is a number",
      { fields: [field("general.architecture", 1)] },
      "no name of an architecture",
    ],
    [
      "has an architecture that is a command",
      { fields: [field("general.architecture", "$(reboot)")] },
      "no name of an architecture",
    ],
    ["is aligned to 0", { fields: [architecture, field("general.alignment", 0)] }, "power of two"],
    ["is aligned to 48", { fields: [architecture, field("general.alignment", 48)] }, "power of two"],
    [
      "is aligned to less than llama.cpp can map",
      { fields: [architecture, field("general.alignment", 8)] },
      "from 32 on",
    ],
    ["is aligned by a text", { fields: [architecture, field("general.alignment", "32")] }, "power of two"],
    ["is aligned by a u64", { fields: [architecture, field("general.alignment", 32, "u64")] }, "has to be a u32"],
    ["has 513 layers", { fields: [architecture, field("llama.block_count", 513)] }, "more than 512 layers"],
    [
      "has more layers than tensors",
      { fields: [architecture, field("llama.block_count", 2)] },
      "2 layers, and has 1 tensors",
    ],
    ["has no layers", { fields: [architecture, field("llama.block_count", 0)] }, "no layers"],
    [
      "has a vocabulary of numbers",
      { fields: [arrayField("tokenizer.ggml.tokens", "u32", [1, 2])] },
      "array of string",
    ],
    ["has a vocabulary that is one text", { fields: [field("tokenizer.ggml.tokens", "abc")] }, "array of string"],
    ["has a vocabulary without tokens", { fields: [arrayField("tokenizer.ggml.tokens", "string", [])] }, "no tokens"],
    [
      "has a token twice",
      { fields: [arrayField("tokenizer.ggml.tokens", "string", ["a", "b", "a"])] },
      "a token twice",
    ],
    [
      "has a token twice to its first NUL",
      { fields: [arrayField("tokenizer.ggml.tokens", "string", ["a\0b", "a"])] },
      "a token twice",
    ],
    [
      "has a token with the name of an empty one",
      { fields: [arrayField("tokenizer.ggml.tokens", "string", ["", "[EMPTY_0]"])] },
      "a token twice",
    ],
    [
      "has fewer scores than tokens",
      { fields: [tokens, arrayField("tokenizer.ggml.scores", "f32", [0, 1])] },
      "2 elements for 3 tokens",
    ],
    [
      "has scores that are bytes",
      { fields: [tokens, arrayField("tokenizer.ggml.scores", "u8", [0, 1, 2])] },
      "array of f32",
    ],
    [
      "has fewer types than tokens",
      { fields: [arrayField("tokenizer.ggml.token_type", "i32", [1]), tokens] },
      "1 elements for 3 tokens",
    ],
    [
      "has types that are texts",
      { fields: [tokens, arrayField("tokenizer.ggml.token_type", "string", ["1", "1", "1"])] },
      "i32 or u32",
    ],
    [
      "has merges that are numbers",
      { fields: [tokens, arrayField("tokenizer.ggml.merges", "i32", [1])] },
      "array of string",
    ],
    ["has a template that is a number", { fields: [field("tokenizer.chat_template", 7)] }, "has to be a text"],
    [
      "has a template of a book's length",
      { fields: [field("tokenizer.chat_template", "x".repeat(250_001))] },
      "longer than",
    ],
    [
      "has a template of nested blocks",
      { fields: [field("tokenizer.chat_template", "{% if a %}".repeat(101))] },
      "100 blocks",
    ],
    [
      "has a template of nested brackets",
      { fields: [field("tokenizer.chat_template", `{{ ${"(".repeat(5000)} }}`)] },
      "100 blocks",
    ],
    ["has a tensor without a name", { tensors: [{ name: "" }] }, "tensor without a name"],
    ["has a tensor with a name of 64 bytes", { tensors: [{ name: "n".repeat(64) }] }, "more than 63 bytes"],
    ["has a tensor with an endless name", { tensors: [{ nameLength: 2n ** 63n }] }, "more than 63 bytes"],
    ["has a tensor whose name acts on terminals", { tensors: [{ name: "a\u001b]0;b" }] }, "no printable ASCII"],
    ["has a tensor twice", { tensors: [{}, { offset: 64n }], data: 128 }, "`weights` twice"],
    ["has a tensor of 5 dimensions", { tensors: [{ shape: [1n, 1n, 1n, 1n, 1n] }] }, "5 dimensions"],
    ["has a tensor of 4 billion dimensions", { tensors: [{ dimensions: 0xffff_ffff }] }, "4294967295 dimensions"],
    ["has a tensor without dimensions", { tensors: [{ shape: [] }] }, "0 dimensions"],
    ["has a tensor with a dimension of 0", { tensors: [{ shape: [16n, 0n] }] }, "dimension of 0"],
    ["has a tensor with a negative dimension", { tensors: [{ shape: [2n ** 64n - 1n] }] }, "larger than any file"],
    [
      "has dimensions whose product starts again at 0",
      { tensors: [{ shape: [2n ** 32n, 2n ** 32n] }] },
      "larger than any file",
    ],
    [
      "has dimensions whose product starts again at 64",
      { tensors: [{ shape: [2n ** 62n, 4n, 16n] }] },
      "larger than any file",
    ],
    ["has a tensor of an unknown type", { tensors: [{ type: 43 }] }, "type 43"],
    ["has a tensor of a type that was given up", { tensors: [{ type: 4 }] }, "type 4,"],
    ["has a tensor of a negative type", { tensors: [{ type: 0xffff_ffff }] }, "type 4294967295"],
    ["has rows that are no whole blocks", { tensors: [{ type: 12, shape: [32n] }] }, "no whole blocks of Q4_K"],
    ["has a tensor that begins anywhere", { tensors: [{ offset: 4n }] }, "does not begin where one may"],
    [
      "has tensors over one another",
      { tensors: [{}, { name: "other", offset: 32n }], data: 128 },
      "`other` lies over another",
    ],
    ["has tensors in the same place", { tensors: [{}, { name: "other" }], data: 128 }, "`other` lies over another"],
    [
      "has a gap before a tensor",
      { tensors: [{}, { name: "other", offset: 128n }], data: 512 },
      "gap before the tensor `other`",
    ],
    ["has a tensor far behind the end", { tensors: [{ offset: 2n ** 63n }] }, "cut off"],
    ["has a tensor that ends behind the end", { tensors: [{ shape: [17n] }] }, "cut off"],
    ["has a tensor of terabytes", { tensors: [{ shape: [2n ** 42n] }] }, "cut off"],
  ];
  test.each(cases)("that %s", async (_, file, words) => {
    expect(await refused(await fileOf(rawGguf(file)))).toMatch(new RegExp(`^VALIDATION_FAILED: .*(${words})`));
  });

  test("that is cut anywhere", async () => {
    const good = rawGguf();
    const path = await fileOf(good);
    expect(await refused(path)).toBe("");
    for (let length = good.length - 1; length > 0; length--) {
      await truncate(path, length);
      expect(await refused(path), `cut at ${length}`).toMatch(/^VALIDATION_FAILED: .*(cut off|no GGUF)/);
    }
  });

  test("that is as large as a disk and promises to fill it", async () => {
    const path = await fileOf(
      rawGguf({ fields: [{ type: 8, value: text("", 2n ** 25n) }], tensors: [], tensorCount: 0n }),
    );
    await truncate(path, 2 ** 40);
    expect(await refused(path)).toBe("");
    // Three arrays that are within their limits, and that the file has room for.
    const array = fieldBytes(rawArray("a", scalarTypes.f64, 4_000_000n));
    const large = await fileOf(rawGguf({ fields: [], fieldCount: 3n, tensors: [], data: 0 }).subarray(0, 24));
    const file = await open(large, "r+");
    for (let at = 24, key = 0x61; key < 0x64; key++, at += array.length + 32_000_000) {
      array[8] = key;
      await file.write(array, 0, array.length, at);
    }
    await file.truncate(2 ** 40);
    await file.close();
    expect(await refused(large)).toMatch(/VALIDATION_FAILED: .*larger than 64 MiB/);
  });
});

describe("What is no GGUF file is named", () => {
  const cases: [what: string, start: string | Uint8Array, words: string][] = [
    ["nothing", "", "empty"],
    ["a web page", "\n <!DOCTYPE html><html><body>404", "web page"],
    ["a web page with a byte order mark", "\ufeff<html lang=en>", "web page"],
    ["an error of a bucket", '<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>', "XML"],
    ["an answer in JSON", '{"error":"Repository not found"}', "JSON"],
    ["a Git LFS pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n", "git lfs pull"],
    ["a git-annex pointer", "/annex/objects/SHA256E-s12--00.gguf\n", "git annex get"],
    ["a safetensors file", Buffer.concat([u64(60n), Buffer.from('{"__metadata__":{}}')]), "safetensors"],
    ["a PyTorch file", "PK\x03\x04archive/data.pkl", "ZIP archive"],
    ["a pickle", Buffer.from("\x80\x02}q\x00", "latin1"), "pickle"],
    ["a compressed file", Buffer.from([0x1f, 0x8b, 8, 0]), "gzip"],
    [
      "a tar archive",
      Buffer.concat([Buffer.from("model.gguf".padEnd(257, "\0")), Buffer.from("ustar")]),
      "tar archive",
    ],
    ["a model before GGUF", Buffer.from("tjgg\x03\0\0\0"), "older than GGUF"],
    ["a download that was never finished", new Uint8Array(4096), "zeros"],
    ["a program", Buffer.from("\x7fELF\x02", "latin1"), "program"],
    ["a text", "# My model\nIt is good.", "a text"],
    ["anything else", Buffer.from([1, 2, 3, 4, 5, 6, 7]), "does not begin as one"],
  ];
  test.each(cases)("%s", async (_, start, words) => {
    expect(await refused(await fileOf(start))).toMatch(
      new RegExp(`^VALIDATION_FAILED: This is no GGUF model: .*${words}`),
    );
  });
});

describe("Whatever stands at the path", () => {
  test("a missing file, a broken link and a loop of links are failures to read", async () => {
    const link = join(folder, "link.gguf");
    const loop = join(folder, "loop.gguf");
    await symlink(join(folder, "nowhere"), link);
    await symlink(loop, loop);
    expect(await refused(join(folder, "missing.gguf"))).toMatch(/^FILE_READ_FAILED: .*no file of this name/);
    expect(await refused(link)).toMatch(/^FILE_READ_FAILED/);
    expect(await refused(loop)).toMatch(/^FILE_READ_FAILED/);
  });

  test("a folder, and a link to a file as caches of models have them", async () => {
    const inside = join(folder, "folder.gguf");
    await mkdir(inside);
    expect(await refused(inside)).toMatch(/^VALIDATION_FAILED: This is no file/);
    const link = join(folder, "snapshot.gguf");
    await symlink(await fileOf(rawGguf()), link);
    expect(await refused(link)).toBe("");
  });

  test.skipIf(process.platform === "win32")("a pipe and a device are not waited for", async () => {
    const pipe = join(folder, "pipe.gguf");
    execFileSync("mkfifo", [pipe]);
    expect(await refused(pipe)).toMatch(/^VALIDATION_FAILED: This is no file/);
    expect(await refused("/dev/zero")).toMatch(/^VALIDATION_FAILED: This is no file/);
  });

  test("an abort is thrown with its reason", async () => {
    const reason = new Error("enough");
    await expect(readGgufHeader(await fileOf(rawGguf()), AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});

describe("A sound header", () => {
  test("is read with all its types, and read back as it was written", async () => {
    const metadata = {
      "general.architecture": { type: "string", value: "llama" },
      small: { type: "i8", value: -5 },
      unsigned: { type: "u16", value: 65_535 },
      large: { type: "u64", value: 2n ** 64n - 1n },
      negative: { type: "i64", value: -(2n ** 63n) },
      half: { type: "f32", value: 0.5 },
      exact: { type: "f64", value: 0.1 },
      yes: { type: "bool", value: true },
      names: { type: "string[]", value: ["Grüße", "", "😀"] },
      flags: { type: "bool[]", value: [true, false] },
      none: { type: "i32[]", value: [] },
      many: { type: "i32[]", value: Array.from({ length: 5000 }, (_, index) => 4 - index) },
    } as const;
    const path = join(folder, "typed.gguf");
    await writeGguf(path, { metadata, tensors: [] });
    const header = await readGgufHeader(path);
    expect(header).toMatchObject({ version: 3, tensors: [] });
    expect(Object.fromEntries(header.metadata)).toEqual({
      ...Object.fromEntries(Object.entries(metadata).map(([key, { value }]) => [key, value])),
      many: { elements: "i32", length: 5000 },
    });
    expect(Object.fromEntries(await readGgufFields(path))).toEqual(metadata);
  });

  test("of version 2 is read as well", async () => {
    expect(await readGgufHeader(await fileOf(rawGguf({ version: 2 })))).toMatchObject({ version: 2 });
  });

  test("with 250,000 tokens and merges is read in a fraction of a second, without keeping them", async () => {
    const tokens = Array.from({ length: 250_000 }, (_, index) => `token${index}`);
    const metadata = {
      "tokenizer.ggml.tokens": { type: "string[]", value: tokens },
      "tokenizer.ggml.token_type": { type: "i32[]", value: new Int32Array(tokens.length).fill(1) },
      "tokenizer.ggml.merges": { type: "string[]", value: tokens.map((token) => `${token} ${token}`) },
    } as const;
    const path = join(folder, "large.gguf");
    await writeGguf(path, { metadata, tensors: [] });
    const before = performance.now();
    const header = await readGgufHeader(path);
    const took = performance.now() - before;
    expect(header.dataOffset).toBeGreaterThan(10e6);
    expect(header.metadata.get("tokenizer.ggml.tokens")).toEqual({
      elements: "string",
      length: tokens.length,
    });
    // 50 to 100 ms where nothing else runs.
    expect(took).toBeLessThan(2000);
  });

  test("of a file that shrinks while it is read is refused as cut off", async () => {
    const path = await fileOf(rawGguf({ fields: [field("general.description", "x".repeat(600_000))] }));
    const file = await open(path, "r+");
    const reading = refused(path);
    await file.truncate(300_000);
    await file.close();
    expect(await reading).toMatch(/^(|VALIDATION_FAILED: .*cut off.*)$/);
  });
});
