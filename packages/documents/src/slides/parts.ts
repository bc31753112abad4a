import { contentTypes, type OfficePackage } from "../package.ts";
import { foldName } from "../zip.ts";
import { relationshipKind } from "../xml.ts";
import { idOf } from "./deck.ts";

/** Where the relationships of a part are written. */
export function relationshipsPart(part: string): string {
  const slash = part.lastIndexOf("/");
  return `${part.slice(0, slash + 1)}_rels/${part.slice(slash + 1)}.rels`;
}

export function removeRelationship(pack: OfficePackage, part: string, id: string): void {
  const name = relationshipsPart(part);
  const document = pack.xml(name);
  for (const element of document.root.elements("Relationship")) {
    if (element.attribute("Id", "") === id) document.root.remove(element);
  }
  pack.put(name, document.toString());
}

/** Takes a part out, with its relationships and content type, and then whatever nothing refers to any more because of it. */
export function removePart(pack: OfficePackage, part: string): void {
  const targets = pack.relationships(part).filter(({ external }) => !external);
  pack.remove(part);
  pack.remove(relationshipsPart(part));
  const types = pack.xml(contentTypes);
  for (const override of types.root.elements("Override")) {
    if (foldName(override.attribute("PartName", "") ?? "") === foldName(`/${part}`)) {
      types.root.remove(override);
      pack.put(contentTypes, types.toString());
      break;
    }
  }
  for (const { target } of targets) {
    if (pack.has(target) && !isReferredTo(pack, target)) removePart(pack, target);
  }
}

function isReferredTo(pack: OfficePackage, part: string): boolean {
  return ["", ...pack.names].some(
    (name) =>
      name !== part &&
      !name.endsWith(".rels") &&
      pack.relationships(name).some(({ external, target }) => !external && foldName(target) === foldName(part)),
  );
}

/** A copy of a part under a new name, with copies of what is its own; pictures, layouts and masters are shared. */
export function copyPart(pack: OfficePackage, part: string, renamed = new Map<string, string>()): string {
  const copy = freeName(pack, part);
  renamed.set(foldName(part), copy);
  pack.put(copy, pack.bytes(part));
  const type = pack.contentTypeOf(part);
  if (type !== undefined && pack.contentTypeOf(copy) !== type) pack.setContentType(copy, type);
  const relationships = relationshipsPart(part);
  if (!pack.has(relationships)) return copy;
  const targets = new Map(pack.relationships(part).map((relationship) => [relationship.id, relationship]));
  pack.put(relationshipsPart(copy), pack.bytes(relationships));
  const document = pack.xml(relationshipsPart(copy));
  for (const element of document.root.elements("Relationship")) {
    const relationship = targets.get(element.attribute("Id", "") ?? "");
    if (!relationship || relationship.external || !pack.has(relationship.target)) continue;
    const known = renamed.get(foldName(relationship.target));
    const kind = relationshipKind(relationship.type);
    if (kind === "comments") document.root.remove(element);
    else if (known !== undefined) element.setAttribute("Target", targetFrom(copy, known));
    else if (!shared.has(kind)) {
      element.setAttribute("Target", targetFrom(copy, copyPart(pack, relationship.target, renamed)));
    }
  }
  pack.put(relationshipsPart(copy), document.toString());
  return copy;
}

const shared = new Set(
  "slideLayout slideMaster notesMaster theme themeOverride slide image media video audio hyperlink tags font".split(
    " ",
  ),
);

/** The way from one part to another, as relationships write it. */
export function targetFrom(part: string, target: string): string {
  const [from, to] = [part.split("/").slice(0, -1), target.split("/")];
  let shared = 0;
  while (shared < from.length && shared < to.length - 1 && from[shared] === to[shared]) shared += 1;
  return [...from.slice(shared).map(() => ".."), ...to.slice(shared)].join("/");
}

/** `slide3.xml` becomes the first of `slide1.xml`, `slide2.xml`, … that is free. */
export function freeName(pack: OfficePackage, part: string): string {
  const [, start = part, end = ""] = /^(.*?)\d*(\.[^./]+)$/.exec(part) ?? [];
  let number = 1;
  while (pack.has(`${start}${number}${end}`)) number += 1;
  return `${start}${number}${end}`;
}

/** Takes away the links of a part that lead to another part, and the relationship behind them. */
export function removeLinksTo(pack: OfficePackage, part: string, target: string): void {
  for (const { id, external, target: linked } of pack.relationships(part)) {
    if (external || foldName(linked) !== foldName(target)) continue;
    const document = pack.xml(part);
    const elements = [...document.root.descendants()];
    for (const element of elements) {
      if (element.local.startsWith("hlink") && idOf(element.attributes) === id) element.parent?.remove(element);
    }
    pack.put(part, document.toString());
    removeRelationship(pack, part, id);
  }
}
