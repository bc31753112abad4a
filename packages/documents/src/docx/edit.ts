import { z } from "zod";
import type { Edited, EditInput, Schema } from "../format.ts";
import { refusal } from "../refusal.ts";
import type { XmlElement } from "../xml.ts";
import { blocksOf, type Block, type Cell } from "./blocks.ts";
import { addComment } from "./comments.ts";
import { openDocx, type Docx } from "./open.ts";
import { readParagraph, unwrapped } from "./paragraph.ts";
import { insertParagraph, removeParagraph, setStyle } from "./paragraphs.ts";
import { addRow, addTable, begins, removeRow } from "./tables.ts";
import { rewrite } from "./text.ts";

/** Line ends of every kind are one. */
const text = z
  .string()
  .max(100_000)
  .overwrite((said) => said.replace(/\r\n?/g, "\n"));
const address = z.string().min(1).max(100);
const style = z
  .string()
  .min(1)
  .max(200)
  .optional()
  .describe("Name of a paragraph style of the document, such as Heading 1.");
const startsWith = z.string().max(1000);

const DocumentEdit = z.discriminatedUnion("edit", [
  z.strictObject({
    edit: z.literal("replace-text"),
    at: address.optional().describe("A paragraph or cell; the whole document where it is left out."),
    old_text: z.string().min(1).max(100_000).describe("Has to occur exactly once, within one paragraph."),
    new_text: text,
  }),
  z.strictObject({
    edit: z.literal("set-text"),
    at: address.describe("A paragraph such as p3, or a cell such as t1.r2.c3."),
    text: text.describe("All of its new text. A line feed is a line break within the paragraph."),
  }),
  z.strictObject({
    edit: z.literal("insert-paragraphs"),
    after: address
      .optional()
      .describe("A paragraph or table; give this or before, or neither for the end of the document."),
    before: address.optional(),
    paragraphs: z.array(text).min(1).max(1000),
    style: style.describe("Where it is left out, the new paragraphs look like the one that they are put beside."),
  }),
  z.strictObject({
    edit: z.literal("delete-paragraph"),
    at: address,
    starts_with: startsWith.describe(
      "The beginning of its text, so that no other is deleted by mistake; empty only for one without text.",
    ),
  }),
  z.strictObject({ edit: z.literal("set-style"), at: address, style: z.string().min(1).max(200) }),
  z.strictObject({
    edit: z.literal("add-row"),
    after: address.optional().describe("A row such as t1.r2; give this or before."),
    before: address.optional(),
    cells: z.array(text).min(1).max(100),
  }),
  z.strictObject({
    edit: z.literal("delete-row"),
    at: address.describe("A row such as t1.r2."),
    starts_with: startsWith.describe(
      "The beginning of the text of its first cell that is not empty; empty only for a row without text.",
    ),
  }),
  z.strictObject({
    edit: z.literal("add-table"),
    after: address.optional().describe("A paragraph or table; the end of the document where it is left out."),
    rows: z.array(z.array(text).min(1).max(63)).min(1).max(2000),
  }),
  z.strictObject({
    edit: z.literal("add-comment"),
    at: address.describe("A paragraph of the body."),
    text,
  }),
]);
type DocumentEdit = z.infer<typeof DocumentEdit>;

/** Addresses are those of the description that the edits were made from: an edit does not move those of the next. */
export const editSchema: Schema = z.toJSONSchema(DocumentEdit) as Schema;

const mostEdits = 500;

/**
 * Edits a text document in place: only the parts that the edits name are written, and in those only the elements that they
 * touch. Everything else of the document keeps its bytes.
 */
export function editDocx({ bytes, edits }: Omit<EditInput, "kind">): Edited {
  if (edits.length === 0 || edits.length > mostEdits) throw refusal(`A call has 1 to ${mostEdits} edits.`);
  const parsed = edits.map(parseEdit);
  const docx = openDocx(bytes);
  const editor = new Editor(docx, blocksOf(docx));
  const summary = parsed.map((edit, index) => editor.apply(edit, `Edit ${index + 1}`));
  editor.save();
  return { bytes: docx.package.save(), summary };
}

function parseEdit(edit: unknown, index: number): DocumentEdit {
  const parsed = DocumentEdit.safeParse(edit);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue && issue.path.length > 0 ? ` at ${issue.path.join(".")}` : "";
  throw refusal(`Edit ${index + 1} is not one that text documents know${where}: ${issue?.message ?? "see the schema"}`);
}

interface Target {
  readonly element: XmlElement;
  readonly part: string;
}

class Editor {
  readonly #docx: Docx;
  readonly #paragraphs = new Map<string, Target>();
  readonly #rows = new Map<string, Target>();
  readonly #cells = new Map<string, Target>();
  readonly #tables = new Map<string, Target>();
  readonly #touched = new Set<string>();
  readonly #gone = new Set<XmlElement>();
  /** What was last put after an element, so that several insertions at one place stay in their order. */
  readonly #last = new Map<XmlElement, XmlElement>();

  constructor(docx: Docx, blocks: readonly Block[]) {
    this.#docx = docx;
    for (const { address: name, element, part, content, cells, role } of blocks) {
      if (content) this.#paragraphs.set(name, { element, part });
      for (const cell of cells ?? []) this.#addCell(cell, part);
      if (role !== "table-row") continue;
      this.#rows.set(name, { element, part });
      const table = tableOf(element);
      if (table) this.#tables.set(name.slice(0, name.lastIndexOf(".")), { element: table, part });
    }
  }

  /** Makes one edit and says in a sentence what it did. */
  apply(edit: DocumentEdit, name: string): string {
    switch (edit.edit) {
      case "replace-text":
        return this.#replace(edit, name);
      case "set-text":
        return this.#setText(edit.at, edit.text, name);
      case "insert-paragraphs":
        return this.#insert(edit, name);
      case "delete-paragraph": {
        const target = this.#paragraph(edit.at, name);
        const { text: said } = readParagraph(target.element);
        if (!begins(said, edit.starts_with)) throw refusal(`${name}: ${edit.at} does not begin with that text.`);
        refuseInBox(target.element, name);
        if (removeParagraph(target.element, name)) this.#gone.add(target.element);
        this.#touched.add(target.part);
        return `${edit.at}: deleted`;
      }
      case "set-style": {
        const target = this.#paragraph(edit.at, name);
        setStyle(target.element, this.#style(edit.style, name));
        this.#touched.add(target.part);
        return `${edit.at}: style ${JSON.stringify(edit.style)}`;
      }
      case "add-row": {
        const at = onlyOne(edit.after, edit.before, name);
        const target = this.#target(this.#rows, at, "row", name);
        const anchor = edit.after === undefined ? target.element : (this.#last.get(target.element) ?? target.element);
        const row = addRow(target.element, anchor, edit.cells, edit.after !== undefined, name);
        if (edit.after !== undefined) this.#last.set(target.element, row);
        this.#touched.add(target.part);
        return `${at}: a row ${edit.after === undefined ? "before" : "after"} it`;
      }
      case "delete-row": {
        const target = this.#target(this.#rows, edit.at, "row", name);
        removeRow(target.element, edit.starts_with, name);
        this.#gone.add(target.element);
        this.#touched.add(target.part);
        return `${edit.at}: deleted`;
      }
      case "add-table": {
        const { anchor, part, after } = this.#place(edit.after, name);
        const table = addTable(anchor, edit.rows, this.#docx.styles.tableGrid);
        if (after) this.#last.set(after, table);
        this.#touched.add(part);
        return `A table of ${edit.rows.length} rows ${edit.after === undefined ? "at the end" : `after ${edit.after}`}`;
      }
      default: {
        const target = this.#paragraph(edit.at, name);
        if (target.part !== this.#docx.main) throw refusal(`${name}: only paragraphs of the body can be commented on.`);
        addComment(this.#docx, target.element, edit.text);
        this.#touched.add(target.part);
        return `${edit.at}: a comment`;
      }
    }
  }

  save(): void {
    const { package: file } = this.#docx;
    for (const part of this.#touched) file.put(part, file.xml(part).toString());
  }

  #replace(edit: Extract<DocumentEdit, { edit: "replace-text" }>, name: string): string {
    const places =
      edit.at === undefined ? [...this.#paragraphs.entries(), ...this.#cellParagraphs()] : this.#within(edit.at, name);
    let found: { at: string; target: Target; offset: number; said: string } | undefined;
    let count = 0;
    for (const [at, target] of places) {
      if (this.#gone.has(target.element)) continue;
      const { text: said } = readParagraph(target.element);
      for (let offset = said.indexOf(edit.old_text); offset !== -1; offset = said.indexOf(edit.old_text, offset + 1)) {
        count++;
        found ??= { at, target, offset, said };
      }
    }
    const where = edit.at ?? "the document";
    if (!found) throw refusal(`${name}: old_text does not occur in a paragraph of ${where}.`);
    if (count > 1)
      throw refusal(`${name}: old_text occurs ${count} times in ${where}. Name a place, or give more of it.`);
    const { said, offset, target, at } = found;
    const after = said.slice(0, offset) + edit.new_text + said.slice(offset + edit.old_text.length);
    rewrite(target.element, after, name);
    this.#touched.add(target.part);
    return `${at}: ${short(edit.old_text)} became ${short(edit.new_text)}`;
  }

  #setText(at: string, said: string, name: string): string {
    const cell = this.#cells.get(at);
    if (cell) this.#setCell(cell, said, name);
    else {
      const target = this.#paragraph(at, name);
      rewrite(target.element, said, name);
      this.#touched.add(target.part);
    }
    return `${at}: ${short(said)}`;
  }

  /** The first paragraph of a cell takes the text, and the others go. */
  #setCell({ element, part }: Target, said: string, name: string): void {
    this.#refuseGone(element, name);
    if ([...unwrapped(element)].some((child) => child.local === "tbl")) {
      throw refusal(`${name}: the cell holds a table. Name a paragraph or a cell of that.`);
    }
    const [first, ...others] = [...unwrapped(element)].filter((child) => child.local === "p");
    if (!first) throw refusal(`${name}: the cell holds no paragraph.`);
    rewrite(first, said, name);
    for (const other of others) {
      const { images, boxes, pieces } = readParagraph(other);
      if (images.length + boxes.length > 0 || pieces.some((piece) => piece.kind === "fixed")) {
        throw refusal(`${name}: the cell holds more than text. Use replace-text.`);
      }
      removeParagraph(other, name);
    }
    this.#touched.add(part);
  }

  #insert(edit: Extract<DocumentEdit, { edit: "insert-paragraphs" }>, name: string): string {
    const chosen = edit.style === undefined ? undefined : this.#style(edit.style, name);
    if (edit.before !== undefined) {
      if (edit.after !== undefined) throw refusal(`${name}: give either after or before.`);
      const target = this.#block(edit.before, name);
      refuseInBox(target.element, name);
      for (const said of edit.paragraphs) insertParagraph(target.element, false, said, chosen);
      this.#touched.add(target.part);
      return `${edit.paragraphs.length} paragraphs before ${edit.before}`;
    }
    const { anchor, part, after } = this.#place(edit.after, name);
    let last = anchor;
    for (const said of edit.paragraphs) last = insertParagraph(last, true, said, chosen);
    if (after) this.#last.set(after, last);
    this.#touched.add(part);
    return `${edit.paragraphs.length} paragraphs ${edit.after === undefined ? "at the end" : `after ${edit.after}`}`;
  }

  /** What something new goes after: what is named and everything that was put after that already, or the end of the body. */
  #place(at: string | undefined, name: string): { anchor: XmlElement; part: string; after: XmlElement | undefined } {
    if (at !== undefined) {
      const { element, part } = this.#block(at, name);
      refuseInBox(element, name);
      return { anchor: this.#last.get(element) ?? element, part, after: element };
    }
    const [body] = this.#docx.stories;
    const last = body?.container.elements().findLast((child) => child.local !== "sectPr");
    if (!body || !last) throw refusal(`${name}: the document has no paragraph to go on from.`);
    return { anchor: last, part: body.part, after: undefined };
  }

  #addCell(cell: Cell, part: string): void {
    this.#cells.set(cell.address, { element: cell.element, part });
  }

  *#cellParagraphs(): Generator<[string, Target]> {
    for (const [at, cell] of this.#cells) yield* paragraphsOf(at, cell);
  }

  #within(at: string, name: string): Iterable<[string, Target]> {
    const cell = this.#cells.get(at);
    if (!cell) return [[at, this.#paragraph(at, name)]];
    this.#refuseGone(cell.element, name);
    return paragraphsOf(at, cell);
  }

  #paragraph(at: string, name: string): Target {
    return this.#target(this.#paragraphs, at, "paragraph", name);
  }

  #block(at: string, name: string): Target {
    return this.#target(this.#tables.has(at) ? this.#tables : this.#paragraphs, at, "paragraph or table", name);
  }

  #target(of: ReadonlyMap<string, Target>, at: string, what: string, name: string): Target {
    const target = of.get(at);
    if (!target) throw refusal(`${name}: the document has no ${what} ${JSON.stringify(at)}.`);
    this.#refuseGone(target.element, name);
    return target;
  }

  #refuseGone(element: XmlElement, name: string): void {
    for (let at: XmlElement | null = element; at; at = at.parent) {
      if (this.#gone.has(at)) throw refusal(`${name}: an earlier edit has deleted that.`);
    }
  }

  #style(wanted: string, name: string): string {
    const id = this.#docx.styles.find(wanted);
    if (id !== undefined) return id;
    const known = this.#docx.styles.names
      .slice(0, 40)
      .map((one) => JSON.stringify(one))
      .join(", ");
    throw refusal(`${name}: the document has no paragraph style of that name. It has: ${known}.`);
  }
}

function* paragraphsOf(at: string, cell: Target): Generator<[string, Target]> {
  for (const element of unwrapped(cell.element)) if (element.local === "p") yield [at, { element, part: cell.part }];
}

function tableOf(row: XmlElement): XmlElement | undefined {
  for (let at = row.parent; at; at = at.parent) if (at.local === "tbl") return at;
  return undefined;
}

/** A text box is there twice, for newer and for older programs; paragraphs of it cannot come or go in both alike. */
function refuseInBox(element: XmlElement, name: string): void {
  for (let at = element.parent; at; at = at.parent) {
    if (at.local === "txbxContent") throw refusal(`${name}: of text boxes only the text can be changed.`);
  }
}

function onlyOne(after: string | undefined, before: string | undefined, name: string): string {
  const at = after ?? before;
  if (at === undefined || (after !== undefined && before !== undefined)) {
    throw refusal(`${name}: give either after or before.`);
  }
  return at;
}

function short(said: string): string {
  return JSON.stringify(said.length > 60 ? `${said.slice(0, 60).toWellFormed()}…` : said);
}
