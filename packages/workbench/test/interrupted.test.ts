import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { openStage, type Stage } from "./stage.ts";

/** Takes a journal back to after an event, as a process leaves it that is killed there. What was done outside of it stays. */
async function killedAfter({ store }: Stage, runId: string, seq: number): Promise<void> {
  const { hash } = await store.db
    .selectFrom("run_events")
    .select("hash")
    .where("run_id", "=", runId)
    .where("seq", "=", seq)
    .executeTakeFirstOrThrow();
  await store.db.deleteFrom("run_events").where("run_id", "=", runId).where("seq", ">", seq).execute();
  const open = { event_count: seq + 1, head_hash: hash, finished: 0 as const };
  await store.db.updateTable("runs").set(open).where("id", "=", runId).execute();
  await store.db.updateTable("workbench_runs").set({ status: "pending" }).where("run_id", "=", runId).execute();
}

test("H7 an edit that a crash left without its record is not made twice, and the agent is told that it was made", async () => {
  await using stage = await openStage();
  const { store, runs, workbenches } = stage;
  const { workbenchId } = await workbenches.create({ name: "w", userId: "someone", workspaceId: "default" });
  const sha256 = await stage.upload("a a\n");
  await workbenches.filesAdd({ workbenchId, uploads: [{ path: "a.txt", sha256 }], replace: false });
  const edit = { path: "a.txt", old_text: "a a", new_text: "a a a a" };
  stage.model.script({ calls: [{ name: "edit_file", arguments: edit }] });
  const whole = await stage.agent(workbenchId);
  const runId = whole[0]?.runId ?? "";
  const requested = whole.find((event) => event.type === "ToolCallRequested");
  await killedAfter(stage, runId, requested?.seq ?? -1);

  const recovered = await runs.recover(
    (run) => workbenches.settle(run),
    (run) => workbenches.interrupted(run),
  );
  expect(recovered).toEqual([{ runId, kind: "agent", outcome: "resumed" }]);
  const events = await stage.journal(runId);
  expect(events.find((event) => event.type === "ToolCallFinished")).toMatchObject({
    outcome: "success",
    content: '"a.txt" is modified in the Draft (8 bytes).',
  });
  expect(events.filter((event) => event.type === "DraftChanged")).toMatchObject([
    { path: "a.txt", revision: 1, previousSha256: sha256 },
  ]);
  expect(events.at(-1)?.type).toBe("Completed");
  expect(await workbenches.draftState({ workbenchId })).toMatchObject({ revision: 1, counts: { modified: 1 } });
  expect(await readFile(stage.published(workbenchId, "a.txt"), "utf8")).toBe("a a\n");
  expect((await store.journal.verify(runId)).ok).toBe(true);
});

test("H7 an edit of a document that a crash left without its record is not made twice", async () => {
  await using stage = await openStage();
  const { runs, workbenches } = stage;
  const { workbenchId } = await workbenches.create({ name: "w", userId: "someone", workspaceId: "default" });
  const sha256 = await stage.upload("name,count\nAda,1\n");
  await workbenches.filesAdd({ workbenchId, uploads: [{ path: "a.csv", sha256 }], replace: false });
  const edits = [{ edit: "append-rows", rows: [["Bob", 2]] }];
  stage.model.script({ calls: [{ name: "edit_document", arguments: { path: "a.csv", edits } }] });
  const whole = await stage.agent(workbenchId);
  const runId = whole[0]?.runId ?? "";
  await killedAfter(stage, runId, whole.find((event) => event.type === "ToolCallRequested")?.seq ?? -1);
  await runs.recover(
    (run) => workbenches.settle(run),
    (run) => workbenches.interrupted(run),
  );
  const events = await stage.journal(runId);
  expect(events.find((event) => event.type === "ToolCallFinished")).toMatchObject({
    outcome: "success",
    content: '"a.csv" is modified in the Draft (23 bytes).',
  });
  expect(await workbenches.draftState({ workbenchId })).toMatchObject({ revision: 1, counts: { modified: 1 } });
});

test("S13 a run of a version that did not keep what runs were told is shown, and not replayed as if it had changed", async () => {
  await using stage = await openStage();
  const { store, workbenches } = stage;
  const { workbenchId } = await workbenches.create({ name: "w", userId: "someone", workspaceId: "default" });
  const [started] = await stage.agent(workbenchId);
  const runId = started?.runId ?? "";
  await store.db.deleteFrom("run_events").where("run_id", "=", runId).where("type", "=", "ContextAssembled").execute();
  const refused = { code: "VALIDATION_FAILED", message: expect.stringContaining("earlier Benchtop") as string };
  await expect(workbenches.replay({ runId, userId: "someone" })).rejects.toMatchObject(refused);
  await expect(workbenches.fork({ runId, userId: "someone" })).rejects.toMatchObject(refused);
});
