import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openStage } from "./stage.ts";

test("S1 S5 S6 files are added, an agent edits the Draft, a person publishes and restores", async () => {
  await using stage = await openStage();
  const { workbenches, model } = stage;
  await mkdir(join(stage.outside, "in/notes"), { recursive: true });
  await writeFile(join(stage.outside, "in/notes/plan.md"), "# Plan\none\ntwo\n");
  await writeFile(join(stage.outside, "in/data.csv"), "a,b\n1,2\n");
  await writeFile(join(stage.outside, "in/picture.png"), Buffer.from([0x89, 0x50, 0, 1, 2]));
  const { workbenchId } = await workbenches.create({ name: "budget", userId: "someone", workspaceId: "default" });
  const { added } = await workbenches.addFromHost({
    workbenchId,
    sources: [join(stage.outside, "in")],
    replace: false,
    skipRefused: false,
  });
  expect(added.map((file) => [file.path, file.mediaType, file.opaque])).toEqual([
    ["data.csv", "text/csv", false],
    ["notes/plan.md", "text/markdown", false],
    ["picture.png", "image/png", true],
  ]);
  expect(await readFile(stage.published(workbenchId, "notes/plan.md"), "utf8")).toBe("# Plan\none\ntwo\n");

  model.script(
    { calls: [{ name: "list_files", arguments: {} }] },
    {
      calls: [
        { name: "edit_file", arguments: { path: "notes/plan.md", old_text: "two", new_text: "2 (two)" } },
        { name: "write_file", arguments: { path: "summary.md", content: "All is well.\n" } },
        { name: "delete_file", arguments: { path: "data.csv" } },
      ],
    },
    { text: "Edited the plan, added a summary, deleted the data." },
  );
  const events = await stage.agent(workbenchId);
  expect(events.at(-1)).toMatchObject({ type: "Completed" });
  expect(events.filter((event) => event.type === "DraftChanged").map((event) => [event.path, event.change])).toEqual([
    ["notes/plan.md", "modified"],
    ["summary.md", "added"],
    ["data.csv", "deleted"],
  ]);
  expect(await readFile(stage.published(workbenchId, "notes/plan.md"), "utf8")).toBe("# Plan\none\ntwo\n");

  const review = await workbenches.changeSet({ workbenchId });
  expect(review.draftSummary).toBe("Edited the plan, added a summary, deleted the data.");
  expect(
    review.changes.map(({ path, change, linesAdded, linesRemoved }) => [path, change, linesAdded, linesRemoved]),
  ).toEqual([
    ["data.csv", "deleted", 0, 2],
    ["notes/plan.md", "modified", 1, 1],
    ["summary.md", "added", 1, 0],
  ]);
  const diff = await workbenches.textDiff({ workbenchId, path: "notes/plan.md", contextLines: 3 });
  expect(diff.hunks[0]?.lines.map(({ kind, text }) => `${kind} ${text}`)).toEqual([
    "context # Plan",
    "context one",
    "removed two",
    "added 2 (two)",
  ]);

  await expect(workbenches.publish({ workbenchId, wait: true, userId: "someone" })).rejects.toMatchObject({
    info: { error_code: "VALIDATION_FAILED", actions: ["review_draft", "discard_draft"], detail: { unconfirmed: 1 } },
  });
  await workbenches.confirmDeletions({ workbenchId, paths: ["data.csv"] });
  const published = await workbenches.publish({ workbenchId, wait: true, userId: "someone" });
  expect(published).toMatchObject({ status: "success", counts: { added: 1, modified: 1, deleted: 1 } });
  expect((await readdir(stage.published(workbenchId))).sort()).toEqual(["notes", "picture.png", "summary.md"]);
  const phases = (await stage.journal(published.runId)).flatMap((event) =>
    event.type === "PhaseChanged" ? [event.phase] : [],
  );
  expect(phases).toEqual(["validating", "conflict_check", "checkpoint_pre_publish", "swap_directories", "finalizing"]);
  expect((await stat(stage.published(workbenchId, "summary.md"))).nlink).toBe(1);
  expect((await stat(stage.published(workbenchId, "picture.png"))).nlink).toBe(1);

  const restored = await workbenches.restore({ workbenchId, wait: true, userId: "someone" });
  expect(restored.counts).toEqual({ added: 1, modified: 1, deleted: 1 });
  expect((await readdir(stage.published(workbenchId))).sort()).toEqual(["data.csv", "notes", "picture.png"]);
  const entries = await workbenches.filesList({ workbenchId, side: "published", limit: 100 });
  expect(entries.items).toEqual(added);
  const kinds = (await workbenches.conversation({ workbenchId, limit: 10 })).items.map((entry) => entry.kind);
  // The checkpoint is of before the Draft that was published began: what led to it is no longer said.
  expect(kinds).toEqual(["restore"]);
});
