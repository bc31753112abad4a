import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Drafts } from "../src/draft/drafts.ts";
import type { DraftView } from "../src/draft/view.ts";
import type { Environment } from "../src/environment.ts";
import { Manifests } from "../src/files/manifest.ts";
import { defaultLimits } from "../src/limits.ts";
import { Locks } from "../src/published/locks.ts";
import { documentsThread } from "../src/review/document-reader.ts";
import { Thread } from "../src/threads/thread.ts";
import { openStage, type Stage } from "./stage.ts";

function environmentOf({ store, runs, home }: Stage): Environment {
  const threads = { disk: new Thread(), compute: new Thread(), documents: documentsThread() };
  return {
    store,
    runs,
    home,
    limits: defaultLimits,
    manifests: new Manifests(store.blobs),
    locks: new Locks(),
    ...threads,
  };
}

const paths = ["plan.md", "gone.txt", "new/a.md", "new", "Plan.MD", "plan.md/x"];
const step = fc.record({
  path: fc.constantFrom(...paths),
  act: fc.constantFrom("write", "write", "remove", "revert", "confirm"),
  text: fc.constantFrom("one\n", "two\n", "as it was\n"),
  runId: fc.constantFrom(null, "run_1", "run_2"),
  summary: fc.constantFrom(null, "why", "why else"),
});

const by = (runId: string, summary?: string) => ({ runId, callId: null, ...(summary !== undefined && { summary }) });
const shown = (view: DraftView) => ({
  files: view.files(),
  changes: view.sortedChanges(),
  size: view.size,
  unconfirmed: view.unconfirmedDeletions(),
});

test("S5 a Draft that is kept in memory says what its rows say, and takes what they would", async () => {
  await using stage = await openStage();
  const { workbenches } = stage;
  const environment = environmentOf(stage);
  const kept = new Drafts(environment);
  let count = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
      const name = `views ${(count += 1)}`;
      const { workbenchId } = await workbenches.create({ name, userId: "someone", workspaceId: "default" });
      const sha256 = await stage.upload("as it was\n");
      const uploads = ["plan.md", "gone.txt"].map((path) => ({ path, sha256 }));
      await workbenches.filesAdd({ workbenchId, uploads, replace: false });
      for (const { path, act, text, runId, summary } of steps) {
        const author = { runId, callId: null, summary };
        const before = new Drafts(environment);
        const work = async (): Promise<unknown> => {
          if (act === "write") return await kept.write(workbenchId, path, text, author);
          if (act === "remove") return await kept.remove(workbenchId, path, author);
          if (act === "revert") return await kept.revert(workbenchId, path, author);
          return await kept.confirmDeletions(workbenchId, [path]);
        };
        const view = shown(await before.viewOf(workbenchId));
        const failed = await work().then(
          () => false,
          () => true,
        );
        const fresh = shown(await new Drafts(environment).viewOf(workbenchId));
        expect(shown(await kept.viewOf(workbenchId))).toEqual(fresh);
        expect(fresh.size.files).toBe(fresh.files.length);
        expect(fresh.size.bytes).toBe(fresh.files.reduce((sum, file) => sum + file.bytes, 0));
        expect(failed ? fresh : view).toEqual(view);
      }
    }),
    { numRuns: 25 },
  );
  await Promise.all([environment.disk.close(), environment.compute.close(), environment.documents.close()]);
});

test("S5 a name that a Draft took and gave back can be taken in another spelling", async () => {
  await using stage = await openStage();
  const environment = environmentOf(stage);
  const drafts = new Drafts(environment);
  const { workbenchId } = await stage.workbenches.create({ name: "a", userId: "someone", workspaceId: "default" });
  const author = { runId: "run_1", callId: null };
  await drafts.write(workbenchId, "other.md", "x\n", author);
  await drafts.write(workbenchId, "Notes.md", "x\n", author);
  await expect(drafts.write(workbenchId, "notes.md", "x\n", author)).rejects.toMatchObject({
    code: "VALIDATION_FAILED",
  });
  await expect(drafts.write(workbenchId, "Notes.md/a", "x\n", author)).rejects.toMatchObject({
    code: "VALIDATION_FAILED",
  });
  await drafts.remove(workbenchId, "Notes.md", author);
  await drafts.write(workbenchId, "notes.md", "x\n", author);
  expect((await drafts.viewOf(workbenchId)).files().map(({ path }) => path)).toEqual(["notes.md", "other.md"]);
});

test("S4 a change says what its run said of it last, and nothing once a person changed it", async () => {
  await using stage = await openStage();
  const environment = environmentOf(stage);
  const drafts = new Drafts(environment);
  const { workbenchId } = await stage.workbenches.create({ name: "a", userId: "someone", workspaceId: "default" });
  const said = async () => (await stage.workbenches.changeSet({ workbenchId })).changes[0]?.summary;
  await drafts.write(workbenchId, "a.md", "1\n", by("run_1", "Began it."));
  expect(await said()).toBe("Began it.");
  await drafts.write(workbenchId, "a.md", "2\n", by("run_1"));
  expect(await said()).toBe("Began it.");
  await drafts.write(workbenchId, "a.md", "3\n", by("run_2"));
  expect(await said()).toBeNull();
  await drafts.write(workbenchId, "a.md", "4\n", by("run_2", "Ended it."));
  expect(await said()).toBe("Ended it.");
  const { sha256After } = (await stage.workbenches.changeSet({ workbenchId })).changes[0] ?? {};
  await stage.workbenches.editDraft({ workbenchId, path: "a.md", content: "5\n", sha256: sha256After ?? null });
  expect(await said()).toBeNull();
});

test("S5 a document that a tool wrote is what its bytes are, and no larger than the limit", async () => {
  await using stage = await openStage();
  const environment = { ...environmentOf(stage), limits: { ...defaultLimits, maxDraftDocumentBytes: 100 } };
  const drafts = new Drafts(environment);
  const { workbenchId } = await stage.workbenches.create({ name: "a", userId: "someone", workspaceId: "default" });
  const author = { runId: "run_1", callId: "call_1" };
  const bytes = Buffer.from([0x50, 0x4b, 3, 4, 0]);
  await drafts.writeDocument(workbenchId, "a.docx", bytes, author);
  expect((await drafts.viewOf(workbenchId)).get("a.docx")).toMatchObject({ opaque: true, bytes: 5 });
  const large = drafts.writeDocument(workbenchId, "b.docx", Buffer.alloc(101), author);
  await expect(large).rejects.toMatchObject({ info: { detail: { limit: "maxDraftDocumentBytes" } } });
  // Taken back by the run, it is what it was before: its content tells, not its name.
  const second = await drafts.writeDocument(workbenchId, "a.docx", Buffer.from([0x50, 0x4b, 5, 6, 0]), author);
  expect(second).toMatchObject({ change: "added" });
  if (second) await drafts.takeBack(workbenchId, second, author);
  expect((await drafts.viewOf(workbenchId)).get("a.docx")).toMatchObject({ opaque: true, bytes: 5 });
});
