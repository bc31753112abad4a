/**
 * What comparing two documents comes to. Texts are bounded; `truncated` says that there is more. `marks…` are ranges (start,
 * end; UTF-16 offsets) of the words that differ from the other side. Every field is plain data: it crosses threads.
 */

export type ChangeOfPart = "same" | "added" | "removed" | "changed";
export type Marks = [start: number, end: number][];

/** A text on both sides; null where a side has none. */
export interface TextPair {
  readonly before: string | null;
  readonly after: string | null;
  readonly marksBefore?: Marks;
  readonly marksAfter?: Marks;
}

/** One block of a text document: a paragraph, a heading, a row of a table, an image, a note. */
export interface DocumentBlock extends TextPair {
  readonly change: ChangeOfPart;
  readonly role:
    | "heading"
    | "paragraph"
    | "list-item"
    | "table-row"
    | "image"
    | "header"
    | "footer"
    | "footnote"
    | "comment"
    | "break";
  /** 1 to 9 for headings, depth of list items from 1; else null. */
  readonly level: number | null;
  /** Name of the paragraph's style. */
  readonly style: string | null;
  /** The words are the same, and their look is not. */
  readonly formatChanged: boolean;
}

export interface CellContent {
  /** As it is shown. */
  readonly text: string;
  /** Without its `=`. */
  readonly formula: string | null;
  readonly type: "text" | "number" | "date" | "boolean" | "error";
}

export interface SheetRow {
  readonly change: ChangeOfPart;
  /** From 1; null where a side has no such row. */
  readonly oldRow: number | null;
  readonly newRow: number | null;
  /** Those that hold something on either side. */
  readonly cells: {
    /** From 1, of the side where it is (the new one where it is on both). */
    readonly column: number;
    readonly change: ChangeOfPart;
    readonly before: CellContent | null;
    readonly after: CellContent | null;
    readonly comment: string | null;
  }[];
}

export interface SheetChanges {
  readonly name: string;
  /** Where the sheet was renamed. */
  readonly oldName: string | null;
  readonly change: ChangeOfPart;
  readonly hidden: boolean;
  readonly columns: number;
  readonly oldRows: number;
  readonly newRows: number;
  readonly changedCells: number;
  /** Changed rows with their surroundings, in order; gaps are what stayed the same. */
  readonly rows: SheetRow[];
  /** Ranges of merged cells of the new side, such as `A1:C1`. */
  readonly merged: string[];
  /** Widths, formats, merges or other things that are no cell's content differ. */
  readonly formatChanged: boolean;
  readonly truncated: boolean;
}

export interface SlideShape extends TextPair {
  readonly change: ChangeOfPart;
  readonly name: string;
  readonly role: "title" | "body" | "text" | "table" | "picture" | "chart" | "notes" | "other";
  /** Left, top, width, height, each as a share of the slide; null where the layout decides. */
  readonly frame: [left: number, top: number, width: number, height: number] | null;
  readonly formatChanged: boolean;
}

export interface SlideChanges {
  readonly change: ChangeOfPart | "moved";
  /** From 1. */
  readonly oldNumber: number | null;
  readonly newNumber: number | null;
  readonly title: string;
  readonly shapes: SlideShape[];
}

export interface PageChanges {
  readonly change: ChangeOfPart;
  /** From 1. */
  readonly oldPage: number | null;
  readonly newPage: number | null;
  /** Width by height, in points of 1/72 inch. */
  readonly size: [width: number, height: number];
  readonly lines: ({ readonly change: ChangeOfPart } & TextPair)[];
}

export interface ImageSide {
  readonly width: number;
  readonly height: number;
  readonly mediaType: string;
}

export interface ByteRow {
  readonly offset: number;
  /** Up to 16 bytes as hex digits without spaces. */
  readonly before: string | null;
  readonly after: string | null;
}

/** Something about a file that a person should look at before they agree. */
export interface ReviewWarning {
  readonly kind:
    | "csv-formula"
    | "spoofed-text"
    | "external-reference"
    | "macro"
    | "invalid-utf8"
    | "long-line"
    | "unreadable";
  readonly message: string;
  /** A cell, a line, a part; null for the whole file. */
  readonly where: string | null;
}

interface Common {
  readonly warnings: ReviewWarning[];
  readonly truncated: boolean;
}

/** One comparison, by what the documents are. */
export type DocumentComparison = Common &
  (
    | { readonly kind: "document"; readonly blocks: DocumentBlock[] }
    | { readonly kind: "sheets"; readonly sheets: SheetChanges[] }
    | {
        readonly kind: "slides";
        readonly slides: SlideChanges[];
        /** Width by height of a slide, in points. */
        readonly slideSize: [width: number, height: number];
      }
    | { readonly kind: "pages"; readonly pages: PageChanges[] }
    | { readonly kind: "image"; readonly before: ImageSide | null; readonly after: ImageSide | null }
    | {
        readonly kind: "bytes";
        readonly metadata: { readonly name: string; readonly before: string | null; readonly after: string | null }[];
        readonly rows: ByteRow[];
        /** Where the rows begin, and where the next difference after them is; null where there is none. */
        readonly offset: number;
        readonly nextDifference: number | null;
      }
  );
