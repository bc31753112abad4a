import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BenchtopError } from "@benchtop/protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Blobs } from "./blobs.ts";

describe("blobs", () => {
  let root: string;
  let blobs: Blobs;
  beforeEach(async () => {
    root = join(await mkdtemp(join(tmpdir(), "benchtop-blobs-")), "blobs");
    blobs = await Blobs.open(root);
  });
  afterEach(() => rmSync(join(root, ".."), { recursive: true, force: true }));

  test("come back as they were put, named by their hash", async () => {
    const { sha256, bytes } = await blobs.put(text("hello"));
    expect(sha256).toBe("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    expect(bytes).toBe(5);
    expect(await blobs.has(sha256)).toBe(true);
    expect(Buffer.from(await blobs.read(sha256)).toString()).toBe("hello");
    expect(await collect(blobs.stream(sha256))).toBe("hello");
  });

  test("are kept once, however often and at once they are put", async () => {
    const refs = await Promise.all(Array.from({ length: 50 }, (_, i) => blobs.put(text(`content ${i % 5}`))));
    expect(new Set(refs.map(({ sha256 }) => sha256)).size).toBe(5);
    expect(filesIn(root)).toHaveLength(5);
    expect(readdirSync(join(root, "temporary"))).toEqual([]);
  });

  test("may be empty", async () => {
    const { sha256 } = await blobs.put(text(""));
    expect(await blobs.read(sha256)).toHaveLength(0);
    expect(await collect(blobs.stream(sha256))).toBe("");
  });

  test("are taken from a stream, and one that is too long leaves nothing", async () => {
    const { sha256, bytes } = await blobs.putStream(pieces("ab", "cd", "e"), { maxBytes: 5 });
    expect(bytes).toBe(5);
    expect(Buffer.from(await blobs.read(sha256)).toString()).toBe("abcde");
    await expect(blobs.putStream(pieces("abc", "def"), { maxBytes: 5 })).rejects.toMatchObject({
      code: "VALIDATION_FAILED",
    });
    expect(filesIn(root)).toHaveLength(1);
    expect(readdirSync(join(root, "temporary"))).toEqual([]);
  });

  test("of a batch are there once it is kept, and none of them is before or when it is given up", async () => {
    const one = blobs.batch();
    const refs = await Promise.all(
      ["a", "b", "a", "c"].map((content) => one.putStream(pieces(content), { maxBytes: 5 })),
    );
    await expect(one.putStream(pieces("too", "long"), { maxBytes: 5 })).rejects.toMatchObject({
      code: "VALIDATION_FAILED",
    });
    for (const { sha256 } of refs) expect(await blobs.has(sha256)).toBe(false);
    await one.keep();
    await one[Symbol.asyncDispose]();
    expect(Buffer.from(await blobs.read(refs[0]?.sha256 ?? "")).toString()).toBe("a");
    expect(filesIn(root)).toHaveLength(3);
    const other = blobs.batch();
    await other.putStream(pieces("never"), { maxBytes: 5 });
    await other[Symbol.asyncDispose]();
    expect(filesIn(root)).toHaveLength(3);
    expect(readdirSync(join(root, "temporary"))).toEqual([]);
  });

  test("a source that fails leaves nothing and its own error", async () => {
    const failing = (async function* () {
      yield text("half");
      await Promise.resolve();
      throw new BenchtopError("USER_CANCELED", "Canceled.");
    })();
    await expect(blobs.putStream(failing, { maxBytes: 100 })).rejects.toMatchObject({ code: "USER_CANCELED" });
    expect(filesIn(root)).toEqual([]);
  });

  test("that are missing or damaged are FILE_READ_FAILED, read or streamed", async () => {
    const { sha256 } = await blobs.put(text("precious"));
    truncateSync(blobs.pathOf(sha256), 3);
    await expect(blobs.read(sha256)).rejects.toMatchObject({ code: "FILE_READ_FAILED" });
    await expect(collect(blobs.stream(sha256))).rejects.toMatchObject({ code: "FILE_READ_FAILED" });
    rmSync(blobs.pathOf(sha256));
    expect(await blobs.has(sha256)).toBe(false);
    await expect(blobs.read(sha256)).rejects.toMatchObject({ code: "FILE_READ_FAILED" });
    await expect(collect(blobs.stream(sha256))).rejects.toMatchObject({ code: "FILE_READ_FAILED" });
  });

  test("H7 one that was moved away to be removed is back after a crash", async () => {
    const { sha256 } = await blobs.put(text("perhaps wanted"));
    renameSync(blobs.pathOf(sha256), join(root, "temporary", `unused-${sha256}`));
    writeFileSync(join(root, "temporary", "half"), "half written");
    const opened = await Blobs.open(root);
    expect(Buffer.from(await opened.read(sha256)).toString()).toBe("perhaps wanted");
    expect(readdirSync(join(root, "temporary"))).toEqual([]);
  });

  test("a symbolic link in the place of a blob is not followed", async () => {
    const { sha256 } = await blobs.put(text("target"));
    const elsewhere = join(root, "..", "elsewhere");
    writeFileSync(elsewhere, "target");
    rmSync(blobs.pathOf(sha256));
    symlinkSync(elsewhere, blobs.pathOf(sha256));
    expect(await blobs.has(sha256)).toBe(false);
    await expect(blobs.read(sha256)).rejects.toMatchObject({ code: "FILE_READ_FAILED" });
    await blobs.put(text("target"));
    expect(await blobs.has(sha256)).toBe(true);
  });

  test.each(["", "abc", "../../etc/passwd", "A".repeat(64), `${"a".repeat(64)}/x`])(
    "the name %j is no hash and reaches no file",
    async (name) => {
      expect(() => blobs.pathOf(name)).toThrow(BenchtopError);
      await expect(blobs.read(name)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
      await expect(blobs.has(name)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
    },
  );

  test("what a crash left half written is removed at the next start", async () => {
    const { sha256 } = await blobs.put(text("whole"));
    writeFileSync(join(root, "temporary", "half"), "ha");
    const again = await Blobs.open(root);
    expect(readdirSync(join(root, "temporary"))).toEqual([]);
    expect(await again.has(sha256)).toBe(true);
  });

  test("a folder that cannot be written is FILE_WRITE_FAILED", async () => {
    rmSync(join(root, "temporary"), { recursive: true });
    await expect(blobs.put(text("x"))).rejects.toMatchObject({ code: "FILE_WRITE_FAILED" });
    mkdirSync(join(root, "temporary"));
    expect((await blobs.put(text("x"))).bytes).toBe(1);
  });
});

function text(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}

async function collect(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString();
}

async function* pieces(...parts: string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield await Promise.resolve(new TextEncoder().encode(part));
}

function filesIn(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.endsWith("temporary"))
    .map(({ name }) => name);
}
