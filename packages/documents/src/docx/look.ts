import { createHash } from "node:crypto";
import type { XmlElement } from "../xml.ts";
import type { ParagraphContent } from "./paragraph.ts";

/**
 * What a paragraph looks like, as one text that is equal for equal looks. Runs that look the same are one, however a program
 * has cut them; what only says who edited when, in which language, or what a proof reader thought, is left out.
 */
export function lookOf(paragraph: XmlElement, content: ParagraphContent): string {
  const hash = createHash("sha256").update(canonical(paragraph.first("pPr")));
  let last: string | undefined;
  for (const piece of content.pieces) {
    const look = canonical(piece.run.first("rPr"));
    if (look !== last) hash.update(`\0${look}\0`);
    last = look;
    hash.update(piece.text);
  }
  return hash.digest("base64");
}

/** The look of something with properties only, such as a section or a row. */
export function canonical(element: XmlElement | undefined): string {
  if (!element) return "";
  const attributes = element.attributes
    .filter(
      ({ local, namespace }) =>
        !local.startsWith("rsid") && !namespace.includes("/2010/wordml") && !local.startsWith("xmlns"),
    )
    .map(({ local, value }) => `${local}=${value}`)
    .sort();
  const children = element
    .elements()
    .filter((child) => !ignored.has(child.local))
    .map(canonical)
    .filter((child) => child !== "")
    .sort();
  if (children.length === 0 && attributes.length === 0 && empty.has(element.local)) return "";
  return `${element.local}(${attributes.join(",")};${children.join("")})`;
}

const ignored = new Set([
  "lang",
  "noProof",
  "proofErr",
  "rPrChange",
  "pPrChange",
  "sectPrChange",
  "tblPrChange",
  "trPrChange",
  "tcPrChange",
  "sectPr",
  "ins",
  "del",
  "lastRenderedPageBreak",
  "headerReference",
  "footerReference",
]);
/** These say nothing when nothing is in them. */
const empty = new Set(["rPr", "pPr", "trPr", "tcPr", "tblPr"]);
