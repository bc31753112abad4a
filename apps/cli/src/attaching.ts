import { openAsBlob } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { BenchtopError } from "@benchtop/protocol/errors";
import type { Invocation } from "./invocation.ts";
import { formatBytes, formatCount, printable } from "./output/format.ts";

/** A file of this machine that a prompt is to come with. */
export interface AttachedFile {
  readonly path: string;
  readonly name: string;
  readonly bytes: number;
}

/** What there is to attach. Throws `FILE_READ_FAILED` for what is no readable file. */
export async function filesToAttach(paths: readonly string[]): Promise<AttachedFile[]> {
  return await Promise.all(
    paths.map(async (path) => {
      const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
        throw unreadable(path, cause.code === "ENOENT" ? "does not exist" : `cannot be read (${cause.code})`, cause);
      });
      if (!found.isFile()) throw unreadable(path, "is no file");
      return { path, name: basename(path), bytes: found.size };
    }),
  );
}

/** In words, for the question whether it may be sent. */
export function describeAttached(files: readonly AttachedFile[]): string {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const names = files.map(({ name }) => printable(name)).join(", ");
  return `your prompt and ${formatCount(files.length, "file")} (${names}; ${formatBytes(bytes)})`;
}

/** Hands the files to the daemon, which decides what they are and whether they can be attached. */
export async function uploadAttached(
  invocation: Invocation,
  files: readonly AttachedFile[],
): Promise<{ name: string; sha256: string }[]> {
  const client = await invocation.client();
  const uploads: { name: string; sha256: string }[] = [];
  for (const { path, name } of files) {
    const { sha256 } = await client.upload(await openAsBlob(path));
    uploads.push({ name, sha256 });
  }
  return uploads;
}

function unreadable(path: string, why: string, cause?: unknown): BenchtopError {
  return new BenchtopError("FILE_READ_FAILED", `${path} ${why}.`, { phase: "workshop", detail: { path }, cause });
}
