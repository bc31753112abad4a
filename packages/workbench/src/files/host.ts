import { closeSync, fstatSync, lstatSync, openSync, realpathSync, type BigIntStats } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, sep } from "node:path";
import type { ErrorCode } from "@benchtop/protocol";
import { codeOf, Folder, FolderStack, openForReading } from "../path/folder.ts";
import { sameStamp, stampOf, type Stamp } from "../published/stamp.ts";

/**
 * Reading files of the daemon's own machine, for copy-in. Runs on a thread of its own. A symlink is never followed, not
 * even as a folder on the way down; special files and further hard links are refused; a FIFO cannot block.
 */

export interface HostFile {
  /** The folder that the person named (or that holds the file they named), free of links. */
  readonly base: string;
  /** Below `base`, parts divided by `/`. */
  readonly path: string;
  readonly bytes: number;
}

export interface HostRefusal {
  readonly path: string;
  readonly code: ErrorCode;
  readonly reason: string;
}

export interface HostListing {
  readonly files: readonly HostFile[];
  readonly refused: readonly HostRefusal[];
}

export interface HostSource {
  readonly source: string;
  /** Benchtop's own folder: never taken in. */
  readonly home: string;
  /** Stop after this many files. */
  readonly maxFiles: number;
}

/** Every file that one source names: itself, or all files below it. */
export function listHost({ source, home, maxFiles }: HostSource): HostListing {
  if (source.includes("\0")) return only(refused(source, "SANDBOX_VIOLATION", "the path holds a NUL character"));
  if (!isAbsolute(source)) return only(refused(source, "VALIDATION_FAILED", "give an absolute path"));
  const files: HostFile[] = [];
  const refusals: HostRefusal[] = [];
  let place: string;
  let stats: BigIntStats;
  try {
    // The person named this place, so links above it are theirs; from its last part on, none is followed.
    place = join(realpathSync(dirname(source)), basename(source));
    stats = lstatSync(place, { bigint: true });
  } catch (thrown) {
    return only(unreadable(source, thrown));
  }
  const ownFolder = realpathSync(home);
  if (isInside(place, ownFolder)) return only(refused(source, "SANDBOX_VIOLATION", "it lies in Benchtop's own folder"));
  if (!stats.isDirectory()) {
    const irregular = irregularity(stats);
    if (irregular) return only(refused(source, "SANDBOX_VIOLATION", irregular));
    return { files: [{ base: dirname(place), path: basename(place), bytes: Number(stats.size) }], refused: [] };
  }

  const walk = (folder: Folder, prefix: string): void => {
    for (const name of folder.names().sort()) {
      const path = prefix + name;
      const shown = join(place, path);
      if (files.length > maxFiles) return;
      try {
        const stats = folder.stat(name);
        if (stats.isDirectory()) {
          if (isInside(shown, ownFolder)) {
            refusals.push(refused(shown, "SANDBOX_VIOLATION", "it is Benchtop's own folder"));
            continue;
          }
          const child = folder.child(name);
          try {
            walk(child, `${path}/`);
          } finally {
            child.close();
          }
          continue;
        }
        const irregular = irregularity(stats);
        if (irregular) refusals.push(refused(shown, "SANDBOX_VIOLATION", irregular));
        else files.push({ base: place, path, bytes: Number(stats.size) });
      } catch (thrown) {
        refusals.push(unreadable(shown, thrown));
      }
    }
  };
  try {
    const root = Folder.open(place);
    try {
      walk(root, "");
    } finally {
      root.close();
    }
  } catch (thrown) {
    refusals.push(unreadable(source, thrown));
  }
  return { files, refused: refusals };
}

export type OpenedHostFile = { readonly descriptor: number; readonly stamp: Stamp } | HostRefusal;

/** Opens one listed file, component by component. The caller reads the descriptor and hands it to `closeHostFile`. */
export function openHostFile({ base, path }: Pick<HostFile, "base" | "path">): OpenedHostFile {
  const shown = join(base, path);
  let root: Folder | undefined;
  let stack: FolderStack | undefined;
  try {
    root = Folder.open(base);
    stack = new FolderStack(root);
    const { folder, name } = stack.holding(path, "fail");
    const descriptor = openSync(folder.at(name), openForReading);
    const stats = fstatSync(descriptor, { bigint: true });
    const irregular = irregularity(stats);
    if (!irregular) return { descriptor, stamp: stampOf(stats) };
    closeSync(descriptor);
    return refused(shown, "SANDBOX_VIOLATION", irregular);
  } catch (thrown) {
    return unreadable(shown, thrown);
  } finally {
    stack?.close();
    root?.close();
  }
}

/** Closes a file that was read; false when it changed since it was opened, so that what was read may be of no moment at all. */
export function closeHostFile({ descriptor, stamp }: { descriptor: number; stamp: Stamp }): boolean {
  const now = fstatSync(descriptor, { bigint: true });
  closeSync(descriptor);
  return sameStamp(stampOf(now), stamp);
}

/** What something is that is no plain file; undefined for one that is. */
export function irregularKind(stats: BigIntStats): string | undefined {
  if (stats.isSymbolicLink()) return "a symbolic link";
  if (stats.isFIFO()) return "a FIFO";
  if (stats.isSocket()) return "a socket";
  if (stats.isDirectory()) return "a folder";
  if (stats.isCharacterDevice() || stats.isBlockDevice()) return "a device";
  if (!stats.isFile()) return "something else than a regular file";
  return stats.nlink > 1n ? "a file with further hard links" : undefined;
}

function irregularity(stats: BigIntStats): string | undefined {
  const kind = irregularKind(stats);
  if (kind === undefined) return undefined;
  if (stats.isSymbolicLink()) return `it is ${kind}; add the file it points to`;
  return stats.isFile() ? "it has further hard links; add a plain copy of it" : `it is ${kind}, not a file`;
}

function unreadable(path: string, thrown: unknown): HostRefusal {
  const code = codeOf(thrown);
  if (code === "ELOOP" || code === "ENOTDIR" || code === "EMLINK") {
    return refused(path, "SANDBOX_VIOLATION", "a symbolic link or a file stands where a folder was expected");
  }
  if (code === "ENOENT") return refused(path, "FILE_READ_FAILED", "there is no such file or folder");
  if (code === "EACCES" || code === "EPERM") return refused(path, "FILE_READ_FAILED", "Benchtop may not read it");
  if (code === "ENXIO") return refused(path, "SANDBOX_VIOLATION", "it is a socket or device, not a file");
  if (code === "ENAMETOOLONG") return refused(path, "VALIDATION_FAILED", "the path is too long");
  return refused(path, "FILE_READ_FAILED", `it could not be read (${code || "unknown error"})`);
}

function refused(path: string, code: ErrorCode, reason: string): HostRefusal {
  return { path, code, reason };
}

function only(refusal: HostRefusal): HostListing {
  return { files: [], refused: [refusal] };
}

export function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === "" || (way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}
