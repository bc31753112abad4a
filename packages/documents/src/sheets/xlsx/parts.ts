import { OfficePackage } from "../../package.ts";
import { refusal } from "../../refusal.ts";
import { relationshipKind, type XmlElement } from "../../xml.ts";

export const main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
export const relationshipsNamespace = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
export const relationshipType = (kind: string): string => `${relationshipsNamespace}/${kind}`;

/** Sheets that a workbook may have here. */
const mostSheets = 500;

export interface WorkbookParts {
  readonly package: OfficePackage;
  readonly workbook: string;
  readonly epoch1904: boolean;
  readonly sheets: readonly SheetPlace[];
  readonly sharedStrings: string | null;
  readonly styles: string | null;
}

export interface SheetPlace {
  readonly name: string;
  readonly state: "visible" | "hidden" | "veryHidden";
  readonly part: string;
  /** `worksheet`, or what has no cells: `chartsheet`, `dialogsheet`; `xlMacrosheet` has programs. */
  readonly kind: string;
  /** In the workbook's own list. */
  readonly element: XmlElement;
}

/** The parts of a workbook, found as a spreadsheet program finds them: by their relationships. */
export function openWorkbook(bytes: Uint8Array): WorkbookParts {
  const pkg = OfficePackage.open(bytes);
  const start = pkg.relationships("").filter(({ type }) => relationshipKind(type) === "officeDocument");
  const workbook = start[0]?.target ?? "";
  if (start.length !== 1 || start[0]?.external || !pkg.has(workbook)) throw refusal("The document has no workbook.");
  if (pkg.contentTypeOf(workbook)?.includes("binary")) throw refusal("Binary workbooks (.xlsb) are not read.");
  const { root } = pkg.xml(workbook);
  if (root.local !== "workbook" || root.namespace !== main) throw refusal("The document is no workbook.");
  const relationships = new Map(pkg.relationships(workbook).map((one) => [one.id, one]));
  const listed = root.first("sheets", main)?.elements("sheet", main) ?? [];
  if (listed.length > mostSheets) throw refusal(`The workbook has more than ${mostSheets} sheets.`);
  const sheets = listed.map((element): SheetPlace => {
    const relationship = relationships.get(element.attribute("id", relationshipsNamespace) ?? "");
    if (!relationship || relationship.external || !pkg.has(relationship.target)) {
      throw refusal("A sheet of the workbook is missing.");
    }
    const state = element.attribute("state", "");
    return {
      name: element.attribute("name", "") ?? "",
      state: state === "hidden" || state === "veryHidden" ? state : "visible",
      part: relationship.target,
      kind: relationshipKind(relationship.type),
      element,
    };
  });
  for (const key of [(sheet: SheetPlace) => sheet.name.toLowerCase(), (sheet: SheetPlace) => sheet.part]) {
    if (new Set(sheets.map(key)).size !== sheets.length) throw refusal("Two sheets of the workbook are one.");
  }
  const single = (kind: string): string | null => {
    const found = [...relationships.values()].find((one) => relationshipKind(one.type) === kind && !one.external);
    return found && pkg.has(found.target) ? found.target : null;
  };
  return {
    package: pkg,
    workbook,
    epoch1904: isTrue(root.first("workbookPr", main)?.attribute("date1904", "")),
    sheets,
    sharedStrings: single("sharedStrings"),
    styles: single("styles"),
  };
}

/** Parts of one kind that a part refers to, and that are there. */
export function partsOf(pkg: OfficePackage, part: string, kind: string): string[] {
  return pkg
    .relationships(part)
    .filter((one) => !one.external && relationshipKind(one.type) === kind && pkg.has(one.target))
    .map((one) => one.target);
}

export function isTrue(value: string | undefined): boolean {
  return value === "1" || value === "true" || value === "on";
}

/** A whole number that is not negative; null for anything else. */
export function wholeNumber(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : null;
}
