import { readFileSync } from "node:fs";
import {
  compareDocuments as compare,
  renderPage as render,
  type DocumentComparison,
  type DocumentKind,
} from "@benchtop/documents";
import { agentDocumentJobs } from "../workshop/tools/document-jobs.ts";

export interface DocumentsInput {
  /** Null to compare bytes. */
  readonly kind: DocumentKind | null;
  /** Files that hold the two sides; null where a side has none. */
  readonly before: string | null;
  readonly after: string | null;
  readonly mediaType: string;
  /** Where the file is in the workbench. */
  readonly path: string;
  /** Where the bytes that are shown begin; from the first difference if it is not told. */
  readonly offset?: number;
}

async function compareDocuments({ before, after, ...input }: DocumentsInput): Promise<DocumentComparison> {
  return await compare({ ...input, before: bytesOf(before), after: bytesOf(after) });
}

async function renderPage(input: { file: string; page: number; width: number }): Promise<Uint8Array> {
  return await render({ bytes: readFileSync(input.file), page: input.page, width: input.width });
}

function bytesOf(file: string | null): Uint8Array | null {
  return file === null ? null : readFileSync(file);
}

/** What the thread for documents can be asked to do. */
export const documentJobs = { compareDocuments, renderPage, ...agentDocumentJobs } as const;
export type DocumentJobs = typeof documentJobs;
