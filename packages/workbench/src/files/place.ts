import { createHash } from "node:crypto";
import { closeSync, fstatSync, linkSync, openSync, realpathSync, renameSync, type BigIntStats } from "node:fs";
import { basename, dirname } from "node:path";
import { BenchtopError, type ErrorCode } from "@benchtop/protocol";
import { codeOf, Folder, openForReading } from "../path/folder.ts";
import { hashOf } from "../published/content.ts";
import { sameStamp, stampOf, type Stamp } from "../published/stamp.ts";
import { irregularKind, isInside } from "./host.ts";
import { outcomeOf, type FileOutcome } from "./write-out.ts";
import { removeIfThere, writeBeside, type Access, type StoredContent } from "./write-beside.ts";

/**
 * The places on the daemon's machine that files were copied from: looking at them, and writing to them. Runs on a thread of its
 * own. The paths were free of links when they were noted, so a link anywhere in one is somebody's doing: none is followed.
 */

export interface LookInput {
  /** Benchtop's own folder: no place may lie in it. */
  readonly home: string;
  /** Larger files are not read. */
  readonly maxBytes: number;
  readonly places: readonly { readonly hostPath: string; readonly known?: KnownContent | undefined }[];
}

/** Content that was read before; while the stamp is the same, it is not read again. */
export interface KnownContent {
  readonly sha256: string;
  readonly stamp: Stamp;
}

export type Seen =
  | ({ readonly kind: "file" } & KnownContent)
  /** A file of more than `maxBytes`. */
  | { readonly kind: "large" }
  | { readonly kind: "none" }
  /** Something that is not read: a link, a device, a file that Benchtop may not open. */
  | { readonly kind: "other"; readonly code: ErrorCode; readonly reason: string };

/** What is in each place now. Throws for a disk that cannot be read. */
export function lookAtPlaces({ home, maxBytes, places }: LookInput): Seen[] {
  return places.map(({ hostPath, known }) => {
    try {
      const folder = openFolderOf(hostPath, home);
      try {
        return look(folder, basename(hostPath), maxBytes, known);
      } finally {
        folder.close();
      }
    } catch (thrown) {
      return unseen(thrown, hostPath);
    }
  });
}

function look(folder: Folder, name: string, maxBytes: number, known: KnownContent | undefined): Seen {
  const stats = folder.stat(name);
  refuseIrregular(stats);
  if (known && sameStamp(known.stamp, stampOf(stats))) return { kind: "file", ...known };
  if (stats.size > BigInt(maxBytes)) return { kind: "large" };
  const opened = openRegular(folder, name);
  try {
    return { kind: "file", sha256: hashOf(opened.descriptor), stamp: opened.stamp };
  } finally {
    closeSync(opened.descriptor);
  }
}

function unseen(thrown: unknown, hostPath: string): Seen {
  const code = codeOf(thrown);
  if (code === "ENOENT") return { kind: "none" };
  if (BenchtopError.is(thrown)) return { kind: "other", code: thrown.code, reason: thrown.message };
  if (["ENOTDIR", "ELOOP", "EACCES", "EPERM", "ENXIO"].includes(code)) {
    const error = outcomeOf(thrown);
    return { kind: "other", code: error.code, reason: error.message };
  }
  throw new BenchtopError("FILE_READ_FAILED", `"${hostPath}" could not be read (${code || "unknown error"}).`, {
    phase: "workbench",
    cause: thrown,
  });
}

export interface WriteBackInput {
  readonly home: string;
  readonly files: readonly (StoredContent & {
    readonly path: string;
    readonly hostPath: string;
    /** What was seen there; null: nothing. Anything else is left alone. */
    readonly expected: string | null;
  })[];
}

/**
 * Puts content into places, each whole or not at all: whoever reads one, and whoever finds it after a crash, has the old file or
 * the new one. A place keeps its mode, and its owner where Benchtop may give a file to them. Stops at a full disk.
 */
export function writeBack({ home, files }: WriteBackInput): FileOutcome[] {
  let full: BenchtopError | undefined;
  return files.map((file) => {
    try {
      if (full) throw full;
      writeToPlace(home, file);
      return { path: file.path, outcome: "done" };
    } catch (thrown) {
      const error = outcomeOf(thrown);
      if (error.code === "DISK_FULL") full = error;
      return { path: file.path, outcome: "refused", code: error.code, reason: error.message };
    }
  });
}

function writeToPlace(home: string, file: WriteBackInput["files"][number]): void {
  const folder = openFolderOf(file.hostPath, home);
  try {
    const name = basename(file.hostPath);
    const place = file.expected === null ? undefined : openRegular(folder, name);
    try {
      if (place && hashOf(place.descriptor) !== file.expected) throw changedMeanwhile();
      const temporary = temporaryFor(home, file.hostPath);
      // Nobody else has this name, so what has it was left by a crash.
      removeIfThere(folder, temporary);
      const written = writeBeside(folder, temporary, file, place?.access ?? { mode: 0o644 });
      try {
        if (place) {
          if (!sameStamp(place.stamp, stampNow(folder, name))) throw changedMeanwhile();
          renameSync(folder.at(temporary), folder.at(name));
        } else claim(folder, temporary, name);
        if (folder.stat(name).ino !== written.ino) throw changedMeanwhile();
      } finally {
        removeIfThere(folder, temporary);
      }
      folder.sync();
    } finally {
      if (place) closeSync(place.descriptor);
    }
  } finally {
    folder.close();
  }
}

/** The folder that holds a place, opened; it is proven to be the one of that path, whatever links were swapped in meanwhile. */
function openFolderOf(hostPath: string, home: string): Folder {
  const path = dirname(hostPath);
  if (isInside(hostPath, realpathSync(home))) {
    throw new BenchtopError("SANDBOX_VIOLATION", "The place lies in Benchtop's own folder.", { phase: "workbench" });
  }
  const folder = Folder.open(path);
  if (folder.real() === path) return folder;
  folder.close();
  throw Object.assign(new Error(`${path} is reached through a link`), { code: "ELOOP" });
}

interface Opened {
  readonly descriptor: number;
  readonly stamp: Stamp;
  readonly access: Access;
}

/** A regular file without further links, and nothing else. */
function openRegular(folder: Folder, name: string): Opened {
  refuseIrregular(folder.stat(name));
  const descriptor = openSync(folder.at(name), openForReading);
  try {
    const stats = fstatSync(descriptor, { bigint: true });
    refuseIrregular(stats);
    const owner = { uid: Number(stats.uid), gid: Number(stats.gid) };
    return { descriptor, stamp: stampOf(stats), access: { mode: Number(stats.mode) & 0o777, owner } };
  } catch (thrown) {
    closeSync(descriptor);
    throw thrown;
  }
}

function refuseIrregular(stats: BigIntStats): void {
  const kind = irregularKind(stats);
  if (kind === undefined) return;
  throw new BenchtopError("SANDBOX_VIOLATION", `In its place is ${kind}; it was left alone.`, { phase: "workbench" });
}

function stampNow(folder: Folder, name: string): Stamp {
  const stats = folder.stat(name);
  refuseIrregular(stats);
  return stampOf(stats);
}

/** Gives the file its name only if nothing has it: `link` fails where a rename would replace. Some file systems have no links. */
function claim(folder: Folder, temporary: string, name: string): void {
  try {
    linkSync(folder.at(temporary), folder.at(name));
  } catch (thrown) {
    if (codeOf(thrown) === "EEXIST") throw changedMeanwhile();
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(codeOf(thrown))) throw thrown;
    if (isThere(folder, name)) throw changedMeanwhile();
    renameSync(folder.at(temporary), folder.at(name));
  }
}

function isThere(folder: Folder, name: string): boolean {
  try {
    folder.stat(name);
    return true;
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return false;
    throw thrown;
  }
}

/** The same for the same place, so that what a crash left is found and removed; of this home alone. */
function temporaryFor(home: string, hostPath: string): string {
  const id = createHash("sha256")
    .update(`${realpathSync(home)}\0${hostPath}`)
    .digest("hex")
    .slice(0, 16);
  return `.benchtop-${id}.part`;
}

function changedMeanwhile(): BenchtopError {
  return new BenchtopError(
    "CONFLICT_PUBLISHED_CHANGED",
    "It was changed there while it was being written back; it was left alone. Look at it, then try again.",
    { phase: "workbench" },
  );
}
