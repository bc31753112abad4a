import { randomBytes } from "node:crypto";
import { link, mkdir, open, rename, stat, unlink, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { syncFolder } from "@benchtop/store";

/** Files that only their owner may read. A reader sees the old content or the new, whole, whatever happens in between. */

/** Replaces the file's content. */
export async function replacePrivateFile(path: string, content: string): Promise<void> {
  const temporary = await writeTemporary(path, content);
  try {
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary);
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Creates the file unless it is there. Of several processes at once exactly one succeeds; false tells the others. */
export async function createPrivateFile(path: string, content: string): Promise<boolean> {
  const temporary = await writeTemporary(path, content);
  try {
    await link(temporary, path);
  } catch (error) {
    if (isCode(error, "EEXIST")) return false;
    throw error;
  } finally {
    await unlink(temporary);
  }
  await syncFolder(dirname(path));
  return true;
}

/** The permission bits of group and others; 0 where nobody else may do anything, and on Windows, which has none. */
export async function openToOthers(path: string): Promise<number> {
  return process.platform === "win32" ? 0 : (await stat(path)).mode & 0o077;
}

export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

async function writeTemporary(path: string, content: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  const file = await open(temporary, "wx", 0o600);
  try {
    await writeAndSync(file, content);
  } catch (error) {
    await unlink(temporary);
    throw error;
  }
  return temporary;
}

async function writeAndSync(file: FileHandle, content: string): Promise<void> {
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}
