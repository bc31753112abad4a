import type { OfficePackage } from "../../package.ts";
import type { XmlElement } from "../../xml.ts";
import { boundedText } from "../csv/read.ts";
import { main } from "./parts.ts";

export interface SharedString {
  readonly text: string;
  readonly digest?: string;
}

export function readSharedStrings(pkg: OfficePackage, part: string | null): readonly SharedString[] {
  if (part === null) return [];
  return pkg
    .xml(part)
    .root.elements("si", main)
    .map((item) => boundedText(richText(item)));
}

/** The text of a shared or an inline string: plain, or in runs of different looks; how it is pronounced is left out. */
export function richText(item: XmlElement): string {
  let text = "";
  for (const child of item.elements()) {
    if (child.namespace !== main) continue;
    if (child.local === "t") text += child.text;
    else if (child.local === "r") text += child.first("t", main)?.text ?? "";
  }
  return unescapedText(text);
}

/** Characters that XML cannot hold are written as `_x000D_` (ECMA-376 part 1, 22.9.2.19). */
export function unescapedText(text: string): string {
  if (!text.includes("_x")) return text;
  return text
    .replace(/_x([0-9A-Fa-f]{4})_/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
    .toWellFormed();
}

export function escapedText(text: string): string {
  return (
    text
      .toWellFormed()
      .replace(/_(?=x[0-9A-Fa-f]{4}_)/g, "_x005F_")
      // oxlint-disable-next-line no-control-regex -- The characters that XML does not allow.
      .replace(/[\0-\x08\x0b\x0c\x0e-\x1f\r\ufffe\uffff]/g, (letter) => {
        return `_x${letter.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}_`;
      })
  );
}
