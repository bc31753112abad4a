import { readFileSync } from "node:fs";
import {
  createDocument as create,
  describeDocument as describe,
  editDocument as edit,
  editSchemaOf,
  type DocumentKind,
  type Edited,
} from "@benchtop/documents";

export interface DescriptionJob {
  readonly kind: DocumentKind;
  readonly file: string;
  /** Where the file is in the workbench. */
  readonly path: string;
  readonly part?: string;
  /** Also says which edits there are, where the document can be edited at all. */
  readonly withEdits: boolean;
}

async function describeDocument({ kind, file, path, part, withEdits }: DescriptionJob): Promise<string> {
  const bytes = readFileSync(file);
  const text = await describe({ kind, bytes, path, ...(part !== undefined && { part }) });
  return withEdits && part === undefined ? `${text}\n\n${await editsOf(kind)}` : text;
}

async function editDocument(input: {
  kind: DocumentKind;
  file: string;
  path: string;
  edits: readonly unknown[];
}): Promise<Edited> {
  return await edit({ ...input, bytes: readFileSync(input.file) });
}

async function createDocument(input: {
  kind: DocumentKind;
  path: string;
}): Promise<{ bytes: Uint8Array; description: string }> {
  const bytes = await create(input);
  const text = await describe({ ...input, bytes });
  return { bytes, description: `${text}\n\n${await editsOf(input.kind)}` };
}

/** Schemas of edits are long, and those of one kind are enough: a model is told them with the document, and not with each request. */
async function editsOf(kind: DocumentKind): Promise<string> {
  const { $schema: _, ...schema } = (await editSchemaOf(kind)) ?? {};
  return `Each edit of edit_document has to fit this JSON Schema: ${JSON.stringify(schema)}`;
}

/** What an agent's tools ask the thread for documents. */
export const agentDocumentJobs = { describeDocument, editDocument, createDocument } as const;
