import { BenchtopError } from "@benchtop/protocol";
import type { DocumentComparison } from "./comparison.ts";
import type {
  ComparisonInput,
  DescriptionInput,
  DocumentFormat,
  DocumentKind,
  EditInput,
  Edited,
  Schema,
} from "./format.ts";
import type { PageToRender } from "./pages/index.ts";
import { refusal } from "./refusal.ts";

/** Formats are loaded when the first document of their kind comes: a PDF engine is large, and most threads never need it. */
const formats: Readonly<Record<DocumentKind | "bytes", (() => Promise<DocumentFormat>) | undefined>> = {
  document: () => import("./docx/index.ts"),
  sheets: () => import("./sheets/index.ts"),
  slides: () => import("./slides/index.ts"),
  pages: () => import("./pages/index.ts"),
  image: () => import("./images/index.ts"),
  bytes: () => import("./bytes/index.ts"),
};

/**
 * Compares two versions of a document. One that is damaged or hostile is compared by its bytes, with a warning that says why it
 * could not be read: a person has to be able to review whatever is in a Draft.
 */
export async function compareDocuments(input: ComparisonInput): Promise<DocumentComparison> {
  const format = await formats[input.kind ?? "bytes"]?.();
  if (format && input.kind !== null) {
    try {
      return await format.compare(input);
    } catch (thrown) {
      return await compareBytes(input, unreadable(thrown));
    }
  }
  return await compareBytes(input);
}

/** One page of a PDF as a PNG image. */
export async function renderPage(what: PageToRender): Promise<Uint8Array> {
  return (await import("./pages/index.ts")).renderPage(what);
}

/** A document as text for a model, in parts of at most `describedCharacters`. */
export async function describeDocument({ kind, ...input }: DescriptionInput): Promise<string> {
  const format = await formats[kind]?.();
  if (!format?.describe) throw refusal(`"${input.path}" cannot be described.`);
  return await format.describe(input);
}

/** All edits of a document or none of them. */
export async function editDocument({ kind, ...input }: EditInput): Promise<Edited> {
  const format = await formats[kind]?.();
  if (!format?.edit) throw refusal(`"${input.path}" cannot be edited as a document.`);
  const edited = await format.edit(input);
  // What was written has to be readable before anybody gets it.
  await format.describe?.({ bytes: edited.bytes, path: input.path });
  return edited;
}

/** A new, valid, empty document. */
export async function createDocument({ kind, path }: { kind: DocumentKind; path: string }): Promise<Uint8Array> {
  const format = await formats[kind]?.();
  if (!format?.create) throw refusal(`A document like "${path}" cannot be created.`);
  return format.create(path);
}

/** The schema of one edit of this kind; undefined for kinds that cannot be edited. */
export async function editSchemaOf(kind: DocumentKind): Promise<Schema | undefined> {
  return (await formats[kind]?.())?.editSchema;
}

async function compareBytes(input: ComparisonInput, why?: string): Promise<DocumentComparison> {
  const bytes = await formats.bytes?.();
  if (!bytes) throw refusal(why ?? "The document cannot be read.");
  const comparison = await bytes.compare({ ...input, kind: null });
  if (why === undefined) return comparison;
  return { ...comparison, warnings: [{ kind: "unreadable", message: why, where: null }, ...comparison.warnings] };
}

/** Only what documents are refused with is a reason to look at bytes; defects of ours stay errors. */
function unreadable(thrown: unknown): string {
  if (BenchtopError.is(thrown) && thrown.code === "VALIDATION_FAILED") return thrown.message;
  throw thrown;
}
