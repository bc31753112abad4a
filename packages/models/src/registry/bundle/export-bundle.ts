import { createHash, randomBytes } from "node:crypto";
import { access, link, open, rename, unlink, type FileHandle } from "node:fs/promises";
import { dirname, isAbsolute } from "node:path";
import { BenchtopError } from "@benchtop/protocol";
import { syncFolder } from "@benchtop/store";
import { isCode } from "../../private-file.ts";
import type { KeptFile, KeptModel, OnProgress } from "../descriptor.ts";
import type { ModelFolders } from "../model-folders.ts";
import { writeAll } from "../read-file.ts";
import { invalid, refusal } from "../refusals.ts";
import { entryName, manifestName, writeManifest } from "./bundle-manifest.ts";
import { padding, tarEnd, tarHeader } from "./tar.ts";

/** Writes models into one file that appears whole or not at all. Every file is checked against its hash on the way. */
export async function exportBundle(
  folders: ModelFolders,
  models: readonly KeptModel[],
  path: string,
  onProgress: OnProgress | undefined,
  signal: AbortSignal,
): Promise<{ readonly path: string; readonly bytes: number }> {
  if (models.length === 0) throw invalid("Say which models are to be in the bundle.");
  await checkDestination(path);
  const temporary = `${path}.${randomBytes(6).toString("hex")}.part`;
  try {
    const bytes = await writeTo(temporary, folders, models, onProgress, signal);
    await giveName(temporary, path);
    return { path, bytes };
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    signal.throwIfAborted();
    throw BenchtopError.from(error, "FILE_WRITE_FAILED", { phase: "settings" });
  }
}

async function checkDestination(path: string): Promise<void> {
  if (!isAbsolute(path)) throw invalid("Give the whole path of the bundle, from the root of the disk.");
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  if (isThere) throw invalid("There is a file of that name already. Choose another, or remove it first.");
}

async function writeTo(
  path: string,
  folders: ModelFolders,
  models: readonly KeptModel[],
  onProgress: OnProgress | undefined,
  signal: AbortSignal,
): Promise<number> {
  const files = uniqueFiles(models);
  const bytesTotal = [...files.values()].reduce((sum, { file }) => sum + file.bytes, 0);
  await using output = await open(path, "wx", 0o600);
  let position = 0;
  const write = async (chunk: Uint8Array) => {
    await writeAll(output, chunk, position);
    position += chunk.length;
  };
  const manifest = writeManifest(models);
  await write(tarHeader(manifestName, manifest.length));
  await write(manifest);
  await write(padding(manifest.length));
  let bytesDone = 0;
  for (const [sha256, { file, model }] of files) {
    await write(tarHeader(entryName(sha256), file.bytes));
    await using source = await open(folders.pathOf(model.folder, file.path), "r");
    await copyChecked(source, file, model.model.name, signal, async (chunk) => {
      await write(chunk);
      bytesDone += chunk.length;
      onProgress?.({ bytesDone, bytesTotal });
    });
    await write(padding(file.bytes));
  }
  await write(tarEnd);
  await output.sync();
  return position;
}

function uniqueFiles(models: readonly KeptModel[]): Map<string, { file: KeptFile; model: KeptModel }> {
  return new Map(models.flatMap((model) => model.files.map((file) => [file.sha256, { file, model }])));
}

const chunkBytes = 1024 * 1024;

async function copyChecked(
  source: FileHandle,
  file: KeptFile,
  model: string,
  signal: AbortSignal,
  write: (chunk: Uint8Array) => Promise<void>,
): Promise<void> {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(chunkBytes);
  let position = 0;
  while (position < file.bytes) {
    signal.throwIfAborted();
    const { bytesRead } = await source.read(buffer, 0, Math.min(chunkBytes, file.bytes - position), position);
    if (bytesRead === 0) break;
    const chunk = buffer.subarray(0, bytesRead);
    hash.update(chunk);
    await write(chunk);
    position += bytesRead;
  }
  if (position === file.bytes && hash.digest("hex") === file.sha256) return;
  throw refusal(
    "FILE_READ_FAILED",
    `The files of “${model}” are not those that were installed. Remove the model and install it again; nothing was written.`,
    { retryable: false, detail: { model } },
  );
}

/** Takes nobody's place, even if a file of that name has come meanwhile. */
async function giveName(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path);
    await unlink(temporary);
  } catch (error) {
    if (isCode(error, "EEXIST"))
      throw invalid("There is a file of that name already. Choose another, or remove it first.");
    // A file system without hard links, as USB sticks have.
    await rename(temporary, path);
  }
  await syncFolder(dirname(path));
}
