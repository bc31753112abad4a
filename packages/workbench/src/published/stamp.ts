import type { BigIntStats } from "node:fs";

/**
 * What `lstat` says of a file whose content is known. While both parts stay the same, so does the content: `identity`
 * (inode, size, modification time) changes with any ordinary write, `changed` (ctime) with everything, and no program can set it.
 */
export interface Stamp {
  readonly identity: string;
  readonly changed: string;
}

export function stampOf(stats: BigIntStats): Stamp {
  return { identity: `${stats.ino} ${stats.size} ${stats.mtimeNs}`, changed: String(stats.ctimeNs) };
}

export function sameStamp(a: Stamp, b: Stamp): boolean {
  return a.identity === b.identity && a.changed === b.changed;
}

/** A change less than this before the stamp was taken may share its clock tick with a later one; such a stamp proves nothing. */
export const racyNanoseconds = 50_000_000n;

/** A file of a manifest as the tree jobs need it. */
export interface TreeFile {
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
}
