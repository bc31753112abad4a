import { createHash } from "node:crypto";
import type { SlideShape } from "../comparison.ts";
import type { OfficePackage } from "../package.ts";
import { refusal } from "../refusal.ts";
import { relationshipKind, type XmlElement } from "../xml.ts";
import { relatedPart, relatedParts, relationships, type Deck, type SlidePlace } from "./deck.ts";
import { boxOf, placeholderOf, placeInGroup, Placeholders, unmoved, type Frame, type Place } from "./frames.ts";
import { bodyText } from "./text.ts";

export interface Slide extends SlidePlace {
  /** From 1. */
  readonly number: number;
  readonly title: string;
  readonly hidden: boolean;
  /** Name of its layout; empty where it has none. */
  readonly layout: string;
  readonly shapes: readonly Shape[];
  /** Background, transition, animation: what is no shape's. */
  readonly look: string;
}

export interface Shape {
  /** Its id, as edits name it; empty for what cannot be edited. */
  readonly id: string;
  readonly name: string;
  readonly role: SlideShape["role"];
  readonly frame: SlideShape["frame"];
  readonly text: string;
  /** Everything about it that is not its words, to compare with that of another. */
  readonly look: string;
  readonly element: XmlElement | null;
}

const mostShapes = 2_000;
const mostText = 50_000;

export function readSlide(deck: Deck, index: number): Slide {
  const place = deck.slides[index];
  if (!place) throw refusal(`The presentation has ${deck.slides.length} slides, and no slide ${index + 1}.`);
  const { pack } = deck;
  const root = pack.xml(place.part).root;
  const tree = root.at("cSld", "spTree");
  if (root.local !== "sld" || !tree) throw refusal(`The part "${place.part}" is no slide.`);
  const shapes = [...shapesIn(tree)].map(({ element, inGroup }) => shapeOf(deck, place.part, element, inGroup));
  shapes.push(...notesOf(pack, place.part), ...commentsOf(pack, place.part));
  const layout = relatedPart(pack, place.part, "slideLayout");
  const titled = shapes.find(({ role, text }) => role === "title" && text.trim() !== "");
  const worded = titled ?? shapes.find(({ role, text }) => (role === "body" || role === "text") && text.trim() !== "");
  return {
    ...place,
    number: index + 1,
    title: (worded?.text.trim().replaceAll(/\s+/g, " ") ?? "").slice(0, 200),
    hidden: ["0", "false"].includes(root.attribute("show", "") ?? ""),
    layout: layout === undefined ? "" : (pack.xml(layout).root.first("cSld")?.attribute("name", "") ?? ""),
    shapes,
    look: lookOfSlide(pack, place.part, root, layout),
  };
}

/** The body of text of the notes of a slide, and the part that it is in. */
export function notesBody(pack: OfficePackage, slide: string): { part: string; body: XmlElement } | undefined {
  const part = relatedPart(pack, slide, "notesSlide");
  if (part === undefined) return undefined;
  const shapes = pack.xml(part).root.at("cSld", "spTree")?.elements("sp") ?? [];
  // LibreOffice writes notes without a placeholder where the page has no layout.
  const shape =
    shapes.find((candidate) => placeholderOf(candidate)?.attribute("type", "") === "body") ??
    shapes.find((candidate) => !placeholderOf(candidate) && candidate.first("txBody"));
  const body = shape?.first("txBody");
  return body && { part, body };
}

/** The table in a frame of graphics. */
export function tableOf(frame: XmlElement): XmlElement | undefined {
  return frame.at("graphic", "graphicData", "tbl");
}

/** Shapes as they are drawn, those in groups included; of alternatives the first, which is what programs of today show. */
export function* shapesIn(
  tree: XmlElement,
  place: Place = unmoved,
): Generator<{ element: XmlElement; inGroup: Place }> {
  let count = 0;
  const stack: { elements: XmlElement[]; inGroup: Place }[] = [{ elements: tree.elements(), inGroup: place }];
  for (let top = stack.at(-1); top; top = stack.at(-1)) {
    const element = top.elements.shift();
    if (!element) {
      stack.pop();
      continue;
    }
    if (element.local === "AlternateContent") {
      const chosen = element.first("Choice") ?? element.first("Fallback");
      stack.push({ elements: chosen?.elements() ?? [], inGroup: top.inGroup });
    } else if (element.local === "grpSp") {
      stack.push({ elements: element.elements(), inGroup: placeInGroup(element, top.inGroup) });
    } else if (["sp", "pic", "graphicFrame", "cxnSp"].includes(element.local)) {
      count += 1;
      if (count > mostShapes) throw refusal(`A slide has more than ${mostShapes} shapes.`);
      yield { element, inGroup: top.inGroup };
    }
  }
}

/** The properties that name a shape: `cNvPr`. */
export function namingOf(shape: XmlElement): XmlElement | undefined {
  return shape
    .elements()
    .find(({ local }) => local.startsWith("nv"))
    ?.first("cNvPr");
}

function shapeOf(deck: Deck, part: string, element: XmlElement, inGroup: Place): Shape {
  const { pack } = deck;
  const naming = namingOf(element);
  const placeholder = placeholderOf(element);
  const { role, text } = contentOf(
    pack,
    part,
    element,
    placeholder?.attribute("type", "") ?? (placeholder ? "obj" : null),
  );
  const own = boxOf(element.local === "graphicFrame" ? element.first("xfrm") : element.at("spPr", "xfrm"));
  const box = own ? inGroup(own) : placeholder ? new Placeholders(pack, part).frameOf(placeholder) : null;
  return {
    id: naming?.attribute("id", "") ?? "",
    name: (naming?.attribute("name", "") ?? "").slice(0, 200),
    role,
    frame: box && shares(box, deck.size),
    text: text.slice(0, mostText),
    look: lookOf(pack, part, element),
    element,
  };
}

function shares([left, top, width, height]: Frame, [wide, high]: readonly [number, number]): Frame {
  return [left / wide, top / high, width / wide, height / high].map(
    (share) => Math.round(share * 10_000) / 10_000,
  ) as Frame;
}

function contentOf(
  pack: OfficePackage,
  part: string,
  element: XmlElement,
  placeholder: string | null,
): { role: SlideShape["role"]; text: string } {
  const described = namingOf(element)?.attribute("descr", "") ?? "";
  if (element.local === "pic") return { role: "picture", text: described };
  if (element.local === "graphicFrame") {
    const table = tableOf(element);
    if (table) return { role: "table", text: tableText(table) };
    const data = element.at("graphic", "graphicData")?.elements()[0];
    const targets = new Map(pack.relationships(part).map((relationship) => [relationship.id, relationship]));
    const related = (name: string): string | undefined => {
      const target = targets.get(data?.attribute(name, relationships) ?? "");
      return target && !target.external && pack.has(target.target) ? target.target : undefined;
    };
    const chart = data?.local === "chart" ? related("id") : undefined;
    if (chart !== undefined) return { role: "chart", text: chartText(pack.xml(chart).root) || described };
    const diagram = data?.local === "relIds" ? related("dm") : undefined;
    if (diagram !== undefined) return { role: "other", text: wordsIn(pack.xml(diagram).root) };
    return { role: data?.local === "chart" ? "chart" : "other", text: described };
  }
  const text = bodyText(element.first("txBody"));
  if (placeholder === "title" || placeholder === "ctrTitle") return { role: "title", text };
  if (placeholder !== null && ["dt", "ftr", "sldNum", "hdr", "sldImg"].includes(placeholder))
    return { role: "other", text };
  if (placeholder !== null) return { role: "body", text };
  return text.trim() === "" ? { role: "other", text: described } : { role: "text", text };
}

/** One row a line, its cells side by side. */
function tableText(table: XmlElement): string {
  return table
    .elements("tr")
    .map((row) =>
      row
        .elements("tc")
        .map((cell) => bodyText(cell.first("txBody")).replaceAll("\n", " ⏎ "))
        .join(" | "),
    )
    .join("\n");
}

/** Title, then each series with its values as they were saved. */
function chartText(root: XmlElement): string {
  const lines: string[] = [];
  const title = root.at("chart", "title");
  if (title) lines.push(wordsIn(title).replaceAll("\n", " "));
  for (const series of [...root.descendants("ser")].slice(0, 200)) {
    const categories = savedValues(series.first("cat") ?? series.first("xVal"));
    const numbers = savedValues(series.first("val") ?? series.first("yVal"));
    const points = numbers.map((number, at) =>
      categories[at] === undefined ? number : `${categories[at]}: ${number}`,
    );
    lines.push(`${savedValues(series.first("tx")).join(" ") || "Series"} — ${points.join(", ")}`);
  }
  return lines.join("\n");
}

function savedValues(element: XmlElement | undefined): string[] {
  return element ? [...element.descendants("v")].slice(0, 500).map(({ text }) => text) : [];
}

function wordsIn(element: XmlElement): string {
  const lines: string[] = [];
  for (const paragraph of element.descendants("p")) {
    const text = [...paragraph.descendants("t")].map((run) => run.text).join("");
    if (text.trim() !== "") lines.push(text);
    if (lines.length >= 1_000) break;
  }
  return lines.join("\n");
}

function notesOf(pack: OfficePackage, slide: string): Shape[] {
  const notes = notesBody(pack, slide);
  const text = bodyText(notes?.body);
  if (!notes || text === "") return [];
  const look = skeleton(notes.body, () => "");
  return [
    { id: "notes", name: "Notes", role: "notes", frame: null, text: text.slice(0, mostText), look, element: null },
  ];
}

function commentsOf(pack: OfficePackage, slide: string): Shape[] {
  const shapes: Shape[] = [];
  for (const { target } of relatedParts(pack, slide, "comments")) {
    for (const comment of pack.xml(target).root.elements().slice(0, 1_000)) {
      const text = comment.first("text")?.text ?? wordsIn(comment);
      shapes.push({
        id: "",
        name: "Comment",
        role: "other",
        frame: null,
        text: text.slice(0, mostText),
        look: "",
        element: null,
      });
    }
  }
  return shapes;
}

function lookOfSlide(pack: OfficePackage, part: string, root: XmlElement, layout: string | undefined): string {
  const content = contentHashes(pack, part);
  const others = [...root.elements(), ...(root.first("cSld")?.elements() ?? [])];
  const drawn = others.filter(({ local }) => !["cSld", "spTree", "extLst", "custDataLst", "controls"].includes(local));
  const named = layout === undefined ? "" : (pack.xml(layout).root.first("cSld")?.attribute("name", "") ?? "");
  return digest([named, ...drawn.map((element) => skeleton(element, content))]);
}

function lookOf(pack: OfficePackage, part: string, element: XmlElement): string {
  return digest([skeleton(element, contentHashes(pack, part))]);
}

/** What a relationship leads to, by content: pictures keep their look when they are renamed, and lose it when replaced. */
function contentHashes(pack: OfficePackage, part: string): (id: string) => string {
  const targets = new Map(pack.relationships(part).map((relationship) => [relationship.id, relationship]));
  return (id) => {
    const target = targets.get(id);
    if (!target) return "";
    if (target.external) return target.target;
    const isContent = ["image", "media", "video", "audio"].includes(relationshipKind(target.type));
    return isContent && pack.has(target.target) ? contentHash(pack, target.target) : relationshipKind(target.type);
  };
}

/** A picture that is on every slide is inflated once. */
const hashes = new WeakMap<OfficePackage, Map<string, string>>();

function contentHash(pack: OfficePackage, part: string): string {
  const known = hashes.get(pack) ?? new Map<string, string>();
  hashes.set(pack, known);
  const hash = known.get(part) ?? digest([pack.bytes(part)]);
  known.set(part, hash);
  return hash;
}

/**
 * Structure and attributes without words, ids, and what programs note for themselves (languages, spelling). Runs that look
 * the same are one run: programs split and join them as they like.
 */
function skeleton(element: XmlElement, content: (id: string) => string): string {
  const attributes = element.attributes
    .filter(({ namespace, local }) => namespace !== xmlns && !ignoredAttributes.has(local))
    .filter(({ local }) => element.local !== "cNvPr" || local === "hidden")
    .map(({ local, namespace, value }) => `${local}=${namespace === relationships ? content(value) : value}`)
    .sort();
  let inner = "";
  let previous = "";
  for (const child of element.elements()) {
    if (ignoredElements.has(child.local)) continue;
    const told = skeleton(child, content);
    if (child.local === "r" && told === previous) continue;
    inner += told;
    previous = told;
  }
  return `<${element.local} ${attributes.join(" ")}>${inner}</>`;
}

const xmlns = "http://www.w3.org/2000/xmlns/";
const ignoredAttributes = new Set(["dirty", "err", "lang", "altLang", "smtClean", "noProof", "descr", "creationId"]);
const ignoredElements = new Set(["t", "endParaRPr", "extLst"]);

function digest(parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha1");
  for (const part of parts) hash.update(part);
  return hash.digest("base64");
}
