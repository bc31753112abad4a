import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DocumentDiff, Limits } from "../src/index.ts";
import { openStage, type Stage } from "./stage.ts";

const fixture = (name: string): Promise<Buffer> =>
  readFile(join(import.meta.dirname, "../../documents/test/fixtures", name));

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage[Symbol.asyncDispose]());

let workbenchCount = 0;

/** A workbench where `path` is published as one content and is another in the Draft; null where it is not there. */
async function changed(
  path: string,
  before: string | Uint8Array | null,
  after: string | Uint8Array,
  on: Stage = stage,
): Promise<{ workbenchId: string; path: string }> {
  const name = `documents ${(workbenchCount += 1)}`;
  const { workbenchId } = await on.workbenches.create({ name, userId: "someone", workspaceId: "default" });
  let sha256: string | null = null;
  if (before !== null) {
    sha256 = await on.upload(before);
    await on.workbenches.filesAdd({ workbenchId, uploads: [{ path, sha256 }], replace: false });
  }
  await on.workbenches.editDraft({ workbenchId, path, upload: await on.upload(after), sha256 });
  return { workbenchId, path };
}

async function diffOf(file: { workbenchId: string; path: string }, on: Stage = stage): Promise<DocumentDiff> {
  return await on.workbenches.documentDiff({ ...file, bytes: false });
}

describe("S10 a change is shown as what the file is", () => {
  test.each([
    ["letter.docx", "docx/letter.docx", "docx/headings.docx", "document", "document"],
    ["budget.xlsx", "xlsx/01-budget.xlsx", "xlsx/05-comments.xlsx", "sheets", "sheets"],
    ["data.csv", "csv/01-comma.csv", "csv/12-dates.csv", "sheets", "sheets"],
    ["talk.pptx", "pptx/title-slide.pptx", "pptx/three-slides.pptx", "slides", "slides"],
    ["letter.pdf", "pdf/letter.pdf", "pdf/letter-edited.pdf", "pages", "pages"],
    ["stripes.png", "images/stripes.png", "images/stripes.gif", "image", "image"],
  ])("%s", async (path, before, after, kind, document) => {
    const file = await changed(path, await fixture(before), await fixture(after));
    const diff = await diffOf(file);
    expect(diff).toMatchObject({ kind, path, change: "modified" });
    expect(diff.sha256Before).not.toBe(diff.sha256After);
    expect(diff.warnings.filter((warning) => warning.kind === "unreadable")).toEqual([]);
    const { changes } = await stage.workbenches.changeSet({ workbenchId: file.workbenchId });
    expect(changes).toMatchObject([{ path, document }]);
    // The same once more is not read again; as bytes it can always be seen.
    expect(await diffOf(file)).toEqual(diff);
    expect(await stage.workbenches.documentDiff({ ...file, bytes: true })).toMatchObject({ kind: "bytes", path });
  });

  test("what is neither text nor a document is shown as bytes, from where it is asked", async () => {
    const before = Buffer.alloc(100_000);
    const after = Buffer.from(before);
    after[50_000] = 1;
    const file = await changed("data.bin", before, after);
    const first = await diffOf(file);
    const offset = 99_984;
    const last = await stage.workbenches.documentDiff({ ...file, bytes: false, offset });
    expect(first.kind === "bytes" && first.rows.some((row) => row.before !== row.after)).toBe(true);
    expect(last).toMatchObject({ kind: "bytes", offset, nextDifference: null });
  });

  test("a file that is new has one side", async () => {
    const file = await changed("letter.docx", null, await fixture("docx/letter.docx"));
    expect(await diffOf(file)).toMatchObject({ kind: "document", change: "added", sha256Before: null });
  });

  test("pages are images, of either side", async () => {
    const file = await changed("letter.pdf", await fixture("pdf/letter.pdf"), await fixture("pdf/three-pages.pdf"));
    const page = { ...file, page: 1, width: 300 };
    for (const side of ["published", "draft"] as const) {
      const image = await stage.workbenches.documentPage({ ...page, side });
      expect(image).toMatchObject({ fileName: "letter.pdf-page-1.png", mediaType: "image/png" });
      const chunks = [];
      for await (const chunk of image.content) chunks.push(chunk);
      const png = Buffer.concat(chunks);
      expect([png.length, png.subarray(1, 4).toString(), png.readUInt32BE(16)]).toEqual([image.bytes, "PNG", 300]);
    }
    const beyond = stage.workbenches.documentPage({ ...page, side: "draft", page: 4 });
    await expect(beyond).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("S10 hostile documents", () => {
  test.each([
    ["a document that breaks off", "letter.docx", "docx/letter.docx", 900],
    ["a workbook that breaks off", "budget.xlsx", "xlsx/01-budget.xlsx", 900],
    ["slides that break off", "talk.pptx", "pptx/title-slide.pptx", 900],
  ])("%s is shown as bytes, with a warning", async (_, path, name, length) => {
    const whole = await fixture(name);
    const file = await changed(path, whole, whole.subarray(0, length));
    const diff = await diffOf(file);
    expect(diff).toMatchObject({ kind: "bytes", bytesAfter: length });
    expect(diff.warnings.map(({ kind }) => kind)).toContain("unreadable");
  });

  test.each<[string, Partial<Limits>, RegExp]>([
    ["takes too long", { documentTimeoutMs: 1 }, /too long/],
    ["is too large", { maxDocumentBytes: 1000 }, /maxDocumentBytes/],
  ])("what %s is shown as bytes, and a page of it is refused", async (_, limits, why) => {
    await using small = await openStage({ limits });
    const budget = await changed("budget.xlsx", null, await fixture("xlsx/01-budget.xlsx"), small);
    const diff = await diffOf(budget, small);
    expect(diff).toMatchObject({ kind: "bytes", warnings: [{ kind: "unreadable" }] });
    expect(diff.warnings[0]?.message).toMatch(why);
    const pdf = await changed("letter.pdf", null, await fixture("pdf/letter.pdf"), small);
    const page = small.workbenches.documentPage({ ...pdf, side: "draft", page: 1, width: 300 });
    await expect(page).rejects.toMatchObject({ code: "VALIDATION_FAILED", info: { phase: "review" } });
  });

  test.each<[string, object, string]>([
    ["a path that leads out", { path: "../../etc/passwd" }, "SANDBOX_VIOLATION"],
    ["a file that is not there", { path: "other.pdf" }, "NOT_FOUND"],
    ["a side where it is not", { side: "published" }, "NOT_FOUND"],
    ["what is no PDF, whatever its name", { path: "fake.pdf" }, "VALIDATION_FAILED"],
    ["text", { path: "notes.md" }, "VALIDATION_FAILED"],
  ])("no page of %s", async (_, input, code) => {
    const file = await changed("letter.pdf", null, await fixture("pdf/letter.pdf"));
    const edit = { workbenchId: file.workbenchId, sha256: null };
    await stage.workbenches.editDraft({ ...edit, path: "notes.md", content: "words\n" });
    await stage.workbenches.editDraft({ ...edit, path: "fake.pdf", upload: await stage.upload("no PDF") });
    const page = { ...file, side: "draft", page: 1, width: 300, ...input } as const;
    await expect(stage.workbenches.documentPage(page)).rejects.toMatchObject({ code });
  });

  test("no difference of a file that did not change, nor of one outside", async () => {
    const file = await changed("letter.docx", null, await fixture("docx/letter.docx"));
    await expect(diffOf({ ...file, path: "other.docx" })).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(diffOf({ ...file, path: "../x.docx" })).rejects.toMatchObject({ code: "SANDBOX_VIOLATION" });
  });
});
