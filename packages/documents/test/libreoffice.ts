import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";

/** Whether LibreOffice is on this machine. */
export const hasLibreOffice = spawnSync("soffice", ["--version"]).status === 0;

/** Converts files with LibreOffice, in a profile of its own, so that several can run at the same time. */
export async function convert(files: readonly string[], format: string, folder: string): Promise<void> {
  const profile = await mkdtemp(join(tmpdir(), "libreoffice-"));
  try {
    const setup = `-env:UserInstallation=${pathToFileURL(profile).href}`;
    await promisify(execFile)("soffice", [setup, "--headless", "--convert-to", format, "--outdir", folder, ...files]);
  } finally {
    await rm(profile, { recursive: true, force: true, maxRetries: 3 });
  }
}
