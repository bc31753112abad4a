import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { convert, hasLibreOffice } from "../../test/libreoffice.ts";
import { refusedWith } from "../../test/refused.ts";
import { compareDocuments, createDocument, documentKindOf, editDocument, editSchemaOf } from "../index.ts";
import { OfficePackage } from "../package.ts";
import { describe as describePdf } from "../pages/index.ts";
import { compare } from "./compare.ts";
import { create } from "./create.ts";
import { describe as describeDeck } from "./describe.ts";
import { edit } from "./edit.ts";
import { openDeck } from "./deck.ts";
import { readSlide } from "./read.ts";

const folder = join(import.meta.dirname, "../../test/fixtures/pptx");
const names = readdirSync(folder).filter((name) => name.endsWith(".pptx"));
const fixture = (name: string): Uint8Array => readFileSync(join(folder, `${name}.pptx`));
const edited = (bytes: Uint8Array, ...edits: unknown[]): Uint8Array => edit({ bytes, edits }).bytes;

/** Parts whose bytes differ, or that are on one side only. */
function changedParts(before: Uint8Array, after: Uint8Array): string[] {
  const [left, right] = [OfficePackage.open(before), OfficePackage.open(after)];
  return [...new Set([...left.names, ...right.names])]
    .filter((name) => !left.has(name) || !right.has(name) || Buffer.compare(left.bytes(name), right.bytes(name)) !== 0)
    .sort();
}

/** The text of each slide that is shown, as LibreOffice prints it. */
async function printed(...decks: Uint8Array[]): Promise<string[]> {
  const work = mkdtempSync(join(tmpdir(), "slides-"));
  try {
    const files = decks.map((_, index) => join(work, `${index}.pptx`));
    decks.forEach((deck, index) => writeFileSync(files[index] ?? "", deck));
    await convert(files, "pdf", work);
    return decks.map((_, index) => describePdf({ bytes: readFileSync(join(work, `${index}.pdf`)) }));
  } finally {
    rmSync(work, { recursive: true, force: true, maxRetries: 3 });
  }
}

function shapeId(bytes: Uint8Array, slide: number, role: string): string {
  const shape = readSlide(openDeck(bytes), slide - 1).shapes.find((candidate) => candidate.role === role);
  return shape?.id ?? "";
}

function withPart(bytes: Uint8Array, part: string, change: (text: string) => string): Uint8Array {
  const pack = OfficePackage.open(bytes);
  pack.put(part, change(pack.text(part)));
  return pack.save();
}

function mediaOf(deck: Uint8Array): number {
  return OfficePackage.open(deck).names.filter((name) => name.includes("/media/")).length;
}

const chartNamespace = "http://schemas.openxmlformats.org/drawingml/2006/chart";

function pointsXml(values: readonly (string | number)[]): string {
  return values.map((point, at) => `<c:pt idx="${at}"><c:v>${point}</c:v></c:pt>`).join("");
}

/** The presentation with a chart on its first slide. */
function charted(bytes: Uint8Array, value: number): Uint8Array {
  const pack = OfficePackage.open(bytes);
  const part = openDeck(bytes).slides[0]?.part ?? "";
  pack.put("ppt/charts/chart1.xml", chartXml(value));
  pack.setContentType("ppt/charts/chart1.xml", "application/vnd.openxmlformats-officedocument.drawingml.chart+xml");
  const kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/chart";
  const id = pack.addRelationship(part, kind, "../charts/chart1.xml");
  const frame = `<p:graphicFrame><p:nvGraphicFramePr><p:cNvPr id="900" name="Chart"/></p:nvGraphicFramePr><a:graphic><a:graphicData uri="chart"><c:chart xmlns:c="${chartNamespace}" r:id="${id}"/></a:graphicData></a:graphic></p:graphicFrame></p:spTree>`;
  pack.put(part, pack.text(part).replace("</p:spTree>", frame));
  return pack.save();
}

function chartXml(value: number): string {
  return (
    `<c:chartSpace xmlns:c="${chartNamespace}" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><c:chart>` +
    `<c:title><c:tx><c:rich><a:p><a:r><a:t>Sales</a:t></a:r></a:p></c:rich></c:tx></c:title><c:plotArea><c:barChart><c:ser>` +
    `<c:tx><c:strRef><c:strCache>${pointsXml(["Year"])}</c:strCache></c:strRef></c:tx>` +
    `<c:cat><c:strRef><c:strCache>${pointsXml(["North", "South"])}</c:strCache></c:strRef></c:cat>` +
    `<c:val><c:numRef><c:numCache>${pointsXml([value, 7])}</c:numCache></c:numRef></c:val>` +
    `</c:ser></c:barChart></c:plotArea></c:chart></c:chartSpace>`
  );
}

function groups(depth: number): string {
  return "<p:grpSp>".repeat(depth) + "</p:grpSp>".repeat(depth);
}

function sectionsXml(ids: string): string {
  const section = `<p14:section name="All" id="{6F1B9C6F-0E3D-4E0A-8D2B-1C1E1F1A1B1C}"><p14:sldIdLst>${ids}</p14:sldIdLst></p14:section>`;
  return `<p:extLst><p:ext uri="{521415D9-36F7-43E2-AB2F-B90AF26B5E84}"><p14:sectionLst>${section}</p14:sectionLst></p:ext></p:extLst></p:presentation>`;
}

describe("presentations as LibreOffice writes them", () => {
  it.each(names)("S10: %s is the same as itself, and can be described", (name) => {
    const bytes = readFileSync(join(folder, name));
    const { slides, warnings, truncated } = compare({ before: bytes, after: Buffer.from(bytes) });
    expect(slides.length).toBeGreaterThan(0);
    expect(slides.flatMap(({ change, shapes }) => [change, ...shapes.map((shape) => shape.change)])).not.toContain(
      "changed",
    );
    expect(slides.every(({ change, oldNumber, newNumber }) => change === "same" && oldNumber === newNumber)).toBe(true);
    expect({ warnings, truncated }).toEqual({ warnings: [], truncated: false });
    expect(describeDeck({ bytes })).toContain(`Slide ${slides.length}`);
  });

  it.each(names)("S3: editing slide 1 of %s changes its part alone", (name) => {
    const bytes = readFileSync(join(folder, name));
    const slide = readSlide(openDeck(bytes), 0);
    const shape = slide.shapes.find(({ element }) => element?.first("txBody"));
    // Slides without any text have none to set.
    const after = shape
      ? edited(bytes, { edit: "set-text", slide: 1, shape: shape.id, text: "Entirely new words" })
      : edited(bytes);
    expect(changedParts(bytes, after)).toEqual(shape ? [slide.part] : []);
    const { slides } = compare({ before: bytes, after });
    expect(slides.map(({ change }) => change)).toEqual(slides.map((_, at) => (at === 0 && shape ? "changed" : "same")));
  });

  it("S10: titles, bodies, notes, tables, pictures, and hidden slides are told apart", () => {
    const roles = (name: string): string[] => readSlide(openDeck(fixture(name)), 0).shapes.map(({ role }) => role);
    expect(roles("title-and-bullets")).toEqual(["title", "body"]);
    expect(roles("notes")).toEqual(["title", "body", "notes"]);
    expect(roles("table")).toEqual(["title", "table"]);
    expect(roles("picture")).toEqual(["title", "picture"]);
    expect(roles("group")).toEqual(["title", "text", "text"]);
    expect(roles("nested-group")).toEqual(["text", "text", "text"]);
    const hidden = openDeck(fixture("hidden"));
    expect(hidden.slides.map((_, at) => readSlide(hidden, at).hidden)).toEqual([false, true, false]);
  });

  it("S10: frames are shares of the slide, those in groups as well", () => {
    const frames = readSlide(openDeck(fixture("nested-group")), 0).shapes.map(({ frame }) => frame);
    for (const frame of frames) expect(frame?.every((share) => share >= 0 && share <= 1)).toBe(true);
    const [outer, inner, oval] = frames;
    expect(outer?.[0]).toBeLessThan(inner?.[0] ?? 0);
    expect(inner?.[1]).toBeLessThan(oval?.[1] ?? 0);
  });

  it("S10: a placeholder that does not say where it is stands where its layout says", () => {
    const bytes = edited(fixture("title-and-bullets"), { edit: "add-slide", title: "New", body: ["One"] });
    const { shapes } = readSlide(openDeck(bytes), 1);
    expect(shapes.map(({ role, frame }) => [role, frame === null])).toEqual([
      ["title", false],
      ["body", false],
    ]);
  });
});

describe("comparing presentations", () => {
  const three = fixture("three-slides");

  it("S10: changed words are marked", () => {
    const shape = shapeId(three, 2, "title");
    const after = edited(three, { edit: "set-text", slide: 2, shape, text: "Second best" });
    const { slides } = compare({ before: three, after });
    expect(slides.map(({ change }) => change)).toEqual(["same", "changed", "same"]);
    const [title] = slides[1]?.shapes ?? [];
    expect(title).toMatchObject({ change: "changed", before: "Second", after: "Second best", formatChanged: false });
    expect(title?.marksAfter).toEqual([[6, 11]]);
  });

  it("S10: a moved slide is moved, and the others are the same", () => {
    const after = edited(three, { edit: "move-slide", slide: 3, to: 1 });
    expect(
      compare({ before: three, after }).slides.map(({ change, oldNumber, newNumber }) => [
        change,
        oldNumber,
        newNumber,
      ]),
    ).toEqual([
      ["moved", 3, 1],
      ["same", 1, 2],
      ["same", 2, 3],
    ]);
  });

  it("S10: added, copied and deleted slides are told", () => {
    const after = edited(three, { edit: "delete-slide", slide: 2 }, { edit: "duplicate-slide", slide: 1 });
    const { slides } = compare({ before: three, after });
    expect(slides.map(({ change, title }) => [change, title])).toEqual([
      ["same", "First"],
      ["removed", "Second"],
      ["added", "First"],
      ["same", "Third"],
    ]);
  });

  it("S10: another look with the same words is a change of the look", () => {
    const part = openDeck(three).slides[0]?.part ?? "";
    const after = withPart(three, part, (text) => text.replace('<a:rPr b="0"', '<a:rPr b="1"'));
    const [first] = compare({ before: three, after }).slides;
    expect(first).toMatchObject({ change: "changed" });
    expect(first?.shapes.filter(({ formatChanged }) => formatChanged)).toHaveLength(1);
  });

  it("S10: a chart says its title and its numbers", () => {
    const [first] = compare({ before: charted(three, 10), after: charted(three, 12) }).slides;
    const chart = first?.shapes.find(({ role }) => role === "chart");
    expect(chart).toMatchObject({ change: "changed", name: "Chart", before: "Sales\nYear — North: 10, South: 7" });
    expect(chart?.after).toBe("Sales\nYear — North: 12, South: 7");
    const copied = OfficePackage.open(edited(charted(three, 10), { edit: "duplicate-slide", slide: 1 }));
    expect(copied.has("ppt/charts/chart2.xml")).toBe(true);
  });

  it("S10: a slide that is hidden now is changed", () => {
    const part = openDeck(three).slides[0]?.part ?? "";
    const after = withPart(three, part, (text) => text.replace("<p:sld ", '<p:sld show="0" '));
    expect(compare({ before: three, after }).slides[0]?.shapes[0]).toMatchObject({
      name: "Slide",
      before: "shown",
      after: "hidden",
    });
  });

  it("S10: another picture under the same name is a change", () => {
    const bytes = fixture("picture");
    const pack = OfficePackage.open(bytes);
    const media = pack.names.find((name) => name.includes("/media/")) ?? "";
    pack.put(media, readFileSync(join(folder, "../images/stripes.gif")));
    const shape = compare({ before: bytes, after: pack.save() }).slides[0]?.shapes.find(
      ({ role }) => role === "picture",
    );
    expect(shape).toMatchObject({ change: "changed", formatChanged: true, after: "Red and green stripes" });
  });

  it("S10: an added and a deleted presentation are on one side", () => {
    expect(compare({ before: null, after: three }).slides.map(({ change }) => change)).toEqual([
      "added",
      "added",
      "added",
    ]);
    expect(compare({ before: three, after: null }).slides.map(({ change }) => change)).toEqual([
      "removed",
      "removed",
      "removed",
    ]);
  });

  it("S10: macros, what is elsewhere, and what starts programs are warned of", () => {
    const pack = OfficePackage.open(three);
    const part = openDeck(three).slides[0]?.part ?? "";
    const kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    pack.put("ppt/vbaProject.bin", Buffer.from("macro"));
    pack.put("ppt/embeddings/oleObject1.bin", Buffer.from("MZ"));
    pack.addRelationship(part, `${kind}/image`, "https://tracker.example.org/x.png", true);
    pack.addRelationship(part, `${kind}/hyperlink`, "https://example.org/", true);
    pack.put(
      part,
      pack.text(part).replace(/<a:rPr ([^>]*)>/, '<a:rPr $1><a:hlinkClick r:id="" action="ppaction://program"/>'),
    );
    const { warnings } = compare({ before: three, after: pack.save() });
    expect(warnings.map(({ kind, where }) => `${kind}: ${where}`).sort()).toEqual([
      "external-reference: slide 1",
      "macro: ppt/embeddings/oleObject1.bin",
      "macro: ppt/vbaProject.bin",
      "macro: slide 1",
    ]);
  });
});

describe("editing presentations", () => {
  it("S3: words that stay keep their look", () => {
    const bytes = fixture("runs");
    const shape = shapeId(bytes, 1, "text");
    const text = "Plain bold things and red ones to the very end.";
    const after = edited(bytes, { edit: "set-text", slide: 1, shape, paragraph: 1, text });
    const { element } = readSlide(openDeck(after), 0).shapes.find(({ id }) => id === shape) ?? {};
    const runs = element?.first("txBody")?.first("p")?.elements("r") ?? [];
    expect(
      runs.map((run) => [run.first("t")?.text, run.first("rPr")?.attribute("b"), run.first("rPr")?.attribute("i")]),
    ).toEqual([
      ["Plain ", "0", undefined],
      ["bold things", "1", undefined],
      [" and ", "0", undefined],
      ["red ones", "0", "1"],
      [" to the very end.", "0", undefined],
    ]);
  });

  it("S3: paragraphs are added, levelled and removed", () => {
    const bytes = fixture("nested-bullets");
    const shape = shapeId(bytes, 1, "body");
    const after = edited(
      bytes,
      { edit: "add-paragraph", slide: 1, shape, after: 1, text: "One zero", level: 2 },
      { edit: "add-paragraph", slide: 1, shape, text: "Three" },
      { edit: "add-paragraph", slide: 1, shape, after: 0, text: "Zero" },
      { edit: "remove-paragraph", slide: 1, shape, paragraph: 5 },
    );
    expect(describeDeck({ bytes: after })).toContain(
      "1: Zero\n    2: One\n    3 (level 2): One zero\n    4 (level 2): One a\n    5 (level 2): One b\n    6: Two\n    7: Three",
    );
  });

  it("S3: text is replaced across runs, in tables and in notes", () => {
    const replaced = edited(fixture("runs"), { edit: "replace-text", find: "bold words and", replace: "words &" });
    expect(describeDeck({ bytes: replaced })).toContain("Plain words & red ones to end.");
    expect(
      describeDeck({ bytes: edited(fixture("table"), { edit: "replace-text", find: "North", replace: "East" }) }),
    ).toContain("East | 10");
    expect(
      describeDeck({ bytes: edited(fixture("notes"), { edit: "replace-text", find: "hello", replace: "good day" }) }),
    ).toContain("Say good day first.");
  });

  it("S3: notes are set where there are some, where there are none, and where there is no master for them", () => {
    const text = "First\nSecond <&>";
    for (const bytes of [fixture("notes"), fixture("three-slides"), create()]) {
      const after = edited(bytes, { edit: "set-notes", slide: 1, text });
      expect(readSlide(openDeck(after), 0).shapes.find(({ role }) => role === "notes")?.text).toBe(text);
    }
  });

  it("S3: deleting a slide takes its notes along, and leaves all other slides as they were", () => {
    const bytes = fixture("notes");
    const after = edited(bytes, { edit: "delete-slide", slide: 1 });
    expect(openDeck(after).slides).toHaveLength(1);
    const pack = OfficePackage.open(after);
    const gone = OfficePackage.open(bytes).names.filter((name) => !pack.has(name));
    expect(gone.sort()).toEqual([
      "ppt/notesSlides/_rels/notesSlide1.xml.rels",
      "ppt/notesSlides/notesSlide1.xml",
      "ppt/slides/_rels/slide1.xml.rels",
      "ppt/slides/slide1.xml",
    ]);
    expect(changedParts(bytes, after).filter((name) => pack.has(name))).toEqual([
      "[Content_Types].xml",
      "ppt/_rels/presentation.xml.rels",
      "ppt/presentation.xml",
    ]);
  });

  it("S3: deleting a slide keeps a picture that another slide shows", () => {
    const bytes = fixture("same-picture-twice");
    expect(mediaOf(edited(bytes, { edit: "delete-slide", slide: 1 }))).toBe(mediaOf(bytes));
    expect(mediaOf(edited(bytes, { edit: "delete-slide", slide: 2 }))).toBeLessThan(mediaOf(bytes));
  });

  it("S3: a copy has notes of its own", () => {
    const after = edited(
      fixture("notes"),
      { edit: "duplicate-slide", slide: 1 },
      { edit: "set-notes", slide: 2, text: "Of the copy" },
    );
    const deck = openDeck(after);
    const notes = [0, 1].map((at) => readSlide(deck, at).shapes.find(({ role }) => role === "notes")?.text);
    expect(notes).toEqual(["Say hello first.\nThen the numbers.", "Of the copy"]);
    expect(new Set(deck.slides.map(({ id }) => id)).size).toBe(3);
  });

  it("S3: sections follow the slides", () => {
    const listed = '<p14:sldId id="256"/><p14:sldId id="257"/><p14:sldId id="258"/>';
    const bytes = withPart(fixture("three-slides"), "ppt/presentation.xml", (text) =>
      text.replace("</p:presentation>", sectionsXml(listed)),
    );
    const after = edited(
      bytes,
      { edit: "move-slide", slide: 3, to: 1 },
      { edit: "delete-slide", slide: 2 },
      { edit: "duplicate-slide", slide: 1 },
    );
    const root = OfficePackage.open(after).xml("ppt/presentation.xml").root;
    const ids = openDeck(after).slides.map(({ id }) => id);
    expect(
      [...root.descendants("section")][0]
        ?.first("sldIdLst")
        ?.elements()
        .map((entry) => entry.attribute("id", "")),
    ).toEqual(ids);
  });

  it.each<[string, unknown, RegExp]>([
    ["no edit", { edit: "explode" }, /not valid/],
    ["a slide that is not there", { edit: "delete-slide", slide: 9 }, /no slide 9/],
    ["slide 0", { edit: "delete-slide", slide: 0 }, /not valid/],
    ["a shape that is not there", { edit: "set-text", slide: 1, shape: "9999", text: "x" }, /no shape/],
    [
      "a paragraph that is not there",
      { edit: "set-text", slide: 1, shape: "title", paragraph: 99, text: "x" },
      /no paragraph 99/,
    ],
    [
      "a cell of what is no table",
      { edit: "set-cell", slide: 1, shape: "title", row: 1, column: 1, text: "x" },
      /no such cell/,
    ],
    ["text that is nowhere", { edit: "replace-text", find: "nowhere", replace: "x" }, /nowhere/],
    ["a place beyond the end", { edit: "move-slide", slide: 1, to: 99 }, /no slide 99/],
    ["a layout that is not there", { edit: "add-slide", layout: "Splendid" }, /no such layout/],
    ["more than is asked for", { edit: "delete-slide", slide: 1, path: "/etc/passwd" }, /not valid/],
    [
      "characters that XML cannot hold",
      { edit: "set-text", slide: 1, shape: "title", text: "a\u0000b" },
      /XML cannot hold/,
    ],
  ])("S3: %s is refused", (_, change, message) => {
    const bytes = fixture("three-slides");
    const { shape } = change as { shape?: string };
    const aimed = shape === "title" ? { ...(change as object), shape: shapeId(bytes, 1, "title") } : change;
    expect(refusedWith(() => edited(bytes, aimed))).toMatch(message);
  });

  it("S3: the edits of the tool are those of the schema, and a new presentation can be edited", async () => {
    expect(documentKindOf("deck.pptx", "")).toBe("slides");
    expect(JSON.stringify(await editSchemaOf("slides"))).toContain('"duplicate-slide"');
    const bytes = await createDocument({ kind: "slides", path: "deck.pptx" });
    const edits = [{ edit: "add-slide", title: "Agenda", body: ["One", "Two"] }];
    const { bytes: after, summary } = await editDocument({ kind: "slides", bytes, path: "deck.pptx", edits });
    expect(summary).toEqual(['Added slide 2 with the layout "Title and Content".']);
    const comparison = await compareDocuments({
      kind: "slides",
      before: bytes,
      after,
      mediaType: "",
      path: "deck.pptx",
    });
    expect(comparison).toMatchObject({
      kind: "slides",
      slides: [{ change: "same" }, { change: "added", title: "Agenda" }],
    });
  });
});

describe.runIf(hasLibreOffice)("LibreOffice opens what was edited", () => {
  it("S3: new words, slides, notes and cells are there when it is printed", async () => {
    const three = fixture("three-slides");
    const after = edited(
      three,
      { edit: "set-text", slide: 1, shape: shapeId(three, 1, "title"), text: "Erste Folie" },
      { edit: "add-paragraph", slide: 1, shape: shapeId(three, 1, "body"), text: "Noch ein Punkt" },
      { edit: "duplicate-slide", slide: 2 },
      { edit: "set-notes", slide: 2, text: "Notes of two" },
      { edit: "add-slide", title: "Ganz neu", body: ["Eins", "Zwei"] },
      { edit: "delete-slide", slide: 4 },
      { edit: "move-slide", slide: 4, to: 1 },
    );
    const table = fixture("table");
    const cell = { edit: "set-cell", slide: 1, shape: shapeId(table, 1, "table"), row: 2, column: 2, text: "4711" };
    const made = edited(
      create(),
      { edit: "set-text", slide: 1, shape: "2", text: "A beginning" },
      { edit: "add-slide", title: "Agenda", body: ["One", "Two"] },
      { edit: "set-notes", slide: 2, text: "Say it slowly" },
    );
    const [text = "", ofTable = "", ofNew = ""] = await printed(after, edited(table, cell), made);
    const pages = text.split(/Page \d of 4[^\n]*\n/).slice(1);
    const firstLines = pages.map((page) => page.split("\n")[0]?.trim());
    expect(firstLines).toEqual(["Ganz neu", "Erste Folie", "Second", "Second"]);
    expect(text).toContain("Noch ein Punkt");
    expect(text).toContain("Zwei");
    expect(ofTable).toContain("4711");
    expect(ofNew).toMatch(/A beginning[^]*Agenda/);
  });
});

describe("presentations made to do harm", () => {
  const three = fixture("three-slides");
  const presentation = "ppt/presentation.xml";
  const slide = "ppt/slides/slide1.xml";

  it.each<[string, () => Uint8Array]>([
    ["nothing", () => new Uint8Array()],
    ["no archive", () => Buffer.from("hello")],
    [
      "an archive without a presentation",
      () => {
        const pack = OfficePackage.empty();
        pack.put("a.xml", "<a/>");
        return pack.save();
      },
    ],
    [
      "a presentation that is a slide",
      () => withPart(three, presentation, () => OfficePackage.open(three).text(slide)),
    ],
    [
      "a slide that is missing",
      () => {
        const pack = OfficePackage.open(three);
        pack.remove(slide);
        return pack.save();
      },
    ],
    [
      "a slide that is elsewhere",
      () =>
        withPart(three, "ppt/_rels/presentation.xml.rels", (text) =>
          text.replace('Target="slides/slide1.xml"', 'Target="https://example.org/" TargetMode="External"'),
        ),
    ],
    [
      "a slide that leads out",
      () =>
        withPart(three, "ppt/_rels/presentation.xml.rels", (text) =>
          text.replace("slides/slide1.xml", "../../../../etc/passwd"),
        ),
    ],
    [
      "a slide that is a presentation",
      () => withPart(three, slide, () => OfficePackage.open(three).text(presentation)),
    ],
    [
      "a slide with a document type",
      () => withPart(three, slide, (text) => text.replace("<p:sld ", '<!DOCTYPE x [<!ENTITY a "b">]><p:sld ')),
    ],
    [
      "groups in groups without end",
      () => withPart(three, slide, (text) => text.replace("</p:spTree>", `${groups(1_000)}</p:spTree>`)),
    ],
    [
      "ten thousand shapes",
      () => withPart(three, slide, (text) => text.replace("</p:spTree>", `${"<p:sp/>".repeat(10_000)}</p:spTree>`)),
    ],
    [
      "ten thousand slides",
      () => withPart(three, presentation, (text) => text.replace(/<p:sldId [^>]*>/, (entry) => entry.repeat(10_000))),
    ],
  ])("S10: %s is refused", (_, make) => {
    const bytes = make();
    expect(refusedWith(() => compare({ before: three, after: bytes }))).toEqual(expect.any(String));
    expect(refusedWith(() => describeDeck({ bytes }))).toEqual(expect.any(String));
  });

  it.each<[string, (text: string) => string]>([
    [
      "shapes without anything",
      (text) => text.replace("</p:spTree>", "<p:sp/><p:pic/><p:graphicFrame/><p:cxnSp/></p:spTree>"),
    ],
    ["frames of noise", (text) => text.replaceAll(/ cx="\d+"/g, ' cx="1e999"').replaceAll(/ y="\d+"/g, ' y="NaN"')],
    [
      "a group of no size",
      (text) =>
        text.replace(
          "</p:spTree>",
          '<p:grpSp><p:grpSpPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="0" cy="0"/><a:chOff x="0" y="0"/><a:chExt cx="0" cy="0"/></a:xfrm></p:grpSpPr><p:sp/></p:grpSp></p:spTree>',
        ),
    ],
    [
      "a chart that is not there",
      (text) =>
        text.replace(
          "</p:spTree>",
          '<p:graphicFrame><a:graphic><a:graphicData uri="x"><c:chart xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart" r:id="rId99"/></a:graphicData></a:graphic></p:graphicFrame></p:spTree>',
        ),
    ],
    ["a level of a million", (text) => text.replace("<a:pPr", '<a:pPr lvl="1000000"')],
  ])("S10: a slide with %s is compared all the same", (_, change) => {
    const after = withPart(three, slide, change);
    expect(compare({ before: three, after }).slides).toHaveLength(3);
    expect(describeDeck({ bytes: after })).toContain("Slide 3");
  });

  it("S10: flipped bytes are read or refused", () => {
    let state = 42;
    const random = (below: number): number => {
      state = (state * 48_271) % 2_147_483_647;
      return state % below;
    };
    let refused = 0;
    for (let round = 0; round < 150; round += 1) {
      const bytes = Buffer.from(fixture(["notes", "table", "picture"][round % 3] ?? "notes"));
      for (let flip = 0; flip < 1 + random(8); flip += 1) bytes[random(bytes.length)] = random(256);
      if (refusedWith(() => compare({ before: three, after: bytes })) !== null) refused += 1;
    }
    expect(refused).toBeGreaterThan(0);
  });

  it("S10: flipped letters of a slide are read or refused, and edits leave what they do not touch", () => {
    let state = 4_242;
    const random = (below: number): number => {
      state = (state * 48_271) % 2_147_483_647;
      return state % below;
    };
    let read = 0;
    for (let round = 0; round < 150; round += 1) {
      const bytes = withPart(fixture("table"), slide, (text) => {
        const letters = text.split("");
        for (let flip = 0; flip < 3; flip += 1) letters[random(letters.length)] = `<>"= a1/&`[random(9)] ?? "";
        return letters.join("");
      });
      const reason = refusedWith(() => {
        compare({ before: three, after: bytes });
        const after = edited(bytes, { edit: "add-slide", title: "x" });
        expect(changedParts(bytes, after)).not.toContain(slide);
      });
      if (reason === null) read += 1;
    }
    expect(read).toBeGreaterThan(0);
  });
});
