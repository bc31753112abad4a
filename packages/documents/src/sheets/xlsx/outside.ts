import type { ReviewWarning } from "../../comparison.ts";
import type { OfficePackage } from "../../package.ts";
import { relationshipKind } from "../../xml.ts";
import type { WorkbookParts } from "./parts.ts";

/** Warnings of one workbook that are given one by one. */
const shown = 50;

/** What of a workbook is elsewhere, or runs: links, connections, programs. Formulas are looked at while cells are read. */
export function outsideOf({ package: pkg, sheets }: WorkbookParts): ReviewWarning[] {
  const warnings: ReviewWarning[] = [];
  for (const name of pkg.names) {
    if (name.endsWith(".rels")) warnings.push(...externalTargets(pkg, name));
    const found = kindOfPart(name, pkg.contentTypeOf(name) ?? "");
    if (found) warnings.push({ ...found, where: bounded(name) });
  }
  for (const sheet of sheets) {
    if (/macrosheet/i.test(sheet.kind)) {
      warnings.push({ kind: "macro", message: "A sheet holds macros of the old kind.", where: bounded(sheet.name) });
    }
  }
  if (warnings.length <= shown) return warnings;
  const message = `${warnings.length} parts of the workbook are elsewhere or run; the first ${shown} are named.`;
  return [...warnings.slice(0, shown), { kind: "external-reference", message, where: null }];
}

function kindOfPart(name: string, type: string): Omit<ReviewWarning, "where"> | null {
  const file = name.toLowerCase();
  if (/vbaproject|vbadata/i.test(type) || file.endsWith("vbaproject.bin")) {
    return { kind: "macro", message: "The workbook holds macros." };
  }
  if (/activex|ms-office\.(?:control|userform)/i.test(type) || file.includes("/activex/")) {
    return { kind: "macro", message: "The workbook holds ActiveX controls." };
  }
  if (file.startsWith("customui/") || file.startsWith("usercustomization/")) {
    return { kind: "macro", message: "The workbook changes the menus of the program that opens it." };
  }
  if (/oleobject/i.test(type) || file.includes("/embeddings/")) {
    return { kind: "macro", message: "The workbook embeds an object of another program." };
  }
  if (/connections\+xml$|querytable\+xml$/i.test(type)) {
    return { kind: "external-reference", message: "The workbook has a connection to data elsewhere." };
  }
  if (/webextension/i.test(type) || file.includes("/webextensions/") || file.includes("rdrichvaluewebimage")) {
    return { kind: "external-reference", message: "The workbook loads something from the web." };
  }
  return null;
}

function externalTargets(pkg: OfficePackage, relationshipsPart: string): ReviewWarning[] {
  const part = relationshipsPart.replace(/(^|\/)_rels\/([^/]*)\.rels$/, "$1$2");
  return pkg.relationships(part).flatMap(({ type, target, external }): ReviewWarning[] => {
    const kind = relationshipKind(type);
    // A link that somebody has to click is no news, unless it leads into a network share or to a program.
    if (!external || (kind === "hyperlink" && /^(?:https?:\/\/|mailto:|#)/i.test(target))) return [];
    const link = kind.startsWith("externalLink")
      ? "The workbook reads from another file"
      : "The workbook refers to something elsewhere";
    return [
      { kind: "external-reference", message: `${link}: ${bounded(target)}`, where: bounded(part || "the package") },
    ];
  });
}

export function bounded(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200).toWellFormed()}…` : text;
}
