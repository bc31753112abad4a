import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync, type BigIntStats } from "node:fs";
import { openForReading, type Folder } from "../path/folder.ts";
import { sameStamp, stampOf, type Stamp } from "./stamp.ts";

const chunk = Buffer.allocUnsafeSlow(1 << 20);

/** Hash of an open file from its start. */
export function hashOf(descriptor: number): string {
  const hash = createHash("sha256");
  let position = 0;
  for (;;) {
    const count = readSync(descriptor, chunk, 0, chunk.length, position);
    if (count === 0) return hash.digest("hex");
    hash.update(count === chunk.length ? chunk : chunk.subarray(0, count));
    position += count;
  }
}

/** Hash and stamp of a regular file, or undefined when it changed while it was read or is not the one that was seen. */
export function readStamped(
  folder: Folder,
  name: string,
  seen: BigIntStats,
): { sha256: string; stamp: Stamp } | undefined {
  const descriptor = openSync(folder.at(name), openForReading);
  try {
    const before = fstatSync(descriptor, { bigint: true });
    if (!before.isFile() || !sameStamp(stampOf(before), stampOf(seen))) return undefined;
    const sha256 = hashOf(descriptor);
    const stamp = stampOf(fstatSync(descriptor, { bigint: true }));
    return sameStamp(stampOf(before), stamp) ? { sha256, stamp } : undefined;
  } finally {
    closeSync(descriptor);
  }
}
