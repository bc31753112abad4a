import { common, words } from "../align.ts";
import { refusal } from "../refusal.ts";
import type { XmlElement } from "../xml.ts";
import { levelOf, paragraphsOf, paragraphText } from "./text.ts";

/** A stretch of a paragraph: text of a run, a field, or a line break, with the element it came from. */
interface Piece {
  text: string;
  readonly from: XmlElement | null;
  readonly kind: "run" | "break" | "field";
}

/**
 * Gives a paragraph new words. Words that stay keep their runs and so their look; new ones look like those they replace, or
 * like what is before them.
 */
export function setParagraphText(paragraph: XmlElement, text: string): void {
  const old = piecesOf(paragraph);
  const before = words(old.map((piece) => piece.text).join(""));
  const after = words(text);
  const pieces: Piece[] = [];
  const source = new Source(old);
  let [left, right] = [0, 0];
  for (const [i, j] of [...common(before, after), [before.length, after.length] as const]) {
    const inserted = after.slice(right, j).join("");
    const looksLike = source.looksLike(i > left);
    source.skip(before.slice(left, i).join("").length);
    if (inserted !== "") pieces.push({ text: inserted, from: looksLike, kind: "run" });
    pieces.push(...source.take((before[i] ?? "").length));
    [left, right] = [i + 1, j + 1];
  }
  writePieces(paragraph, pieces);
}

/** Gives a body of text new paragraphs, one for each line. Those it has keep their look, new ones look like the last. */
export function setBodyText(body: XmlElement, text: string): void {
  const lines = text.split("\n");
  const paragraphs = paragraphsOf(body);
  lines.forEach((line, index) => {
    const paragraph = paragraphs[index] ?? appendLike(body, paragraphsOf(body).at(-1));
    if (paragraphText(paragraph) !== line) setParagraphText(paragraph, line);
  });
  for (const surplus of paragraphs.slice(lines.length)) body.remove(surplus);
}

/** A new paragraph after another, which it looks like; on another level, like one that is there already. */
export function addParagraph(body: XmlElement, after: XmlElement | undefined, text: string, level?: number): void {
  const paragraphs = paragraphsOf(body);
  const [only] = paragraphs;
  const place = after ?? paragraphs.at(-1);
  if (after === undefined && paragraphs.length === 1 && only && paragraphText(only) === "") {
    setLevel(body, only, level);
    setParagraphText(only, text);
    return;
  }
  const added = appendLike(body, place);
  const next = place ? paragraphs[paragraphs.indexOf(place) + 1] : undefined;
  if (next) body.insert(added, next);
  setLevel(body, added, level);
  setParagraphText(added, text);
}

function appendLike(body: XmlElement, model: XmlElement | undefined): XmlElement {
  const added = model?.clone() ?? body.first("bodyPr")?.create("p");
  if (!added) throw refusal("The shape has no text that another paragraph could look like.");
  body.append(added);
  return added;
}

function setLevel(body: XmlElement, paragraph: XmlElement, level: number | undefined): void {
  if (level === undefined || levelOf(paragraph) === level) return;
  const model = paragraphsOf(body).find((candidate) => candidate !== paragraph && levelOf(candidate) === level);
  const previous = paragraph.first("pPr");
  let properties = model?.first("pPr")?.clone() ?? previous;
  if (!properties) properties = paragraph.create("pPr");
  if (properties !== previous) {
    if (previous) paragraph.remove(previous);
    paragraph.insert(properties, paragraph.children[0] ?? null);
  }
  if (model) return;
  properties.removeAttribute("marL");
  properties.removeAttribute("indent");
  if (level === 1) properties.removeAttribute("lvl");
  else properties.setAttribute("lvl", String(level - 1));
}

function piecesOf(paragraph: XmlElement): Piece[] {
  const pieces: Piece[] = [];
  for (const child of paragraph.elements()) {
    if (child.local === "r") pieces.push({ text: child.first("t")?.text ?? "", from: child, kind: "run" });
    else if (child.local === "fld") pieces.push({ text: child.first("t")?.text ?? "", from: child, kind: "field" });
    else if (child.local === "br") pieces.push({ text: "\n", from: child, kind: "break" });
  }
  return pieces;
}

/** Reads pieces from the start on, in stretches. */
class Source {
  readonly #pieces: readonly Piece[];
  #piece = 0;
  #offset = 0;

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
  }

  /** The run that text here looks like: what is replaced, or else what is before. */
  looksLike(replaces: boolean): XmlElement | null {
    const here = this.#pieces[this.#piece];
    const previous = this.#offset > 0 ? here : this.#pieces[this.#piece - 1];
    return (replaces ? (here ?? previous) : (previous ?? here))?.from ?? null;
  }

  skip(length: number): void {
    this.take(length);
  }

  take(length: number): Piece[] {
    const taken: Piece[] = [];
    let rest = length;
    for (let piece = this.#pieces[this.#piece]; piece && rest > 0; piece = this.#pieces[this.#piece]) {
      const text = piece.text.slice(this.#offset, this.#offset + rest);
      // A field of which something else remains is no field any more.
      const kind = piece.kind === "field" && text !== piece.text ? "run" : piece.kind;
      if (text !== "") taken.push({ text, from: piece.from, kind });
      rest -= text.length;
      this.#offset += text.length;
      if (this.#offset < piece.text.length) break;
      this.#piece += 1;
      this.#offset = 0;
    }
    return taken;
  }
}

function writePieces(paragraph: XmlElement, pieces: readonly Piece[]): void {
  const joined: Piece[] = [];
  for (const piece of pieces) {
    const last = joined.at(-1);
    if (last && last.kind === "run" && piece.kind === "run" && last.from === piece.from) last.text += piece.text;
    else joined.push({ ...piece });
  }
  const end = paragraph.first("endParaRPr") ?? null;
  const look = paragraph.elements("r")[0]?.first("rPr") ?? end ?? undefined;
  const old = paragraph.elements().filter(({ local }) => ["r", "fld", "br"].includes(local));
  const used = new Set<XmlElement>();
  const written = joined.flatMap((piece) => elementsOf(paragraph, piece, used, look));
  for (const element of old) paragraph.remove(element);
  for (const element of written) paragraph.insert(element, end);
}

function elementsOf(
  paragraph: XmlElement,
  piece: Piece,
  used: Set<XmlElement>,
  otherwise: XmlElement | undefined,
): XmlElement[] {
  const { from } = piece;
  if (from && piece.kind !== "run") return [from];
  const look = from?.first("rPr") ?? otherwise;
  return piece.text.split("\n").flatMap((line, index) => {
    const elements: XmlElement[] = [];
    if (index > 0) {
      const lineBreak = paragraph.create("br");
      if (look) lineBreak.append(renamed(paragraph, look));
      elements.push(lineBreak);
    }
    if (line === "") return elements;
    const reused = from?.local === "r" && !used.has(from);
    const run = reused ? from : paragraph.create("r");
    used.add(run);
    if (!reused && look) run.append(renamed(paragraph, look));
    const text = run.first("t") ?? paragraph.create("t");
    if (!text.parent) run.append(text);
    if (text.text !== line) text.text = line;
    elements.push(run);
    return elements;
  });
}

/** The look of a run as `rPr`, from that of another or from that of the end of a paragraph. Links stay where they were. */
function renamed(paragraph: XmlElement, look: XmlElement): XmlElement {
  const properties = paragraph.create(
    "rPr",
    Object.fromEntries(
      look.attributes.filter(({ name }) => !name.startsWith("xmlns")).map(({ name, value }) => [name, value]),
    ),
  );
  for (const child of look.elements()) {
    if (!child.local.startsWith("hlink")) properties.append(child.clone());
  }
  return properties;
}
