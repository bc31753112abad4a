import { mkdirSync, readFileSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { ggufBytes, ggufParts, sha256Of } from "../../test/gguf-files.ts";
import { closeSharedStore, TemporaryRegistry } from "../../test/temporary-registry.ts";
import { fileNameFrom, modelNameFrom } from "./model-name.ts";

let temporary: TemporaryRegistry;
let file: Buffer;
const never = new AbortController().signal;
const notLoaded = () => false;

beforeEach(async () => {
  file ??= await ggufBytes();
  temporary = await TemporaryRegistry.open();
});
afterEach(() => temporary.remove());
afterAll(closeSharedStore);

/** A file on the host's disk. */
function onDisk(name: string, content: Buffer | string = file): string {
  const path = join(temporary.folder, name);
  writeFileSync(path, content);
  return path;
}

const install = (path: string, options: Parameters<typeof temporary.registry.installFile>[1] = {}) =>
  temporary.registry.installFile(path, options, never);

describe("P2.1 a file that is no model", () => {
  test("is refused, and leaves nothing", async () => {
    for (const content of [
      "<!doctype html><title>404</title>",
      "",
      "GGUF\u0003\0\0\0",
      // 2^60 tensors.
      `GGUF\u0003\0\0\0${"\0".repeat(7)}\u0010${"\0".repeat(8)}`,
      file.subarray(0, file.length - 40),
    ]) {
      await expect(install(onDisk("bad.gguf", content))).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
      const made = { name: "x", source: { type: "quantized", from: "y" } } as const;
      const path = onDisk("bad2.gguf", content);
      await expect(temporary.registry.adopt([path], made, never)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
      // What was made stays with whoever made it.
      expect(statSync(path).size).toBe(content.length);
    }
    expect(await temporary.registry.list()).toEqual([]);
    expect(temporary.filesLeft()).toEqual([]);
  });

  test("is refused without being opened where it is a folder, a device, a loop of links or not there", async () => {
    const loop = join(temporary.folder, "loop.gguf");
    symlinkSync(loop, loop);
    for (const path of [temporary.folder, "/dev/zero", loop, join(temporary.folder, "none.gguf"), "relative.gguf"]) {
      await expect(install(path)).rejects.toMatchObject({
        code: expect.stringMatching(/^(VALIDATION_FAILED|NOT_FOUND|FILE_READ_FAILED)$/),
      });
    }
    expect(temporary.filesLeft()).toEqual([]);
  });
});

test("P2.1 names that a shell, a URL or a file system would read as something else are refused", async () => {
  const path = onDisk("tiny.gguf");
  for (const name of [
    "",
    ".",
    "..",
    "../up",
    "a/b",
    "a\\b",
    "A",
    "a b",
    "-a",
    "a-",
    ".a",
    "a:b",
    "ä",
    "a\n",
    "x".repeat(101),
  ]) {
    await expect(install(path, { name })).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
  }
  expect(temporary.filesLeft()).toEqual([]);
});

test("P2.1 names are made of whatever a source is called", () => {
  expect(["Qwen2.5:7B Instruct", "../../etc", "", "日本", "a".repeat(200)].map(modelNameFrom)).toEqual([
    "qwen2.5-7b-instruct",
    "etc",
    "model",
    "model",
    "a".repeat(100),
  ]);
  expect(["Q8_0/a b-00001-of-00002.gguf", "../../x.gguf", "con.gguf", "c:\\y.GGUF", "blob"].map(fileNameFrom)).toEqual([
    "a-b-00001-of-00002.gguf",
    "x.gguf",
    "model.gguf",
    "y.gguf",
    "blob.gguf",
  ]);
});

describe("P2.1 an installed file", () => {
  test("is described by what it says of itself, and lies in a folder that a person can look at", async () => {
    const progress: number[] = [];
    const path = onDisk("Tiny-F32.gguf");
    const model = await install(path, { onProgress: ({ bytesDone }) => progress.push(bytesDone) });
    expect(model).toMatchObject({
      name: "tiny-f32",
      kind: "model",
      source: { type: "file", path },
      files: [{ path: "Tiny-F32.gguf", bytes: file.length, sha256: sha256Of(file), role: "weights" }],
      bytes: file.length,
      sha256: sha256Of(file),
      title: "Tiny",
      licence: "apache-2.0",
      architecture: "llama",
      parameters: 16_384,
      contextTokens: 512,
      quantization: "F32",
      hasChatTemplate: true,
      embeds: false,
      pinned: false,
      shipped: false,
      damaged: false,
      usedAt: null,
    });
    expect(progress.at(-1)).toBe(file.length);
    const { weights } = await temporary.registry.paths("tiny-f32");
    expect(weights).toBe(join(temporary.home, "models", "tiny-f32", "Tiny-F32.gguf"));
    expect(readFileSync(weights)).toEqual(file);
    await temporary.restart();
    expect(await temporary.registry.list()).toEqual([model]);
    expect(temporary.filesLeft()).toEqual(["tiny-f32/Tiny-F32.gguf"]);
  });

  test("can be a second name of the file, which takes no room", async () => {
    const path = onDisk("tiny.gguf");
    await install(path, { link: true });
    const { weights } = await temporary.registry.paths("tiny");
    expect(statSync(weights).ino).toBe(statSync(path).ino);
    expect(await temporary.registry.remove("tiny", notLoaded)).toEqual({ freedBytes: 0 });
    expect(readFileSync(path)).toEqual(file);
  });

  test("brings its other parts, and keeps the names that they are found by", async () => {
    const parts = await ggufParts(3);
    for (const [index, part] of parts.entries()) onDisk(`Big Model-0000${index + 1}-of-00003.gguf`, part);
    const model = await install(join(temporary.folder, "Big Model-00001-of-00003.gguf"));
    expect(model.name).toBe("big-model");
    expect(model.files.map(({ path }) => path)).toEqual([1, 2, 3].map((part) => `Big-Model-0000${part}-of-00003.gguf`));
    expect(model.parameters).toBe(3 * 4096);
    rmSync(join(temporary.folder, "Big Model-00002-of-00003.gguf"));
    await expect(
      install(join(temporary.folder, "Big Model-00001-of-00003.gguf"), { name: "other" }),
    ).rejects.toMatchObject({
      code: "VALIDATION_FAILED",
    });
  });

  test("takes nobody's name, unless it is to replace that model", async () => {
    await install(onDisk("tiny.gguf"));
    await temporary.registry.pin("tiny", true);
    const other = await ggufBytes({ seed: 2 });
    await expect(install(onDisk("tiny.gguf", other))).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
    const model = await install(onDisk("tiny.gguf", other), { replace: true });
    expect(model).toMatchObject({ sha256: sha256Of(other), pinned: true });
    expect(await temporary.registry.list()).toHaveLength(1);
    expect(readFileSync((await temporary.registry.paths("tiny")).weights)).toEqual(other);
    expect(temporary.filesLeft()).toHaveLength(1);
  });

  test("is one file on disk for all models that have it, as long as nobody touched it", async () => {
    await install(onDisk("one.gguf"));
    await install(onDisk("two.gguf"));
    const [one, two] = [await temporary.registry.paths("one"), await temporary.registry.paths("two")];
    expect(statSync(one.weights).ino).toBe(statSync(two.weights).ino);
    expect((await temporary.registry.usage()).usedBytes).toBe(file.length);
    expect(await temporary.registry.remove("one", notLoaded)).toEqual({ freedBytes: 0 });
    expect(readFileSync(two.weights)).toEqual(file);
    // A file that was changed is no longer what its row says.
    writeFileSync(two.weights, Buffer.alloc(file.length));
    await install(onDisk("three.gguf"));
    expect(readFileSync((await temporary.registry.paths("three")).weights)).toEqual(file);
  });

  test("is found damaged by reading it again, and is not loaded then", async () => {
    await install(onDisk("tiny.gguf"));
    expect(await temporary.registry.verify("tiny", {}, never)).toEqual({ intact: true, damaged: [] });
    const { weights } = await temporary.registry.paths("tiny");
    const changed = Buffer.from(file);
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
    writeFileSync(weights, changed);
    expect(await temporary.registry.verify("tiny", {}, never)).toEqual({ intact: false, damaged: ["tiny.gguf"] });
    expect(await temporary.registry.get("tiny")).toMatchObject({ damaged: true });
    await expect(temporary.registry.paths("tiny")).rejects.toMatchObject({ code: "FILE_READ_FAILED" });
    writeFileSync(weights, file);
    expect(await temporary.registry.verify("tiny", {}, never)).toMatchObject({ intact: true });
    truncateSync(weights, 100);
    await expect(temporary.registry.paths("tiny")).rejects.toMatchObject({ code: "FILE_READ_FAILED" });
    rmSync(weights);
    await expect(temporary.registry.paths("tiny")).rejects.toMatchObject({ code: "FILE_READ_FAILED" });
    expect(await temporary.registry.verify("tiny", {}, never)).toMatchObject({ intact: false });
  });
});

describe("P2.1 removing", () => {
  test("refuses a model that is loaded, pinned or not there", async () => {
    await install(onDisk("tiny.gguf"));
    const { registry } = temporary;
    await registry.pin("tiny", true);
    await expect(registry.remove("tiny", notLoaded)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
    await registry.pin("tiny", false);
    const loadedMeanwhile = async (name: string) => {
      // Whoever asks now for its files, to load them, is told that it is going.
      await expect(registry.paths(name)).rejects.toMatchObject({ code: "NOT_FOUND" });
      return true;
    };
    await expect(registry.remove("tiny", loadedMeanwhile)).rejects.toThrow("is loaded");
    await registry.paths("tiny");
    expect(await registry.remove("tiny", notLoaded)).toEqual({ freedBytes: file.length });
    await expect(registry.remove("tiny", notLoaded)).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(temporary.filesLeft()).toEqual([]);
  });

  test("leaves alone what others put into the folder of models", async () => {
    mkdirSync(join(temporary.home, "models", "mine"));
    writeFileSync(join(temporary.home, "models", "mine", "notes.txt"), "mine");
    const model = await install(onDisk("tiny.gguf"), { name: "mine" });
    expect((await temporary.registry.paths("mine")).weights).toBe(
      join(temporary.home, "models", "mine-2", "tiny.gguf"),
    );
    await temporary.registry.remove(model.name, notLoaded);
    await temporary.restart();
    expect(temporary.filesLeft()).toEqual(["mine/notes.txt"]);
  });
});

const rows = () =>
  temporary.store.db
    .selectFrom("local_models")
    .select(["name", "state"])
    .where("installation", "=", temporary.installation)
    .execute();
const setRow = (values: { state?: "installing" | "removing"; installation?: string }) =>
  temporary.store.db
    .updateTable("local_models")
    .set(values)
    .where("installation", "=", temporary.installation)
    .execute();

describe("P2.1 a process that was stopped half way", () => {
  test("before the folder had its name leaves nothing", async () => {
    await install(onDisk("tiny.gguf"));
    await temporary.restart(async () => {
      await setRow({ state: "installing" });
      rmSync(join(temporary.home, "models", "tiny"), { recursive: true });
      mkdirSync(join(temporary.home, "models", ".work", "abc"), { recursive: true });
      writeFileSync(join(temporary.home, "models", ".work", "abc", "tiny.gguf"), file);
    });
    expect(await rows()).toEqual([]);
    expect(temporary.filesLeft()).toEqual([]);
  });

  test("after that is finished", async () => {
    const model = await install(onDisk("tiny.gguf"));
    await temporary.restart(async () => {
      await setRow({ state: "installing" });
    });
    expect(await temporary.registry.list()).toEqual([model]);
  });

  test("while it removed is finished", async () => {
    await install(onDisk("tiny.gguf"));
    await temporary.restart(async () => {
      await setRow({ state: "removing" });
    });
    expect(await rows()).toEqual([]);
    expect(temporary.filesLeft()).toEqual([]);
  });
});

describe("P2.1 room", () => {
  test("over the quota nothing is installed, and what could go is named, the least recently used first", async () => {
    const { registry } = temporary;
    for (const [index, name] of ["old", "used", "pinned"].entries()) {
      await install(onDisk(`${name}.gguf`, await ggufBytes({ seed: index + 5 })));
    }
    registry.touch("old");
    await registry.pin("pinned", true);
    const before = await registry.usage();
    expect(before).toMatchObject({ usedBytes: 3 * file.length, quotaBytes: null, suggestions: [] });
    await registry.configure({ quotaBytes: 3 * file.length + 1000 });
    const error: unknown = await install(onDisk("new.gguf")).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "DISK_FULL",
      info: { actions: expect.arrayContaining(["free_disk_space"]), detail: { suggestions: ["used"] } },
    });
    expect((error as Error).message).toContain("used least recently: used");
    expect(await registry.list()).toHaveLength(3);
    expect((await registry.usage(2 * file.length)).suggestions.map(({ name }) => name)).toEqual(["used", "old"]);
    await registry.remove("used", notLoaded);
    await install(onDisk("new.gguf"));
    // A file that is there already needs no room.
    await registry.adopt([onDisk("same.gguf")], { name: "same", source: { type: "quantized", from: "new" } }, never);
  });

  test("settings hold at once and after a restart, and are checked", async () => {
    const { registry } = temporary;
    expect(registry.settings).toEqual({
      quotaBytes: null,
      downloadBytesPerSecond: null,
      memoryBytes: null,
      keepAliveSeconds: 300,
    });
    await registry.configure({ quotaBytes: 10, keepAliveSeconds: null });
    await expect(registry.configure({ quotaBytes: -1 })).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
    await temporary.restart();
    expect(temporary.registry.settings).toMatchObject({ quotaBytes: 10, keepAliveSeconds: null });
  });

  test("when a model was used is written down after a while", async () => {
    await install(onDisk("tiny.gguf"));
    temporary.registry.touch("tiny");
    const { usedAt } = await temporary.registry.get("tiny");
    expect(usedAt).not.toBeNull();
    await temporary.restart();
    expect(await temporary.registry.get("tiny")).toMatchObject({ usedAt });
  });
});

test("P2.1 what was made here is moved in, with how it was made", async () => {
  const { registry } = temporary;
  const work = await registry.workFolder();
  const path = join(work, "out.gguf");
  writeFileSync(path, file);
  const manifest = { sourceSha256: "ab", library: "llama.cpp" };
  const model = await registry.adopt(
    [path],
    { name: "small-q4_0", source: { type: "quantized", from: "small" }, manifest },
    never,
  );
  expect(model).toMatchObject({ source: { type: "quantized", from: "small" }, manifest });
  expect(temporary.filesLeft()).toEqual(["small-q4_0/out.gguf"]);
  expect(await registry.findById("none")).toBeUndefined();
});

test("P2.1 an installation that is aborted leaves nothing", async () => {
  const large = await ggufBytes({ bytes: 17 * 1024 * 1024 });
  const controller = new AbortController();
  const path = onDisk("large.gguf", large);
  const onProgress = () => controller.abort(new Error("enough"));
  await expect(temporary.registry.installFile(path, { onProgress }, controller.signal)).rejects.toThrow("enough");
  expect(temporary.filesLeft()).toEqual([]);
  // By the thread that reads large files.
  expect((await install(path)).sha256).toBe(sha256Of(large));
});

describe("P2.1 a model that comes with Benchtop", () => {
  test("is listed first, stays, counts for no quota, and keeps its name", async () => {
    const path = onDisk("guide-v1.gguf");
    await temporary.remove();
    temporary = await TemporaryRegistry.open([
      { name: "guide", path, manifest: { made: "here" } },
      { name: "absent", path: "/nowhere/absent.gguf" },
    ]);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, file);
    const { registry } = temporary;
    expect(await registry.list()).toMatchObject([
      { name: "guide", shipped: true, source: { type: "shipped" }, sha256: sha256Of(file), manifest: { made: "here" } },
    ]);
    expect(await registry.paths("guide")).toMatchObject({ weights: path, adapters: [] });
    expect(await registry.verify("guide", {}, never)).toEqual({ intact: true, damaged: [] });
    expect((await registry.usage()).usedBytes).toBe(0);
    await expect(registry.remove("guide", notLoaded)).rejects.toThrow("comes with Benchtop");
    await expect(install(path, { name: "guide" })).rejects.toThrow("comes with Benchtop");
    await expect(registry.get("absent")).rejects.toMatchObject({ code: "NOT_FOUND" });
    rmSync(join(path, ".."), { recursive: true });
  });
});

test("P2.1 models of another machine that shares the database are not this one's", async () => {
  await install(onDisk("tiny.gguf"));
  await setRow({ installation: "another" });
  expect(await temporary.registry.list()).toEqual([]);
  await expect(temporary.registry.paths("tiny")).rejects.toMatchObject({ code: "NOT_FOUND" });
});
