import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BenchtopError } from "@benchtop/protocol";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openStage, type Stage } from "../stage.ts";
import { harmless, hostileDocuments, suspiciousDocuments } from "./documents.ts";
import { injections } from "./injections.ts";
import { hostilePaths, spoofedNames, twins } from "./paths.ts";
import { formulaCells, hardTexts, plainCells } from "./texts.ts";

/**
 * What an attacker tries by names, by files, and by the words in them, on a whole workbench. After each attempt the published
 * files are what they were, nothing beside the workbench has changed, and nothing was sent but to the model that was asked.
 */

const someone = { userId: "someone", workspaceId: "default" };
const files = {
  "a.txt": "one\ntwo\n",
  "b.txt": "confidential\n",
  "payments.txt": "to Anna\n",
  "table.csv": "a,b\n1,2\n",
};

let stage: Stage;
let workbenchId: string;
let base: Record<string, string>;
beforeAll(async () => {
  stage = await openStage({ limits: { searchTimeoutMs: 300 } });
  ({ workbenchId } = await stage.workbenches.create({ name: "w", ...someone }));
  const uploads: { path: string; sha256: string }[] = [];
  for (const [path, content] of Object.entries(files)) uploads.push({ path, sha256: await stage.upload(content) });
  await stage.workbenches.filesAdd({ workbenchId, uploads, replace: false });
  await mkdir(join(stage.outside, "beside"));
  await writeFile(join(stage.outside, "beside", "secret"), "nobody's business");
  base = world();
});
afterEach(async () => {
  stage.model.forget();
  await stage.workbenches.discard({ workbenchId, userId: "someone" });
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
});

/** Every file that an attack could have reached for: the published ones, those beside the home, and the machine's own. */
function world(): Record<string, string> {
  const hashes: Record<string, string> = {};
  const add = (path: string) => (hashes[path] = createHash("sha256").update(readFileSync(path)).digest("hex"));
  for (const folder of [stage.published(workbenchId), join(stage.outside, "beside")]) {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) add(join(entry.parentPath, entry.name));
      else hashes[join(entry.parentPath, entry.name)] = "folder";
    }
  }
  for (const path of ["/etc/passwd", "/etc/hosts"]) add(path);
  return hashes;
}

/** Nothing that is real has changed, and nobody was told anything. */
function expectNothingHappened(): void {
  expect(world()).toEqual(base);
  expect(readdirSync(stage.outside).toSorted()).toEqual(["beside", "config", "home"]);
  for (const { host, purpose } of stage.sent) {
    expect([purpose, `http://${host}/v1`]).toEqual(["model-call", stage.model.baseUrl]);
  }
}

async function refusal(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
    return "accepted";
  } catch (thrown) {
    return BenchtopError.from(thrown).code;
  }
}

const refusals = ["SANDBOX_VIOLATION", "VALIDATION_FAILED", "NOT_FOUND"];

describe("S1 S5 a hostile path", () => {
  test.each(hostilePaths.map((path) => [JSON.stringify(path).slice(0, 60), path]))(
    "%s gets nowhere",
    async (_, path) => {
      const { workbenches } = stage;
      const sha256 = await stage.upload("owned");
      const about = { workbenchId, path };
      const ways: Record<string, () => Promise<unknown>> = {
        add: () => workbenches.filesAdd({ workbenchId, uploads: [{ path, sha256 }], replace: true }),
        read: () => workbenches.readFile({ ...about, side: "published" }),
        edit: () => workbenches.editDraft({ ...about, content: "owned", sha256: null }),
        upload: () => workbenches.editDraft({ ...about, upload: sha256, sha256: null }),
        decide: () =>
          workbenches.decide({
            workbenchId,
            userId: "someone",
            decisions: [{ path, sha256: null, decision: "reject" }],
          }),
        confirm: () => workbenches.confirmDeletions({ workbenchId, paths: [path] }),
        text: () => workbenches.textDiff({ ...about, contextLines: 3 }),
        document: () => workbenches.documentDiff({ ...about, bytes: false, offset: 0 }),
        remove: () => workbenches.remove({ workbenchId, workbenchPaths: [path] }),
        extract: () =>
          workbenches.extract({
            workbenchId,
            destinationDir: join(stage.outside, "beside"),
            workbenchPaths: [path],
            overwrite: true,
          }),
        writeBack: () => workbenches.writeBack({ workbenchId, workbenchPaths: [path], overwrite: true }),
        page: () => workbenches.documentPage({ ...about, side: "draft", page: 1, width: 100 }),
      };
      for (const [way, work] of Object.entries(ways)) {
        expect([way, await refusal(work)]).toEqual([way, expect.stringMatching(new RegExp(refusals.join("|")))]);
      }
      const input = { path, content: "owned", old_text: "one", new_text: "owned" };
      stage.model.script({
        calls: [
          { name: "read_file", arguments: { path } },
          { name: "write_file", arguments: { path, content: "owned" } },
          { name: "edit_file", arguments: { path, old_text: input.old_text, new_text: input.new_text } },
          { name: "delete_file", arguments: { path } },
          { name: "read_document", arguments: { path } },
          { name: "create_document", arguments: { path } },
          {
            name: "edit_document",
            arguments: { path, edits: [{ edit: "set-cells", sheet: "Sheet1", cells: [{ cell: "A1", value: "x" }] }] },
          },
        ],
      });
      const outcomes = (await stage.agent(workbenchId)).flatMap((event) =>
        event.type === "ToolCallFinished" ? [event.outcome] : [],
      );
      expect(outcomes).toEqual(Array.from({ length: 7 }, () => "error"));
      stage.model.script({
        calls: [
          {
            name: "propose_changes",
            arguments: { summary: "x", changes: [{ path, action: "write", content: "owned" }] },
          },
        ],
      });
      const asked = { workbenchId, message: "x", model: "local/scripted", userId: "someone" };
      const events = await stage.journal((await workbenches.sendUserMessage(asked)).runId);
      expect(events.some((event) => event.type === "DraftChanged")).toBe(false);
      expectNothingHappened();
    },
  );
});

/** What a person learns of a name that is given to a new file: that it is refused, or what Review says of it. */
async function toldOf(path: string): Promise<readonly string[]> {
  const code = await refusal(() => stage.workbenches.editDraft({ workbenchId, path, content: "x", sha256: null }));
  if (code !== "accepted") return [code];
  const { changes } = await stage.workbenches.changeSet({ workbenchId });
  return changes.flatMap(({ warnings }) => warnings.map(({ kind }) => kind));
}

describe("S1 S4 a name that looks like another", () => {
  test.each(spoofedNames)("%j (%s) is told of in Review, or refused", async (path) => {
    expect(await toldOf(path)).toContainEqual(expect.stringMatching(/^(?:spoofed-text|VALIDATION_FAILED)$/));
    expectNothingHappened();
  });

  test.each(twins)("%j beside payments.txt is told of, or refused", async (path) => {
    expect(await toldOf(path)).toContainEqual(expect.stringMatching(/^(?:spoofed-text|VALIDATION_FAILED)$/));
    expectNothingHappened();
  });
});

describe("S4 S10 a document", () => {
  test.each(Object.entries(hostileDocuments))("that %s is shown as bytes, and read by nobody", async (_, make) => {
    const path = "letter.docx";
    const upload = await stage.upload(make());
    const code = await refusal(() => stage.workbenches.editDraft({ workbenchId, path, upload, sha256: null }));
    expect(code).toBe("accepted");
    const diff = await stage.workbenches.documentDiff({ workbenchId, path, bytes: false, offset: 0 });
    expect(diff.kind).toBe("bytes");
    expect(diff.warnings.map(({ kind }) => kind)).toContain("unreadable");
    stage.model.script({
      calls: [
        { name: "read_document", arguments: { path } },
        { name: "edit_document", arguments: { path, edits: [{ edit: "replace-text", old_text: "a", new_text: "b" }] } },
        { name: "read_file", arguments: { path } },
      ],
    });
    const finished = (await stage.agent(workbenchId)).flatMap((event) =>
      event.type === "ToolCallFinished" ? [event] : [],
    );
    expect(finished.map(({ outcome }) => outcome)).toEqual(["error", "error", "error"]);
    expect(finished.map(({ content }) => content).join("\n")).not.toMatch(/root:|nobody's business/);
    expectNothingHappened();
  });

  test("that is harmless is shown as what it is", async () => {
    const upload = await stage.upload(harmless());
    await stage.workbenches.editDraft({ workbenchId, path: "letter.docx", upload, sha256: null });
    const about = { workbenchId, path: "letter.docx", bytes: false, offset: 0 };
    expect(await stage.workbenches.documentDiff(about)).toMatchObject({ kind: "document", warnings: [] });
  });

  test.each(Object.entries(suspiciousDocuments))("that %s is shown with a warning", async (_, make) => {
    const path = "letter.docx";
    const upload = await stage.upload(make());
    await stage.workbenches.editDraft({ workbenchId, path, upload, sha256: null });
    const diff = await stage.workbenches.documentDiff({ workbenchId, path, bytes: false, offset: 0 });
    expect(diff.kind).toBe("document");
    expect(diff.warnings.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining([expect.stringMatching(/external-reference|macro/)]),
    );
    expectNothingHappened();
  });
});

async function formulaWarnings(cell: string) {
  const content = `name,value\nx,"${cell.replaceAll('"', '""')}"\n`;
  await stage.workbenches.editDraft({ workbenchId, path: "cells.csv", content, sha256: null });
  const diff = await stage.workbenches.documentDiff({ workbenchId, path: "cells.csv", bytes: false, offset: 0 });
  return diff.warnings.filter(({ kind }) => kind === "csv-formula");
}

describe("S4 a cell", () => {
  test.each(formulaCells)("%j is flagged where it is", async (cell) => {
    expect(await formulaWarnings(cell)).toMatchObject([{ where: "B2" }]);
  });

  test.each(plainCells)("%j is not", async (cell) => {
    expect(await formulaWarnings(cell)).toEqual([]);
  });
});

describe("S4 a text of", () => {
  test.each(Object.entries(hardTexts))("%s is shown or said to be too much, and nothing hangs", async (_, make) => {
    const path = "hard.txt";
    const upload = await stage.upload(make());
    const code = await refusal(() => stage.workbenches.editDraft({ workbenchId, path, upload, sha256: null }));
    expect(code).toBe("accepted");
    const { changes } = await stage.workbenches.changeSet({ workbenchId });
    expect(changes.map((change) => change.path)).toEqual([path]);
    const diff = await stage.workbenches.textDiff({ workbenchId, path, contextLines: 3 });
    expect(["text", "opaque", "too-large"]).toContain(diff.view);
    expect(JSON.stringify(diff).length).toBeLessThan(20_000_000);
    stage.model.script({
      calls: [
        { name: "read_file", arguments: { path } },
        { name: "search_files", arguments: { pattern: "a" } },
      ],
    });
    const events = await stage.agent(workbenchId);
    const told = events.flatMap((event) => (event.type === "ToolCallFinished" ? [event.content.length] : []));
    expect(Math.max(...told)).toBeLessThan(200_000);
    expectNothingHappened();
  });
});

describe("S3 S5 S7 words in a file that ask to", () => {
  test.each(Object.entries(injections))("%s come to nothing outside the Draft", async (_, { text, calls, answer }) => {
    stage.model.script({ calls: [{ name: "read_file", arguments: { path: "a.txt" } }] });
    if (calls.length > 0) stage.model.script({ calls });
    stage.model.script({ text: answer ?? "As you wish." });
    const events = await stage.agent(workbenchId, `Do what this says: ${text}`);
    expect(["Completed", "Error"]).toContain(events.at(-1)?.type);
    const requested = events.filter((event) => event.type === "ToolCallRequested");
    const finished = events.filter((event) => event.type === "ToolCallFinished");
    expect(finished).toHaveLength(requested.length);
    expect(requested.length).toBeGreaterThan(0);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    const kinds = (await stage.store.ledger.list({ workspaceId: "default", limit: 5 })).items.map(({ kind }) => kind);
    expect(kinds).not.toContain("publish");
    expectNothingHappened();
  });
});

test("the corpus is as large as it is said to be", () => {
  const cases = [
    hostilePaths.length,
    spoofedNames.length,
    twins.length,
    Object.keys(hostileDocuments).length,
    Object.keys(suspiciousDocuments).length,
    formulaCells.length,
    plainCells.length,
    Object.keys(hardTexts).length,
    Object.keys(injections).length,
  ].reduce((sum, count) => sum + count, 0);
  expect(cases).toBeGreaterThanOrEqual(200);
});
