import type { OfficePackage } from "../package.ts";
import { refusal } from "../refusal.ts";
import { escapeText, type XmlElement } from "../xml.ts";
import { deckOf, relatedParts, type SlidePlace } from "./deck.ts";
import { placeholderOf } from "./frames.ts";
import { copyPart, freeName, removeLinksTo, removePart, removeRelationship, targetFrom } from "./parts.ts";
import { namespaces, relationshipTypes, slideType } from "./vocabulary.ts";

export function deleteSlide(pack: OfficePackage, slide: SlidePlace): void {
  const { presentation, slides } = deckOf(pack);
  const document = pack.xml(presentation);
  const elements = [...document.root.descendants()];
  for (const element of elements) {
    // In the list of slides, in sections, and in shows that choose among slides.
    const listed = element.local === "sldId" && element.attribute("id", "") === slide.id;
    const shown = element.local === "sld" && element.attributes.some(({ value }) => value === slide.relationship);
    if (listed || shown) element.parent?.remove(element);
  }
  pack.put(presentation, document.toString());
  removeRelationship(pack, presentation, slide.relationship);
  for (const { part } of slides) if (part !== slide.part) removeLinksTo(pack, part, slide.part);
  removePart(pack, slide.part);
}

export function duplicateSlide(pack: OfficePackage, slide: SlidePlace): void {
  const copy = copyPart(pack, slide.part);
  listSlide(pack, copy, slide.id);
}

/** `to` counts from 1 and is the slide's number afterwards. */
export function moveSlide(pack: OfficePackage, slide: SlidePlace, to: number): void {
  const { presentation } = deckOf(pack);
  const document = pack.xml(presentation);
  const list = document.root.first("sldIdLst");
  const entries = list?.elements("sldId") ?? [];
  const moved = entries.find((entry) => entry.attribute("id", "") === slide.id);
  if (!list || !moved) throw refusal("The presentation does not list the slide.");
  const others = entries.filter((entry) => entry !== moved);
  list.insert(moved, others[to - 1] ?? null);
  putInSection(document.root, slide.id, others[to - 2]?.attribute("id", ""));
  pack.put(presentation, document.toString());
}

/** Adds a slide after another (0: at the start) and gives the name of its layout. */
export function addSlide(
  pack: OfficePackage,
  after: number,
  content: {
    readonly layout?: string | undefined;
    readonly title?: string | undefined;
    readonly body?: string[] | undefined;
  },
): string {
  const { slides } = deckOf(pack);
  const { part: layout, name } = chosenLayout(pack, content.layout);
  const placeholders = (pack.xml(layout).root.at("cSld", "spTree")?.elements("sp") ?? []).flatMap((shape) => {
    const type = placeholderOf(shape)?.attribute("type", "") ?? "obj";
    return ["title", "ctrTitle", "body", "subTitle", "obj"].includes(type) ? [shape] : [];
  });
  let id = 1;
  let [title, body] = [content.title, content.body];
  const shapes = placeholders.map((shape) => {
    const placeholder = placeholderOf(shape);
    const isTitle =
      /title$/i.test(placeholder?.attribute("type", "") ?? "") && placeholder?.attribute("type", "") !== "subTitle";
    const lines = isTitle ? (title ?? "").split("\n") : (body ?? [""]);
    if (isTitle) title = undefined;
    else body = undefined;
    id += 1;
    const kept = (placeholder?.attributes ?? []).filter(({ local }) => ["type", "idx", "sz", "orient"].includes(local));
    return placeholderXml(id, isTitle ? "Title" : "Content", kept, lines);
  });
  if (title !== undefined) throw refusal(`The layout "${name}" has no place for a title.`);
  if (body !== undefined) throw refusal(`The layout "${name}" has no place for a body.`);
  const part = freeName(pack, slides[0]?.part ?? "ppt/slides/slide1.xml");
  pack.put(part, slideXml(shapes));
  pack.setContentType(part, slideType);
  pack.addRelationship(part, relationshipTypes.slideLayout, targetFrom(part, layout));
  listSlide(pack, part, slides[after - 1]?.id);
  return name;
}

/** A slide of the first layout's name, of all masters; without a name, the first with a title and one body. */
function chosenLayout(pack: OfficePackage, wanted: string | undefined): { part: string; name: string } {
  const { presentation } = deckOf(pack);
  const layouts = relatedParts(pack, presentation, "slideMaster")
    .flatMap(({ target }) => relatedParts(pack, target, "slideLayout"))
    .map(({ target: part }) => ({ part, name: pack.xml(part).root.first("cSld")?.attribute("name", "") ?? "" }));
  const typesOf = (part: string): string[] =>
    (pack.xml(part).root.at("cSld", "spTree")?.elements("sp") ?? [])
      .flatMap((shape) => placeholderOf(shape) ?? [])
      .map((placeholder) => placeholder.attribute("type", "") ?? "obj")
      .filter((type) => ["title", "ctrTitle", "body", "subTitle", "obj"].includes(type));
  const chosen =
    wanted === undefined
      ? (layouts.find(({ part }) => isTitleAndBody(typesOf(part))) ??
        layouts.find(({ part }) => typesOf(part).length > 1))
      : layouts.find(({ name }) => name.toLowerCase() === wanted.trim().toLowerCase());
  const [first] = layouts;
  if (chosen) return chosen;
  if (wanted === undefined && first) return first;
  const names = [...new Set(layouts.map(({ name }) => name))]
    .slice(0, 40)
    .map((name) => `"${name}"`)
    .join(", ");
  throw refusal(`The presentation has no such layout. It has: ${names}.`);
}

function isTitleAndBody(types: readonly string[]): boolean {
  return types.length === 2 && types[0] === "title" && types[1] !== "subTitle";
}

/** Puts a slide that is a part already into the list, after another one or at the start. */
function listSlide(pack: OfficePackage, part: string, after: string | undefined): void {
  const { presentation } = deckOf(pack);
  const relationship = pack.addRelationship(presentation, relationshipTypes.slide, targetFrom(presentation, part));
  const document = pack.xml(presentation);
  const { root } = document;
  let list = root.first("sldIdLst");
  if (!list) {
    list = root.create("sldIdLst");
    const next = root
      .elements()
      .find(({ local }) => !["sldMasterIdLst", "notesMasterIdLst", "handoutMasterIdLst"].includes(local));
    root.insert(list, next ?? null);
  }
  const entries = list.elements("sldId");
  const smallest = 256;
  const id = String(Math.max(smallest - 1, ...entries.map((entry) => Number(entry.attribute("id", "")) || 0)) + 1);
  const prefix = root.prefixFor(namespaces.r);
  const entry = list.create("sldId", { id });
  if (prefix === undefined || prefix === "") {
    entry.setAttribute("xmlns:r", namespaces.r);
    entry.setAttribute("r:id", relationship);
  } else entry.setAttribute(`${prefix}id`, relationship);
  const place = entries.findIndex((other) => other.attribute("id", "") === after);
  list.insert(entry, entries[place + 1] ?? null);
  putInSection(root, id, after);
  pack.put(presentation, document.toString());
}

/** Sections list the slides once more (`p14:sectionLst`): each slide stands in one, after the slide before it. */
function putInSection(root: XmlElement, id: string, after: string | undefined): void {
  const sections = [...root.descendants("section")].flatMap((section) => section.first("sldIdLst") ?? []);
  const [first] = sections;
  if (!first) return;
  for (const list of sections) {
    for (const entry of list.elements("sldId")) if (entry.attribute("id", "") === id) list.remove(entry);
  }
  for (const list of sections) {
    const entries = list.elements("sldId");
    const place = entries.findIndex((entry) => entry.attribute("id", "") === after);
    if (place === -1) continue;
    list.insert(list.create("sldId", { id }), entries[place + 1] ?? null);
    return;
  }
  first.insert(first.create("sldId", { id }), first.elements()[0] ?? null);
}

function placeholderXml(
  id: number,
  name: string,
  attributes: readonly { readonly local: string; readonly value: string }[],
  lines: readonly string[],
): string {
  const placeholder = attributes.map(
    ({ local, value }) => ` ${local}="${escapeText(value).replaceAll('"', "&quot;")}"`,
  );
  const paragraphs = lines.map((line) =>
    line === "" ? "<a:p/>" : `<a:p><a:r><a:t>${escapeText(line)}</a:t></a:r></a:p>`,
  );
  return (
    `<p:sp><p:nvSpPr><p:cNvPr id="${id}" name="${name} ${id - 1}"/><p:cNvSpPr><a:spLocks noGrp="1"/></p:cNvSpPr>` +
    `<p:nvPr><p:ph${placeholder.join("")}/></p:nvPr></p:nvSpPr><p:spPr/>` +
    `<p:txBody><a:bodyPr/><a:lstStyle/>${paragraphs.join("")}</p:txBody></p:sp>`
  );
}

export function slideXml(shapes: readonly string[]): string {
  return (
    `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n` +
    `<p:sld xmlns:a="${namespaces.a}" xmlns:r="${namespaces.r}" xmlns:p="${namespaces.p}"><p:cSld><p:spTree>` +
    `<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>${shapes.join("")}` +
    `</p:spTree></p:cSld><p:clrMapOvr><a:masterClrMapping/></p:clrMapOvr></p:sld>`
  );
}
