import { open, rename, rm } from "node:fs/promises";
import { join } from "node:path";

/** How other commands find the daemon of a home. */
export interface DaemonFile {
  readonly url: string;
  readonly pid: number;
  readonly startedAt: string;
  /** The certificate of its TLS, which the commands of this home trust. */
  readonly certFile?: string;
}

/** Readers see the whole old file or the whole new one. The home's lock is held, so nobody else writes it. */
export async function writeDaemonFile(home: string, content: DaemonFile): Promise<void> {
  const path = join(home, "daemon.json");
  const temporary = `${path}.tmp`;
  const file = await open(temporary, "w", 0o600);
  try {
    await file.writeFile(`${JSON.stringify(content)}\n`);
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

/** And what a killed daemon left of writing it. */
export async function removeDaemonFile(home: string): Promise<void> {
  for (const name of ["daemon.json", "daemon.json.tmp"]) await rm(join(home, name), { force: true });
}
