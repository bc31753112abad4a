import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStage } from "./stage.ts";

/**
 * A disk that fails once, in each phase of a publish and of a restore: Published is whole, the Draft is kept, the failure says what it
 * is, and the next attempt works. `npm run chaos` does the same at every call.
 */
const someone = { userId: "someone", workspaceId: "default" };
const trees = {
  publish: { old: { "a.txt": "a", "b/c.txt": "c" }, new: { "a.txt": "agent", "b/c.txt": "c", "new/e.txt": "e" } },
  restore: { old: { "a.txt": "agent", "b/c.txt": "c", "new/e.txt": "e" }, new: { "a.txt": "a", "b/c.txt": "c" } },
} as const;

let root: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "benchtop-faults-"));
  await using stage = await openStage({ root: join(root, "publish") });
  const { workbenchId } = await stage.workbenches.create({ name: "w", ...someone });
  const uploads: { path: string; sha256: string }[] = [];
  for (const [path, content] of Object.entries(trees.publish.old)) {
    uploads.push({ path, sha256: await stage.upload(content) });
  }
  await stage.workbenches.filesAdd({ workbenchId, uploads, replace: false });
  stage.model.script({
    calls: [
      { name: "write_file", arguments: { path: "a.txt", content: "agent" } },
      { name: "write_file", arguments: { path: "new/e.txt", content: "e" } },
    ],
  });
  await stage.agent(workbenchId);
}, 60_000);
beforeAll(async () => {
  cpSync(join(root, "publish"), join(root, "restore"), { recursive: true, preserveTimestamps: true });
  await using stage = await openStage({ root: join(root, "restore") });
  const workbenchId = await stage.workbenches.idOf("w", "default");
  await stage.workbenches.publish({ workbenchId, wait: true, ...someone });
}, 60_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

test.each([
  ["publish", "looking for conflicts", "readdirSync:3:EIO", "FILE_READ_FAILED", "retry"],
  ["publish", "looking for conflicts", "readdirSync:4:EACCES", "FILE_READ_FAILED", "retry"],
  ["publish", "keeping the checkpoint", "statSync:1:EIO", "CHECKPOINT_CREATE_FAILED", "retry"],
  ["publish", "building", "copyFileSync:1:ENOSPC", "DISK_FULL", "free_disk_space"],
  ["publish", "building", "linkSync:1:EIO", "FILE_WRITE_FAILED", "retry"],
  ["publish", "building", "fsyncSync:1:EIO", "FILE_WRITE_FAILED", "retry"],
  ["publish", "the first rename", "renameSync:1:EIO", "FILE_WRITE_FAILED", "retry"],
  ["publish", "the second rename", "renameSync:2:ENOSPC", "DISK_FULL", "free_disk_space"],
  ["restore", "looking for conflicts", "readdirSync:3:EIO", "FILE_READ_FAILED", "retry"],
  ["restore", "building", "copyFileSync:1:EIO", "CHECKPOINT_RESTORE_FAILED", "retry"],
  ["restore", "the second rename", "renameSync:2:EIO", "CHECKPOINT_RESTORE_FAILED", "retry"],
] as const)(
  "S6 a %s whose disk fails %s (%s) is undone, says %s, and works when tried again",
  async (what, _phase, point, code, action) => {
    const folder = mkdtempSync(join(root, "attempt-"));
    cpSync(join(root, what), folder, { recursive: true, preserveTimestamps: true });
    const here = import.meta.dirname;
    const words = ["--import", join(here, "fail-point.ts"), join(here, "change-and-tell.ts"), folder, what];
    const { stdout } = await promisify(execFile)(process.execPath, words, {
      env: { ...process.env, FAIL_AT: point },
      timeout: 25_000,
    });
    expect(JSON.parse(stdout)).toEqual({
      first: { code, phase: what, actions: expect.arrayContaining([action]) as string[] },
      after: { files: trees[what].old, draft: what === "publish" },
      beside: [],
      second: { status: "success" },
      files: trees[what].new,
    });
  },
);
