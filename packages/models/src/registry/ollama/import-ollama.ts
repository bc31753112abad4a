import { createHash } from "node:crypto";
import { readFile as readWhole, realpath, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { BenchtopError } from "@benchtop/protocol";
import { isCode } from "../../private-file.ts";
import type { LocalModel, OnProgress } from "../descriptor.ts";
import { bring } from "../install-file.ts";
import type { InstallMeans, NewFile } from "../installer.ts";
import { modelNameFrom } from "../model-name.ts";
import { invalid, refusal, sizeInWords } from "../refusals.ts";
import {
  defaultsFrom,
  ollamaNameText,
  parseOllamaManifest,
  parseOllamaName,
  readTexts,
  type OllamaLayer,
  type OllamaName,
} from "./manifest.ts";

export interface ImportOllamaOptions {
  /** `[NAMESPACE/]NAME[:TAG]`. */
  readonly model: string;
  /** Ollama's own folder of models; `~/.ollama/models` unless told. */
  readonly dir?: string | undefined;
  /** Made from the model's name unless told. */
  readonly name?: string | undefined;
  readonly link?: boolean | undefined;
  readonly replace?: boolean | undefined;
  readonly id?: string | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/**
 * Installs a model that Ollama has on this machine: `manifests/registry.ollama.ai/library/NAME/TAG` says which files of `blobs/` it
 * is made of. What is copied is checked against the hashes there.
 */
export async function importOllama(
  { folders, installer, checkRoom }: InstallMeans,
  options: ImportOllamaOptions,
  signal: AbortSignal,
): Promise<LocalModel> {
  const asked = parseOllamaName(options.model);
  const { link: linked = false, replace = false, id } = options;
  const name = options.name ?? modelNameFrom(ollamaNameText(asked).replace(/:latest$/, ""));
  await installer.checkName(name, replace);
  const { dir, model, digest, defaults, licence } = await lookIntoOllama(options);
  const bytes = model.files.reduce((sum, file) => sum + file.bytes, 0);
  await checkRoom({ bytes, onDisk: linked ? bytes : 0 });

  const work = await folders.workFolder();
  try {
    const files: NewFile[] = [];
    let before = 0;
    for (const [index, file] of model.files.entries()) {
      const from = await checkedBlob(dir, file);
      const to = join(work, file.role === "weights" ? "model.gguf" : `adapter-${index}.gguf`);
      const start = before;
      const onBytes = (done: number) => options.onProgress?.({ bytesDone: start + done, bytesTotal: bytes });
      const brought = await bring(from, to, linked, onBytes, signal);
      if (brought.sha256 !== file.sha256) throw damagedBlob();
      files.push({ ...brought, role: file.role });
      before += file.bytes;
    }
    const source = { type: "ollama", model: ollamaNameText(asked), digest } as const;
    await using prepared = await installer.prepare(
      files,
      { name, source, defaults, licence, replace },
      { ...(id !== undefined && { id }), signal },
    );
    return await prepared.commit();
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** What Ollama's folder says of a model, without its files. */
export async function lookIntoOllama({ model: text, dir: given }: Pick<ImportOllamaOptions, "model" | "dir">) {
  const dir = given ?? join(homedir(), ".ollama", "models");
  const manifest = await readManifest(dir, parseOllamaName(text));
  const model = parseOllamaManifest(manifest);
  const texts = await readTexts(model, (layer) => readBlob(dir, layer), sha256Of);
  return { dir, model, digest: sha256Of(Buffer.from(manifest)), ...defaultsFrom(texts) };
}

async function readManifest(dir: string, { namespace, name, tag }: OllamaName): Promise<string> {
  const path = join(dir, "manifests", "registry.ollama.ai", namespace, name, tag);
  try {
    const found = await stat(path);
    // A device may never end.
    if (!found.isFile() || found.size > maxManifestBytes) throw invalid("That is no manifest of an Ollama model.");
    return await readWhole(path, "utf8");
  } catch (error) {
    if (!isCode(error, "ENOENT") && !isCode(error, "ENOTDIR"))
      throw BenchtopError.from(error, "FILE_READ_FAILED", { phase: "settings" });
    throw refusal(
      "NOT_FOUND",
      `Ollama's folder ${dir} has no model ${ollamaNameText({ namespace, name, tag })}. See “ollama list”, or give the folder.`,
    );
  }
}

const maxManifestBytes = 1024 * 1024;

async function readBlob(dir: string, layer: OllamaLayer): Promise<Uint8Array> {
  return readWhole(await checkedBlob(dir, layer));
}

async function checkedBlob(dir: string, { sha256, bytes }: OllamaLayer): Promise<string> {
  try {
    const path = await realpath(join(dir, "blobs", `sha256-${sha256}`));
    const found = await stat(path);
    if (found.isFile() && found.size === bytes) return path;
  } catch (error) {
    if (!isCode(error, "ENOENT")) throw BenchtopError.from(error, "FILE_READ_FAILED", { phase: "settings" });
  }
  throw refusal(
    "FILE_READ_FAILED",
    `A file of this model (${sizeInWords(bytes)}) is missing in Ollama's folder, or is not whole. Pull the model with Ollama again.`,
    { retryable: false },
  );
}

function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function damagedBlob(): BenchtopError {
  return refusal(
    "FILE_READ_FAILED",
    "A file of this model in Ollama's folder is not what its name says. Pull the model with Ollama again.",
    { retryable: false },
  );
}
