import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { writeBack } from "../src/files/place.ts";
import { openStage, type Stage } from "./stage.ts";

const someone = { userId: "someone", workspaceId: "default" };
const root = process.getuid?.() === 0;

/** A workbench with files that were copied from `source`. */
async function copied(files: Record<string, string>): Promise<{ stage: Stage; workbenchId: string; source: string }> {
  const stage = await openStage();
  const source = join(stage.outside, "source");
  write(source, files);
  const { workbenchId } = await stage.workbenches.create({ name: "w", ...someone });
  await add(stage, workbenchId, source);
  return { stage, workbenchId, source };
}

function write(folder: string, files: Record<string, string>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
}

const add = (stage: Stage, workbenchId: string, source: string) =>
  stage.workbenches.addFromHost({ workbenchId, sources: [source], replace: true, skipRefused: false });

/** Publishes changes as an agent's Draft that a person agreed to; null deletes. */
async function publish(stage: Stage, workbenchId: string, files: Record<string, string | null>): Promise<void> {
  const calls = Object.entries(files).map(([path, content]) =>
    content === null
      ? { name: "delete_file", arguments: { path } }
      : { name: "write_file", arguments: { path, content } },
  );
  stage.model.script({ calls });
  expect((await stage.agent(workbenchId)).at(-1)?.type).toBe("Completed");
  const paths = Object.keys(files).filter((path) => files[path] === null);
  if (paths.length > 0) await stage.workbenches.confirmDeletions({ workbenchId, paths });
  await stage.workbenches.publish({ workbenchId, wait: true, ...someone });
}

async function states(stage: Stage, workbenchId: string): Promise<Record<string, string>> {
  const { items } = await stage.workbenches.origins({ workbenchId });
  return Object.fromEntries(items.map(({ path, state }) => [path, state]));
}

async function back(stage: Stage, workbenchId: string, options: { overwrite?: boolean; paths?: string[] } = {}) {
  const { overwrite = false, paths } = options;
  const { writeBackResults } = await stage.workbenches.writeBack({ workbenchId, overwrite, workbenchPaths: paths });
  return writeBackResults.map(({ path, outcome, code }) => [path, code ?? outcome]);
}

const noLeftovers = (folder: string): void =>
  expect(readdirSync(folder).filter((name) => name.startsWith(".benchtop"))).toEqual([]);

describe("where files were copied from", () => {
  test("S1 it is known, compared by content, and kept through publishes and restores", async () => {
    const files = { "a.txt": "a", "b.txt": "b", "c.txt": "c", "d.txt": "d", "e.txt": "e", "sub/f.txt": "f" };
    const { stage, workbenchId, source } = await copied(files);
    await using _ = stage;
    const sha256 = await stage.upload("uploaded");
    await stage.workbenches.filesAdd({ workbenchId, uploads: [{ path: "up.txt", sha256 }], replace: false });
    const same = Object.fromEntries(Object.keys(files).map((path) => [path, "same"]));
    expect(await states(stage, workbenchId)).toEqual(same);
    const [first] = (await stage.workbenches.origins({ workbenchId })).items;
    expect(first).toMatchObject({ path: "a.txt", hostPath: join(source, "a.txt") });

    await publish(stage, workbenchId, { "a.txt": "A", "c.txt": "C", "e.txt": null });
    write(source, { "b.txt": "B", "c.txt": "other" });
    rmSync(join(source, "d.txt"));
    symlinkSync("/etc/hostname", join(source, "d.txt"));
    expect(await states(stage, workbenchId)).toEqual({
      "a.txt": "changed-here",
      "b.txt": "changed-there",
      "c.txt": "conflict",
      "d.txt": "missing-there",
      "e.txt": "removed-here",
      "sub/f.txt": "same",
    });
    await stage.workbenches.restore({ workbenchId, wait: true, ...someone });
    expect(await states(stage, workbenchId)).toEqual({
      ...same,
      "b.txt": "changed-there",
      "c.txt": "changed-there",
      "d.txt": "missing-there",
    });
    expect(readFileSync(join(source, "e.txt"), "utf8")).toBe("e");
  });

  test("S1 it goes with the file, with the workbench, and when an upload takes the file's place", async () => {
    const { stage, workbenchId, source } = await copied({ "a.txt": "a", "b.txt": "b", "c.txt": "c" });
    await using _ = stage;
    const sha256 = await stage.upload("uploaded");
    await stage.workbenches.filesAdd({ workbenchId, uploads: [{ path: "a.txt", sha256 }], replace: true });
    await stage.workbenches.remove({ workbenchId, workbenchPaths: ["b.txt"] });
    expect(await states(stage, workbenchId)).toEqual({ "c.txt": "same" });
    expect(readdirSync(source).sort()).toEqual(["a.txt", "b.txt", "c.txt"]);
    await add(stage, workbenchId, source);
    expect(await states(stage, workbenchId)).toEqual({ "a.txt": "same", "b.txt": "same", "c.txt": "same" });
    await stage.workbenches.delete({ workbenchId });
    expect(await stage.store.db.selectFrom("file_origins").selectAll().execute()).toEqual([]);
    expect(readdirSync(source).sort()).toEqual(["a.txt", "b.txt", "c.txt"]);
  });

  test("a failed addition notes nothing", async () => {
    const { stage, workbenchId, source } = await copied({ "a.txt": "a" });
    await using _ = stage;
    write(source, { "b.txt": "b" });
    writeFileSync(stage.published(workbenchId, "a.txt"), "changed behind our back");
    await expect(add(stage, workbenchId, source)).rejects.toMatchObject({ code: "CONFLICT_PUBLISHED_CHANGED" });
    expect(Object.keys(await states(stage, workbenchId))).toEqual(["a.txt"]);
  });
});

describe("writing back", () => {
  test("S1 what was changed here goes back whole, with the mode of what was there, and nothing else is touched", async () => {
    const { stage, workbenchId, source } = await copied({ "a.sh": "a", "b.txt": "b", "c.txt": "c", "sub/d.txt": "d" });
    await using _ = stage;
    chmodSync(join(source, "a.sh"), 0o751);
    if (root) chownSync(join(source, "a.sh"), 1234, 4321);
    const owner = statSync(join(source, "a.sh"));
    write(source, { "c.txt": "newer" });
    const before = statSync(join(source, "b.txt"));
    await publish(stage, workbenchId, { "a.sh": "A", "c.txt": "C", "sub/d.txt": "D" });
    expect(await back(stage, workbenchId)).toEqual([
      ["a.sh", "done"],
      ["c.txt", "CONFLICT_PUBLISHED_CHANGED"],
      ["sub/d.txt", "done"],
    ]);
    expect(readFileSync(join(source, "a.sh"), "utf8")).toBe("A");
    expect(readFileSync(join(source, "c.txt"), "utf8")).toBe("newer");
    expect(readFileSync(join(source, "sub/d.txt"), "utf8")).toBe("D");
    expect(statSync(join(source, "a.sh")).mode & 0o777).toBe(0o751);
    // Only root can give files away.
    expect(statSync(join(source, "a.sh"))).toMatchObject({ uid: owner.uid, gid: owner.gid });
    expect(statSync(join(source, "b.txt"))).toMatchObject({ ino: before.ino, mtimeMs: before.mtimeMs });
    noLeftovers(source);
    expect(await states(stage, workbenchId)).toMatchObject({
      "a.sh": "same",
      "c.txt": "conflict",
      "sub/d.txt": "same",
    });
    await publish(stage, workbenchId, { "a.sh": "again" });
    expect(await back(stage, workbenchId, { paths: ["a.sh", "sub", "nothing", "b.txt"] })).toEqual([
      ["a.sh", "done"],
      ["b.txt", "done"],
      ["nothing", "NOT_FOUND"],
      ["sub/d.txt", "done"],
    ]);
    await expect(back(stage, workbenchId, { paths: ["../a.sh"] })).rejects.toMatchObject({ code: "SANDBOX_VIOLATION" });
  });

  test("S2 is refused while a Draft exists: only what is published goes back", async () => {
    const { stage, workbenchId, source } = await copied({ "a.txt": "a" });
    await using _ = stage;
    stage.model.script({ calls: [{ name: "write_file", arguments: { path: "a.txt", content: "unpublished" } }] });
    await stage.agent(workbenchId);
    await expect(back(stage, workbenchId, { overwrite: true })).rejects.toMatchObject({ code: "DRAFT_EXISTS" });
    expect(readFileSync(join(source, "a.txt"), "utf8")).toBe("a");
  });

  test("S6 what is overwritten there is kept: a checkpoint brings it back, and writing back puts it there again", async () => {
    const { stage, workbenchId, source } = await copied({ "a.txt": "a", "b.txt": "b", "gone.txt": "gone" });
    await using _ = stage;
    await publish(stage, workbenchId, { "a.txt": "A", "b.txt": "B", "gone.txt": "GONE" });
    write(source, { "a.txt": "a day of work" });
    rmSync(join(source, "gone.txt"));
    expect(await back(stage, workbenchId)).toEqual([
      ["a.txt", "CONFLICT_PUBLISHED_CHANGED"],
      ["b.txt", "done"],
      ["gone.txt", "CONFLICT_PUBLISHED_CHANGED"],
    ]);
    const { writeBackResults } = await stage.workbenches.writeBack({ workbenchId, overwrite: true });
    const [kept] = (await stage.workbenches.checkpoints({ workbenchId, limit: 1 })).items;
    expect(kept).toMatchObject({ reason: "files-changed", fileCount: 3 });
    expect(writeBackResults).toEqual([
      { path: "a.txt", outcome: "done", reason: expect.stringContaining(kept?.checkpointId ?? "?") as string },
      { path: "gone.txt", outcome: "done" },
    ]);
    expect(readFileSync(join(source, "a.txt"), "utf8")).toBe("A");
    expect(readFileSync(join(source, "gone.txt"), "utf8")).toBe("GONE");

    await stage.workbenches.restore({ workbenchId, checkpointId: kept?.checkpointId, wait: true, ...someone });
    expect(readFileSync(stage.published(workbenchId, "a.txt"), "utf8")).toBe("a day of work");
    expect(readFileSync(stage.published(workbenchId, "b.txt"), "utf8")).toBe("B");
    expect(await back(stage, workbenchId)).toEqual([["a.txt", "done"]]);
    expect(readFileSync(join(source, "a.txt"), "utf8")).toBe("a day of work");
  });

  test("S6 what was there is kept also where its checkpoint was removed", async () => {
    const { stage, workbenchId, source } = await copied({ "a.txt": "a" });
    await using _ = stage;
    await publish(stage, workbenchId, { "a.txt": "A" });
    const [made] = (await stage.workbenches.checkpoints({ workbenchId, limit: 1 })).items;
    await stage.workbenches.removeCheckpoint({ workbenchId, checkpointId: made?.checkpointId ?? "" });
    expect(await back(stage, workbenchId)).toEqual([["a.txt", "done"]]);
    expect(readFileSync(join(source, "a.txt"), "utf8")).toBe("A");
    await stage.workbenches.restore({ workbenchId, wait: true, ...someone });
    expect(readFileSync(stage.published(workbenchId, "a.txt"), "utf8")).toBe("a");
  });

  test("S1 links, FIFOs, devices and further hard links in the place are left alone, also when told to overwrite", async () => {
    const files = {
      "link.txt": "1",
      "fifo.txt": "2",
      "hard.txt": "3",
      "folder.txt": "4",
      "device.txt": "5",
      "way/x.txt": "6",
    };
    const { stage, workbenchId, source } = await copied(files);
    await using _ = stage;
    await publish(stage, workbenchId, Object.fromEntries(Object.keys(files).map((path) => [path, "new"])));
    const victim = join(stage.outside, "victim");
    write(victim, { file: "victim", "x.txt": "victim" });
    for (const name of ["link.txt", "fifo.txt", "folder.txt", "device.txt"]) rmSync(join(source, name));
    symlinkSync(join(victim, "file"), join(source, "link.txt"));
    execFileSync("mkfifo", [join(source, "fifo.txt")]);
    linkSync(join(source, "hard.txt"), join(victim, "twin"));
    mkdirSync(join(source, "folder.txt"));
    // Only root can make a device; for others a link to one has to do.
    if (root) execFileSync("mknod", [join(source, "device.txt"), "c", "1", "3"]);
    else symlinkSync("/dev/null", join(source, "device.txt"));
    renameSync(join(source, "way"), join(source, "away"));
    symlinkSync(victim, join(source, "way"));
    const expected = Object.keys(files)
      .sort()
      .map((path) => [path, "SANDBOX_VIOLATION"]);
    expect(await back(stage, workbenchId, { overwrite: true })).toEqual(expected);
    expect(readFileSync(join(victim, "file"), "utf8")).toBe("victim");
    expect(readFileSync(join(victim, "x.txt"), "utf8")).toBe("victim");
    expect(readFileSync(join(victim, "twin"), "utf8")).toBe("3");
    noLeftovers(source);
    noLeftovers(victim);
    // A folder that is gone is not made again.
    rmSync(join(source, "way"));
    expect(await back(stage, workbenchId, { overwrite: true, paths: ["way"] })).toEqual([
      ["way/x.txt", "FILE_WRITE_FAILED"],
    ]);
    expect(existsSync(join(source, "way"))).toBe(false);
  });

  test("S1 nothing in Benchtop's own folder can be a place, whatever the database says", async () => {
    const { stage, workbenchId } = await copied({ "a.txt": "a" });
    await using _ = stage;
    await publish(stage, workbenchId, { "a.txt": "A" });
    for (const place of [join(stage.home, "config.json"), stage.published(workbenchId, "a.txt")]) {
      await stage.store.db.updateTable("file_origins").set({ host_path: place }).execute();
      expect(await states(stage, workbenchId)).toEqual({ "a.txt": "missing-there" });
      expect(await back(stage, workbenchId, { overwrite: true })).toEqual([["a.txt", "SANDBOX_VIOLATION"]]);
    }
    expect(existsSync(join(stage.home, "config.json"))).toBe(false);
  });

  test("S1 a race of links against writing back changes nothing elsewhere and tears nothing", async () => {
    await using stage = await openStage();
    const older = await stage.upload("old content");
    const newer = await stage.upload("new content");
    for (const [index, swapper] of [folderSwapper, fileSwapper].entries()) {
      const source = join(stage.outside, `race-${index}`);
      const victim = join(stage.outside, `victim-${index}`);
      write(source, { "folder/name": "old content" });
      write(victim, { name: "victim" });
      const mode = statSync(join(victim, "name")).mode;
      const file = { path: "name", hostPath: join(source, "folder/name") };
      const racer = spawn(process.execPath, ["-e", swapper, source, victim], { stdio: "ignore" });
      const codes: Record<string, number> = {};
      try {
        // Until the race was lost often enough by both.
        for (let round = 0; round < 5000; round++) {
          const outcomes = writeBack({
            home: stage.home,
            files: [
              { ...file, sha256: newer, blob: stage.store.blobs.pathOf(newer), expected: older },
              { ...file, sha256: older, blob: stage.store.blobs.pathOf(older), expected: newer },
            ],
          });
          for (const { outcome, code = outcome } of outcomes) codes[code] = (codes[code] ?? 0) + 1;
          if ((codes["done"] ?? 0) >= 200 && (codes["SANDBOX_VIOLATION"] ?? 0) >= 5) break;
        }
      } finally {
        racer.kill("SIGKILL");
      }
      expect(readdirSync(victim)).toEqual(["name"]);
      expect(readFileSync(join(victim, "name"), "utf8")).toBe("victim");
      expect(statSync(join(victim, "name")).mode).toBe(mode);
      const known = new Set([
        "done",
        "VALIDATION_FAILED",
        "SANDBOX_VIOLATION",
        "FILE_WRITE_FAILED",
        "CONFLICT_PUBLISHED_CHANGED",
      ]);
      expect(Object.keys(codes).filter((code) => !known.has(code))).toEqual([]);
      expect(codes["SANDBOX_VIOLATION"]).toBeGreaterThan(0);
    }
  });

  test("S1 a file that is saved there in the very moment is not lost", async () => {
    await using stage = await openStage();
    const place = join(stage.outside, "place");
    const mine = await stage.upload("mine");
    let saved = 0;
    for (let round = 0; round < 20; round++) {
      writeFileSync(place, `saved ${round}`);
      const expected = await stage.upload(`saved ${round}`);
      writeFileSync(`${place}.new`, `newer ${round}`);
      renameSync(`${place}.new`, place);
      const file = { path: "place", hostPath: place, sha256: mine, blob: stage.store.blobs.pathOf(mine), expected };
      const [outcome] = writeBack({ home: stage.home, files: [file] });
      expect(outcome).toMatchObject({ outcome: "refused", code: "CONFLICT_PUBLISHED_CHANGED" });
      saved += readFileSync(place, "utf8") === `newer ${round}` ? 1 : 0;
    }
    expect(saved).toBe(20);
  });

  test.each([
    ["writeSync:1:after", "old"],
    ["fsyncSync:1:before", "old"],
    ["renameSync:1:before", "old"],
    ["renameSync:1:after", "new"],
    ["fsyncSync:2:before", "new"],
  ])("S6 killed at %s, the place has the %s file, whole, and trying again works", async (point, content) => {
    const folder = mkdtempSync(join(tmpdir(), "benchtop-written-back-"));
    try {
      const source = join(folder, "source");
      {
        await using stage = await openStage({ root: folder });
        write(source, { "a.txt": "old" });
        const { workbenchId } = await stage.workbenches.create({ name: "w", ...someone });
        await add(stage, workbenchId, source);
        await publish(stage, workbenchId, { "a.txt": "new" });
      }
      const here = import.meta.dirname;
      const child = spawnSync(
        process.execPath,
        ["--import", join(here, "kill-point.ts"), join(here, "write-back-and-exit.ts"), folder],
        { env: { ...process.env, KILL_AT: point }, encoding: "utf8", timeout: 25_000, killSignal: "SIGTERM" },
      );
      expect([child.signal, child.stderr]).toEqual(["SIGKILL", ""]);
      expect(readFileSync(join(source, "a.txt"), "utf8")).toBe(content);

      await using stage = await openStage({ root: folder });
      const workbenchId = await stage.workbenches.idOf("w", "default");
      expect(await states(stage, workbenchId)).toEqual({ "a.txt": content === "new" ? "same" : "changed-here" });
      expect(await back(stage, workbenchId)).toEqual([["a.txt", "done"]]);
      expect(readFileSync(join(source, "a.txt"), "utf8")).toBe("new");
      noLeftovers(source);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test.skipIf(!root)("S6 a full disk gives DISK_FULL, and the place stays as it is (needs root)", async () => {
    const { stage, workbenchId, source } = await copied({ "a.txt": "a" });
    await using _ = stage;
    const small = join(stage.outside, "small");
    mkdirSync(small);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", small]);
    try {
      write(small, { "full.txt": "small", "other.txt": "small" });
      await add(stage, workbenchId, small);
      const content = "x".repeat(300_000);
      await publish(stage, workbenchId, { "full.txt": content, "other.txt": content });
      const { bavail, bsize } = statfsSync(small);
      writeFileSync(join(small, "ballast"), Buffer.alloc(bavail * bsize - 100_000));
      await expect(back(stage, workbenchId)).rejects.toMatchObject({
        code: "DISK_FULL",
        info: { actions: expect.arrayContaining(["free_disk_space"]) as string[] },
      });
      expect(readdirSync(small).sort()).toEqual(["ballast", "full.txt", "other.txt"]);
      expect(readFileSync(join(small, "full.txt"), "utf8")).toBe("small");
      rmSync(join(small, "ballast"));
      expect(await back(stage, workbenchId)).toEqual([
        ["full.txt", "done"],
        ["other.txt", "done"],
      ]);
      expect(readFileSync(join(source, "a.txt"), "utf8")).toBe("a");
    } finally {
      execFileSync("umount", ["-l", small]);
    }
  });
});

/** Swaps the folder of the place for a link to another folder, as fast as it can. */
const folderSwapper = `
  const fs = require("node:fs");
  const [source, victim] = process.argv.slice(1);
  process.chdir(source);
  fs.symlinkSync(victim, "link");
  for (const end = Date.now() + 20_000; Date.now() < end; ) {
    fs.renameSync("folder", "away"); fs.renameSync("link", "folder");
    fs.renameSync("folder", "link"); fs.renameSync("away", "folder");
  }
`;

/** Swaps the file, and any file that is being written beside it, for links to another file. */
const fileSwapper = `
  const fs = require("node:fs");
  const [source, victim] = process.argv.slice(1);
  process.chdir(source + "/folder");
  for (const end = Date.now() + 20_000; Date.now() < end; ) {
    for (const name of fs.readdirSync(".")) {
      if (name !== "name" && !name.endsWith(".part")) continue;
      try {
        fs.symlinkSync(victim + "/name", "link");
        fs.renameSync(name, name + ".kept"); fs.renameSync("link", name);
        fs.renameSync(name + ".kept", name);
      } catch {}
      try { fs.unlinkSync("link"); } catch {}
    }
  }
`;
