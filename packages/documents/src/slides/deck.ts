import { OfficePackage, type Relationship } from "../package.ts";
import { refusal } from "../refusal.ts";
import { relationshipKind } from "../xml.ts";

/** A presentation: its package, and its slides in the order in which they are shown. */
export interface Deck {
  readonly pack: OfficePackage;
  /** The part that lists the slides. */
  readonly presentation: string;
  /** Width by height of a slide, in English metric units (914,400 an inch, 12,700 a point). */
  readonly size: readonly [width: number, height: number];
  readonly slides: readonly SlidePlace[];
}

export interface SlidePlace {
  readonly part: string;
  /** What the presentation knows the slide by: it stays when the slide is moved. */
  readonly id: string;
  readonly relationship: string;
}

const mostSlides = 5_000;

export function openDeck(bytes: Uint8Array): Deck {
  return deckOf(OfficePackage.open(bytes));
}

export function deckOf(pack: OfficePackage): Deck {
  const presentation = pack.relationships("").find(({ type }) => relationshipKind(type) === "officeDocument")?.target;
  if (presentation === undefined) throw refusal("The document has no presentation.");
  const root = pack.xml(presentation).root;
  if (root.local !== "presentation") throw refusal("The document is no presentation.");
  const targets = new Map(pack.relationships(presentation).map((relationship) => [relationship.id, relationship]));
  const places: SlidePlace[] = [];
  for (const entry of root.first("sldIdLst")?.elements("sldId") ?? []) {
    const relationship = idOf(entry.attributes);
    const target = targets.get(relationship);
    if (!target || target.external || !pack.has(target.target))
      throw refusal("A slide of the presentation is missing.");
    if (places.length >= mostSlides) throw refusal(`The presentation has more than ${mostSlides} slides.`);
    places.push({ part: target.target, id: entry.attribute("id", "") ?? "", relationship });
  }
  const size = root.first("sldSz");
  const side = (name: string, otherwise: number): number => {
    const value = Number(size?.attribute(name, "") ?? otherwise);
    return Number.isFinite(value) && value >= 1 && value <= 1e9 ? value : otherwise;
  };
  return { pack, presentation, size: [side("cx", 12_192_000), side("cy", 6_858_000)], slides: places };
}

/** The part of one kind that a part refers to, where it is there. */
export function relatedPart(pack: OfficePackage, part: string, kind: string): string | undefined {
  return relatedParts(pack, part, kind)[0]?.target;
}

export function relatedParts(pack: OfficePackage, part: string, kind: string): Relationship[] {
  return pack
    .relationships(part)
    .filter(
      ({ type, external, target }) =>
        !external && relationshipKind(type) === kind && pack.has(target) && target !== part,
    );
}

/** The `r:id` among attributes: it is in the namespace of relationships, whatever its prefix. */
export function idOf(
  attributes: readonly { readonly local: string; readonly namespace: string; readonly value: string }[],
): string {
  return attributes.find(({ local, namespace }) => local === "id" && namespace === relationships)?.value ?? "";
}

export const relationships = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
