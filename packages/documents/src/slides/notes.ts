import type { OfficePackage } from "../package.ts";
import { escapeText } from "../xml.ts";
import { deckOf, relatedPart } from "./deck.ts";
import { freeName, targetFrom } from "./parts.ts";
import { notesBody } from "./read.ts";
import { namespaces, notesMasterType, notesType, relationshipTypes, themeType } from "./vocabulary.ts";
import { setBodyText } from "./write-text.ts";

/** Gives a slide its notes, one paragraph a line. */
export function setNotes(pack: OfficePackage, slide: string, text: string): void {
  const notes = notesBody(pack, slide);
  if (notes) {
    setBodyText(notes.body, text);
    pack.put(notes.part, pack.xml(notes.part).toString());
    return;
  }
  const existing = relatedPart(pack, slide, "notesSlide");
  if (existing !== undefined) {
    const document = pack.xml(existing);
    const tree = document.root.at("cSld", "spTree");
    const ids = [...(tree?.descendants("cNvPr") ?? [])].map((naming) => Number(naming.attribute("id", "")) || 0);
    // What is parsed here is written into the tree as source, where `a` and `p` mean the same.
    pack.put(
      existing,
      document.toString().replace(/<\/(\w+:)?spTree>/, (end) => bodyXml(Math.max(1, ...ids) + 1, text) + end),
    );
    return;
  }
  const master = notesMaster(pack);
  const part = freeName(pack, "ppt/notesSlides/notesSlide1.xml");
  pack.put(part, notesXml("notes", bodyXml(2, text), "<p:clrMapOvr><a:masterClrMapping/></p:clrMapOvr>"));
  pack.setContentType(part, notesType);
  pack.addRelationship(part, relationshipTypes.notesMaster, targetFrom(part, master));
  pack.addRelationship(part, relationshipTypes.slide, targetFrom(part, slide));
  pack.addRelationship(slide, relationshipTypes.notesSlide, targetFrom(slide, part));
}

/** Notes have a master; a presentation without notes may have none yet. */
function notesMaster(pack: OfficePackage): string {
  const { presentation } = deckOf(pack);
  const known = relatedPart(pack, presentation, "notesMaster");
  if (known !== undefined) return known;
  const part = freeName(pack, "ppt/notesMasters/notesMaster1.xml");
  const colors = ["bg1", "tx1", "bg2", "tx2"]
    .map((name, at) => `${name}="${["lt1", "dk1", "lt2", "dk2"][at]}"`)
    .join(" ");
  const accents = [1, 2, 3, 4, 5, 6].map((number) => `accent${number}="accent${number}"`).join(" ");
  const map = `<p:clrMap ${colors} ${accents} hlink="hlink" folHlink="folHlink"/>`;
  pack.put(part, notesXml("notesMaster", bodyXml(2, "", [685_800, 4_400_550, 5_486_400, 3_600_450]), map));
  pack.setContentType(part, notesMasterType);
  const master = relatedPart(pack, presentation, "slideMaster");
  const theme = master === undefined ? undefined : relatedPart(pack, master, "theme");
  if (theme !== undefined) {
    const copy = freeName(pack, theme);
    pack.put(copy, pack.bytes(theme));
    pack.setContentType(copy, themeType);
    pack.addRelationship(part, relationshipTypes.theme, targetFrom(part, copy));
  }
  const id = pack.addRelationship(presentation, relationshipTypes.notesMaster, targetFrom(presentation, part));
  const document = pack.xml(presentation);
  const { root } = document;
  const list = root.create("notesMasterIdLst");
  const entry = root.create("notesMasterId");
  const prefix = root.prefixFor(namespaces.r) ?? "r:";
  if (root.prefixFor(namespaces.r) === undefined) entry.setAttribute("xmlns:r", namespaces.r);
  entry.setAttribute(`${prefix}id`, id);
  list.append(entry);
  root.insert(list, root.elements().find(({ local }) => local !== "sldMasterIdLst") ?? null);
  pack.put(presentation, document.toString());
  return part;
}

function bodyXml(id: number, text: string, frame?: readonly [number, number, number, number]): string {
  const paragraphs = text
    .split("\n")
    .map((line) => (line === "" ? "<a:p/>" : `<a:p><a:r><a:t>${escapeText(line)}</a:t></a:r></a:p>`));
  const [left, top, width, height] = frame ?? [];
  const place = frame
    ? `<a:xfrm><a:off x="${left}" y="${top}"/><a:ext cx="${width}" cy="${height}"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/></a:prstGeom>`
    : "";
  return (
    `<p:sp xmlns:a="${namespaces.a}" xmlns:p="${namespaces.p}"><p:nvSpPr><p:cNvPr id="${id}" name="Notes ${id - 1}"/>` +
    `<p:cNvSpPr><a:spLocks noGrp="1"/></p:cNvSpPr><p:nvPr><p:ph type="body" idx="1"/></p:nvPr></p:nvSpPr>` +
    `<p:spPr>${place}</p:spPr><p:txBody><a:bodyPr/><a:lstStyle/>${paragraphs.join("")}</p:txBody></p:sp>`
  );
}

function notesXml(name: "notes" | "notesMaster", shapes: string, end: string): string {
  return (
    `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n` +
    `<p:${name} xmlns:a="${namespaces.a}" xmlns:r="${namespaces.r}" xmlns:p="${namespaces.p}"><p:cSld><p:spTree>` +
    `<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>${shapes}` +
    `</p:spTree></p:cSld>${end}</p:${name}>`
  );
}
