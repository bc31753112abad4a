import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { GgufHeader } from "./gguf.ts";
import { ggufLimits as limits } from "./limits.ts";
import { numberIn } from "./metadata.ts";
import { readGgufHeader } from "./read.ts";
import { refusal } from "./refusal.ts";

/**
 * The files of a model, in order: all parts of one that is divided (`…-00001-of-00003.gguf`, whichever part was named), else
 * the file itself. Nothing is opened. Throws `VALIDATION_FAILED` where a part is missing.
 */
export async function splitParts(path: string): Promise<readonly string[]> {
  const name = partName.exec(basename(path));
  if (!name) return [path];
  const [, prefix = "", part = "", total = "", extension = ""] = name;
  const count = Number(total);
  if (Number(part) < 1 || Number(part) > count || count > limits.parts) {
    throw refusal(`The name of the file says that it is part ${Number(part)} of ${count}, which cannot be.`);
  }
  const paths = Array.from({ length: count }, (_, index) =>
    join(dirname(path), `${prefix}-${String(index + 1).padStart(part.length, "0")}-of-${total}${extension}`),
  );
  const there = await Promise.all(paths.map(isThere));
  const missing = there.flatMap((found, index) => (found ? [] : [index + 1]));
  if (missing.length > 0) {
    throw refusal(
      `The model is in ${count} files, and ${missing.length === 1 ? "part" : "parts"} ${missing.slice(0, 10).join(", ")} ${missing.length === 1 ? "is" : "are"} missing. Put all of them into one folder.`,
    );
  }
  return paths;
}

/**
 * The header of a whole model, in one file or several: the metadata of the first and the tensors of all, whose offsets count
 * from the data of their own file; `fileBytes` is the sum. Throws as `readGgufHeader`, and for parts that are not of one model.
 */
export async function readGgufModel(
  path: string,
  signal?: AbortSignal,
): Promise<{ readonly parts: readonly string[]; readonly header: GgufHeader }> {
  const parts = await splitParts(path);
  const headers: GgufHeader[] = [];
  for (const part of parts) headers.push(await readGgufHeader(part, signal));
  const [first] = headers;
  if (!first) throw refusal("The model has no file.");
  checkTogether(headers);
  const tensors = headers.flatMap((header) => header.tensors);
  const fileBytes = headers.reduce((sum, header) => sum + header.fileBytes, 0);
  return { parts, header: { ...first, tensors, fileBytes } };
}

const partName = /^(.+)-(\d{5})-of-(\d{5})(\.gguf)$/i;

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** llama.cpp numbers parts from 0, and counts all tensors. A single file may be a part that was given another name. */
function checkTogether(headers: readonly GgufHeader[]): void {
  const tensors = headers.reduce((sum, header) => sum + header.tensors.length, 0);
  for (const [index, header] of headers.entries()) {
    const count = numberIn(header, "split.count") ?? (headers.length === 1 ? 1 : 0);
    // A file that is whole may say 0 here.
    if (Math.max(count, 1) !== headers.length) {
      throw refusal(
        headers.length === 1
          ? `This file is one of ${count} parts of a model. Give all parts their names (…-00001-of-${String(count).padStart(5, "0")}.gguf) and choose the first.`
          : `Part ${index + 1} does not say that it is one of ${headers.length}.`,
      );
    }
    const number = numberIn(header, "split.no");
    if (number !== undefined && number !== index)
      throw refusal(`Part ${index + 1} says that it is part ${number + 1}.`);
    const all = numberIn(header, "split.tensors.count");
    if (headers.length > 1 && all !== undefined && all !== tensors) {
      throw refusal(
        `The parts have ${tensors} tensors together, and part ${index + 1} says ${all}. They are not of one model.`,
      );
    }
  }
  const names = new Set(headers.flatMap((header) => header.tensors.map((tensor) => tensor.name)));
  if (names.size !== tensors) throw refusal("Two parts of the model have the same tensor.");
}
