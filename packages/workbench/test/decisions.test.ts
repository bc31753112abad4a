import { writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Change, Decision } from "../src/index.ts";
import { openStage, type Stage } from "./stage.ts";

const write = (path: string, content: string) => ({ name: "write_file", arguments: { path, content } });
const remove = (path: string) => ({ name: "delete_file", arguments: { path } });

const lines = (...words: string[]): string => words.map((word) => `${word}\n`).join("");
const tenLines = lines("0", "1", "2", "3", "4", "5", "6", "7", "8", "9");

let workbenchCount = 0;

/** A workbench with `plan.md` and `gone.txt` published, and a Draft that changes both and adds `new.md`. */
async function prepare(stage: Stage, published: Record<string, string | Uint8Array> = {}): Promise<string> {
  const { workbenches } = stage;
  const name = `budget ${(workbenchCount += 1)}`;
  const { workbenchId } = await workbenches.create({ name, userId: "someone", workspaceId: "default" });
  const files = { "plan.md": tenLines, "gone.txt": "gone\n", ...published };
  const uploads = [];
  for (const [path, content] of Object.entries(files)) uploads.push({ path, sha256: await stage.upload(content) });
  await workbenches.filesAdd({ workbenchId, uploads, replace: false });
  return workbenchId;
}

async function drafted(stage: Stage, ...calls: ReturnType<typeof write | typeof remove>[]): Promise<string> {
  const workbenchId = await prepare(stage);
  stage.model.script({ calls }, { text: "Done." });
  await stage.agent(workbenchId);
  return workbenchId;
}

const twoChanges = tenLines.replace("1\n", "one\n").replace("8\n", "eight\nand more\n");
const everything = [write("plan.md", twoChanges), write("new.md", "new\n"), remove("gone.txt")];

async function changeAt(stage: Stage, workbenchId: string, path: string): Promise<Change> {
  const { changes } = await stage.workbenches.changeSet({ workbenchId });
  const change = changes.find((one) => one.path === path);
  if (!change) throw new Error(`${path} is not changed.`);
  return change;
}

async function decide(
  stage: Stage,
  workbenchId: string,
  ...decisions: (Omit<Decision, "sha256"> & Partial<Decision>)[]
) {
  const { changes } = await stage.workbenches.changeSet({ workbenchId });
  const seen = (path: string) => changes.find((one) => one.path === path)?.sha256After ?? null;
  return await stage.workbenches.decide({
    workbenchId,
    userId: "someone",
    decisions: decisions.map((decision) => ({ sha256: seen(decision.path), ...decision })),
  });
}

async function hunks(stage: Stage, workbenchId: string, path = "plan.md", contextLines = 0) {
  return (await stage.workbenches.textDiff({ workbenchId, path, contextLines })).hunks;
}

async function text(stage: Stage, workbenchId: string, path: string): Promise<string> {
  const { content } = await stage.workbenches.readFile({ workbenchId, path, side: "draft" });
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** For what is refused, and for what each test has a workbench of its own for. */
let shared: Stage;
beforeAll(async () => {
  shared = await openStage({ limits: { maxDraftFileBytes: 1000 } });
});
afterAll(() => shared[Symbol.asyncDispose]());

describe("S5 a person decides on files", () => {
  test("accepting marks a file until it changes, and undeciding takes the mark away", async () => {
    const stage = shared;
    const workbenchId = await drafted(stage, ...everything);
    const before = await stage.workbenches.draftState({ workbenchId });
    const { changes } = await decide(
      stage,
      workbenchId,
      { path: "plan.md", decision: "accept" },
      { path: "gone.txt", decision: "accept" },
    );
    expect(changes.map(({ path, accepted }) => [path, accepted])).toEqual([
      ["plan.md", true],
      ["gone.txt", true],
    ]);
    expect(await changeAt(stage, workbenchId, "new.md")).toMatchObject({ accepted: false });
    expect((await hunks(stage, workbenchId)).every((hunk) => hunk.accepted)).toBe(true);
    // A mark is no change: what was reviewed can be published. A deletion has to be confirmed all the same.
    const after = await stage.workbenches.draftState({ workbenchId });
    expect(after).toMatchObject({ revision: before.revision, unconfirmedDeletions: ["gone.txt"] });

    await decide(stage, workbenchId, { path: "gone.txt", decision: "undecide" });
    expect(await changeAt(stage, workbenchId, "gone.txt")).toMatchObject({ accepted: false });
    stage.model.script({ calls: [write("plan.md", "other\n")] });
    await stage.agent(workbenchId);
    expect(await changeAt(stage, workbenchId, "plan.md")).toMatchObject({ accepted: false });
    stage.model.script({ calls: [write("plan.md", twoChanges)] });
    await stage.agent(workbenchId);
    expect(await changeAt(stage, workbenchId, "plan.md")).toMatchObject({ accepted: true });
  });

  test("rejecting puts each file back to what is published, and the last one ends the Draft", async () => {
    const stage = shared;
    const workbenchId = await drafted(stage, ...everything);
    const { draft } = await decide(
      stage,
      workbenchId,
      { path: "new.md", decision: "reject" },
      { path: "gone.txt", decision: "reject" },
    );
    const draftId = draft.draftId ?? "";
    const { changes } = await stage.workbenches.changeSet({ workbenchId });
    expect(changes.map(({ path }) => path)).toEqual(["plan.md"]);
    const { items } = await stage.workbenches.filesList({ workbenchId, side: "draft", limit: 10 });
    expect(items.map(({ path }) => path)).toEqual(["gone.txt", "plan.md"]);

    const last = await decide(stage, workbenchId, { path: "plan.md", decision: "reject" });
    expect(last).toMatchObject({ draft: { exists: false }, changes: [] });
    // No row of it is left.
    for (const table of ["draft_changes", "draft_decisions"] as const) {
      const rows = stage.store.db.selectFrom(table).selectAll().where("draft_id", "=", draftId);
      expect(await rows.execute()).toEqual([]);
    }
  });

  test("all decisions of a call are taken or none", async () => {
    const stage = shared;
    const workbenchId = await drafted(stage, ...everything);
    const before = await stage.workbenches.changeSet({ workbenchId });
    const decisions = [
      { path: "new.md", decision: "reject" },
      { path: "plan.md", decision: "reject", sha256: "0".repeat(64) },
    ] as const;
    await expect(decide(stage, workbenchId, ...decisions)).rejects.toMatchObject({
      code: "CONFLICT_PUBLISHED_CHANGED",
    });
    expect(await stage.workbenches.changeSet({ workbenchId })).toEqual(before);
  });

  test("bringing a file back is refused where the Draft has a folder of its name, unless that goes too", async () => {
    const stage = shared;
    const workbenchId = await drafted(stage, remove("gone.txt"), write("gone.txt/inside.md", "x\n"));
    await expect(decide(stage, workbenchId, { path: "gone.txt", decision: "reject" })).rejects.toMatchObject({
      code: "VALIDATION_FAILED",
    });
    const both = [
      { path: "gone.txt", decision: "reject" },
      { path: "gone.txt/inside.md", decision: "reject" },
    ] as const;
    expect(await decide(stage, workbenchId, ...both)).toMatchObject({ draft: { exists: false } });
  });
});

describe("S5 a person decides on hunks", () => {
  test("rejecting one leaves the others, accepted where they were", async () => {
    const stage = shared;
    const workbenchId = await drafted(stage, ...everything);
    const [first, second] = await hunks(stage, workbenchId);
    await decide(stage, workbenchId, { path: "plan.md", decision: "accept", hunks: [second?.id ?? ""] });
    expect((await hunks(stage, workbenchId)).map(({ accepted }) => accepted)).toEqual([false, true]);
    expect(await changeAt(stage, workbenchId, "plan.md")).toMatchObject({ accepted: false });

    const { changes } = await decide(stage, workbenchId, {
      path: "plan.md",
      decision: "reject",
      hunks: [first?.id ?? ""],
    });
    expect(await text(stage, workbenchId, "plan.md")).toBe(tenLines.replace("8\n", "eight\nand more\n"));
    // What is left is accepted, and so the file is.
    expect(changes).toMatchObject([{ path: "plan.md", accepted: true, runId: null }]);
    expect(await hunks(stage, workbenchId)).toMatchObject([{ id: second?.id, accepted: true }]);
  });

  test("of a view of the whole file single stretches can be rejected; all of them leave nothing of the change", async () => {
    const stage = shared;
    const workbenchId = await drafted(stage, write("plan.md", twoChanges), write("new.md", "new\n"));
    const [whole] = await hunks(stage, workbenchId, "plan.md", 100_000);
    expect(whole?.stretches).toHaveLength(2);
    const [first] = whole?.stretches ?? [];
    expect(first).toMatchObject({ oldStart: 2, oldLines: 1, newStart: 2, newLines: 1 });
    expect(whole?.id).toBe(whole?.stretches.map(({ id }) => id).join(".."));
    await decide(
      stage,
      workbenchId,
      { path: "plan.md", decision: "accept", hunks: [first?.id ?? ""] },
      { path: "plan.md", decision: "reject", hunks: [whole?.stretches[1]?.id ?? ""] },
    );
    expect(await text(stage, workbenchId, "plan.md")).toBe(tenLines.replace("1\n", "one\n"));
    expect(await changeAt(stage, workbenchId, "plan.md")).toMatchObject({ accepted: true });

    const [left] = await hunks(stage, workbenchId);
    const done = await decide(stage, workbenchId, { path: "plan.md", decision: "reject", hunks: [left?.id ?? ""] });
    expect(done).toMatchObject({ draft: { counts: { added: 1, modified: 0 } }, changes: [] });
    expect(await text(stage, workbenchId, "plan.md")).toBe(tenLines);
  });

  test("the hunk of a new file is the file; that of a deleted one brings it back", async () => {
    const stage = shared;
    const workbenchId = await drafted(stage, ...everything);
    for (const path of ["new.md", "gone.txt"]) {
      const [hunk] = await hunks(stage, workbenchId, path);
      const { changes } = await decide(stage, workbenchId, { path, decision: "accept", hunks: [hunk?.id ?? ""] });
      expect(changes).toMatchObject([{ path, accepted: true }]);
      await decide(stage, workbenchId, { path, decision: "reject", hunks: [hunk?.id ?? ""] });
    }
    expect((await stage.workbenches.changeSet({ workbenchId })).changes.map(({ path }) => path)).toEqual(["plan.md"]);
  });

  test("undeciding one hunk of an accepted file leaves the others accepted", async () => {
    const stage = shared;
    const workbenchId = await drafted(stage, ...everything);
    await decide(stage, workbenchId, { path: "plan.md", decision: "accept" });
    const [first] = await hunks(stage, workbenchId);
    await decide(stage, workbenchId, { path: "plan.md", decision: "undecide", hunks: [first?.id ?? ""] });
    expect((await hunks(stage, workbenchId)).map(({ accepted }) => accepted)).toEqual([false, true]);
    expect(await changeAt(stage, workbenchId, "plan.md")).toMatchObject({ accepted: false });
  });

  test.each([
    ["line ends of Windows", "a\r\nb\r\nc\r\nd\r\n", "A\r\nb\r\nc\r\nD\r\n", "A\r\nb\r\nc\r\nd\r\n"],
    ["a byte order mark", "\uFEFFa\nb\nc\nd\n", "\uFEFFA\nb\nc\nD\n", "\uFEFFA\nb\nc\nd\n"],
    ["no newline at the end", "a\nb\nc\nd", "A\nb\nc\nD\n", "A\nb\nc\nd"],
    ["a newline at the end that was added", "a\nb\nc\nd", "A\nb\nc\nd\n", "A\nb\nc\nd"],
    ["lone carriage returns", "a\rx\nb\nc\nd\ry\n", "A\rx\nb\nc\nD\ry\n", "A\rx\nb\nc\nd\ry\n"],
  ])("every byte stays: %s", async (_, published, draft, expected) => {
    const stage = shared;
    const workbenchId = await prepare(stage, { "exact.txt": published });
    const sha256 = (await changeless(stage, workbenchId, "exact.txt")).sha256;
    await stage.workbenches.editDraft({ workbenchId, path: "exact.txt", content: draft, sha256 });
    const [, second] = await hunks(stage, workbenchId, "exact.txt");
    await decide(stage, workbenchId, { path: "exact.txt", decision: "reject", hunks: [second?.id ?? ""] });
    expect(await text(stage, workbenchId, "exact.txt")).toBe(expected);
  });
});

async function changeless(stage: Stage, workbenchId: string, path: string): Promise<{ sha256: string }> {
  const { items } = await stage.workbenches.filesList({ workbenchId, side: "draft", limit: 1000 });
  const file = items.find((one) => one.path === path);
  if (!file) throw new Error(`There is no ${path}.`);
  return file;
}

const marksOf = async (draftId: string) =>
  await shared.store.db.selectFrom("draft_decisions").select("path").where("draft_id", "=", draftId).execute();

describe("S6 decisions and the end of a Draft", () => {
  test("go with it when it is published or discarded", async () => {
    for (const end of ["publish", "discard"] as const) {
      const workbenchId = await drafted(shared, write("plan.md", twoChanges));
      const { draft } = await decide(shared, workbenchId, { path: "plan.md", decision: "accept" });
      expect(await marksOf(draft.draftId ?? "")).toHaveLength(1);
      await shared.workbenches[end]({ workbenchId, wait: true, userId: "someone" });
      expect(await marksOf(draft.draftId ?? "")).toEqual([]);
    }
  });

  test("what is published is what was left: nothing that was rejected, whoever comes first", async () => {
    const workbenchId = await drafted(shared, ...everything);
    const { draft } = await shared.workbenches.changeSet({ workbenchId });
    await shared.workbenches.confirmDeletions({ workbenchId, paths: ["gone.txt"] });
    const reviewed = { draftId: draft.draftId ?? "", revision: draft.revision };
    const publish = () => shared.workbenches.publish({ workbenchId, wait: true, userId: "someone", ...reviewed });
    const [rejected, published] = await Promise.allSettled([
      decide(shared, workbenchId, { path: "new.md", decision: "reject" }),
      publish(),
    ]);
    const { items } = await shared.workbenches.filesList({ workbenchId, side: "published", limit: 10 });
    // One of the two was refused: the Draft, or its revision, is another one than it was told.
    expect([rejected.status, published.status].toSorted()).toEqual(["fulfilled", "rejected"]);
    const expected = published.status === "fulfilled" ? ["new.md", "plan.md"] : ["gone.txt", "plan.md"];
    expect(items.map(({ path }) => path)).toEqual(expected);
  });

  test("are asked for again when the published files change under it", async () => {
    const workbenchId = await drafted(shared, ...everything);
    const { draft } = await decide(shared, workbenchId, { path: "plan.md", decision: "accept" });
    await writeFile(shared.published(workbenchId, "plan.md"), tenLines.replace("4\n", "four\n"));
    await shared.workbenches.resolveOutsideChanges({ workbenchId, strategy: "adopt" });
    expect(await marksOf(draft.draftId ?? "")).toEqual([]);
    expect(await hunks(shared, workbenchId)).toHaveLength(3);
    expect(await changeAt(shared, workbenchId, "plan.md")).toMatchObject({ accepted: false });
  });
});

describe("S9 hostile or late decisions are refused, and change nothing", () => {
  const none = "0".repeat(64);
  test.each<[string, (Omit<Decision, "sha256"> & Partial<Decision>)[], string]>([
    ["a path that leads out", [{ path: "../../etc/passwd", decision: "reject" }], "SANDBOX_VIOLATION"],
    ["an absolute path", [{ path: "/etc/passwd", decision: "reject" }], "SANDBOX_VIOLATION"],
    ["a file that does not change", [{ path: "other.txt", decision: "accept" }], "CONFLICT_PUBLISHED_CHANGED"],
    ["a name of every object", [{ path: "__proto__", decision: "reject" }], "CONFLICT_PUBLISHED_CHANGED"],
    ["another content", [{ path: "plan.md", decision: "accept", sha256: none }], "CONFLICT_PUBLISHED_CHANGED"],
    [
      "a content for a deletion",
      [{ path: "gone.txt", decision: "accept", sha256: none }],
      "CONFLICT_PUBLISHED_CHANGED",
    ],
    ["a deletion that is none", [{ path: "plan.md", decision: "reject", sha256: null }], "CONFLICT_PUBLISHED_CHANGED"],
    [
      "a hunk of another file",
      [{ path: "plan.md", decision: "reject", hunks: ["new.md"] }],
      "CONFLICT_PUBLISHED_CHANGED",
    ],
    ["an empty id", [{ path: "plan.md", decision: "reject", hunks: [""] }], "CONFLICT_PUBLISHED_CHANGED"],
    ["hunks of what has none", [{ path: "sum.docx", decision: "reject", hunks: ["a"] }], "VALIDATION_FAILED"],
    [
      "a file twice",
      [
        { path: "plan.md", decision: "accept" },
        { path: "plan.md", decision: "reject" },
      ],
      "VALIDATION_FAILED",
    ],
  ])("%s", async (_, decisions, code) => {
    const stage = shared;
    const workbenchId = await drafted(stage, ...everything);
    const upload = await stage.upload(Buffer.from([0x50, 0x4b, 3, 4, 0, 0]));
    await stage.workbenches.editDraft({ workbenchId, path: "sum.docx", upload, sha256: null });
    const before = await stage.workbenches.changeSet({ workbenchId });
    const refused = decide(stage, workbenchId, { path: "new.md", decision: "reject" }, ...decisions);
    await expect(refused).rejects.toMatchObject({ code });
    expect(await stage.workbenches.changeSet({ workbenchId })).toEqual(before);
  });

  test("a hunk that is accepted and rejected at once", async () => {
    const stage = shared;
    const workbenchId = await drafted(stage, ...everything);
    const [first] = await hunks(stage, workbenchId);
    const [whole] = await hunks(stage, workbenchId, "plan.md", 1000);
    const contradiction = [
      { path: "plan.md", decision: "accept", hunks: [first?.id ?? ""] },
      { path: "plan.md", decision: "reject", hunks: [whole?.id ?? ""] },
    ] as const;
    await expect(decide(stage, workbenchId, ...contradiction)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
  });

  test("the same decision twice, another Draft, and none at all tell to review again", async () => {
    const stage = shared;
    const workbenchId = await drafted(stage, ...everything);
    const { sha256After } = await changeAt(stage, workbenchId, "new.md");
    const decisions = [{ path: "new.md", sha256: sha256After, decision: "reject" }] as const;
    const call = { workbenchId, userId: "someone", decisions };
    const again = { code: "CONFLICT_PUBLISHED_CHANGED", info: { phase: "review", actions: ["review_draft"] } };
    await expect(stage.workbenches.decide({ ...call, draftId: "draft_of_another" })).rejects.toMatchObject(again);
    const twice = await Promise.allSettled([stage.workbenches.decide(call), stage.workbenches.decide(call)]);
    expect(twice.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    await stage.workbenches.discard({ workbenchId, userId: "someone" });
    await expect(stage.workbenches.decide(call)).rejects.toMatchObject(again);
  });

  test("while an agent works nothing is decided, nor edited by hand", async () => {
    const stage = shared;
    const workbenchId = await drafted(stage, ...everything);
    const { promise, resolve } = Promise.withResolvers<void>();
    stage.model.script({ text: "Later.", after: promise });
    const { runId } = await stage.workbenches.runAgent({
      workbenchId,
      task: "wait",
      model: "local/scripted",
      userId: "someone",
    });
    const busy = { code: "VALIDATION_FAILED", info: { subphase: "agent_active", retryable: true } };
    await expect(decide(stage, workbenchId, { path: "plan.md", decision: "reject" })).rejects.toMatchObject(busy);
    const edit = { workbenchId, path: "by-hand.md", content: "x", sha256: null };
    await expect(stage.workbenches.editDraft(edit)).rejects.toMatchObject(busy);
    resolve();
    await stage.journal(runId);
    await decide(stage, workbenchId, { path: "plan.md", decision: "reject" });
  });
});

describe("S5 a person edits the Draft by hand", () => {
  test("a text begins a Draft, keeps its bytes, and is nobody's run", async () => {
    const stage = shared;
    const workbenchId = await prepare(stage);
    const content = "\uFEFFfirst\r\nsecond";
    const { sha256 } = await changeless(stage, workbenchId, "plan.md");
    const { draft, change } = await stage.workbenches.editDraft({ workbenchId, path: "plan.md", content, sha256 });
    expect(draft).toMatchObject({ exists: true, revision: 1, counts: { modified: 1 }, stale: false });
    expect(change).toMatchObject({ path: "plan.md", runId: null, summary: null, view: "text", accepted: false });
    expect(await text(stage, workbenchId, "plan.md")).toBe(content);
    // As it was published: no change is left, and no Draft.
    const back = { workbenchId, path: "plan.md", content: tenLines, sha256: change?.sha256After ?? null };
    expect(await stage.workbenches.editDraft(back)).toMatchObject({ draft: { exists: false }, change: null });
  });

  test("an upload is what its content says, whatever its name, until it is published and after", async () => {
    const stage = shared;
    const workbenchId = await prepare(stage);
    const binary = await stage.upload(Buffer.from([0, 1, 2, 3]));
    const edit = { workbenchId, upload: binary, sha256: null };
    const { change } = await stage.workbenches.editDraft({ ...edit, path: "notes.md" });
    expect(change).toMatchObject({ view: "opaque", mediaType: "application/octet-stream", document: "bytes" });
    expect(change?.warnings).toMatchObject([{ kind: "invalid-utf8" }]);
    const { change: document } = await stage.workbenches.editDraft({ ...edit, path: "sum.docx" });
    expect(document).toMatchObject({ view: "opaque", document: "document" });
    stage.model.script({ calls: [{ name: "read_file", arguments: { path: "notes.md" } }] });
    expect(JSON.stringify(await stage.agent(workbenchId))).toContain("cannot be read as text");
    await stage.workbenches.publish({ workbenchId, wait: true, userId: "someone" });
    const { items } = await stage.workbenches.filesList({ workbenchId, side: "published", limit: 10 });
    expect(items.filter(({ opaque }) => opaque).map(({ path }) => path)).toEqual(["notes.md", "sum.docx"]);
  });

  test.each<[string, object, string]>([
    [
      "another content than was seen",
      { path: "plan.md", content: "x", sha256: "0".repeat(64) },
      "CONFLICT_PUBLISHED_CHANGED",
    ],
    [
      "a file that is there and was not seen",
      { path: "plan.md", content: "x", sha256: null },
      "CONFLICT_PUBLISHED_CHANGED",
    ],
    ["a path that leads out", { path: "../x.md", content: "x", sha256: null }, "SANDBOX_VIOLATION"],
    ["a name that another has but for case", { path: "PLAN.md", content: "x", sha256: null }, "VALIDATION_FAILED"],
    ["a file as a folder", { path: "plan.md/x.md", content: "x", sha256: null }, "VALIDATION_FAILED"],
    ["text as a document", { path: "x.docx", content: "x", sha256: null }, "VALIDATION_FAILED"],
    ["no text", { path: "x.md", content: "a\0b", sha256: null }, "VALIDATION_FAILED"],
    ["too much text", { path: "x.md", content: "x".repeat(1001), sha256: null }, "VALIDATION_FAILED"],
    ["neither text nor upload", { path: "x.md", sha256: null }, "VALIDATION_FAILED"],
    ["both", { path: "x.md", content: "x", upload: "0".repeat(64), sha256: null }, "VALIDATION_FAILED"],
    ["an upload that nobody sent", { path: "x.md", upload: "0".repeat(64), sha256: null }, "NOT_FOUND"],
  ])("refuses %s, and begins no Draft", async (_, edit, code) => {
    const stage = shared;
    const workbenchId = await prepare(stage);
    const given = { workbenchId, ...edit } as Parameters<Stage["workbenches"]["editDraft"]>[0];
    await expect(stage.workbenches.editDraft(given)).rejects.toMatchObject({ code });
    expect(await stage.workbenches.draftState({ workbenchId })).toMatchObject({ exists: false });
  });

  test("of two edits of what both saw one is refused", async () => {
    const stage = shared;
    const workbenchId = await prepare(stage);
    const { sha256 } = await changeless(stage, workbenchId, "plan.md");
    const both = await Promise.allSettled(
      ["mine\n", "yours\n"].map((content) =>
        stage.workbenches.editDraft({ workbenchId, path: "plan.md", content, sha256 }),
      ),
    );
    expect(both.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  });
});

test("S4 a Draft that nobody changed for long is stale", async () => {
  await using stage = await openStage({ limits: { staleDraftHours: 0 } });
  const workbenchId = await drafted(stage, ...everything);
  await writeFile(`${stage.outside}/a-moment`, "passes");
  expect(await stage.workbenches.draftState({ workbenchId })).toMatchObject({ stale: true });
});
