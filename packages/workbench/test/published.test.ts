import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  watch,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { openStage, type Stage } from "./stage.ts";

const someone = { userId: "someone", workspaceId: "default" };

async function withPublished(files: Record<string, string>): Promise<{ stage: Stage; workbenchId: string }> {
  const stage = await openStage();
  const { workbenchId } = await stage.workbenches.create({ name: "w", ...someone });
  const uploads = await Promise.all(
    Object.entries(files).map(async ([path, content]) => {
      return { path, sha256: await stage.upload(content) };
    }),
  );
  await stage.workbenches.filesAdd({ workbenchId, uploads, replace: false });
  return { stage, workbenchId };
}

async function draft(stage: Stage, workbenchId: string, files: Record<string, string>): Promise<void> {
  const calls = Object.entries(files).map(([path, content]) => ({ name: "write_file", arguments: { path, content } }));
  stage.model.script({ calls });
  expect((await stage.agent(workbenchId)).at(-1)?.type).toBe("Completed");
}

function treeOf(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    names.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [path.slice(folder.length).replace(/^\//, ""), readFileSync(path, "utf8")];
    }),
  );
}

const inode = (path: string): number => statSync(path).ino;

const leftovers = (stage: Stage, workbenchId: string): string[] =>
  readdirSync(stage.published(workbenchId, "..")).filter((name) => /next$|old$/.test(name));

describe("outside changes", () => {
  test("every kind is found, also one that hides its modification time", async () => {
    const { stage, workbenchId } = await withPublished({
      "a.txt": "a",
      "b.txt": "b",
      "c/d.txt": "d",
      "e.txt": "e",
      "f/g.txt": "g",
    });
    await using _ = stage;
    const at = (path: string) => stage.published(workbenchId, path);
    await wait(200);
    const before = statSync(at("a.txt"));
    writeFileSync(at("a.txt"), "A");
    utimesSync(at("a.txt"), before.atime, before.mtime);
    rmSync(at("b.txt"));
    writeFileSync(at("c/new.txt"), "new");
    linkSync(at("e.txt"), join(stage.outside, "twin"));
    rmSync(at("f"), { recursive: true });
    symlinkSync(stage.outside, at("f"));
    execFileSync("mkfifo", [at("pipe")]);
    expect((await stage.workbenches.outsideChanges({ workbenchId })).items).toEqual([
      { path: "a.txt", change: "modified" },
      { path: "b.txt", change: "deleted" },
      { path: "c/new.txt", change: "added" },
      { path: "e.txt", change: "irregular" },
      { path: "f", change: "irregular" },
      { path: "f/g.txt", change: "deleted" },
      { path: "pipe", change: "irregular" },
    ]);
    await expect(stage.workbenches.resolveOutsideChanges({ workbenchId, strategy: "adopt" })).rejects.toMatchObject({
      info: { error_code: "SANDBOX_VIOLATION", detail: { count: 3 } },
    });
    await stage.workbenches.resolveOutsideChanges({ workbenchId, strategy: "revert" });
    expect(treeOf(at(""))).toEqual({ "a.txt": "a", "b.txt": "b", "c/d.txt": "d", "e.txt": "e", "f/g.txt": "g" });
    expect((await stage.workbenches.outsideChanges({ workbenchId })).items).toEqual([]);
    expect(existsSync(join(stage.outside, "twin"))).toBe(true);
  });

  test("publishing over them is a conflict that names them, and both Draft and files stay", async () => {
    const { stage, workbenchId } = await withPublished({ "a.txt": "a", "b.txt": "b" });
    await using _ = stage;
    await draft(stage, workbenchId, { "a.txt": "agent" });
    writeFileSync(stage.published(workbenchId, "b.txt"), "person");
    const publish = () => stage.workbenches.publish({ workbenchId, wait: true, ...someone });
    await expect(publish()).rejects.toMatchObject({
      info: { error_code: "CONFLICT_PUBLISHED_CHANGED", detail: { paths: ["b.txt (modified)"], count: 1 } },
    });
    expect(treeOf(stage.published(workbenchId))).toEqual({ "a.txt": "a", "b.txt": "person" });
    const { revision } = await stage.workbenches.draftState({ workbenchId });

    const { resolved } = await stage.workbenches.resolveOutsideChanges({ workbenchId, strategy: "adopt" });
    expect(resolved).toEqual([{ path: "b.txt", change: "modified" }]);
    const stale = stage.workbenches.publish({ workbenchId, wait: true, revision, ...someone });
    await expect(stale).rejects.toMatchObject({ info: { error_code: "VALIDATION_FAILED" } });
    expect((await publish()).counts).toEqual({ added: 0, modified: 1, deleted: 0 });
    expect(treeOf(stage.published(workbenchId))).toEqual({ "a.txt": "agent", "b.txt": "person" });
  });

  test("adopting what the Draft changes too leaves the Draft, whose diff then shows it", async () => {
    const { stage, workbenchId } = await withPublished({ "a.txt": "a\n" });
    await using _ = stage;
    await draft(stage, workbenchId, { "a.txt": "agent\n" });
    writeFileSync(stage.published(workbenchId, "a.txt"), "person\n");
    await stage.workbenches.resolveOutsideChanges({ workbenchId, strategy: "adopt" });
    const { hunks } = await stage.workbenches.textDiff({ workbenchId, path: "a.txt", contextLines: 3 });
    expect(hunks[0]?.lines.map((line) => `${line.kind} ${line.text}`)).toEqual(["removed person", "added agent"]);
  });
});

describe("a crash in the middle of a transition", () => {
  const action = { run_id: null, action: "publish", draft_id: null, checkpoint_id: null, created_at: "" };

  /** The folder states of `recovery.ts`, made by hand: `old` and `next` as a transition would have left them. */
  test.each([
    ["while building", false, ["published", "next"]],
    ["after building, before the intent", false, ["published", "next"]],
    ["with the intent, before the first rename", true, ["published", "next"]],
    ["between the renames", true, ["old", "next"]],
    ["after the renames, before the commit", true, ["next as published", "old"]],
    ["while rolling back", true, ["old", "published as next"]],
    ["after the commit, before cleaning up", false, ["published", "old garbage"]],
    ["with an intent and no folders beside", true, ["published"]],
    ["with published lost", false, []],
    ["with everything lost but an intent", true, []],
  ])("%s leaves the published files as the database says", async (_name, intent, states) => {
    const { stage, workbenchId } = await withPublished({ "a.txt": "a", "b/c.txt": "c" });
    await using _ = stage;
    const { manifestHash } = await stage.workbenches.open({ workbenchId });
    const at = (name: string) => stage.published(workbenchId, `../${name}`);
    renameSync(at("published"), at("kept"));
    for (const state of states) {
      const [source, , target = source] = state.split(" ");
      if (state === "published" || state === "old")
        renameSync(at("kept"), at(state === "old" ? "published.old" : state));
      else {
        const folder = target === "published" ? "published" : source === "old" ? "published.old" : "published.next";
        mkdirSync(at(folder));
        writeFileSync(join(at(folder), "a.txt"), "half written");
        symlinkSync("/etc", join(at(folder), "link"));
      }
    }
    rmSync(at("kept"), { recursive: true, force: true });
    if (intent) {
      await stage.store.db
        .insertInto("publish_intents")
        .values({ workbench_id: workbenchId, from_manifest_hash: manifestHash, to_manifest_hash: "0", ...action })
        .execute();
    }
    await stage.workbenches.recover();
    expect(treeOf(stage.published(workbenchId))).toEqual({ "a.txt": "a", "b/c.txt": "c" });
    expect(leftovers(stage, workbenchId)).toEqual([]);
    expect(await stage.store.db.selectFrom("publish_intents").selectAll().execute()).toEqual([]);
    expect((await stage.workbenches.outsideChanges({ workbenchId })).items).toEqual([]);
  });

  test("an intent that was superseded is taken away, and the new files stay", async () => {
    const { stage, workbenchId } = await withPublished({ "a.txt": "a" });
    await using _ = stage;
    const { manifestHash } = await stage.workbenches.open({ workbenchId });
    await stage.store.db
      .insertInto("publish_intents")
      .values({ workbench_id: workbenchId, from_manifest_hash: "0", to_manifest_hash: manifestHash, ...action })
      .execute();
    mkdirSync(stage.published(workbenchId, "../published.old"));
    await stage.workbenches.recover();
    expect(treeOf(stage.published(workbenchId))).toEqual({ "a.txt": "a" });
    expect(leftovers(stage, workbenchId)).toEqual([]);
  });
});

describe("a publish that fails", () => {
  test.skipIf(process.getuid?.() !== 0)(
    "S6 at the rename is rolled back, and the Draft is kept (needs root)",
    async () => {
      const { stage, workbenchId } = await withPublished({ "a.txt": "a" });
      await using _ = stage;
      await draft(stage, workbenchId, { "a.txt": "agent", "new.txt": "new" });
      const folder = stage.published(workbenchId);
      // A mount point cannot be renamed: the swap fails after everything was built and the intent recorded.
      execFileSync("mount", ["--bind", folder, folder]);
      let failure: unknown;
      try {
        failure = await stage.workbenches
          .publish({ workbenchId, wait: true, ...someone })
          .catch((thrown: unknown) => thrown);
      } finally {
        execFileSync("umount", [folder]);
      }
      expect(failure).toMatchObject({ info: { error_code: "FILE_WRITE_FAILED", phase: "publish" } });
      const { run_id: runId } = (failure as { info: { run_id: string } }).info;
      const phases = (await stage.journal(runId)).flatMap((event) =>
        event.type === "PhaseChanged" ? [event.phase] : [],
      );
      expect(phases).toEqual([
        "validating",
        "conflict_check",
        "checkpoint_pre_publish",
        "swap_directories",
        "rolling_back",
      ]);
      expect(treeOf(folder)).toEqual({ "a.txt": "a" });
      expect(leftovers(stage, workbenchId)).toEqual([]);
      expect((await stage.workbenches.draftState({ workbenchId })).counts).toEqual({
        added: 1,
        modified: 1,
        deleted: 0,
      });
      expect((await stage.workbenches.publish({ workbenchId, wait: true, ...someone })).status).toBe("success");
    },
  );

  test("with a damaged blob says which file, and Published stays", async () => {
    const { stage, workbenchId } = await withPublished({ "a.txt": "a" });
    await using _ = stage;
    await draft(stage, workbenchId, { "new.txt": "new" });
    const [change] = (await stage.workbenches.changeSet({ workbenchId })).changes;
    const blob = stage.store.blobs.pathOf(change?.sha256After ?? "");
    rmSync(blob);
    writeFileSync(blob, "NEW");
    await expect(stage.workbenches.publish({ workbenchId, wait: true, ...someone })).rejects.toMatchObject({
      info: { error_code: "FILE_READ_FAILED", detail: { path: "new.txt" } },
    });
    expect(treeOf(stage.published(workbenchId))).toEqual({ "a.txt": "a" });
    expect(leftovers(stage, workbenchId)).toEqual([]);
  });

  test("with a checkpoint that could not be restored is refused before anything is swapped", async () => {
    const { stage, workbenchId } = await withPublished({ "a.txt": "a" });
    await using _ = stage;
    await draft(stage, workbenchId, { "new.txt": "new" });
    const { items } = await stage.workbenches.filesList({ workbenchId, side: "published", limit: 10 });
    rmSync(stage.store.blobs.pathOf(items[0]?.sha256 ?? ""));
    await expect(stage.workbenches.publish({ workbenchId, wait: true, ...someone })).rejects.toMatchObject({
      info: { error_code: "CHECKPOINT_CREATE_FAILED" },
    });
    expect((await stage.workbenches.draftState({ workbenchId })).exists).toBe(true);
  });
});

test("S6 a checkpoint whose list of files is damaged is not restored, and Published stays", async () => {
  const { stage, workbenchId } = await withPublished({ "a.txt": "a" });
  await using _ = stage;
  await draft(stage, workbenchId, { "a.txt": "agent" });
  const { checkpointId } = await stage.workbenches.publish({ workbenchId, wait: true, ...someone });
  const checkpoint = await stage.store.db
    .selectFrom("checkpoints")
    .select("manifest_hash")
    .where("id", "=", checkpointId)
    .executeTakeFirstOrThrow();
  const blob = stage.store.blobs.pathOf(checkpoint.manifest_hash);
  rmSync(blob);
  writeFileSync(blob, "damaged");
  // So many others were in use since that this one has to be read again.
  for (let index = 0; index < 17; index += 1) {
    const sha256 = await stage.upload(String(index));
    await stage.workbenches.filesAdd({ workbenchId, uploads: [{ path: "b.txt", sha256 }], replace: true });
  }
  await expect(
    stage.workbenches.restore({ workbenchId, checkpointId: checkpointId ?? undefined, wait: true, ...someone }),
  ).rejects.toMatchObject({
    info: { error_code: "CHECKPOINT_RESTORE_FAILED", phase: "restore" },
  });
  expect(treeOf(stage.published(workbenchId))).toEqual({ "a.txt": "agent", "b.txt": "16" });
  expect(leftovers(stage, workbenchId)).toEqual([]);
});

test("S5 an agent that writes, edits and deletes touches nothing below published", async () => {
  const { stage, workbenchId } = await withPublished({ "a.txt": "a", "b/c.txt": "c" });
  await using _ = stage;
  await wait(150);
  const seen: string[] = [];
  const watcher = watch(stage.published(workbenchId, ".."), { recursive: true }, (_event, name) =>
    seen.push(String(name)),
  );
  stage.model.script({
    calls: [
      { name: "write_file", arguments: { path: "new.txt", content: "x" } },
      { name: "edit_file", arguments: { path: "a.txt", old_text: "a", new_text: "b" } },
      { name: "delete_file", arguments: { path: "b/c.txt" } },
      { name: "write_file", arguments: { path: "../published/a.txt", content: "x" } },
    ],
  });
  await stage.agent(workbenchId);
  await stage.workbenches.changeSet({ workbenchId });
  await stage.workbenches.discard({ workbenchId, ...someone });
  await wait(100);
  expect(seen).toEqual([]);
  // The watcher does see what a transition writes.
  appendFileSync(stage.published(workbenchId, "a.txt"), "");
  await draft(stage, workbenchId, { "a.txt": "c" });
  await stage.workbenches.publish({ workbenchId, wait: true, ...someone });
  await wait(100);
  watcher.close();
  expect(seen.length).toBeGreaterThan(0);
});

test("nothing of Published shares an inode with a blob, a checkpoint or a leftover", async () => {
  const { stage, workbenchId } = await withPublished({ "a.txt": "a", "b.txt": "b" });
  await using _ = stage;
  await draft(stage, workbenchId, { "a.txt": "agent" });
  await stage.workbenches.publish({ workbenchId, wait: true, ...someone });
  const blobs = readdirSync(join(stage.home, "blobs"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => inode(join(entry.parentPath, entry.name)));
  for (const name of ["a.txt", "b.txt"]) {
    expect(statSync(stage.published(workbenchId, name)).nlink).toBe(1);
    expect(blobs).not.toContain(inode(stage.published(workbenchId, name)));
  }
  // A file that did not change is the same file, so that watchers and editors keep it.
  const before = inode(stage.published(workbenchId, "b.txt"));
  await stage.workbenches.restore({ workbenchId, wait: true, ...someone });
  expect(inode(stage.published(workbenchId, "b.txt"))).toBe(before);
});

test("a deletion that a crash interrupted is finished", async () => {
  const { stage, workbenchId } = await withPublished({ "a.txt": "a" });
  await using _ = stage;
  await stage.store.db.updateTable("workbenches").set({ deleting: 1 }).where("id", "=", workbenchId).execute();
  await expect(stage.workbenches.open({ workbenchId })).rejects.toMatchObject({ info: { error_code: "NOT_FOUND" } });
  await stage.workbenches.recover();
  expect(existsSync(stage.published(workbenchId, ".."))).toBe(false);
  expect(await stage.store.db.selectFrom("workbenches").selectAll().execute()).toEqual([]);
});
