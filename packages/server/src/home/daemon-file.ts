import { open, rename, rm } from "node:fs/promises";
import { join } from "node:path";

/** How other commands find the daemon of a home. */
export interface DaemonFile {
  readonly url: string;
  readonly pid: number;
  readonly startedAt: string;
}

/** Readers see the whole old file or the whole new one. */
export async function writeDaemonFile(home: string, content: DaemonFile): Promise<void> {
  const path = join(home, "daemon.json");
  const temporary = `${path}.${process.pid}.tmp`;
  const file = await open(temporary, "w", 0o600);
  try {
    await file.writeFile(`${JSON.stringify(content)}\n`);
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

export async function removeDaemonFile(home: string): Promise<void> {
  await rm(join(home, "daemon.json"), { force: true });
}
