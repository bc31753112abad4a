import { randomBytes } from "node:crypto";
import { copyFile, link, lstat, mkdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { BenchtopError } from "@benchtop/protocol";
import { syncFolder } from "@benchtop/store";
import { isCode, replacePrivateFile } from "../private-file.ts";
import type { KeptFile, KeptModel, ModelFile } from "./descriptor.ts";
import { foldersFor } from "./model-name.ts";
import { putOnDisk } from "./read-file.ts";

/** A file that is to be in a model's folder, under the name that it has there. */
export interface Staged {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly role: ModelFile["role"];
}

/**
 * `$BENCHTOP_HOME/models`: a folder for each model, with plain files that a person may look at. Files that several models have are
 * hard links of one another, so that each folder is whole and nothing counts references.
 *
 * What is being made is below `.work`, which the next start empties; what has come of downloads is below `.downloads`. Folders that
 * no row names are somebody else's: they are left alone.
 */
export class ModelFolders {
  readonly root: string;
  readonly #work: string;
  /** Names this folder to the database, which other machines may share. */
  readonly installation: string;

  static async open(home: string): Promise<ModelFolders> {
    // Paths are given to other processes.
    const root = resolve(home, "models");
    try {
      await mkdir(root, { recursive: true, mode: 0o700 });
      const folders = new ModelFolders(root, await installationOf(root));
      await rm(folders.#work, { recursive: true, force: true });
      return folders;
    } catch (error) {
      throw BenchtopError.from(error, "FILE_WRITE_FAILED", { phase: "settings", detail: { path: root } });
    }
  }

  private constructor(root: string, installation: string) {
    this.root = root;
    this.#work = join(root, ".work");
    this.installation = installation;
  }

  /** A fresh folder for something that is being made. */
  async workFolder(): Promise<string> {
    const folder = join(this.#work, randomBytes(8).toString("hex"));
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return folder;
  }

  async downloadFolder(id: string): Promise<string> {
    const folder = join(this.root, ".downloads", id);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return folder;
  }

  async removeDownload(id: string): Promise<void> {
    await rm(join(this.root, ".downloads", id), { recursive: true, force: true });
  }

  pathOf(folder: string, file: string): string {
    return join(this.root, folder, file);
  }

  /** A name that is free now. */
  async freeFolder(name: string, taken: ReadonlySet<string>): Promise<string> {
    for (const folder of foldersFor(name)) {
      if (!taken.has(folder) && !(await isThere(join(this.root, folder)))) return folder;
    }
    throw new Error("There is always another number.");
  }

  /** Puts a file beside the others that are being made: as another name of the same file; moved where there are no such, copied from another disk. */
  async stage(from: string, work: string, name: string): Promise<void> {
    const to = join(work, name);
    if (dirname(from) === work) return from === to ? undefined : await rename(from, to);
    try {
      await link(from, to);
    } catch (error) {
      if (isCode(error, "EEXIST")) throw error;
      await rename(from, to).catch((moved: unknown) => {
        if (!isCode(moved, "EXDEV")) throw moved;
        return copyFile(from, to);
      });
    }
  }

  /** Everything is on disk before the folder has its place, and the place before this resolves. */
  async place(work: string, files: readonly Staged[], folder: string): Promise<void> {
    for (const { name } of files) await putOnDisk(join(work, name));
    await syncFolder(work);
    await rename(work, join(this.root, folder));
    await syncFolder(this.root);
  }

  /** Whether a file that is installed can stand for a new one of the same content: nobody has touched it since. */
  async isUntouched(model: KeptModel, file: KeptFile): Promise<boolean> {
    if (model.model.damaged) return false;
    const found = await this.#statOf(model, file);
    return found !== undefined && found.size === file.bytes && Math.floor(found.mtimeMs) === file.changedMs;
  }

  /** Replaces a staged file by another name of one that is installed. Where that cannot be, there are two files. */
  async share(model: KeptModel, file: KeptFile, work: string, name: string): Promise<void> {
    const temporary = join(work, `${name}.shared`);
    try {
      await link(this.pathOf(model.folder, file.path), temporary);
      await rename(temporary, join(work, name));
    } catch {
      await rm(temporary, { force: true });
    }
  }

  /** Bytes that would be free if the model were gone: files that something else shares stay. */
  async freedBy(model: KeptModel): Promise<number> {
    let bytes = 0;
    for (const file of model.files) {
      const found = await this.#statOf(model, file);
      if (found && found.nlink === 1) bytes += found.size;
    }
    return bytes;
  }

  /** Of all models together; a file that several share counts once. */
  async usedBytes(models: readonly KeptModel[]): Promise<number> {
    const counted = new Set<string>();
    let bytes = 0;
    for (const model of models) {
      for (const file of model.files) {
        const found = await this.#statOf(model, file);
        const inode = `${found?.dev}:${found?.ino}`;
        if (!found || counted.has(inode)) continue;
        counted.add(inode);
        bytes += found.size;
      }
    }
    return bytes;
  }

  async has(folder: string): Promise<boolean> {
    return isThere(join(this.root, folder));
  }

  async remove(folder: string): Promise<void> {
    // A row that was tampered with must not name anything else.
    if (basename(folder) !== folder || folder.startsWith(".") || folder === "")
      throw new Error("No folder of a model.");
    await rm(join(this.root, folder), { recursive: true, force: true });
    await syncFolder(this.root);
  }

  async #statOf(model: KeptModel, file: KeptFile) {
    try {
      return await stat(this.pathOf(model.folder, file.path));
    } catch {
      return undefined;
    }
  }
}

/** When a file was changed last, as rows have it. */
export async function changedMs(path: string): Promise<number> {
  return Math.floor((await stat(path)).mtimeMs);
}

/** The home is locked by one process: nobody else makes this file at the same time. */
async function installationOf(root: string): Promise<string> {
  const path = join(root, ".installation");
  const known = await readFile(path, "utf8").catch((error: unknown) => {
    if (isCode(error, "ENOENT")) return "";
    throw error;
  });
  if (/^[0-9a-f]{32}\n$/.test(known)) return known.trim();
  const made = randomBytes(16).toString("hex");
  await replacePrivateFile(path, `${made}\n`);
  return made;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isCode(error, "ENOENT")) return false;
    throw error;
  }
}
