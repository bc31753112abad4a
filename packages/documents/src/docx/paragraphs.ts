import { refusal } from "../refusal.ts";
import type { XmlElement } from "../xml.ts";
import { attributePrefix } from "./properties.ts";
import { newRun, nodesOf, rewrite } from "./text.ts";

/** Puts a paragraph beside a paragraph or table. It looks like that one, or as its style says. */
export function insertParagraph(
  anchor: XmlElement,
  after: boolean,
  text: string,
  style: string | undefined,
): XmlElement {
  const { parent } = anchor;
  if (!parent) throw refusal("That place is no longer in the document.");
  const paragraph = anchor.create("p");
  const model = modelOf(anchor);
  const properties = style === undefined ? propertiesLike(model) : undefined;
  if (properties) paragraph.append(properties);
  if (style !== undefined) setStyle(paragraph, style);
  const run = newRun(paragraph, style === undefined ? firstRunLook(model) : undefined);
  run.append(...nodesOf(run, text));
  if (text !== "") paragraph.append(run);
  parent.insert(paragraph, after ? parent.after(anchor) : anchor);
  return paragraph;
}

export function setStyle(paragraph: XmlElement, style: string): void {
  let properties = paragraph.first("pPr");
  if (!properties) {
    properties = paragraph.create("pPr");
    paragraph.insert(properties, paragraph.children[0] ?? null);
  }
  const known = properties.first("pStyle");
  if (known) known.setAttribute(`${attributePrefix(known)}val`, style);
  else {
    // The style comes first of all properties.
    properties.insert(
      properties.create("pStyle", { [`${attributePrefix(paragraph)}val`]: style }),
      properties.children[0] ?? null,
    );
  }
}

/**
 * Takes a paragraph away; false where it stayed, empty, because its place needs one. Marks that begin or end in it and belong to
 * other paragraphs stay at its place.
 */
export function removeParagraph(paragraph: XmlElement, name: string): boolean {
  const { parent } = paragraph;
  if (!parent) return true;
  if (paragraph.at("pPr", "sectPr"))
    throw refusal(`${name}: a section ends with that paragraph. Set its text instead.`);
  refuseOpenFields(paragraph, name);
  const others = parent.elements("p").length > 1;
  const beside = parent.elements();
  const endsCell = beside.at(-1) === paragraph && parent.local === "tc" && beside.at(-2)?.local === "tbl";
  if ((!others && parent.local !== "body") || endsCell) {
    rewrite(paragraph, "", name);
    return false;
  }
  for (const mark of openMarks(paragraph)) parent.insert(mark, paragraph);
  parent.remove(paragraph);
  return true;
}

/** What only the paragraph itself has: where a section ends, a page begins, a change was made. */
const ownOnly = new Set(["sectPr", "pPrChange", "pageBreakBefore", "framePr"]);

function propertiesLike(model: XmlElement | undefined): XmlElement | undefined {
  const copy = model?.first("pPr")?.clone();
  if (!copy) return undefined;
  for (const child of copy.elements()) if (ownOnly.has(child.local)) copy.remove(child);
  const mark = copy.first("rPr");
  for (const child of mark?.elements() ?? []) {
    if (["ins", "del", "moveFrom", "moveTo", "rPrChange"].includes(child.local)) mark?.remove(child);
  }
  return copy.elements().length === 0 ? undefined : copy;
}

/** Beside a table, a new paragraph looks like none in particular. */
function modelOf(anchor: XmlElement): XmlElement | undefined {
  return anchor.local === "p" ? anchor : undefined;
}

function firstRunLook(model: XmlElement | undefined): XmlElement | undefined {
  if (!model) return undefined;
  for (const run of model.descendants("r")) if (run.first("t")) return run.first("rPr");
  return model.at("pPr", "rPr");
}

function refuseOpenFields(paragraph: XmlElement, name: string): void {
  let depth = 0;
  for (const mark of paragraph.descendants("fldChar")) {
    const type = mark.attribute("fldCharType");
    if (type === "begin") depth++;
    if (type === "end") depth--;
    if (depth < 0) break;
  }
  if (depth !== 0) throw refusal(`${name}: a field goes on beyond that paragraph, such as a table of contents.`);
}

const markStarts = ["bookmarkStart", "commentRangeStart", "permStart", "moveFromRangeStart", "moveToRangeStart"];
const markEnds = ["bookmarkEnd", "commentRangeEnd", "permEnd", "moveFromRangeEnd", "moveToRangeEnd"];

/** Marks of ranges of which the other end is elsewhere. */
function openMarks(paragraph: XmlElement): XmlElement[] {
  const marks = [...paragraph.descendants()].filter(
    (one) => markStarts.includes(one.local) || markEnds.includes(one.local),
  );
  return marks.filter((mark) => {
    const starts = markStarts.indexOf(mark.local);
    const other = starts === -1 ? markStarts[markEnds.indexOf(mark.local)] : markEnds[starts];
    return !marks.some((one) => one.local === other && one.attribute("id") === mark.attribute("id"));
  });
}
