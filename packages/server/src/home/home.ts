import { chmod, mkdir, readdir, stat } from "node:fs/promises";
import { BenchtopError } from "@benchtop/protocol";

/**
 * Makes the home folder, readable by its owner alone. A folder that exists is tightened when it is empty or already a
 * home of ours; one that holds anything else is somebody's own folder and is left as it is (`open: true` then).
 */
export async function prepareHome(home: string): Promise<{ readonly open: boolean }> {
  try {
    await mkdir(home, { recursive: true, mode: 0o700 });
    const { mode } = await stat(home);
    if ((mode & 0o077) === 0 || process.platform === "win32") return { open: false };
    const entries = await readdir(home);
    if (entries.length > 0 && !entries.includes("daemon.lock")) return { open: true };
    await chmod(home, 0o700);
    return { open: false };
  } catch (cause) {
    throw BenchtopError.from(cause, "FILE_WRITE_FAILED", { phase: "settings", detail: { path: home } });
  }
}
