import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { codeOf, Folder, FolderStack, openForReading } from "../path/folder.ts";
import { hashOf } from "./content.ts";
import type { StampRecord } from "./scan.ts";
import { sameStamp, stampOf, type Stamp, type TreeFile } from "./stamp.ts";

/**
 * The only code that writes below a workbench's folder. Each function is one step of a transition or of its recovery
 * (`transition.ts`, `recovery.ts`), synchronous, and runs on a thread of its own.
 */

/** The names of the three folders, below the workbench's own. */
export const folders = { published: "published", next: "published.next", old: "published.old" } as const;

export interface BuildFile extends TreeFile {
  /** Of the same file in `published`, whose content is known: it can be linked. Null: copy from the blob. */
  readonly stamp: Stamp | null;
  readonly blob: string;
}

export interface BuildInput {
  /** The folder of the workbench. */
  readonly home: string;
  readonly files: readonly BuildFile[];
}

/**
 * Builds `published.next`: unchanged files are linked from `published` and checked to be the very files that were scanned, the
 * others are copied from blobs and hashed. Returns the stamp of each file, and the paths of those that were copied: it is the
 * caller's to put them on disk, and then the folders (`syncNext`).
 *
 * Throws `ECHANGED` for a file that was replaced since the scan, `EDAMAGED` for a blob whose content is not its name.
 */
export function build({ home, files }: BuildInput): { stamps: Stamp[]; copied: string[] } {
  const workbench = Folder.open(home);
  try {
    mkdirSync(workbench.at(folders.next), 0o755);
    const copied: string[] = [];
    return { stamps: fill(workbench, files, copied), copied };
  } finally {
    workbench.close();
  }
}

/** Puts the names in `published.next` on disk, and its own. Its files are there already. */
export function syncNext({ home, files }: { home: string; files: readonly TreeFile[] }): void {
  const workbench = Folder.open(home);
  try {
    syncFolders(workbench, files);
    workbench.sync();
  } finally {
    workbench.close();
  }
}

function fill(workbench: Folder, files: readonly BuildFile[], copied: string[]): Stamp[] {
  const next = workbench.child(folders.next);
  const published = files.some((file) => file.stamp) ? workbench.child(folders.published) : undefined;
  const targets = new FolderStack(next);
  const sources = published && new FolderStack(published);
  try {
    return files.map((file) => {
      const target = targets.holding(file.path, "make");
      const linked = file.stamp && sources && link(sources, target, file, file.stamp);
      if (linked) return linked;
      copied.push(file.path);
      return copy(target, file);
    });
  } finally {
    targets.close();
    sources?.close();
    published?.close();
    next.close();
  }
}

interface Place {
  readonly folder: Folder;
  readonly name: string;
}

/** Undefined where the file system cannot link (`EPERM`, `EXDEV`, `EMLINK`, …): the caller copies. */
function link(sources: FolderStack, target: Place, file: BuildFile, known: Stamp): Stamp | undefined {
  try {
    const source = sources.holding(file.path, "fail");
    linkSync(source.folder.at(source.name), target.folder.at(target.name));
  } catch (thrown) {
    if (["EPERM", "EXDEV", "EMLINK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(codeOf(thrown))) return undefined;
    if (["ENOENT", "ENOTDIR", "ELOOP"].includes(codeOf(thrown))) throw coded("ECHANGED", file.path);
    throw thrown;
  }
  const stats = target.folder.stat(target.name);
  const stamp = stampOf(stats);
  if (!stats.isFile() || stats.nlink !== 2n || stamp.identity !== known.identity) throw coded("ECHANGED", file.path);
  return stamp;
}

/** A copy shares no inode with the blob; it shares its blocks where the file system can (reflink). */
function copy({ folder, name }: Place, file: BuildFile): Stamp {
  try {
    copyFileSync(file.blob, folder.at(name), constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") throw coded("EDAMAGED", file.path);
    throw thrown;
  }
  chmodSync(folder.at(name), 0o644);
  const descriptor = openSync(folder.at(name), openForReading);
  try {
    if (hashOf(descriptor) !== file.sha256) throw coded("EDAMAGED", file.path);
    return stampOf(fstatSync(descriptor, { bigint: true }));
  } finally {
    closeSync(descriptor);
  }
}

function syncFolders(workbench: Folder, files: readonly TreeFile[]): void {
  const next = workbench.child(folders.next);
  const stack = new FolderStack(next);
  try {
    let last = "";
    for (const file of files) {
      const parent = file.path.slice(0, file.path.lastIndexOf("/") + 1);
      if (parent === last) continue;
      last = parent;
      for (const ancestor of ancestorsOf(parent)) stack.holding(ancestor, "fail").folder.sync();
    }
    next.sync();
  } finally {
    stack.close();
    next.close();
  }
}

/** `a/b/` → `a/`, `a/b/`: as arguments of `holding`, the folders themselves. */
function ancestorsOf(parent: string): string[] {
  const ancestors: string[] = [];
  for (let at = parent.indexOf("/"); at !== -1; at = parent.indexOf("/", at + 1))
    ancestors.push(parent.slice(0, at + 1));
  return ancestors;
}

/** Paths whose blob is not there, or has another size than the manifest says. */
export function missingBlobs(input: { blobs: readonly { path: string; bytes: number; blob: string }[] }): string[] {
  return input.blobs
    .filter(({ bytes, blob }) => statSync(blob, { throwIfNoEntry: false })?.size !== bytes)
    .map(({ path }) => path);
}

/** One rename between the three folders, durable when it returns. */
export function move(input: { home: string; from: keyof typeof folders; to: keyof typeof folders }): void {
  const workbench = Folder.open(input.home);
  try {
    renameSync(workbench.at(folders[input.from]), workbench.at(folders[input.to]));
    workbench.sync();
  } finally {
    workbench.close();
  }
}

/** Which of the three folders are there. Anything by that name counts, a symlink too. */
export function presence(input: { home: string }): Record<keyof typeof folders, boolean> {
  const workbench = Folder.open(input.home);
  try {
    const names = new Set(workbench.names());
    return {
      published: names.has(folders.published),
      next: names.has(folders.next),
      old: names.has(folders.old),
    };
  } finally {
    workbench.close();
  }
}

/** Removes one of the three folders with all that is in it. Links in it are removed, never followed. */
export function remove(input: { home: string; folder: keyof typeof folders }): void {
  const workbench = Folder.open(input.home);
  try {
    removeEntry(workbench, folders[input.folder]);
    workbench.sync();
  } finally {
    workbench.close();
  }
}

function removeEntry(parent: Folder, name: string): void {
  let isFolder: boolean;
  try {
    isFolder = parent.stat(name).isDirectory();
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return;
    throw thrown;
  }
  if (!isFolder) return unlinkSync(parent.at(name));
  const folder = parent.child(name);
  try {
    for (const entry of folder.names()) removeEntry(folder, entry);
  } finally {
    folder.close();
  }
  rmdirSync(parent.at(name));
}

export interface SettleInput {
  readonly home: string;
  readonly files: readonly TreeFile[];
  /** As `build` returned them. */
  readonly stamps: readonly Stamp[];
}

/**
 * Removes `published.old` after the swap. Unlinking a file changes the ctime of its twin in `published`, so each stamp
 * is checked just before and taken anew just after; null for a file that is not the one that was built.
 */
export function removeOld({ home, files, stamps }: SettleInput): (Stamp | null)[] {
  const before = restamp(home, files, stamps, sameStamp);
  remove({ home, folder: "old" });
  return restamp(home, files, before, (known, now) => known.identity === now.identity);
}

/** Keeps the stamps that still hold, for the next scan. To be called once their clock tick is over. */
export function recordStamps(
  input: Omit<SettleInput, "stamps"> & { stamps: readonly (Stamp | null)[]; manifestHash: string; stampFile: string },
): void {
  const stamps = restamp(input.home, input.files, input.stamps, sameStamp);
  const takenAt = String(BigInt(Date.now()) * 1_000_000n);
  const record: StampRecord = { manifestHash: input.manifestHash, takenAt, stamps };
  const temporary = `${input.stampFile}.next`;
  writeFileSync(temporary, JSON.stringify(record), { mode: 0o600 });
  renameSync(temporary, input.stampFile);
}

function restamp(
  home: string,
  files: readonly TreeFile[],
  stamps: readonly (Stamp | null)[],
  holds: (known: Stamp, now: Stamp) => boolean,
): (Stamp | null)[] {
  const published = Folder.open(join(home, folders.published));
  const stack = new FolderStack(published);
  try {
    return files.map((file, index) => {
      const known = stamps[index];
      if (!known) return null;
      try {
        const { folder, name } = stack.holding(file.path, "fail");
        const now = stampOf(folder.stat(name));
        return holds(known, now) ? now : null;
      } catch (thrown) {
        if (["ENOENT", "ENOTDIR", "ELOOP"].includes(codeOf(thrown))) return null;
        throw thrown;
      }
    });
  } finally {
    stack.close();
    published.close();
  }
}

function coded(code: "ECHANGED" | "EDAMAGED", path: string): Error {
  return Object.assign(new Error(path), { code, path });
}
