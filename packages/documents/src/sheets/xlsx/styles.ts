import { createHash } from "node:crypto";
import type { OfficePackage } from "../../package.ts";
import type { XmlElement } from "../../xml.ts";
import { builtInFormat } from "../number-format.ts";
import { main, wholeNumber } from "./parts.ts";

export interface Style {
  /** The code of its number format. */
  readonly format: string;
  /** Equal for cells that look the same, in whatever file. */
  readonly look: string;
}

const plain: Style = { format: "General", look: "" };

/** The formats of cells by their number in the file. */
export function readStyles(pkg: OfficePackage, part: string | null): (index: string | undefined) => Style {
  const root = part === null ? undefined : pkg.xml(part).root;
  if (!root) return () => plain;
  const codes = new Map<string, string>();
  for (const format of root.first("numFmts", main)?.elements("numFmt", main) ?? []) {
    codes.set(format.attribute("numFmtId", "") ?? "", format.attribute("formatCode", "") ?? "General");
  }
  const pieces = (list: string, item: string): string[] =>
    (root.first(list, main)?.elements(item, main) ?? []).map((element) => element.toString());
  const [fonts, fills, borders] = [pieces("fonts", "font"), pieces("fills", "fill"), pieces("borders", "border")];
  const styles = (root.first("cellXfs", main)?.elements("xf", main) ?? []).map((element): Style => {
    const id = element.attribute("numFmtId", "") ?? "0";
    const format = codes.get(id) ?? builtInFormat(wholeNumber(id) ?? 0);
    const piece = (list: readonly string[], name: string): string =>
      list[wholeNumber(element.attribute(name, "")) ?? 0] ?? "";
    const inner = element.elements().map((child: XmlElement) => child.toString());
    const words = [format, piece(fonts, "fontId"), piece(fills, "fillId"), piece(borders, "borderId"), ...inner];
    return { format, look: createHash("sha256").update(words.join("\u0001")).digest("base64").slice(0, 12) };
  });
  return (index) => styles[wholeNumber(index) ?? 0] ?? plain;
}
