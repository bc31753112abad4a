import type { XmlElement } from "../xml.ts";
import { compatibilityNamespace } from "./open.ts";

/** A piece of a paragraph's text. `fixed` ones stand for what is no text, such as a reference to a note. */
export interface Piece {
  readonly kind: "text" | "tab" | "break" | "fixed";
  readonly text: string;
  readonly element: XmlElement;
  readonly run: XmlElement;
  /** Word computes it. */
  readonly inField: boolean;
}

export interface ParagraphContent {
  readonly pieces: readonly Piece[];
  /** As it reads when all tracked changes are accepted. */
  readonly text: string;
  /** `first`: before any text of the paragraph. */
  readonly breaks: readonly { readonly kind: "page" | "column"; readonly first: boolean }[];
  readonly images: readonly XmlElement[];
  /** What text boxes hold. */
  readonly boxes: readonly XmlElement[];
  readonly links: readonly { readonly id: string; readonly text: string }[];
  readonly instructions: readonly string[];
  readonly tracked: boolean;
  readonly embedded: boolean;
  /** Programs show it differently: it has alternatives that say different things. */
  readonly ambiguous: boolean;
}

interface Reading {
  pieces: Piece[];
  breaks: { kind: "page" | "column"; first: boolean }[];
  images: XmlElement[];
  boxes: XmlElement[];
  links: { id: string; text: string }[];
  instructions: string[];
  tracked: boolean;
  embedded: boolean;
  ambiguous: boolean;
  depth: number;
}

/** What a paragraph says, in the order of reading. */
export function readParagraph(paragraph: XmlElement): ParagraphContent {
  const reading: Reading = {
    pieces: [],
    breaks: [],
    images: [],
    boxes: [],
    links: [],
    instructions: [],
    tracked: false,
    embedded: false,
    ambiguous: false,
    depth: 0,
  };
  const properties = paragraph.first("pPr");
  if (properties?.first("pPrChange") || properties?.at("rPr", "ins") || properties?.at("rPr", "del")) {
    reading.tracked = true;
  }
  readInline(paragraph, reading);
  return { ...reading, text: textOf(reading.pieces) };
}

export function textOf(pieces: readonly Piece[]): string {
  return pieces.map((piece) => piece.text).join("");
}

/** The elements of a container with wrappers taken away that say nothing about the text: content controls, insertions, tags. */
export function* unwrapped(container: XmlElement): Generator<XmlElement> {
  for (const child of container.elements()) {
    if (child.local === "sdt") {
      const content = child.first("sdtContent");
      if (content) yield* unwrapped(content);
    } else if (child.namespace === compatibilityNamespace && child.local === "AlternateContent") {
      const chosen = chosenOf(child);
      if (chosen) yield* unwrapped(chosen);
    } else if (wrappers.has(child.local)) yield* unwrapped(child);
    else yield child;
  }
}

/** What programs of today show of alternatives: the first whose vocabularies they know, else what is there for all others. */
export function chosenOf(alternatives: XmlElement): XmlElement | undefined {
  for (const choice of alternatives.elements("Choice", compatibilityNamespace)) {
    const required = (choice.attribute("Requires", "") ?? "").split(/\s+/).filter((prefix) => prefix !== "");
    if (required.length > 0 && required.every((prefix) => isKnown(choice.namespaceOf(prefix)))) return choice;
  }
  return alternatives.first("Fallback", compatibilityNamespace);
}

/** Whether alternatives say different things, so that one program shows what another does not. */
export function alternativesDiffer(alternatives: XmlElement): boolean {
  const said = new Set<string>();
  for (const alternative of alternatives.elements()) {
    const texts = [...alternative.descendants("t")].filter((one) => !isNested(one, alternative));
    if (texts.length > 0)
      said.add(
        texts
          .map((one) => one.text)
          .join("")
          .replace(/\s+/g, " ")
          .trim(),
      );
  }
  return said.size > 1;
}

/** In alternatives within an alternative, which are compared by themselves. */
function isNested(element: XmlElement, end: XmlElement): boolean {
  return [...ancestorsUpTo(element, end)].some((outer) => outer.local === "AlternateContent");
}

function isKnown(namespace: string | undefined): boolean {
  return namespace !== undefined && knownVocabularies.some((start) => namespace.startsWith(start));
}

const knownVocabularies = [
  "http://schemas.microsoft.com/office/word/",
  "http://schemas.microsoft.com/office/drawing/",
  "http://schemas.openxmlformats.org/",
  "urn:schemas-microsoft-com:",
];

const wrappers = new Set(["ins", "moveTo", "customXml", "smartTag", "dir", "bdo"]);
const removed = new Set(["del", "moveFrom"]);

function readInline(container: XmlElement, reading: Reading): void {
  for (const child of container.elements()) {
    if (child.local === "r") readRun(child, reading);
    else if (removed.has(child.local)) reading.tracked = true;
    else if (child.local === "ins" || child.local === "moveTo") {
      reading.tracked = true;
      readInline(child, reading);
    } else if (child.local === "hyperlink") {
      const before = reading.pieces.length;
      readInline(child, reading);
      const id = child.attribute("id");
      if (id !== undefined) reading.links.push({ id, text: textOf(reading.pieces.slice(before)) });
    } else if (child.local === "fldSimple") {
      reading.instructions.push(child.attribute("instr") ?? "");
      reading.depth++;
      readInline(child, reading);
      reading.depth--;
    } else if (child.local === "sdt") {
      const content = child.first("sdtContent");
      if (content) readInline(content, reading);
    } else if (child.local === "AlternateContent" && child.namespace === compatibilityNamespace) {
      if (alternativesDiffer(child)) reading.ambiguous = true;
      const chosen = chosenOf(child);
      if (chosen) readInline(chosen, reading);
    } else if (child.local === "oMath" || child.local === "oMathPara") {
      addFixed(child, child, child.text, reading);
    } else if (wrappers.has(child.local)) readInline(child, reading);
  }
}

function readRun(run: XmlElement, reading: Reading): void {
  const properties = run.first("rPr");
  if (properties?.first("rPrChange")) reading.tracked = true;
  readRunContent(run, run, reading);
}

function readRunContent(content: XmlElement, run: XmlElement, reading: Reading): void {
  const inField = reading.depth > 0;
  const add = (kind: Piece["kind"], text: string, element: XmlElement): void => {
    reading.pieces.push({ kind, text, element, run, inField });
  };
  for (const child of content.elements()) {
    switch (child.local) {
      case "t":
        add("text", child.text, child);
        break;
      case "tab":
      case "ptab":
        add("tab", "\t", child);
        break;
      case "br":
        readBreak(child, add, reading);
        break;
      case "cr":
        add("break", "\n", child);
        break;
      case "noBreakHyphen":
        add("fixed", "\u2011", child);
        break;
      case "sym":
        add("fixed", symbolOf(child), child);
        break;
      case "footnoteReference":
      case "endnoteReference":
        add("fixed", "[*]", child);
        break;
      case "instrText":
        reading.instructions.push(child.text);
        break;
      case "fldChar":
        if (child.attribute("fldCharType") === "begin") reading.depth++;
        else if (child.attribute("fldCharType") === "end") reading.depth = Math.max(0, reading.depth - 1);
        break;
      case "AlternateContent": {
        if (alternativesDiffer(child)) reading.ambiguous = true;
        const chosen = chosenOf(child);
        if (chosen) readRunContent(chosen, run, reading);
        break;
      }
      case "drawing":
      case "pict":
      case "object":
        readDrawing(child, reading);
        break;
      case "ruby": {
        const base = child.first("rubyBase");
        if (base) addFixed(child, run, base.text, reading);
        break;
      }
    }
  }
}

function readBreak(
  element: XmlElement,
  add: (kind: Piece["kind"], text: string, element: XmlElement) => void,
  reading: Reading,
): void {
  const type = element.attribute("type");
  if (type === "page" || type === "column") {
    reading.breaks.push({ kind: type, first: textOf(reading.pieces) === "" });
  } else add("break", "\n", element);
}

/** An image, a text box, both, or something of another program. */
function readDrawing(drawing: XmlElement, reading: Reading): void {
  if (drawing.local === "object") reading.embedded = true;
  let shown = false;
  for (const inner of drawing.descendants("txbxContent")) {
    shown = true;
    // A box within a box is read with the outer one.
    if (![...ancestorsUpTo(inner, drawing)].some((outer) => outer.local === "txbxContent")) reading.boxes.push(inner);
  }
  if (!shown) reading.images.push(drawing);
}

function* ancestorsUpTo(element: XmlElement, end: XmlElement): Generator<XmlElement> {
  for (let at = element.parent; at && at !== end; at = at.parent) yield at;
}

function addFixed(element: XmlElement, run: XmlElement, text: string, reading: Reading): void {
  reading.pieces.push({ kind: "fixed", text, element, run, inField: reading.depth > 0 });
}

function symbolOf(element: XmlElement): string {
  const code = Number.parseInt(element.attribute("char") ?? "", 16);
  return code >= 0x20 && code <= 0xffff && (code & 0xf800) !== 0xd800 ? String.fromCharCode(code) : "\ufffd";
}
