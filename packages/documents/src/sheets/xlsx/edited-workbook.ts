import { refusal } from "../../refusal.ts";
import { relationshipKind, type XmlElement } from "../../xml.ts";
import { tokensOf, whyUnsafe } from "../formula.ts";
import {
  main,
  openWorkbook,
  relationshipType,
  relationshipsNamespace,
  wholeNumber,
  type WorkbookParts,
} from "./parts.ts";
import { recalculate } from "./recalculate.ts";
import { SheetEditor } from "./sheet-editor.ts";
import { readStyles } from "./styles.ts";
import { shownNumber } from "../number-format.ts";

/** A workbook while it is edited. Parts that nothing touches keep their bytes. */
export class EditedWorkbook {
  readonly parts: WorkbookParts;
  readonly #sheets = new Map<string, SheetEditor>();
  readonly #order: { name: string; part: string; kind: string; element: XmlElement }[];
  /** Parts whose trees were changed in place. */
  readonly #touched = new Set<string>();
  readonly #dateStyles = new Map<string, string>();
  /** Formulas came, went, moved or changed, so that the order in which they were calculated no longer holds. */
  formulasChanged = false;

  constructor(bytes: Uint8Array) {
    this.parts = openWorkbook(bytes);
    this.#order = this.parts.sheets.map(({ name, part, kind, element }) => ({ name, part, kind, element }));
  }

  get workbookRoot(): XmlElement {
    return this.parts.package.xml(this.parts.workbook).root;
  }

  /** A part whose tree is about to be changed in place. */
  touch(part: string): XmlElement {
    this.#touched.add(part);
    return this.parts.package.xml(part).root;
  }

  /** The worksheets, in their order. */
  worksheets(): SheetEditor[] {
    return this.#order.filter(({ kind }) => kind === "worksheet").map(({ name, part }) => this.#editor(name, part));
  }

  sheetNames(): string[] {
    return this.#order.map(({ name }) => name);
  }

  sheet(name: string | undefined): SheetEditor {
    const found =
      name === undefined
        ? this.#order.find(
            ({ kind, element }) => kind === "worksheet" && (element.attribute("state", "") ?? "visible") === "visible",
          )
        : (this.#order.find((sheet) => sheet.name === name) ??
          this.#order.find((sheet) => sheet.name.toLowerCase() === name.toLowerCase()));
    if (!found) throw refusal(`There is no such sheet. The sheets are: ${this.sheetNames().slice(0, 20).join(", ")}.`);
    if (found.kind !== "worksheet") throw refusal(`"${found.name}" is not a sheet of cells.`);
    this.touch(found.part);
    return this.#editor(found.name, found.part);
  }

  #editor(name: string, part: string): SheetEditor {
    let editor = this.#sheets.get(part);
    if (!editor) {
      editor = new SheetEditor(this, part, name, this.parts.package.xml(part).root);
      this.#sheets.set(part, editor);
    }
    return editor;
  }

  addSheet(name: string): SheetEditor {
    this.refuseName(name);
    const pkg = this.parts.package;
    let number = this.#order.length + 1;
    while (pkg.has(`xl/worksheets/sheet${number}.xml`)) number++;
    const part = `xl/worksheets/sheet${number}.xml`;
    pkg.put(
      part,
      `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<worksheet xmlns="${main}"><dimension ref="A1"/><sheetData/></worksheet>`,
    );
    pkg.setContentType(part, "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml");
    const id = pkg.addRelationship(this.parts.workbook, relationshipType("worksheet"), `/${part}`);
    const root = this.touch(this.parts.workbook);
    const sheets = root.first("sheets", main);
    const prefix = root.prefixFor(relationshipsNamespace);
    if (!sheets || prefix === undefined) throw refusal("The workbook has no place for another sheet.");
    const used = this.#order.map(({ element }) => wholeNumber(element.attribute("sheetId", "")) ?? 0);
    const element = sheets.create("sheet", { name, sheetId: String(Math.max(0, ...used) + 1), [`${prefix}id`]: id });
    sheets.append(element);
    this.#order.push({ name, part, kind: "worksheet", element });
    this.touch(part);
    return this.#editor(name, part);
  }

  /** Changes the name in the list of sheets alone; formulas are the caller's. */
  renameInList(sheet: SheetEditor, name: string): void {
    this.refuseName(name, sheet.name);
    this.touch(this.parts.workbook);
    const listed = this.#order.find(({ part }) => part === sheet.part);
    if (!listed) return;
    listed.element.setAttribute("name", name);
    listed.name = name;
    sheet.name = name;
  }

  refuseName(name: string, except?: string): void {
    const fits = name.length <= 31 && !/[[\]:*?/\\\p{Cc}]|^'|'$|^\s*$/u.test(name) && name.toLowerCase() !== "history";
    if (!fits)
      throw refusal("A sheet cannot have this name: at most 31 characters, none of [ ] : * ? / \\, no ' at its ends.");
    if (this.sheetNames().some((other) => other !== except && other.toLowerCase() === name.toLowerCase())) {
      throw refusal("There is a sheet of this name already.");
    }
    const protection = this.workbookRoot.first("workbookProtection", main)?.attribute("lockStructure", "");
    if (protection === "1" || protection === "true")
      throw refusal("The sheets of this workbook are protected against changes.");
  }

  /** A formula that may be written, as the file has it; refused where it reaches out of the workbook or cannot be read. */
  checkedFormula(written: string): { formula: string; array: boolean } {
    const formula = written.startsWith("=") ? written.slice(1) : written;
    const why = whyUnsafe(formula);
    if (why !== null) throw refusal(`This formula is not written: ${why}.`);
    let depth = 0;
    let array = false;
    const names = new Set(this.sheetNames().map((name) => name.toLowerCase()));
    const parts = tokensOf(formula).map((token) => {
      if (token.kind === "other") {
        for (const letter of token.raw) depth += letter === "(" ? 1 : letter === ")" ? -1 : 0;
        if (depth < 0 || token.raw === '"') throw refusal("The brackets or quotes of this formula do not match.");
      }
      if ("sheet" in token && token.sheet !== null) {
        for (const name of token.sheet.split(":")) {
          if (!names.has(name.toLowerCase())) throw refusal("This formula refers to a sheet that is not there.");
        }
      }
      if (token.kind !== "function") return token.raw;
      const name = token.raw.toUpperCase();
      if (name === "LET" || name === "LAMBDA") throw refusal(`Formulas with ${name} cannot be written here.`);
      array ||= ofRanges.test(name);
      return (newFunctions.get(name) ?? "") + token.raw;
    });
    if (depth !== 0 || formula.trim() === "") throw refusal("The brackets or quotes of this formula do not match.");
    return { formula: parts.join(""), array };
  }

  /** The style of a cell that shows a date; undefined where the one it has does so already. */
  dateStyle(current: string | undefined, withTime: boolean): string | undefined {
    const { package: pkg, styles } = this.parts;
    if (styles === null) throw refusal("The workbook has no styles, so a cell cannot show a date.");
    if (shownNumber(1, readStyles(pkg, styles)(current).format, false).type === "date") return undefined;
    const key = `${current ?? "0"} ${withTime}`;
    const known = this.#dateStyles.get(key);
    if (known !== undefined) return known;
    const list = this.touch(styles).first("cellXfs", main);
    const base = list?.elements("xf", main)[wholeNumber(current) ?? 0];
    if (!list || !base) throw refusal("The workbook has no styles, so a cell cannot show a date.");
    const style = base.clone();
    style.setAttribute("numFmtId", withTime ? "22" : "14");
    style.setAttribute("applyNumberFormat", "1");
    list.append(style);
    const count = list.elements("xf", main).length;
    list.setAttribute("count", String(count));
    this.#dateStyles.set(key, String(count - 1));
    return String(count - 1);
  }

  /** Values that no longer hold go, then everything that changed is written. */
  save(): { bytes: Uint8Array; uncalculated: number } {
    const uncalculated = recalculate(this);
    if (uncalculated > 0 || this.formulasChanged) this.#calculateOnLoad();
    if (this.formulasChanged) this.#removeCalculationOrder();
    const pkg = this.parts.package;
    for (const part of this.#touched) {
      const xml = pkg.xml(part).toString();
      if (xml !== pkg.text(part)) pkg.put(part, xml);
    }
    return { bytes: pkg.save(), uncalculated };
  }

  #calculateOnLoad(): void {
    const root = this.touch(this.parts.workbook);
    let properties = root.first("calcPr", main);
    if (!properties) {
      properties = root.create("calcPr");
      const before = new Set(["workbookPr", "workbookProtection", "bookViews", "sheets", "functionGroups"]);
      const also = new Set([
        "fileVersion",
        "fileSharing",
        "AlternateContent",
        "revisionPtr",
        "externalReferences",
        "definedNames",
      ]);
      const next = root.elements().find(({ local }) => !before.has(local) && !also.has(local));
      root.insert(properties, next ?? null);
    }
    properties.setAttribute("fullCalcOnLoad", "1");
  }

  #removeCalculationOrder(): void {
    const pkg = this.parts.package;
    const chain = pkg.relationships(this.parts.workbook).find(({ type }) => relationshipKind(type) === "calcChain");
    if (!chain) return;
    const slash = this.parts.workbook.lastIndexOf("/");
    const list = `${this.parts.workbook.slice(0, slash + 1)}_rels/${this.parts.workbook.slice(slash + 1)}.rels`;
    const drop = (part: string, matches: (element: XmlElement) => boolean): void => {
      const document = pkg.xml(part);
      for (const element of document.root.elements()) if (matches(element)) document.root.remove(element);
      pkg.put(part, document.toString());
    };
    drop(list, (element) => element.attribute("Id", "") === chain.id);
    drop(
      "[Content_Types].xml",
      (element) => element.attribute("PartName", "")?.toLowerCase() === `/${chain.target}`.toLowerCase(),
    );
    pkg.remove(chain.target);
  }
}

/** Functions that came after the format was fixed are written with a prefix, which programs do not show. */
const newFunctions = new Map<string, string>([
  ...(
    "XLOOKUP XMATCH IFS SWITCH TEXTJOIN CONCAT MAXIFS MINIFS IFNA DAYS ISOWEEKNUM TEXTBEFORE TEXTAFTER XOR " +
    "UNIQUE SORTBY SEQUENCE RANDARRAY TEXTSPLIT VSTACK HSTACK TOROW TOCOL WRAPROWS WRAPCOLS TAKE DROP CHOOSEROWS CHOOSECOLS EXPAND " +
    "STDEV.S STDEV.P VAR.S VAR.P PERCENTILE.INC PERCENTILE.EXC QUARTILE.INC RANK.EQ RANK.AVG MODE.SNGL NORM.DIST NORM.INV FORECAST.LINEAR"
  )
    .split(" ")
    .map((name) => [name, "_xlfn."] as const),
  ["FILTER", "_xlfn._xlws."],
  ["SORT", "_xlfn._xlws."],
]);

/** Functions that calculate with whole ranges: a formula of them is an array formula of its one cell. */
const ofRanges =
  /^(?:UNIQUE|SORT|SORTBY|FILTER|SEQUENCE|RANDARRAY|TEXTSPLIT|[VH]STACK|TO(?:ROW|COL)|WRAP(?:ROWS|COLS)|TAKE|DROP|CHOOSE(?:ROWS|COLS)|EXPAND|XLOOKUP)$/;
