import { createHash } from "node:crypto";
import { open, rm } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { BenchtopError } from "@benchtop/protocol";
import { isCode } from "../../private-file.ts";
import type { LocalModel, OnProgress } from "../descriptor.ts";
import type { InstallMeans, NewFile, PreparedModel } from "../installer.ts";
import { sha256Of } from "../model-rows.ts";
import { writeAll } from "../read-file.ts";
import { invalid, refusal } from "../refusals.ts";
import { entryName, manifestName, maxManifestBytes, readManifest, type BundledModel } from "./bundle-manifest.ts";
import { readTar, type TarEntry } from "./tar.ts";

/**
 * Installs the models of a bundle. The bundle is as untrusted as a download: names, sizes and hashes are checked before the first
 * model is installed, and what a refused bundle has written is removed.
 */
export async function importBundle(
  means: InstallMeans,
  path: string,
  onProgress: OnProgress | undefined,
  signal: AbortSignal,
): Promise<LocalModel[]> {
  const { folders, installer } = means;
  if (!isAbsolute(path)) throw invalid("Give the whole path of the bundle, from the root of the disk.");
  const work = await folders.workFolder();
  const prepared: PreparedModel[] = [];
  try {
    await using file = await open(path, "r");
    const { size } = await checkedStat(file);
    const models = await receive(means, readTar(chunksOf(file, size, onProgress, signal)), work);
    for (const model of models) {
      prepared.push(await installer.prepare(filesOf(model, work), newModel(model), { signal }));
    }
    const installed: LocalModel[] = [];
    for (const each of prepared) installed.push(await each.commit());
    return installed;
  } catch (error) {
    signal.throwIfAborted();
    if (isCode(error, "ENOENT"))
      throw refusal("NOT_FOUND", "There is no such file on the machine that Benchtop runs on.");
    throw BenchtopError.from(error, "FILE_READ_FAILED", { phase: "settings" });
  } finally {
    for (const each of prepared) await each[Symbol.asyncDispose]();
    await rm(work, { recursive: true, force: true });
  }
}

/** Puts the files of the models that are to be installed into the work folder, under their hashes. */
async function receive(means: InstallMeans, entries: AsyncGenerator<TarEntry>, work: string): Promise<BundledModel[]> {
  const models = await chooseModels(means, await readFirst(entries));
  const wanted = new Map(models.flatMap(({ files }) => files.map((file) => [entryName(file.sha256), file])));
  const unwanted = new Set<string>();
  const bytes = [...wanted.values()].reduce((sum, file) => sum + file.bytes, 0);
  await means.checkRoom({ bytes });
  for await (const entry of entries) {
    const file = wanted.get(entry.name);
    if (!file) {
      // A model that is here already is passed over, and so are its files.
      if (!/^files\/[0-9a-f]{64}$/.test(entry.name) || unwanted.has(entry.name)) throw unexpected();
      unwanted.add(entry.name);
      for await (const _chunk of entry.content) continue;
      continue;
    }
    if (entry.bytes !== file.bytes) throw unexpected();
    wanted.delete(entry.name);
    unwanted.add(entry.name);
    await writeChecked(entry.content, join(work, file.sha256), file.sha256);
  }
  if (wanted.size > 0) throw invalid("The bundle is not whole: files that its list names are missing.");
  return models;
}

async function readFirst(entries: AsyncGenerator<TarEntry>): Promise<readonly BundledModel[]> {
  const { value: first, done } = await entries.next();
  if (done === true || first.name !== manifestName || first.bytes > maxManifestBytes) {
    throw invalid("That is no bundle of models: it does not begin with a list of them.");
  }
  const parts: Uint8Array[] = [];
  for await (const chunk of first.content) parts.push(chunk);
  return readManifest(Buffer.concat(parts));
}

/** Without those that are installed with the very same files. Throws for a name that another model has. */
async function chooseModels(
  { find, installer }: InstallMeans,
  models: readonly BundledModel[],
): Promise<BundledModel[]> {
  const chosen: BundledModel[] = [];
  for (const model of models) {
    const installed = await find(model.name);
    if (installed && installed.sha256 === sha256Of(model.files)) continue;
    await installer.checkName(model.name, false);
    chosen.push(model);
  }
  return chosen;
}

async function writeChecked(content: AsyncIterable<Uint8Array>, path: string, sha256: string): Promise<void> {
  const hash = createHash("sha256");
  await using file = await open(path, "wx", 0o600);
  let position = 0;
  for await (const chunk of content) {
    hash.update(chunk);
    await writeAll(file, chunk, position);
    position += chunk.length;
  }
  if (hash.digest("hex") !== sha256) {
    throw invalid("The bundle is damaged: a file in it is not what the list says. Copy the bundle again.");
  }
}

function filesOf(model: BundledModel, work: string): NewFile[] {
  return model.files.map(({ path, sha256, role }) => ({ path: join(work, sha256), name: path, sha256, role }));
}

function newModel({ name, source, licence, defaults, manifest }: BundledModel) {
  return {
    name,
    source: { type: "bundle", from: source } as const,
    licence: licence ?? undefined,
    defaults: defaults ?? undefined,
    manifest: manifest ?? undefined,
  };
}

async function checkedStat(file: Awaited<ReturnType<typeof open>>): Promise<{ size: number }> {
  const found = await file.stat();
  if (!found.isFile()) throw invalid("That is no file.");
  return found;
}

const chunkBytes = 1024 * 1024;

async function* chunksOf(
  file: Awaited<ReturnType<typeof open>>,
  bytesTotal: number,
  onProgress: OnProgress | undefined,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let bytesDone = 0;
  for (;;) {
    signal.throwIfAborted();
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, bytesDone);
    if (bytesRead === 0) return;
    bytesDone += bytesRead;
    onProgress?.({ bytesDone, bytesTotal });
    yield buffer.subarray(0, bytesRead);
  }
}

function unexpected(): BenchtopError {
  return invalid("The bundle holds a file that its list does not name, or one twice, or one of another size.");
}
