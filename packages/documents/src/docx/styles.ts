import type { OfficePackage } from "../package.ts";
import { relationshipKind, type XmlElement } from "../xml.ts";
import { isOn } from "./properties.ts";

interface Style {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly basedOn: string | undefined;
  readonly outline: number | undefined;
  readonly hidden: boolean | undefined;
  readonly list: { readonly id: string | undefined; readonly depth: string | undefined } | undefined;
}

/** The styles of a document, as far as they say what a paragraph is. */
export interface Styles {
  /** The name that a person sees; null for the default style, and for none. */
  nameOf(id: string | undefined): string | null;
  /** 1 to 9 where a style is a heading's. */
  headingLevelOf(id: string | undefined): number | null;
  /** The list that a style puts its paragraphs into. */
  listOf(id: string | undefined): { readonly id: string; readonly depth: string | undefined } | undefined;
  /** Whether a style hides its text. */
  hides(id: string | undefined): boolean;
  /** The id of a paragraph style by its name or id, whatever the case. */
  find(nameOrId: string): string | undefined;
  /** The style of tables with lines, where there is one. */
  readonly tableGrid: string | undefined;
  /** Names of paragraph styles, for a message. */
  readonly names: readonly string[];
}

export function readStyles(file: OfficePackage, main: string): Styles {
  const part = file
    .relationships(main)
    .find((relationship) => relationshipKind(relationship.type) === "styles" && !relationship.external)?.target;
  const elements = part !== undefined && file.has(part) ? file.xml(part).root.elements("style") : [];
  const styles = new Map<string, Style>();
  let tableGrid: string | undefined;
  for (const element of elements) {
    const style = styleOf(element);
    styles.set(style.id, style);
    if (style.type === "table" && style.name.toLowerCase() === "table grid") tableGrid = style.id;
  }
  /** The style and what it is based on; a circle ends. */
  const chain = (id: string | undefined): Style[] => {
    const found: Style[] = [];
    for (let style = styles.get(id ?? ""); style && !found.includes(style); style = styles.get(style.basedOn ?? "")) {
      found.push(style);
    }
    return found;
  };
  return {
    tableGrid,
    names: [...styles.values()].filter((style) => style.type === "paragraph").map((style) => style.name),
    hides(id) {
      return chain(id).find((style) => style.hidden !== undefined)?.hidden ?? false;
    },
    nameOf(id) {
      if (id === undefined) return null;
      return styles.get(id)?.name ?? id;
    },
    headingLevelOf(id) {
      for (const style of chain(id)) {
        if (style.outline !== undefined) return style.outline < 9 ? style.outline + 1 : null;
        const named = /^heading ([1-9])$/i.exec(style.name)?.[1];
        if (named !== undefined) return Number(named);
      }
      return null;
    },
    listOf(id) {
      for (const { list } of chain(id)) {
        if (list?.id !== undefined) return list.id === "0" ? undefined : { id: list.id, depth: list.depth };
      }
      return undefined;
    },
    find(nameOrId) {
      const wanted = nameOrId.toLowerCase();
      const known = [...styles.values()].filter((style) => style.type === "paragraph");
      const named = known.find((style) => style.name.toLowerCase() === wanted);
      return (named ?? known.find((style) => style.id.toLowerCase() === wanted))?.id;
    },
  };
}

function styleOf(element: XmlElement): Style {
  const id = element.attribute("styleId") ?? "";
  const properties = element.first("pPr");
  const outline = properties?.first("outlineLvl")?.attribute("val");
  const numbering = properties?.first("numPr");
  const vanish = element.at("rPr", "vanish");
  return {
    id,
    name: element.first("name")?.attribute("val") ?? id,
    type: element.attribute("type") ?? "paragraph",
    basedOn: element.first("basedOn")?.attribute("val"),
    outline: outline === undefined ? undefined : Number(outline),
    hidden: vanish && isOn(vanish),
    list: numbering && {
      id: numbering.first("numId")?.attribute("val"),
      depth: numbering.first("ilvl")?.attribute("val"),
    },
  };
}
