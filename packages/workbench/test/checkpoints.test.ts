import { readdirSync, readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openStage, type Stage } from "./stage.ts";

const someone = { userId: "someone", workspaceId: "default" };

async function workbench(stage: Stage): Promise<string> {
  const { workbenchId } = await stage.workbenches.create({ name: "w", ...someone });
  const sha256 = await stage.upload("0");
  await stage.workbenches.filesAdd({ workbenchId, uploads: [{ path: "a.txt", sha256 }], replace: false });
  return workbenchId;
}

/** Publishes content; the checkpoint of what was there before. */
async function publish(stage: Stage, workbenchId: string, content: string): Promise<string> {
  stage.model.script({ calls: [{ name: "write_file", arguments: { path: "a.txt", content } }] });
  await stage.agent(workbenchId);
  const { checkpointId } = await stage.workbenches.publish({ workbenchId, wait: true, ...someone });
  return checkpointId ?? "";
}

async function reasons(stage: Stage, workbenchId: string): Promise<string[]> {
  const { items } = await stage.workbenches.checkpoints({ workbenchId, limit: 100 });
  return items.map(({ reason, message }) => (message === null ? reason : `${reason} ${message}`));
}

const restore = (stage: Stage, workbenchId: string, checkpointId?: string) =>
  stage.workbenches.restore({ workbenchId, checkpointId, wait: true, ...someone });

const content = (stage: Stage, workbenchId: string) => readFileSync(stage.published(workbenchId, "a.txt"), "utf8");

test("S6 of the checkpoints that publishing makes, the oldest go; a person's and the way back from a restore stay", async () => {
  await using stage = await openStage({ limits: { keepCheckpoints: 3 } });
  const workbenchId = await workbench(stage);
  await stage.workbenches.createCheckpoint({ workbenchId, message: "mine" });
  const oldest = await publish(stage, workbenchId, "1");
  await restore(stage, workbenchId, oldest);
  for (const text of ["2", "3", "4", "5"]) await publish(stage, workbenchId, text);
  expect(await reasons(stage, workbenchId)).toEqual(["publish", "publish", "publish", "pre-restore", "manual mine"]);
  await expect(restore(stage, workbenchId, oldest)).rejects.toMatchObject({ code: "NOT_FOUND" });
  const { items } = await stage.workbenches.checkpoints({ workbenchId, limit: 100 });
  await restore(stage, workbenchId, items[3]?.checkpointId);
  expect(content(stage, workbenchId)).toBe("1");
  // The newer way back takes the place of the older.
  expect(await reasons(stage, workbenchId)).toEqual(["pre-restore", "publish", "publish", "manual mine"]);
  await restore(stage, workbenchId);
  expect(content(stage, workbenchId)).toBe("5");
});

test("S6 a publish keeps its own checkpoint however few are to be kept, so that it can always be taken back", async () => {
  await using stage = await openStage({ limits: { keepCheckpoints: 0 } });
  const workbenchId = await workbench(stage);
  await publish(stage, workbenchId, "1");
  const newest = await publish(stage, workbenchId, "2");
  expect(await reasons(stage, workbenchId)).toEqual(["publish"]);
  await restore(stage, workbenchId, newest);
  expect(content(stage, workbenchId)).toBe("1");
});

test("S6 a checkpoint of a publish that fails takes no other's place", async () => {
  await using stage = await openStage({ limits: { keepCheckpoints: 1 } });
  const workbenchId = await workbench(stage);
  const kept = await publish(stage, workbenchId, "1");
  stage.model.script({ calls: [{ name: "write_file", arguments: { path: "a.txt", content: "2" } }] });
  await stage.agent(workbenchId);
  await stage.store.db.schema.alterTable("checkpoints").renameTo("elsewhere").execute();
  await expect(stage.workbenches.publish({ workbenchId, wait: true, ...someone })).rejects.toMatchObject({
    code: "FILE_WRITE_FAILED",
  });
  await stage.store.db.schema.alterTable("elsewhere").renameTo("checkpoints").execute();
  const { items } = await stage.workbenches.checkpoints({ workbenchId, limit: 10 });
  expect(items.map(({ checkpointId }) => checkpointId)).toEqual([kept]);
  expect(content(stage, workbenchId)).toBe("1");
});

test("S12 a checkpoint is removed by its id, in its own workbench only, and the others stay", async () => {
  await using stage = await openStage();
  const workbenchId = await workbench(stage);
  const { workbenchId: other } = await stage.workbenches.create({ name: "other", ...someone });
  const first = await publish(stage, workbenchId, "1");
  const second = await publish(stage, workbenchId, "2");
  const remove = (checkpointId: string, from = workbenchId) =>
    stage.workbenches.removeCheckpoint({ workbenchId: from, checkpointId });
  await expect(remove(first, other)).rejects.toMatchObject({ code: "NOT_FOUND" });
  await remove(first);
  await expect(remove(first)).rejects.toMatchObject({ code: "NOT_FOUND" });
  await restore(stage, workbenchId, second);
  expect(content(stage, workbenchId)).toBe("1");
});

test("S6 a checkpoint that an interrupted publish needs cannot be removed until that is undone", async () => {
  await using stage = await openStage();
  const workbenchId = await workbench(stage);
  const needed = await publish(stage, workbenchId, "1");
  await restore(stage, workbenchId, needed);
  const { manifestHash } = await stage.workbenches.open({ workbenchId });
  await stage.store.db
    .insertInto("publish_intents")
    .values({
      workbench_id: workbenchId,
      run_id: null,
      action: "publish",
      from_manifest_hash: manifestHash,
      to_manifest_hash: "0",
      draft_id: null,
      checkpoint_id: null,
      created_at: "",
    })
    .execute();
  const remove = () => stage.workbenches.removeCheckpoint({ workbenchId, checkpointId: needed });
  await expect(remove()).rejects.toMatchObject({ code: "VALIDATION_FAILED", info: { actions: ["retry"] } });
  await stage.workbenches.recover();
  await remove();
});

test("S6 what a removed checkpoint alone kept goes with the unused content; what others name stays", async () => {
  await using stage = await openStage();
  const workbenchId = await workbench(stage);
  const sha256 = await stage.upload("0");
  const first = await publish(stage, workbenchId, "1");
  await publish(stage, workbenchId, "2");
  const sweep = async () => {
    const longAgo = new Date(Date.now() - 3 * 24 * 3_600_000);
    const blobs = readdirSync(join(stage.home, "blobs"), { recursive: true, withFileTypes: true });
    for (const blob of blobs) if (blob.isFile()) utimesSync(join(blob.parentPath, blob.name), longAgo, longAgo);
    await stage.store.db.updateTable("uploads").set({ created_at: longAgo.toISOString() }).execute();
    // The journals of the agents that replaced it name it, too.
    await stage.store.retention.prune({ before: new Date().toISOString(), workspaceId: "default", force: true });
  };
  await sweep();
  expect(await stage.store.blobs.has(sha256)).toBe(true);
  await stage.workbenches.removeCheckpoint({ workbenchId, checkpointId: first });
  await sweep();
  expect(await stage.store.blobs.has(sha256)).toBe(false);
  await restore(stage, workbenchId);
  expect(content(stage, workbenchId)).toBe("1");
});
