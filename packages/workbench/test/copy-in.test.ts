import { execFileSync, spawn } from "node:child_process";
import { linkSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { closeHostFile, listHost, openHostFile } from "../src/files/host.ts";
import { openStage, type Stage } from "./stage.ts";

async function withFiles(
  files: Record<string, string>,
): Promise<{ stage: Stage; workbenchId: string; source: string }> {
  const stage = await openStage({ limits: { maxFiles: 20, maxFileBytes: 1000 } });
  const source = join(stage.outside, "in");
  mkdirSync(source);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(source, path, ".."), { recursive: true });
    writeFileSync(join(source, path), content);
  }
  const { workbenchId } = await stage.workbenches.create({ name: "w", userId: "someone", workspaceId: "default" });
  return { stage, workbenchId, source };
}

const add = (stage: Stage, workbenchId: string, sources: string[], options = {}) =>
  stage.workbenches.addFromHost({ workbenchId, sources, replace: false, skipRefused: false, ...options });

const refusal = (code: string, message?: RegExp) => ({
  info: expect.objectContaining({ error_code: code }) as unknown,
  ...(message && { message: expect.stringMatching(message) as unknown }),
});

test("S1 links, FIFOs, sockets and devices are refused, and nothing is added", async () => {
  const { stage, workbenchId, source } = await withFiles({ "fine.txt": "fine" });
  await using _ = stage;
  writeFileSync(join(stage.outside, "secret"), "secret");
  const odd = join(stage.outside, "odd");
  mkdirSync(odd);
  symlinkSync(join(stage.outside, "secret"), join(odd, "symlink"));
  linkSync(join(stage.outside, "secret"), join(odd, "hardlink"));
  execFileSync("mkfifo", [join(odd, "fifo")]);
  const socket = createServer().listen(join(odd, "socket"));
  symlinkSync(source, join(odd, "folder"));
  for (const name of ["symlink", "hardlink", "fifo", "socket", "folder"]) {
    await expect(add(stage, workbenchId, [source, join(odd, name)])).rejects.toMatchObject(
      refusal("SANDBOX_VIOLATION"),
    );
  }
  await expect(add(stage, workbenchId, ["/dev/zero"])).rejects.toMatchObject(refusal("SANDBOX_VIOLATION", /device/));
  await expect(add(stage, workbenchId, [odd])).rejects.toMatchObject(refusal("SANDBOX_VIOLATION", /4 more/));
  expect((await stage.workbenches.open({ workbenchId })).fileCount).toBe(0);
  writeFileSync(join(odd, "plain"), "plain");
  const { added, refused } = await add(stage, workbenchId, [odd], { skipRefused: true });
  expect(added.map((file) => file.path)).toEqual(["plain"]);
  expect(refused.map((one) => one.path.slice(odd.length + 1)).sort()).toEqual([
    "fifo",
    "folder",
    "hardlink",
    "socket",
    "symlink",
  ]);
  socket.close();
});

test("S1 only absolute paths outside of Benchtop's own folder can be added", async () => {
  const { stage, workbenchId } = await withFiles({});
  await using _ = stage;
  await expect(add(stage, workbenchId, ["in/x"])).rejects.toMatchObject(refusal("VALIDATION_FAILED", /absolute/));
  await expect(add(stage, workbenchId, ["/tmp/\0x"])).rejects.toMatchObject(refusal("SANDBOX_VIOLATION"));
  await expect(add(stage, workbenchId, [stage.home])).rejects.toMatchObject(refusal("SANDBOX_VIOLATION", /own folder/));
  await expect(add(stage, workbenchId, [join(stage.home, "ops.db")])).rejects.toMatchObject(
    refusal("SANDBOX_VIOLATION"),
  );
  await expect(add(stage, workbenchId, [stage.outside])).rejects.toMatchObject(
    refusal("SANDBOX_VIOLATION", /own folder/),
  );
  await expect(add(stage, workbenchId, ["/nowhere/x"])).rejects.toMatchObject(
    refusal("FILE_READ_FAILED", /no such file/),
  );
});

test("S1 limits are named by the error that they cause", async () => {
  const { stage, workbenchId, source } = await withFiles({ large: "x".repeat(1001) });
  await using _ = stage;
  await expect(add(stage, workbenchId, [source])).rejects.toMatchObject(refusal("VALIDATION_FAILED", /maxFileBytes/));
  const many = join(stage.outside, "many");
  mkdirSync(many);
  for (let index = 0; index < 21; index++) writeFileSync(join(many, `${index}`), "");
  await expect(add(stage, workbenchId, [many])).rejects.toMatchObject({
    info: { error_code: "VALIDATION_FAILED", detail: { limit: "maxFiles", allowed: 20 } },
  });
});

test("S1 names come in composed, twins and reserved names are refused", async () => {
  const { stage, workbenchId, source } = await withFiles({ "e\u0301.txt": "decomposed" });
  await using _ = stage;
  expect((await add(stage, workbenchId, [source])).added.map((file) => file.path)).toEqual(["\u00e9.txt"]);
  expect(await readdir(stage.published(workbenchId))).toEqual(["\u00e9.txt"]);
  const twins = join(stage.outside, "twins");
  mkdirSync(join(twins, "folder"), { recursive: true });
  mkdirSync(join(twins, "FOLDER"));
  writeFileSync(join(twins, "folder/a"), "");
  writeFileSync(join(twins, "FOLDER/b"), "");
  writeFileSync(join(twins, "\u00c9.TXT"), "");
  writeFileSync(join(twins, "NUL.txt"), "");
  writeFileSync(join(twins, "ok"), "");
  const { added, refused } = await add(stage, workbenchId, [twins], { skipRefused: true });
  expect(added.map((file) => file.path)).toEqual(["FOLDER/b", "ok"]);
  expect(refused.map((one) => one.code)).toEqual(["VALIDATION_FAILED", "VALIDATION_FAILED", "VALIDATION_FAILED"]);
});

test("a path that is taken is refused unless it may be replaced, and replacing keeps the id and a checkpoint", async () => {
  const { stage, workbenchId, source } = await withFiles({ "a.txt": "one" });
  await using _ = stage;
  const first = await add(stage, workbenchId, [source]);
  writeFileSync(join(source, "a.txt"), "two");
  await expect(add(stage, workbenchId, [source])).rejects.toMatchObject(refusal("VALIDATION_FAILED", /exists/));
  const second = await add(stage, workbenchId, [source], { replace: true });
  expect(second.added[0]?.fileId).toBe(first.added[0]?.fileId);
  expect(await readFile(stage.published(workbenchId, "a.txt"), "utf8")).toBe("two");
  const { items } = await stage.workbenches.checkpoints({ workbenchId, limit: 10 });
  expect(items.map((checkpoint) => checkpoint.reason)).toEqual(["files-changed"]);
});

test("uploads get their paths all or none, and only blobs that are there", async () => {
  const { stage, workbenchId } = await withFiles({});
  await using _ = stage;
  const sha256 = await stage.upload("content");
  const upload = (path: string, hash = sha256) => ({ path, sha256: hash });
  const filesAdd = (...uploads: { path: string; sha256: string }[]) =>
    stage.workbenches.filesAdd({ workbenchId, uploads, replace: false });
  await expect(filesAdd(upload("a"), upload("../b"))).rejects.toMatchObject(refusal("SANDBOX_VIOLATION"));
  await expect(filesAdd(upload("a"), upload("A"))).rejects.toMatchObject(refusal("VALIDATION_FAILED", /case/));
  await expect(filesAdd(upload("a"), upload("a"))).rejects.toMatchObject(refusal("VALIDATION_FAILED"));
  await expect(filesAdd(upload("a", "0".repeat(64)))).rejects.toMatchObject(refusal("NOT_FOUND"));
  expect(await readdir(stage.published(workbenchId))).toEqual([]);
  expect((await filesAdd(upload("a/b"))).added).toHaveLength(1);
});

test("a folder that is swapped for a link after it was listed is not followed", async () => {
  const { stage, source } = await withFiles({ "folder/name": "mine" });
  await using _ = stage;
  const { files } = listHost({ source, home: stage.home, maxFiles: 10 });
  mkdirSync(join(stage.outside, "other"));
  writeFileSync(join(stage.outside, "other/name"), "secret");
  renameSync(join(source, "folder"), join(source, "moved"));
  symlinkSync(join(stage.outside, "other"), join(source, "folder"));
  const [file] = files;
  expect(file && openHostFile(file)).toMatchObject({ code: "SANDBOX_VIOLATION" });
});

test("a file that changes while it is copied is noticed", async () => {
  const { stage, source } = await withFiles({ file: "one" });
  await using _ = stage;
  const opened = openHostFile({ base: source, path: "file" });
  if ("code" in opened) throw new Error(opened.reason);
  writeFileSync(join(source, "file"), "two");
  expect(closeHostFile(opened)).toBe(false);
});

test("a race of links against copying in never brings in a file from elsewhere", async () => {
  const { stage, source } = await withFiles({ "folder/name": "mine" });
  await using _ = stage;
  mkdirSync(join(stage.outside, "other"));
  writeFileSync(join(stage.outside, "other/name"), "secret");
  const racer = spawn(process.execPath, ["-e", swapper, source, join(stage.outside, "other")], { stdio: "ignore" });
  try {
    let refused = 0;
    for (let round = 0; round < 3000; round++) {
      const opened = openHostFile({ base: source, path: "folder/name" });
      if ("code" in opened) {
        refused += 1;
        continue;
      }
      expect(readFileSync(opened.descriptor, "utf8")).toBe("mine");
      closeHostFile(opened);
    }
    expect(refused).toBeLessThan(3000);
  } finally {
    racer.kill("SIGKILL");
  }
});

/** Swaps `folder` between the real one and a link to another, as fast as it can. */
const swapper = `
  const fs = require("node:fs");
  const [source, other] = process.argv.slice(1);
  process.chdir(source);
  fs.symlinkSync(other, "link");
  for (const end = Date.now() + 20_000; Date.now() < end; ) {
    fs.renameSync("folder", "away"); fs.renameSync("link", "folder");
    fs.renameSync("folder", "link"); fs.renameSync("away", "folder");
  }
`;

test("S1 extracting never overwrites unless told, and never follows a link in the destination", async () => {
  const { stage, workbenchId, source } = await withFiles({ "a.txt": "a", "sub/b.txt": "b", "link/c.txt": "c" });
  await using _ = stage;
  await add(stage, workbenchId, [source]);
  const out = join(stage.outside, "out");
  const victim = join(stage.outside, "victim");
  mkdirSync(out);
  mkdirSync(victim);
  writeFileSync(join(out, "a.txt"), "kept");
  symlinkSync(victim, join(out, "link"));
  const extract = (options = {}) =>
    stage.workbenches.extract({ workbenchId, destinationDir: out, overwrite: false, ...options });
  const { extractResults } = await extract();
  expect(extractResults.map(({ path, outcome, code }) => [path, outcome, code])).toEqual([
    ["a.txt", "refused", "VALIDATION_FAILED"],
    ["link/c.txt", "refused", "SANDBOX_VIOLATION"],
    ["sub/b.txt", "done", undefined],
  ]);
  expect(await readFile(join(out, "a.txt"), "utf8")).toBe("kept");
  expect(await readdir(victim)).toEqual([]);
  const again = await extract({ overwrite: true, workbenchPaths: ["a.txt", "sub", "nothing"] });
  expect(again.extractResults.map(({ path, outcome }) => [path, outcome])).toEqual([
    ["nothing", "refused"],
    ["a.txt", "done"],
    ["sub/b.txt", "done"],
  ]);
  expect(await readFile(join(out, "a.txt"), "utf8")).toBe("a");
  expect((await readdir(join(out, "sub"))).sort()).toEqual(["b.txt"]);
  await expect(extract({ destinationDir: join(stage.home, "x") })).rejects.toMatchObject(refusal("SANDBOX_VIOLATION"));
  await expect(extract({ destinationDir: join(out, "link") })).rejects.toMatchObject(refusal("FILE_WRITE_FAILED"));
  await expect(extract({ workbenchPaths: ["../a.txt"] })).rejects.toMatchObject(refusal("SANDBOX_VIOLATION"));
  // Linux makes no folders there, and other systems have no such place.
  const unmakeable = "/proc/self/no/such/folder";
  await expect(extract({ destinationDir: unmakeable })).rejects.toMatchObject(refusal("FILE_WRITE_FAILED"));
  expect((await extract({ destinationDir: join(stage.outside, "new/deep") })).extractResults).toHaveLength(3);
});
