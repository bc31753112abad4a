import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { ggufBytes, sha256Of } from "../../../test/gguf-files.ts";
import { closeSharedStore, TemporaryRegistry } from "../../../test/temporary-registry.ts";
import { padding, readTar, tarEnd, tarHeader } from "./tar.ts";

let temporary: TemporaryRegistry;
const never = new AbortController().signal;
let small: Buffer;
let other: Buffer;

beforeEach(async () => {
  small ??= await ggufBytes({ seed: 1 });
  other ??= await ggufBytes({ seed: 2 });
  temporary = await TemporaryRegistry.open();
});
afterEach(() => temporary.remove());
afterAll(closeSharedStore);

function bundleOf(...entries: readonly (readonly [name: string, content: Uint8Array | string])[]): Buffer {
  const parts = entries.flatMap(([name, content]) => {
    const bytes = Buffer.from(content);
    return [tarHeader(name, bytes.length), bytes, padding(bytes.length)];
  });
  return Buffer.concat([...parts, tarEnd]);
}

function manifestOf(file: Buffer, change: object = {}, fileChange: object = {}): string {
  return JSON.stringify({
    format: "benchtop-models",
    version: 1,
    models: [
      {
        name: "tiny",
        source: { type: "url", url: "https://models.example/tiny.gguf" },
        licence: null,
        defaults: null,
        manifest: null,
        files: [{ path: "tiny.gguf", bytes: file.length, sha256: sha256Of(file), role: "weights", ...fileChange }],
        ...change,
      },
    ],
  });
}

async function importing(bundle: Uint8Array) {
  const path = join(temporary.folder, "models.tar");
  writeFileSync(path, bundle);
  return temporary.registry.importBundle(path, {}, never);
}

/** A header of another type or name, with a sum that is right. */
function forged(name: string, type: string, size = 0): Buffer {
  const header = Buffer.from(tarHeader("x", size));
  header.fill(0, 0, 100);
  header.write(name, 0, "latin1");
  header.write(type, 156, "latin1");
  header.write("        ", 148, "latin1");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header;
}

test("P2.1 a hostile bundle is refused, and leaves nothing", async () => {
  const hash = sha256Of(small);
  const good = bundleOf(["manifest.json", manifestOf(small)], [`files/${hash}`, small]);
  const start = good.subarray(0, good.length - tarEnd.length);
  const list = bundleOf(["manifest.json", manifestOf(small)]);
  const afterList = list.subarray(0, list.length - tarEnd.length);
  const hostile: Record<string, Uint8Array> = {
    "no archive": Buffer.from("GGUF"),
    nothing: Buffer.alloc(0),
    noise: Buffer.alloc(5000, 7),
    "no list": bundleOf([`files/${hash}`, small]),
    "a list that is not first": bundleOf([`files/${hash}`, small], ["manifest.json", manifestOf(small)]),
    "two lists": bundleOf(["manifest.json", manifestOf(small)], ["manifest.json", "{}"], [`files/${hash}`, small]),
    "a list that is no JSON": bundleOf(["manifest.json", "{"], [`files/${hash}`, small]),
    "a list of something else": bundleOf(["manifest.json", "[]"], [`files/${hash}`, small]),
    "a newer version": bundleOf(["manifest.json", manifestOf(small).replace('"version":1', '"version":2')]),
    "a name that leads out": bundleOf(
      ["manifest.json", manifestOf(small, { name: "../up" })],
      [`files/${hash}`, small],
    ),
    "a file name that leads out": bundleOf(
      ["manifest.json", manifestOf(small, {}, { path: "../../up.gguf" })],
      [`files/${hash}`, small],
    ),
    "an entry that leads out": bundleOf(
      ["manifest.json", manifestOf(small)],
      ["../../up.gguf", small],
      [`files/${hash}`, small],
    ),
    "an absolute entry": bundleOf(
      ["manifest.json", manifestOf(small)],
      ["/tmp/up.gguf", small],
      [`files/${hash}`, small],
    ),
    "a file that the list does not name, in its words": bundleOf(
      ["manifest.json", manifestOf(small)],
      [`files/${"0".repeat(63)}g`, small],
    ),
    "a symbolic link": Buffer.concat([afterList, forged(`files/${hash}`, "2"), tarEnd]),
    "a hard link": Buffer.concat([afterList, forged(`files/${hash}`, "1"), tarEnd]),
    "a device": Buffer.concat([afterList, forged(`files/${hash}`, "3"), tarEnd]),
    "a folder": Buffer.concat([afterList, forged("files/", "5"), tarEnd]),
    "a long name of GNU": Buffer.concat([afterList, forged("x", "L"), tarEnd]),
    "a pax header that gives another name": Buffer.concat([
      afterList,
      forged("pax", "x", 21),
      Buffer.from("21 path=../../up.tar\n"),
      padding(21),
      forged("x", "0"),
      tarEnd,
    ]),
    "a huge size": Buffer.concat([afterList, tarHeader(`files/${hash}`, 2 ** 50), small]),
    "a file of another size": bundleOf(["manifest.json", manifestOf(small)], [`files/${hash}`, small.subarray(0, 100)]),
    "a file of another content": bundleOf(
      ["manifest.json", manifestOf(small)],
      [`files/${hash}`, Buffer.alloc(small.length)],
    ),
    "a file that is no model": bundleOf(
      ["manifest.json", manifestOf(Buffer.from("<html>"))],
      [`files/${sha256Of(Buffer.from("<html>"))}`, "<html>"],
    ),
    "a file twice": Buffer.concat([start, bundleOf([`files/${hash}`, small])]),
    "a file that is missing": bundleOf(["manifest.json", manifestOf(small)]),
    "an end that is missing": start,
    "something behind the end": Buffer.concat([good, Buffer.from("more")]),
    "a size that is no number": Buffer.concat([afterList, Buffer.alloc(512, 65)]),
  };
  for (const length of [1, 511, 513, 1500, afterList.length + 700, good.length - 1024]) {
    hostile[`cut off after ${length} bytes`] = good.subarray(0, length);
  }
  for (const [what, bundle] of Object.entries(hostile)) {
    const outcome: unknown = await importing(bundle).catch((error: unknown) => error);
    expect([what, outcome]).toEqual([what, expect.objectContaining({ code: "VALIDATION_FAILED" })]);
    expect([what, temporary.filesLeft()]).toEqual([what, []]);
  }
  expect(readdirSync(temporary.folder).sort()).toEqual(["home", "models.tar"]);
  // The same one, unharmed, is fine.
  expect(await importing(good)).toMatchObject([{ name: "tiny" }]);
});

describe("P2.1 a bundle", () => {
  test("carries models to a machine without a network, each file once", async () => {
    const { registry, folder } = temporary;
    const names: string[] = [];
    for (const [name, content] of [
      ["one", small],
      ["same", small],
      ["two", other],
    ] as const) {
      writeFileSync(join(folder, `${name}.gguf`), content);
      names.push((await registry.installFile(join(folder, `${name}.gguf`), {}, never)).name);
    }
    const path = join(folder, "models.tar");
    const progress: number[] = [];
    const written = await registry.exportBundle(
      names,
      path,
      { onProgress: ({ bytesDone }) => progress.push(bytesDone) },
      never,
    );
    expect(written).toEqual({ path, bytes: readFileSync(path).length });
    expect(progress.at(-1)).toBe(small.length + other.length);
    expect(written.bytes).toBeLessThan(small.length + other.length + 10_000);
    // Any tar program reads it.
    const listed = spawnSync("tar", ["-tf", path], { encoding: "utf8" });
    expect(listed.stdout.trim().split("\n")).toEqual([
      "manifest.json",
      `files/${sha256Of(small)}`,
      `files/${sha256Of(other)}`,
    ]);
    await expect(registry.exportBundle(["one"], path, {}, never)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
    await expect(registry.exportBundle(["none"], `${path}2`, {}, never)).rejects.toMatchObject({ code: "NOT_FOUND" });

    const target = await TemporaryRegistry.open();
    try {
      const imported = await target.registry.importBundle(path, {}, never);
      expect(imported.map(({ name }) => name)).toEqual(names);
      expect(imported[0]).toMatchObject({
        sha256: sha256Of(small),
        source: { type: "bundle", from: { type: "file", path: join(folder, "one.gguf") } },
      });
      expect(readFileSync((await target.registry.paths("two")).weights)).toEqual(other);
      // What is there already is passed over; a name that another model has is not taken.
      expect(await target.registry.importBundle(path, {}, never)).toEqual([]);
      await target.registry.remove("one", () => false);
      expect(await target.registry.importBundle(path, {}, never)).toMatchObject([{ name: "one" }]);
      await target.registry.remove("one", () => false);
      await target.registry.installFile(join(folder, "two.gguf"), { name: "one" }, never);
      await expect(target.registry.importBundle(path, {}, never)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
      await target.registry.configure({ quotaBytes: 1 });
      await target.registry.remove("two", () => false);
      await target.registry.remove("one", () => false);
      await expect(target.registry.importBundle(path, {}, never)).rejects.toMatchObject({ code: "DISK_FULL" });
    } finally {
      await target.remove();
    }
  });

  test("is not written from files that are no longer what was installed, nor left half written", async () => {
    const { registry, folder } = temporary;
    writeFileSync(join(folder, "tiny.gguf"), small);
    await registry.installFile(join(folder, "tiny.gguf"), {}, never);
    const out = join(folder, "out");
    mkdirSync(out);
    const aborted = new AbortController();
    const onProgress = () => aborted.abort(new Error("enough"));
    await expect(
      registry.exportBundle(["tiny"], join(out, "a.tar"), { onProgress }, aborted.signal),
    ).resolves.toBeDefined();
    await expect(registry.exportBundle(["tiny"], join(out, "b.tar"), {}, aborted.signal)).rejects.toThrow("enough");
    writeFileSync((await registry.paths("tiny")).weights, Buffer.alloc(small.length));
    await expect(registry.exportBundle(["tiny"], join(out, "c.tar"), {}, never)).rejects.toMatchObject({
      code: "FILE_READ_FAILED",
    });
    expect(readdirSync(out)).toEqual(["a.tar"]);
  });

  test("may hold a file of more than 8 GiB", async () => {
    const size = 9 * 2 ** 30;
    async function* archive() {
      yield tarHeader("files/x", size);
    }
    for await (const entry of readTar(archive())) {
      expect(entry).toMatchObject({ name: "files/x", bytes: size });
      break;
    }
  });
});
