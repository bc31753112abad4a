import type { XmlElement } from "../xml.ts";

/** The paragraphs (`a:p`) of a body of text. */
export function paragraphsOf(body: XmlElement | undefined): XmlElement[] {
  return body?.elements("p") ?? [];
}

/** What a paragraph says; a line break within it is `\n`. */
export function paragraphText(paragraph: XmlElement): string {
  let text = "";
  for (const child of paragraph.elements()) {
    if (child.local === "r" || child.local === "fld") text += child.first("t")?.text ?? "";
    else if (child.local === "br") text += "\n";
  }
  return text;
}

export function bodyText(body: XmlElement | undefined): string {
  return paragraphsOf(body).map(paragraphText).join("\n");
}

/** From 1, as deep as the paragraph is in a list. */
export function levelOf(paragraph: XmlElement): number {
  const level = Number(paragraph.first("pPr")?.attribute("lvl", "") ?? 0);
  return Number.isInteger(level) && level >= 0 && level <= 8 ? level + 1 : 1;
}
