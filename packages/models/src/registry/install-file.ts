import { link, realpath, rm, stat } from "node:fs/promises";
import { basename, isAbsolute, join } from "node:path";
import { splitParts } from "@benchtop/llama/gguf";
import { BenchtopError } from "@benchtop/protocol";
import { isCode } from "../private-file.ts";
import type { LocalModel, OnProgress } from "./descriptor.ts";
import { inspectModel } from "./inspect-model.ts";
import type { InstallMeans, NewFile } from "./installer.ts";
import { fileNameFrom, modelNameFrom } from "./model-name.ts";
import { readFile } from "./read-file.ts";
import { invalid, refusal } from "./refusals.ts";

export interface InstallFileOptions {
  /** Made from the file's name unless told. */
  readonly name?: string | undefined;
  readonly link?: boolean | undefined;
  readonly replace?: boolean | undefined;
  /** What the file has to be, for one that is not in parts. */
  readonly sha256?: string | undefined;
  readonly id?: string | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** Installs a file of this machine, and the other parts of its model. It is looked at before anything is copied. */
export async function installFile(
  { folders, installer, checkRoom }: InstallMeans,
  path: string,
  options: InstallFileOptions,
  signal: AbortSignal,
): Promise<LocalModel> {
  const { link: linked = false, replace = false, sha256, id } = options;
  const first = await checkedFile(path);
  const name = options.name ?? modelNameFrom(titleOf(first));
  await installer.checkName(name, replace);
  const parts = await splitParts(first);
  await inspectModel(parts, signal);
  const sizes = await Promise.all(parts.map(async (part) => (await stat(part)).size));
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  await checkRoom({ bytes, onDisk: linked ? bytes : 0 });

  const work = await folders.workFolder();
  try {
    const files: NewFile[] = [];
    for (const [index, part] of parts.entries()) {
      const before = sizes.slice(0, index).reduce((sum, size) => sum + size, 0);
      const onBytes = (done: number) => options.onProgress?.({ bytesDone: before + done, bytesTotal: bytes });
      files.push(await bring(part, join(work, fileNameFrom(part)), linked, onBytes, signal));
    }
    if (sha256 !== undefined) checkHash(files, sha256);
    const model = { name, source: { type: "file", path: first }, replace } as const;
    await using prepared = await installer.prepare(files, model, { ...(id !== undefined && { id }), signal });
    return await prepared.commit();
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** What a person would call the model in a file: its name without what tells the format or the part. */
export function titleOf(path: string): string {
  return basename(path)
    .replace(/\.gguf$/i, "")
    .replace(/-\d{5}-of-\d{5}$/, "");
}

/** A device or a pipe may never end. */
export async function checkedFile(path: string): Promise<string> {
  if (!isAbsolute(path)) throw invalid("Give the whole path of the file, from the root of the disk.");
  try {
    const real = await realpath(path);
    const found = await stat(real);
    if (found.isDirectory()) throw invalid("That is a folder. Give the .gguf file in it; of several parts, the first.");
    if (!found.isFile()) throw invalid("That is no file.");
    return real;
  } catch (error) {
    if (isCode(error, "ENOENT"))
      throw refusal("NOT_FOUND", "There is no such file on the machine that Benchtop runs on.");
    throw BenchtopError.from(error, "FILE_READ_FAILED", { phase: "settings" });
  }
}

/** The file in a place of ours: another name of it, or a copy. */
export async function bring(
  from: string,
  to: string,
  linked: boolean,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<NewFile> {
  if (!linked) {
    const { sha256 } = await readFile({ path: from, copyTo: to }, onBytes, signal);
    return { path: to, sha256 };
  }
  try {
    await link(from, to);
  } catch (error) {
    if (isCode(error, "EXDEV") || isCode(error, "EPERM") || isCode(error, "ENOTSUP") || isCode(error, "EMLINK")) {
      throw invalid(
        "The file cannot be linked: it is on another disk, or belongs to somebody else. Install it as a copy.",
      );
    }
    throw error;
  }
  const { sha256 } = await readFile({ path: to }, onBytes, signal);
  return { path: to, sha256 };
}

function checkHash([file, ...others]: readonly NewFile[], sha256: string): void {
  if (others.length > 0) throw invalid("A hash can be given for a model in one file only.");
  if (file?.sha256 !== sha256.toLowerCase()) {
    throw invalid("The file is not the one that was meant: it has another sha256. Nothing was installed.");
  }
}
