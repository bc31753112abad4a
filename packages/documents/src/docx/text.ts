import { common, similarity } from "../align.ts";
import { refusal } from "../refusal.ts";
import type { XmlElement } from "../xml.ts";
import { chosenOf, readParagraph, type Piece } from "./paragraph.ts";

/**
 * Makes a paragraph say `text`. Words that stay keep their runs, and so their look; new ones look like what they replace, or
 * like what they follow. Refused where that would take away what is no text, such as a reference to a note.
 */
export function rewrite(paragraph: XmlElement, text: string, name: string): void {
  const { text: old } = readParagraph(paragraph);
  for (const copy of twinsOf(paragraph)) if (readParagraph(copy).text === old) rewriteOne(copy, old, text, name);
  rewriteOne(paragraph, old, text, name);
}

function rewriteOne(paragraph: XmlElement, old: string, text: string, name: string): void {
  for (const { start, end, put } of hunks(old, text).toReversed()) replaceRange(paragraph, start, end, put, name);
}

interface Hunk {
  readonly start: number;
  readonly end: number;
  readonly put: string;
}

/** The places that differ: each alone where most words stay, else one from the first difference to the last. */
function hunks(old: string, text: string): Hunk[] {
  if (old === text) return [];
  if (similarity(old, text) < 0.5) return [outer(old, text)];
  const before = tokens(old);
  const after = tokens(text);
  const found: Hunk[] = [];
  let [left, right, offset] = [0, 0, 0];
  for (const [i, j] of [...common(before, after), [before.length, after.length] as const]) {
    const removed = before.slice(left, i).join("");
    const added = after.slice(right, j).join("");
    if (removed !== "" || added !== "") found.push({ start: offset, end: offset + removed.length, put: added });
    offset += removed.length + (before[i]?.length ?? 0);
    [left, right] = [i + 1, j + 1];
  }
  return found;
}

function outer(old: string, text: string): Hunk {
  let start = 0;
  while (start < old.length && start < text.length && old[start] === text[start]) start++;
  let end = 0;
  const most = Math.min(old.length, text.length) - start;
  while (end < most && old[old.length - 1 - end] === text[text.length - 1 - end]) end++;
  return { start, end: old.length - end, put: text.slice(start, text.length - end) };
}

function tokens(text: string): string[] {
  return text.match(/[\p{L}\p{M}\p{N}_]+|\s|./gsu) ?? [];
}

function replaceRange(paragraph: XmlElement, start: number, end: number, put: string, name: string): void {
  const { pieces } = readParagraph(paragraph);
  const placed: Placed[] = [];
  let offset = 0;
  for (const piece of pieces) {
    placed.push({ piece, start: offset, end: offset + piece.text.length });
    offset += piece.text.length;
  }
  const affected = placed.filter((one) => one.start < end && one.end > start);
  for (const { piece } of affected) {
    if (piece.kind === "fixed")
      throw refusal(`${name}: the text to replace holds what is no text, such as a reference to a note.`);
    if (piece.inField) throw refusal(`${name}: the text to replace belongs to a field, which computes it.`);
  }
  const [first, ...others] = affected;
  if (!first) {
    insertAt(paragraph, placed, start, put);
    return;
  }
  for (const one of others) setText(one.piece, one.piece.text.slice(end - one.start));
  const kept = first.piece.text;
  setText(first.piece, kept.slice(0, start - first.start) + put + kept.slice(Math.min(kept.length, end - first.start)));
}

interface Placed {
  readonly piece: Piece;
  readonly start: number;
  readonly end: number;
}

function insertAt(paragraph: XmlElement, placed: readonly Placed[], at: number, put: string): void {
  const editable = placed.filter(({ piece }) => piece.kind === "text" && !piece.inField);
  const before = editable.findLast((one) => one.end === at);
  const after = before ? undefined : editable.find((one) => one.start === at);
  const beside = before ?? after;
  if (beside) {
    setText(beside.piece, before ? beside.piece.text + put : put + beside.piece.text);
    return;
  }
  // Nothing of text is beside the place: a new run goes after what comes before it.
  const previous = placed.findLast((one) => one.end <= at)?.piece;
  const next = placed.find((one) => one.start >= at)?.piece;
  const model = previous ?? next;
  const run = newRun(paragraph, model?.run.local === "r" ? model.run.first("rPr") : markProperties(paragraph));
  run.append(...nodesOf(run, put));
  const anchor = (previous ?? next)?.run;
  const parent = anchor?.parent;
  if (!anchor || !parent) paragraph.append(run);
  else parent.insert(run, previous ? parent.after(anchor) : anchor);
}

/** The look of the paragraph's mark, which is that of its text to be. */
function markProperties(paragraph: XmlElement): XmlElement | undefined {
  return paragraph.at("pPr", "rPr");
}

export function newRun(paragraph: XmlElement, properties?: XmlElement): XmlElement {
  const run = paragraph.create("r");
  if (properties) {
    const copy = properties.clone();
    // Who inserted or deleted the model is no look.
    for (const child of copy.elements()) if (tracking.has(child.local)) copy.remove(child);
    if (copy.elements().length > 0) run.append(copy);
  }
  return run;
}

const tracking = new Set(["ins", "del", "moveFrom", "moveTo", "rPrChange"]);

/** Gives one piece another text. Line feeds and tabs become elements of their own; an empty piece goes, and an empty run. */
function setText(piece: Piece, text: string): void {
  const { element, run } = piece;
  const parent = element.parent;
  if (!parent) return;
  if (piece.kind === "text" && text !== "" && !/[\n\t]/.test(text)) {
    element.text = text;
    preserve(element, text);
    return;
  }
  for (const node of nodesOf(run, text)) parent.insert(node, element);
  parent.remove(element);
  if (run.elements().every((child) => child.local === "rPr")) run.parent?.remove(run);
}

/** Elements of a run for a text. */
export function nodesOf(run: XmlElement, text: string): XmlElement[] {
  return text
    .split(/(\n|\t)/)
    .filter((part) => part !== "")
    .map((part) => {
      if (part === "\n") return run.create("br");
      if (part === "\t") return run.create("tab");
      const element = run.create("t");
      element.text = part;
      preserve(element, part);
      return element;
    });
}

/** XML readers of Office programs take white space at the ends away unless they are told not to. */
function preserve(element: XmlElement, text: string): void {
  if (text !== text.trim() || text.includes("  ")) element.setAttribute("xml:space", "preserve");
}

/** The paragraphs that say the same for programs that cannot show a newer form, such as that of a text box. */
export function twinsOf(paragraph: XmlElement): XmlElement[] {
  const twins: XmlElement[] = [];
  for (let at = paragraph.parent; at; at = at.parent) {
    if (at.local !== "AlternateContent") continue;
    const chosen = chosenOf(at);
    const index = chosen ? [...chosen.descendants("p")].indexOf(paragraph) : -1;
    if (index === -1) continue;
    for (const other of at.elements()) {
      const twin =
        other === chosen
          ? undefined
          : [...other.descendants("p")].filter((one) => one.namespace === paragraph.namespace)[index];
      if (twin) twins.push(twin);
    }
  }
  return twins;
}
