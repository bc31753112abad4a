import { open } from "node:fs/promises";

/**
 * Puts the names in a folder on disk: what was created, linked, renamed or removed there survives a power cut. Windows
 * cannot open a folder, and keeps its entries by itself.
 */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
