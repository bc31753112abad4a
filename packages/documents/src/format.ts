import type { DocumentComparison } from "./comparison.ts";

/** What a document is to a person who looks at two versions of it. */
export type DocumentKind = "document" | "sheets" | "slides" | "pages" | "image";

export interface ComparisonInput {
  /** Null for what is neither text nor any of these: it is compared by its bytes. */
  readonly kind: DocumentKind | null;
  /** Null on the side where there is no such file. */
  readonly before: Uint8Array | null;
  readonly after: Uint8Array | null;
  readonly mediaType: string;
  readonly path: string;
  /** Where the rows of a comparison of bytes begin; just before the first difference where it is not given. */
  readonly offset?: number;
}

export interface DescriptionInput {
  readonly kind: DocumentKind;
  readonly bytes: Uint8Array;
  readonly path: string;
  /** What to continue with, as an earlier description named it: a sheet, a range, a slide, a page, a place in the text. */
  readonly part?: string;
}

export interface EditInput {
  readonly kind: DocumentKind;
  readonly bytes: Uint8Array;
  readonly path: string;
  /** As the `editSchema` of the kind says; checked again, since a model wrote them. */
  readonly edits: readonly unknown[];
}

export interface Edited {
  readonly bytes: Uint8Array;
  /** One sentence for each edit: what it changed. */
  readonly summary: string[];
}

/** A JSON Schema of the 2020-12 draft. */
export type Schema = Readonly<Record<string, unknown>>;

/**
 * One format, as the folder of its name exports it. All of them throw `VALIDATION_FAILED` (phase `review`) for documents that
 * are damaged or hostile, and for edits that do not fit the document; nothing else comes of untrusted bytes.
 */
export interface DocumentFormat {
  compare(input: ComparisonInput): DocumentComparison | Promise<DocumentComparison>;
  /** Text for a model, with the addresses that edits name; at most `describedCharacters`, then the `part` to ask for next. */
  describe?(input: Omit<DescriptionInput, "kind">): string | Promise<string>;
  edit?(input: Omit<EditInput, "kind">): Edited | Promise<Edited>;
  /** A new, valid, empty one. */
  create?(path: string): Uint8Array;
  /** Of one edit. */
  readonly editSchema?: Schema;
}

export const describedCharacters = 60_000;
