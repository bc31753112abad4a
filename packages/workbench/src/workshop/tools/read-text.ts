import { documentKindOf } from "@benchtop/documents/kinds";
import { BenchtopError } from "@benchtop/protocol";
import type { DraftFile, DraftView } from "../../draft/view.ts";
import type { Environment } from "../../environment.ts";
import { parseWorkbenchPath } from "../../path/workbench-path.ts";

/** A larger file is not searched, nor read as a whole into memory for a model. */
export const readableBytes = 20_000_000;

/** A text file as the Draft has it. Throws `NOT_FOUND`, and `VALIDATION_FAILED` for what is no text or too large. */
export async function readText(
  { limits, store }: Environment,
  view: DraftView,
  path: string,
): Promise<{ file: DraftFile; text: string }> {
  const checked = parseWorkbenchPath(path, limits);
  const file = view.get(checked);
  if (!file) {
    const deleted = view.changes.get(checked)?.change === "deleted" ? " It is deleted in the Draft." : "";
    throw problem("NOT_FOUND", `There is no file "${checked}".${deleted} list_files shows what there is.`);
  }
  if (file.opaque) {
    const hint = documentKindOf(checked, file.mediaType) === null ? "" : " read_document reads documents.";
    throw problem("VALIDATION_FAILED", `"${checked}" is ${file.mediaType}; it cannot be read as text.${hint}`);
  }
  if (file.bytes > readableBytes) {
    throw problem(
      "VALIDATION_FAILED",
      `"${checked}" is too large to read (${file.bytes} bytes). search_files cannot read it either.`,
    );
  }
  const bytes = await store.blobs.read(file.sha256);
  try {
    return { file, text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch (thrown) {
    if (!(thrown instanceof TypeError)) throw thrown;
    throw problem("VALIDATION_FAILED", `"${checked}" is not UTF-8 text; it cannot be read.`);
  }
}

function problem(code: "NOT_FOUND" | "VALIDATION_FAILED", message: string): BenchtopError {
  return new BenchtopError(code, message, { phase: "workshop" });
}
