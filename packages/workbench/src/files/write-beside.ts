import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
  type BigIntStats,
} from "node:fs";
import { BenchtopError } from "@benchtop/protocol";
import { codeOf, type Folder, openForReading } from "../path/folder.ts";

/** Content of Benchtop's own, and where its copy lies. */
export interface StoredContent {
  readonly sha256: string;
  readonly blob: string;
}

/** Who may do what with a file. */
export interface Access {
  readonly mode: number;
  /** Whose it was, where that shall stay. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

const create = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);
const chunk = Buffer.allocUnsafeSlow(1 << 20);

/**
 * Makes a new file in a folder, with the content of a blob and on disk when it returns; gives its stats. Everything is done by
 * its descriptor, so that whoever swaps the name for a link meanwhile has nothing of another file changed.
 *
 * Throws `FILE_READ_FAILED` for a blob that is missing or damaged, and what the file system throws; the file is gone then.
 */
export function writeBeside(folder: Folder, name: string, content: StoredContent, access: Access): BigIntStats {
  const source = openBlob(content.blob);
  try {
    const target = openSync(folder.at(name), create, 0o600);
    try {
      copy(source, target, content.sha256);
      giveAccess(target, access);
      fsyncSync(target);
      return fstatSync(target, { bigint: true });
    } catch (thrown) {
      removeIfThere(folder, name);
      throw thrown;
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}

function openBlob(path: string): number {
  try {
    return openSync(path, openForReading);
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") throw damaged();
    throw thrown;
  }
}

function copy(source: number, target: number, sha256: string): void {
  const hash = createHash("sha256");
  for (let position = 0; ;) {
    const count = readSync(source, chunk, 0, chunk.length, position);
    if (count === 0) break;
    position += count;
    const part = chunk.subarray(0, count);
    hash.update(part);
    for (let written = 0; written < count;) written += writeSync(target, part, written);
  }
  if (hash.digest("hex") !== sha256) throw damaged();
}

/**
 * The owner first: changing it takes set-id bits away, and the mode is not meant for another group. Where the group cannot be
 * kept, ours gets no more than everybody has.
 */
function giveAccess(target: number, { mode, owner }: Access): void {
  if (!owner || mayChange(() => fchownSync(target, owner.uid, owner.gid))) return fchmodSync(target, mode);
  const ownUid = fstatSync(target).uid;
  if (mayChange(() => fchownSync(target, ownUid, owner.gid))) return fchmodSync(target, mode);
  fchmodSync(target, (mode & ~0o070) | ((mode & 0o007) << 3));
}

function mayChange(change: () => void): boolean {
  try {
    change();
    return true;
  } catch (thrown) {
    if (["EPERM", "EINVAL", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"].includes(codeOf(thrown))) return false;
    throw thrown;
  }
}

export function removeIfThere(folder: Folder, name: string): void {
  try {
    unlinkSync(folder.at(name));
  } catch (thrown) {
    if (codeOf(thrown) !== "ENOENT") throw thrown;
  }
}

function damaged(): BenchtopError {
  return new BenchtopError("FILE_READ_FAILED", "Benchtop's own copy of this file is missing or damaged.", {
    phase: "workbench",
  });
}
