import { z } from "zod";
import { ReviewWarning } from "./review-warning.ts";

/**
 * The differences of two documents, as what they are. Texts are bounded; `truncated` says that there is more. `marks` are
 * ranges (start, end; UTF-16 offsets) of the words that differ from the other side.
 */

const change = z.enum(["same", "added", "removed", "changed"]);
const Marks = z.array(z.tuple([z.int(), z.int()]));

/** A text on both sides; null where a side has none. */
const TextPair = {
  before: z.string().nullable(),
  after: z.string().nullable(),
  marksBefore: Marks.optional(),
  marksAfter: Marks.optional(),
};

/** One block of a text document: a paragraph, a heading, a row of a table, an image, a note. */
export const DocumentBlock = z.object({
  change,
  ...TextPair,
  role: z.enum([
    "heading",
    "paragraph",
    "list-item",
    "table-row",
    "image",
    "header",
    "footer",
    "footnote",
    "comment",
    "break",
  ]),
  /** 1 to 9 for headings, depth of list items from 1; else null. */
  level: z.int().nullable(),
  /** Name of the paragraph's style. */
  style: z.string().nullable(),
  /** The words are the same, and their look is not. */
  formatChanged: z.boolean(),
});
export type DocumentBlock = z.infer<typeof DocumentBlock>;

const CellContent = z.object({
  /** As it is shown. */
  text: z.string(),
  /** Without its `=`. */
  formula: z.string().nullable(),
  type: z.enum(["text", "number", "date", "boolean", "error"]),
});
export type CellContent = z.infer<typeof CellContent>;

export const SheetRow = z.object({
  change,
  /** From 1; null where a side has no such row. */
  oldRow: z.int().nullable(),
  newRow: z.int().nullable(),
  /** Those that hold something on either side. */
  cells: z.array(
    z.object({
      /** From 1, of the side where it is (the new one where it is on both). */
      column: z.int(),
      change,
      before: CellContent.nullable(),
      after: CellContent.nullable(),
      comment: z.string().nullable(),
    }),
  ),
});
export type SheetRow = z.infer<typeof SheetRow>;

export const SheetChanges = z.object({
  name: z.string(),
  /** Where the sheet was renamed. */
  oldName: z.string().nullable(),
  change,
  hidden: z.boolean(),
  columns: z.int(),
  oldRows: z.int(),
  newRows: z.int(),
  changedCells: z.int(),
  /** Changed rows with their surroundings, in order; gaps are what stayed the same. */
  rows: z.array(SheetRow),
  /** Ranges of merged cells of the new side, such as `A1:C1`. */
  merged: z.array(z.string()),
  /** Widths, formats, merges or other things that are no cell's content differ. */
  formatChanged: z.boolean(),
  truncated: z.boolean(),
});
export type SheetChanges = z.infer<typeof SheetChanges>;

export const SlideShape = z.object({
  change,
  ...TextPair,
  name: z.string(),
  role: z.enum(["title", "body", "text", "table", "picture", "chart", "notes", "other"]),
  /** Left, top, width, height, each as a share of the slide; null where the layout decides. */
  frame: z.tuple([z.number(), z.number(), z.number(), z.number()]).nullable(),
  formatChanged: z.boolean(),
});
export type SlideShape = z.infer<typeof SlideShape>;

export const SlideChanges = z.object({
  change: z.enum(["same", "added", "removed", "changed", "moved"]),
  /** From 1. */
  oldNumber: z.int().nullable(),
  newNumber: z.int().nullable(),
  title: z.string(),
  shapes: z.array(SlideShape),
});
export type SlideChanges = z.infer<typeof SlideChanges>;

export const PageChanges = z.object({
  change,
  /** From 1; their images are to be had with review.getPage. */
  oldPage: z.int().nullable(),
  newPage: z.int().nullable(),
  /** Width by height, in points of 1/72 inch. */
  size: z.tuple([z.number(), z.number()]),
  lines: z.array(z.object({ change, ...TextPair })),
});
export type PageChanges = z.infer<typeof PageChanges>;

const ImageSide = z.object({ width: z.int(), height: z.int(), mediaType: z.string() });

const ByteRow = z.object({
  offset: z.int(),
  /** Up to 16 bytes as hex digits without spaces. */
  before: z.string().nullable(),
  after: z.string().nullable(),
});

const facts = {
  path: z.string(),
  change: z.enum(["added", "modified", "deleted"]),
  mediaType: z.string(),
  bytesBefore: z.int().nullable(),
  bytesAfter: z.int().nullable(),
  sha256Before: z.string().nullable(),
  sha256After: z.string().nullable(),
  warnings: z.array(ReviewWarning),
  truncated: z.boolean(),
};

export const DocumentDiff = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("document"), ...facts, blocks: z.array(DocumentBlock) }),
  z.object({ kind: z.literal("sheets"), ...facts, sheets: z.array(SheetChanges) }),
  z.object({
    kind: z.literal("slides"),
    ...facts,
    slides: z.array(SlideChanges),
    /** Width by height of a slide, in points. */
    slideSize: z.tuple([z.number(), z.number()]),
  }),
  z.object({ kind: z.literal("pages"), ...facts, pages: z.array(PageChanges) }),
  z.object({
    kind: z.literal("image"),
    ...facts,
    /** Null where there is none, or where its size cannot be read. */
    before: ImageSide.nullable(),
    after: ImageSide.nullable(),
  }),
  z.object({
    kind: z.literal("bytes"),
    ...facts,
    /** Facts that could be read, such as what a file of this type is made with: name and value of each side. */
    metadata: z.array(z.object({ name: z.string(), before: z.string().nullable(), after: z.string().nullable() })),
    rows: z.array(ByteRow),
    /** Where the rows begin, and where the next difference after them is; null where there is none. */
    offset: z.int(),
    nextDifference: z.int().nullable(),
  }),
]);
export type DocumentDiff = z.infer<typeof DocumentDiff>;
