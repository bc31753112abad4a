import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { access, link, lstat, open, readdir, realpath, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { BenchtopError } from "@benchtop/protocol/errors";

/** A file or a folder that is being made beside the name it will have. Nobody sees the name before it is whole. */
export interface PartialOutput {
  /** Where to make it; there is nothing yet. */
  readonly path: string;
  /** Gives it, which is on disk already (fsync), its name. Throws `VALIDATION_FAILED` when something took the name meanwhile. */
  publish(): Promise<void>;
  /** Removes what there is of it. Does nothing once it is published. */
  discard(): Promise<void>;
}

/**
 * Chooses a name beside `outputPath`, and removes what processes that are gone left there for the same output.
 *
 * Throws `VALIDATION_FAILED` when `outputPath` exists or its folder does not, `FILE_WRITE_FAILED` when the folder cannot be written.
 */
export async function openPartialOutput(outputPath: string): Promise<PartialOutput> {
  const target = resolve(outputPath);
  const folder = await writableFolder(dirname(target));
  await refuseExisting(target);
  await removeAbandoned(folder, basename(target));
  const path = join(folder, `${prefixOf(basename(target))}${process.pid}-${randomBytes(6).toString("hex")}.partial`);
  const name = join(folder, basename(target));
  mine.add(path);
  return {
    path,
    async publish() {
      await claim(path, name);
      mine.delete(path);
      await syncFolder(folder);
    },
    async discard() {
      await rm(path, { force: true, recursive: true });
      mine.delete(path);
    },
  };
}

/** Those of this process, which are not abandoned though another process of the same number may have left some. */
const mine = new Set<string>();

async function writableFolder(folder: string): Promise<string> {
  try {
    const real = await realpath(folder);
    // A file is no folder: this says ENOTDIR.
    await readdir(real);
    await access(real, constants.W_OK | constants.X_OK);
    return real;
  } catch (cause) {
    const missing = ["ENOENT", "ENOTDIR"].includes(codeOf(cause));
    throw new BenchtopError(
      missing ? "VALIDATION_FAILED" : "FILE_WRITE_FAILED",
      missing ? `There is no folder ${folder}. Make it first.` : `Benchtop may not write into ${folder}.`,
      { phase: "job", detail: { path: folder }, cause },
    );
  }
}

/** Throws `VALIDATION_FAILED` when something has the name; a link that leads nowhere is something. */
export async function refuseExisting(path: string): Promise<void> {
  try {
    await lstat(path);
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return;
    throw BenchtopError.from(cause, "FILE_WRITE_FAILED", { phase: "job", detail: { path } });
  }
  throw taken(path);
}

function taken(path: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", `${path} exists already. Choose another name, or remove it first.`, {
    phase: "job",
    detail: { path },
  });
}

const prefixOf = (name: string): string => `.${name}.`;

async function removeAbandoned(folder: string, name: string): Promise<void> {
  const prefix = prefixOf(name);
  for (const entry of await readdir(folder)) {
    if (!entry.startsWith(prefix)) continue;
    const [, pid] = /^(\d+)-[0-9a-f]{12}\.partial$/.exec(entry.slice(prefix.length)) ?? [];
    const path = join(folder, entry);
    if (pid === undefined || mine.has(path)) continue;
    if (Number(pid) === process.pid || !isAlive(Number(pid))) await rm(path, { force: true, recursive: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return codeOf(cause) === "EPERM";
  }
}

/** `link` fails where something has the name; `rename` would replace it, and is for what no link can be made of. */
async function claim(partial: string, target: string): Promise<void> {
  try {
    await link(partial, target);
  } catch (cause) {
    if (codeOf(cause) === "EEXIST") throw taken(target);
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(codeOf(cause))) {
      throw BenchtopError.from(cause, "FILE_WRITE_FAILED", { phase: "job", detail: { path: target } });
    }
    await refuseExisting(target);
    await rename(partial, target);
    return;
  }
  await rm(partial);
}

/** The name itself is on disk only after its folder is. Windows does not open folders, and needs none of it. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export function codeOf(thrown: unknown): string {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" ? thrown.code : "";
}
