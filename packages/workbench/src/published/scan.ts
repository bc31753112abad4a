import { readFileSync } from "node:fs";
import { codeOf, Folder } from "../path/folder.ts";
import { readStamped } from "./content.ts";
import { racyNanoseconds, sameStamp, stampOf, type Stamp, type TreeFile } from "./stamp.ts";

export interface OutsideChange {
  readonly path: string;
  readonly change: "added" | "modified" | "deleted" | "irregular";
}

export interface ScanInput {
  readonly root: string;
  /** What should be there, sorted by path. */
  readonly expected: readonly TreeFile[];
  readonly manifestHash: string;
  /** The file of stamps that an earlier transition left. */
  readonly stampFile: string;
}

export interface ScanResult {
  readonly changes: readonly OutsideChange[];
  /** In the order of `expected`; null for files that are not as expected. */
  readonly stamps: readonly (Stamp | null)[];
  /** Files whose content had to be read, because no stamp vouched for it. */
  readonly hashed: number;
}

/** The stamps of a tree, and when they were taken. Only a help: without it every file is hashed. */
export interface StampRecord {
  readonly manifestHash: string;
  readonly takenAt: string;
  readonly stamps: readonly (Stamp | null)[];
}

/**
 * Compares the published folder with its manifest: every name, and every content that a stamp does not vouch for.
 * Symlinks, further hard links, special files and mounts are `irregular`: nothing is read through them.
 */
export function scan(input: ScanInput): ScanResult {
  const vouched = readStamps(input);
  const order = new Map(input.expected.map((file, index) => [file.path, index]));
  const stamps: (Stamp | null)[] = input.expected.map(() => null);
  const seen = new Set<number>();
  const changes: OutsideChange[] = [];
  let hashed = 0;

  const walk = (folder: Folder, prefix: string): void => {
    for (const name of folder.names()) {
      const path = prefix + name;
      const stats = statIfThere(folder, name);
      if (stats?.isDirectory() && stats.dev === folder.device) {
        const child = folder.child(name);
        try {
          walk(child, `${path}/`);
        } finally {
          child.close();
        }
        continue;
      }
      const index = order.get(path);
      if (index !== undefined) seen.add(index);
      if (!stats?.isFile() || stats.nlink !== 1n) {
        changes.push({ path, change: "irregular" });
        continue;
      }
      const expected = index === undefined ? undefined : input.expected[index];
      if (index === undefined || !expected) {
        changes.push({ path, change: "added" });
        continue;
      }
      const stamp = stampOf(stats);
      const known = vouched[index];
      if (known && sameStamp(known, stamp)) {
        stamps[index] = stamp;
        continue;
      }
      const content = stats.size === BigInt(expected.bytes) ? readStamped(folder, name, stats) : undefined;
      if (content) hashed += 1;
      if (content?.sha256 === expected.sha256) stamps[index] = content.stamp;
      else changes.push({ path, change: "modified" });
    }
  };

  const root = openIfThere(input.root);
  if (root === "irregular") changes.push({ path: ".", change: "irregular" });
  else if (root) {
    try {
      walk(root, "");
    } finally {
      root.close();
    }
  }
  for (const [index, file] of input.expected.entries()) {
    if (!seen.has(index)) changes.push({ path: file.path, change: "deleted" });
  }
  changes.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  return { changes, stamps, hashed };
}

/** A symlink or file in the place of the whole folder is not entered. */
function openIfThere(path: string): Folder | "irregular" | undefined {
  try {
    return Folder.open(path);
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return undefined;
    if (codeOf(thrown) === "ENOTDIR" || codeOf(thrown) === "ELOOP") return "irregular";
    throw thrown;
  }
}

/** Undefined for a name that is gone again, or that is no valid Unicode and so cannot be asked for. */
function statIfThere(folder: Folder, name: string): ReturnType<Folder["stat"]> | undefined {
  try {
    return folder.stat(name);
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return undefined;
    throw thrown;
  }
}

/** Stamps that still prove something: of this manifest, and taken long enough after the last change of their file. */
function readStamps(input: ScanInput): readonly (Stamp | null)[] {
  let record: StampRecord;
  try {
    record = JSON.parse(readFileSync(input.stampFile, "utf8")) as StampRecord;
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT" || thrown instanceof SyntaxError) return [];
    throw thrown;
  }
  if (record.manifestHash !== input.manifestHash || record.stamps.length !== input.expected.length) return [];
  const takenAt = BigInt(record.takenAt);
  return record.stamps.map((stamp) => (stamp && takenAt - BigInt(stamp.changed) > racyNanoseconds ? stamp : null));
}
