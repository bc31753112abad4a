import { constants, copyFileSync, linkSync, mkdirSync, realpathSync, renameSync } from "node:fs";
import { basename, dirname, isAbsolute, join, sep } from "node:path";
import { BenchtopError, type ErrorCode } from "@benchtop/protocol";
import { codeOf, Folder, FolderStack } from "../path/folder.ts";
import { isInside } from "./host.ts";
import { removeIfThere, writeBeside, type StoredContent } from "./write-beside.ts";

export interface WriteOutInput {
  readonly destination: string;
  readonly home: string;
  readonly files: readonly (StoredContent & { readonly path: string })[];
  readonly overwrite: boolean;
}

export interface FileOutcome {
  readonly path: string;
  readonly outcome: "done" | "refused";
  readonly code?: ErrorCode;
  readonly reason?: string;
}

/**
 * Copies files to a folder of the daemon's machine, which is made if it is missing. Each appears whole or not at all
 * (temporary name, fsync, rename). Links in the destination are neither followed nor replaced. Runs on a thread of its own.
 *
 * Throws for a destination that cannot be used; what happens to each file is in the result.
 */
export function writeOut({ destination, home, files, overwrite }: WriteOutInput): FileOutcome[] {
  const root = openDestination(destination, home);
  const stack = new FolderStack(root);
  try {
    return files.map((file) => {
      try {
        const { folder, name } = stack.holding(file.path, "make");
        writeOne(folder, name, file, overwrite);
        return { path: file.path, outcome: "done" };
      } catch (thrown) {
        const error = outcomeOf(thrown);
        // A full disk fails every file that follows too: say it once, as what it is.
        if (error.code === "DISK_FULL") throw error;
        return { path: file.path, outcome: "refused", code: error.code, reason: error.message };
      }
    });
  } finally {
    stack.close();
    root.close();
  }
}

/** One by one: Node's own recursive way never ends where a file system makes no folders and says that there is none (`/proc`). */
function makeFolders(base: string, rest: string): void {
  let path = base;
  for (const name of rest.split(sep).filter((part) => part !== "")) {
    path = join(path, name);
    try {
      mkdirSync(path);
    } catch (thrown) {
      if (codeOf(thrown) !== "EEXIST") throw thrown;
    }
  }
}

function openDestination(destination: string, home: string): Folder {
  if (!isAbsolute(destination) || destination.includes("\0")) {
    throw new BenchtopError("VALIDATION_FAILED", "Give the destination folder as an absolute path.", place);
  }
  try {
    const parent = existingParent(destination);
    if (isInside(join(parent.real, parent.rest), realpathSync(home))) {
      throw new BenchtopError("SANDBOX_VIOLATION", "The destination lies in Benchtop's own folder.", place);
    }
    makeFolders(parent.real, parent.rest);
    return Folder.open(join(parent.real, parent.rest));
  } catch (thrown) {
    if (BenchtopError.is(thrown)) throw thrown;
    const code = codeOf(thrown);
    const why =
      code === "ELOOP" || code === "ENOTDIR" || code === "EEXIST"
        ? "it is a symbolic link or a file"
        : code === "EACCES" || code === "EPERM" || code === "EROFS"
          ? "Benchtop may not write there"
          : `it could not be opened (${code})`;
    throw BenchtopError.from(
      code === "ENOSPC"
        ? thrown
        : new BenchtopError("FILE_WRITE_FAILED", `The destination cannot be used: ${why}.`, {
            ...place,
            cause: thrown,
          }),
    );
  }
}

const place = { phase: "workbench" } as const;

/** The deepest folder above `path` that exists, free of links, and what is missing below it (at least the last part). */
function existingParent(path: string): { real: string; rest: string } {
  let rest = basename(path);
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    try {
      return { real: realpathSync(folder), rest };
    } catch (thrown) {
      if (codeOf(thrown) !== "ENOENT" || folder === dirname(folder)) throw thrown;
      rest = join(basename(folder), rest);
    }
  }
}

function writeOne(folder: Folder, name: string, file: WriteOutInput["files"][number], overwrite: boolean): void {
  const existing = kindOf(folder, name);
  if (existing === "irregular") {
    throw new BenchtopError("SANDBOX_VIOLATION", "Something that is no regular file has this name; it was left alone.");
  }
  if (existing === "file" && !overwrite) {
    throw new BenchtopError("VALIDATION_FAILED", "A file of this name exists; it was not overwritten.");
  }
  const temporary = `.benchtop-${process.pid}-${file.sha256.slice(0, 16)}.part`;
  writeBeside(folder, temporary, file, { mode: 0o644 });
  try {
    if (overwrite) renameSync(folder.at(temporary), folder.at(name));
    else claim(folder.at(temporary), folder.at(name));
    folder.sync();
  } finally {
    removeIfThere(folder, temporary);
  }
}

/** Gives the file its name only if nothing has it: `link` fails where a rename would replace. */
function claim(temporary: string, target: string): void {
  try {
    linkSync(temporary, target);
  } catch (thrown) {
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(codeOf(thrown))) throw thrown;
    copyFileSync(temporary, target, constants.COPYFILE_EXCL);
  }
}

function kindOf(folder: Folder, name: string): "none" | "file" | "irregular" {
  try {
    return folder.stat(name).isFile() ? "file" : "irregular";
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return "none";
    throw thrown;
  }
}

export function outcomeOf(thrown: unknown): BenchtopError {
  if (BenchtopError.is(thrown)) return thrown;
  const code = codeOf(thrown);
  if (code === "ELOOP" || code === "ENOTDIR") {
    return new BenchtopError("SANDBOX_VIOLATION", "A symbolic link or a file stands where a folder is needed.");
  }
  if (code === "EEXIST")
    return new BenchtopError("VALIDATION_FAILED", "Something of this name exists; it was left alone.");
  if (code === "EACCES" || code === "EPERM") {
    return new BenchtopError("FILE_WRITE_FAILED", "Benchtop may not write there.", { cause: thrown });
  }
  return BenchtopError.from(
    code === "ENOSPC" || code === "EDQUOT"
      ? thrown
      : new BenchtopError("FILE_WRITE_FAILED", `It could not be written (${code || "unknown error"}).`, {
          cause: thrown,
        }),
  );
}
