import { createHash } from "node:crypto";
import type { DocumentBlock } from "../comparison.ts";
import type { XmlElement } from "../xml.ts";
import { canonical, lookOf } from "./look.ts";
import { openDocx, type Docx, type Story } from "./open.ts";
import { readParagraph, unwrapped, type ParagraphContent } from "./paragraph.ts";

/** One block of a document, where it is, and what an edit calls it. */
export interface Block extends Pick<DocumentBlock, "role" | "level" | "style"> {
  readonly text: string;
  /** Equal for equal looks. */
  readonly look: string;
  /** Empty for what cannot be named. */
  readonly address: string;
  readonly part: string;
  readonly element: XmlElement;
  /** Of a row. */
  readonly cells?: readonly Cell[];
  readonly content?: ParagraphContent;
}

export interface Cell {
  readonly address: string;
  readonly text: string;
  readonly element: XmlElement;
}

/** The blocks of a document in the order of reading: the body, then headers, footers, notes and comments. */
export function blocksOf(docx: Docx): Block[] {
  return docx.stories.flatMap((story) => [...storyBlocks(docx, story)]);
}

export function readBlocks(bytes: Uint8Array): { docx: Docx; blocks: Block[] } {
  const docx = openDocx(bytes);
  return { docx, blocks: blocksOf(docx) };
}

/** Text boxes of a story are counted as they come. */
interface Counter {
  boxes: number;
}

function* storyBlocks(docx: Docx, story: Story): Generator<Block> {
  yield* containerBlocks(docx, story, story.container, story.prefix, { boxes: 0 });
}

function* containerBlocks(
  docx: Docx,
  story: Story,
  container: XmlElement,
  prefix: string,
  counter: Counter,
): Generator<Block> {
  let paragraphs = 0;
  let tables = 0;
  for (const element of unwrapped(container)) {
    if (element.local === "p") {
      yield* paragraphBlocks(
        docx,
        story,
        element,
        { address: `${prefix}p${++paragraphs}`, prefix: story.prefix },
        counter,
      );
    } else if (element.local === "tbl") {
      yield* tableBlocks(docx, story, element, `${prefix}t${++tables}`, counter);
    } else if (element.local === "sectPr" && story.role === "body") {
      yield sectionBlock(story, element, "Page setup");
    }
  }
}

function* paragraphBlocks(
  docx: Docx,
  story: Story,
  element: XmlElement,
  { address, prefix }: { address: string; prefix: string },
  counter: Counter,
): Generator<Block> {
  const content = readParagraph(element);
  const common = { part: story.part, element };
  const breaks = (first: boolean): Block[] =>
    content.breaks.filter((one) => one.first === first).map(({ kind }) => breakBlock(kind, story, element));
  yield* breaks(true);
  const said = story.author === undefined ? "" : `${story.author}: `;
  // What holds nothing but an image or a box is shown as that.
  const only =
    content.text === "" && (content.images.length > 0 || content.boxes.length > 0 || content.breaks.length > 0);
  if (!only) {
    yield {
      ...common,
      ...roleOf(docx, story, element),
      text: `${said}${content.text}`,
      look: `${lookOf(element, content)}${leadsOf(docx, story, content)}`,
      address,
      content,
    };
  }
  yield* insetBlocks(docx, story, content, prefix, counter);
  yield* breaks(false);
  const section = element.at("pPr", "sectPr");
  if (section) yield sectionBlock(story, section, "Section break");
}

/** Where the links of a text lead: nobody sees that in its words. */
function leadsOf(docx: Docx, story: Story, content: ParagraphContent): string {
  return content.links.map(({ id }) => ` ${docx.targetsOf(story.part).get(id)?.target ?? ""}`).join("");
}

function breakBlock(kind: "page" | "column", story: Story, element: XmlElement): Block {
  const text = `${kind === "page" ? "Page" : "Column"} break`;
  return { role: "break", level: null, style: null, text, look: kind, address: "", part: story.part, element };
}

/** Images and text boxes of a paragraph. */
function* insetBlocks(
  docx: Docx,
  story: Story,
  content: ParagraphContent,
  prefix: string,
  counter: Counter,
): Generator<Block> {
  for (const image of content.images) yield imageBlock(docx, story, image);
  for (const box of content.boxes) {
    yield* containerBlocks(docx, story, box, `${prefix}box${++counter.boxes}.`, counter);
  }
}

function* tableBlocks(
  docx: Docx,
  story: Story,
  table: XmlElement,
  address: string,
  counter: Counter,
): Generator<Block> {
  let rows = 0;
  for (const row of unwrapped(table)) {
    if (row.local !== "tr") continue;
    const at = `${address}.r${++rows}`;
    if (row.at("trPr", "del")) continue;
    const cells = cellsOf(row).map((element, index) => ({
      element,
      address: `${at}.c${index + 1}`,
      paragraphs: [...unwrapped(element)]
        .filter((child) => child.local === "p")
        .map((child) => ({ child, content: readParagraph(child) })),
    }));
    yield {
      role: "table-row",
      level: null,
      style: table.at("tblPr", "tblStyle")?.attribute("val") ?? null,
      text: cells.map(({ paragraphs }) => cellText(paragraphs.map(({ content }) => content.text))).join("\t"),
      look: [
        canonical(row.first("trPr")),
        ...cells.flatMap(({ element, paragraphs }) => [
          canonical(element.first("tcPr")),
          ...paragraphs.map(({ child, content }) => `${lookOf(child, content)}${leadsOf(docx, story, content)}`),
        ]),
      ].join("\0"),
      address: at,
      part: story.part,
      element: row,
      cells: cells.map(({ element, address: name, paragraphs }) => ({
        element,
        address: name,
        text: paragraphs.map(({ content }) => content.text).join("\n"),
      })),
    };
    for (const { element, address: name, paragraphs } of cells) {
      let tables = 0;
      for (const { content } of paragraphs) yield* insetBlocks(docx, story, content, story.prefix, counter);
      for (const child of unwrapped(element)) {
        if (child.local === "tbl") yield* tableBlocks(docx, story, child, `${name}.t${++tables}`, counter);
      }
    }
  }
}

/** Cells are told apart by tabs, so none is within one. */
function cellText(paragraphs: readonly string[]): string {
  return paragraphs.join("\n").replaceAll("\t", " ");
}

export function cellsOf(row: XmlElement): XmlElement[] {
  return [...unwrapped(row)].filter((child) => child.local === "tc");
}

function roleOf(docx: Docx, story: Story, paragraph: XmlElement): Pick<Block, "role" | "level" | "style"> {
  const properties = paragraph.first("pPr");
  const id = properties?.first("pStyle")?.attribute("val");
  const style = docx.styles.nameOf(id);
  if (story.role !== "body") return { role: story.role, level: null, style };
  const own = properties?.first("outlineLvl")?.attribute("val");
  const level = own === undefined ? docx.styles.headingLevelOf(id) : Number(own) < 9 ? Number(own) + 1 : null;
  if (level !== null && level >= 1 && level <= 9) return { role: "heading", level, style };
  const numbering = properties?.first("numPr");
  const inherited = docx.styles.listOf(id);
  const list = numbering?.first("numId")?.attribute("val") ?? inherited?.id;
  if (list === undefined || list === "0") return { role: "paragraph", level: null, style };
  const depth = Number(numbering?.first("ilvl")?.attribute("val") ?? inherited?.depth ?? 0);
  return { role: "list-item", level: depth >= 0 && depth < 9 ? depth + 1 : 1, style };
}

const relationshipNamespace = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

/** An image says its name and its alternative text; another picture under the same name is another look. */
function imageBlock(docx: Docx, story: Story, drawing: XmlElement): Block {
  const properties = [...drawing.descendants("docPr")][0] ?? [...drawing.descendants("shape")][0];
  const name = properties?.attribute("name") ?? properties?.attribute("id") ?? "";
  const alternative = properties?.attribute("descr") ?? properties?.attribute("alt") ?? "";
  const hash = createHash("sha256");
  const targets = docx.targetsOf(story.part);
  const drawn: string[] = [];
  for (const element of drawing.descendants()) {
    for (const { namespace, value } of element.attributes) {
      const target = namespace === relationshipNamespace ? targets.get(value) : undefined;
      if (target) hash.update(target.external ? target.target : (docx.hashOf(target.target) ?? ""));
    }
    if (element.local === "extent") hash.update(`${element.attribute("cx")} ${element.attribute("cy")}`);
    // Letters that are drawn as a picture.
    if (element.local === "textpath") drawn.push(element.attribute("string") ?? "");
  }
  const text = [name, alternative, ...drawn].filter((part) => part !== "").join(": ");
  return {
    role: "image",
    level: null,
    style: null,
    text: text === "" ? "Image" : text,
    look: hash.digest("base64"),
    address: "",
    part: story.part,
    element: drawing,
  };
}

/** Where a section ends, with what a person would call its pages. */
function sectionBlock(story: Story, section: XmlElement, what: string): Block {
  const size = section.first("pgSz");
  const columns = Number(section.first("cols")?.attribute("num") ?? 1);
  const facts = [
    ...(size ? [`${millimetres(size.attribute("w"))} × ${millimetres(size.attribute("h"))} mm`] : []),
    ...(columns > 1 ? [`${columns} columns`] : []),
  ];
  return {
    role: "break",
    level: null,
    style: null,
    text: facts.length === 0 ? what : `${what}: ${facts.join(", ")}`,
    look: canonical(section),
    address: "",
    part: story.part,
    element: section,
  };
}

function millimetres(twips: string | undefined): number {
  return Math.round((Number(twips ?? 0) * 25.4) / 1440);
}
