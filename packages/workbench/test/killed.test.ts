import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openStage } from "./stage.ts";

const before = { "a.txt": "a", "b/c.txt": "c", "d.txt": "d" };
const after = { "a.txt": "agent", "b/c.txt": "c", "d.txt": "d", "new/e.txt": "e" };

/** Where the process dies, and whether the publish counts then. */
test.each([
  ["mkdirSync:1:after", false],
  ["linkSync:1:after", false],
  ["copyFileSync:2:after", false],
  ["fsyncSync:1:after", false],
  ["fsyncSync:4:before", false],
  ["renameSync:1:before", false],
  ["renameSync:1:after", false],
  ["renameSync:2:before", false],
  ["renameSync:2:after", false],
  ["unlinkSync:1:after", true],
  ["rmdirSync:2:before", true],
])("S6 a publish killed at %s leaves the old or the new files, whole", async (point, committed) => {
  const root = mkdtempSync(join(tmpdir(), "benchtop-killed-"));
  try {
    await prepare(root);
    const here = import.meta.dirname;
    const child = spawnSync(
      process.execPath,
      ["--import", join(here, "kill-point.ts"), join(here, "publish-and-exit.ts"), root],
      { env: { ...process.env, KILL_AT: point }, encoding: "utf8", timeout: 25_000, killSignal: "SIGTERM" },
    );
    expect([child.signal, child.stderr]).toEqual(["SIGKILL", ""]);

    await using stage = await openStage({ root });
    const { workbenchId } = await stage.workbenches.open({ workbenchId: await stage.workbenches.idOf("w", "default") });
    expect(treeOf(stage.published(workbenchId))).toEqual(committed ? after : before);
    expect((await stage.workbenches.outsideChanges({ workbenchId })).items).toEqual([]);
    expect((await stage.workbenches.draftState({ workbenchId })).exists).toBe(!committed);
    expect(readdirSync(stage.published(workbenchId, "..")).filter((name) => /next$|old$/.test(name))).toEqual([]);
    const { items } = await stage.workbenches.checkpoints({ workbenchId, limit: 10 });
    expect(items).toHaveLength(committed ? 1 : 0);
    const [run] = (await stage.store.ledger.list({ workspaceId: "default", kind: "publish" })).items;
    expect(run?.status).toBe(committed ? "success" : "error");
    const { ok, violations } = await stage.store.journal.verify(run?.runId ?? "");
    expect([ok, violations]).toEqual([true, []]);
    if (!committed) await stage.workbenches.publish({ workbenchId, wait: true, userId: "someone" });
    expect(treeOf(stage.published(workbenchId))).toEqual(after);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});

async function prepare(root: string): Promise<void> {
  await using stage = await openStage({ root });
  const { workbenches, model } = stage;
  const { workbenchId } = await workbenches.create({ name: "w", userId: "someone", workspaceId: "default" });
  const uploads: { path: string; sha256: string }[] = [];
  for (const [path, content] of Object.entries(before)) {
    uploads.push({ path, sha256: await stage.upload(content) });
  }
  await workbenches.filesAdd({ workbenchId, uploads, replace: false });
  model.script({
    calls: [
      { name: "write_file", arguments: { path: "a.txt", content: "agent" } },
      { name: "write_file", arguments: { path: "new/e.txt", content: "e" } },
    ],
  });
  await stage.agent(workbenchId);
}

function treeOf(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [path.slice(folder.length).replace(/^\//, ""), readFileSync(path, "utf8")];
    }),
  );
}
