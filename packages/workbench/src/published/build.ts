import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Environment } from "../environment.ts";
import { openForReading } from "../path/folder.ts";
import type { Stamp } from "./stamp.ts";
import { folders, type BuildInput } from "./tree.ts";

/** So many fsyncs wait for the disk together, and share what it does for each. */
const atOnce = 8;

/** Builds `published.next` whole and durable; the stamp of each file. Throws as `build` of `tree.ts` does. */
export async function buildNext({ disk }: Pick<Environment, "disk">, input: BuildInput): Promise<readonly Stamp[]> {
  const { home, files } = input;
  const { stamps, copied } = await disk.run("build", { home, files });
  // All are written before the first is waited for, so that the disk can do them together.
  await syncFiles(copied.map((path) => join(home, folders.next, path)));
  await disk.run("syncNext", { home, files: files.map(({ path, sha256, bytes }) => ({ path, sha256, bytes })) });
  return stamps;
}

async function syncFiles(paths: readonly string[]): Promise<void> {
  const queue = paths.values();
  const work = async (): Promise<void> => {
    for (const path of queue) {
      const file = await open(path, openForReading);
      try {
        await file.sync();
      } finally {
        await file.close();
      }
    }
  };
  // None may still have a file of the tree open when it is removed because another failed.
  const ends = await Promise.allSettled(Array.from({ length: atOnce }, work));
  const failed = ends.find((end) => end.status === "rejected");
  if (failed) throw failed.reason;
}
