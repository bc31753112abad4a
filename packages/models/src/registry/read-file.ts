import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { copyFile, open, stat, unlink, type FileHandle } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { BenchtopError } from "@benchtop/protocol";

export interface Reading {
  readonly path: string;
  /** A copy is written here, and on disk when the reading is over. Must not be there yet. */
  readonly copyTo?: string;
}

export interface ReadFile {
  readonly bytes: number;
  readonly sha256: string;
}

/** What the thread says: how far it is, and then what it found or what stopped it. */
export type ReadingMessage =
  | { readonly bytesDone: number }
  | { readonly read: ReadFile }
  | { readonly failed: { readonly message: string; readonly code: string | undefined } };

/**
 * Reads a file to its end for its hash, and copies it on the way if asked. Large files are read by a thread of their own: hashing
 * 40 GB takes half a minute of a core. Where the file system can share the blocks of a copy (Btrfs, XFS, APFS), they are shared.
 *
 * Rejects with `FILE_READ_FAILED`, `FILE_WRITE_FAILED`, `DISK_FULL` and the signal's reason; no copy is left then.
 */
export async function readFile(
  { path, copyTo }: Reading,
  onBytes: (bytesDone: number) => void,
  signal: AbortSignal,
): Promise<ReadFile> {
  signal.throwIfAborted();
  try {
    const { size } = await stat(path);
    const shared = copyTo !== undefined && (await sharesBlocks(path, copyTo));
    const reading = shared ? { path: copyTo } : { path, ...(copyTo !== undefined && { copyTo }) };
    const read = await (size > ownThreadFrom
      ? readElsewhere(reading, onBytes, signal)
      : readHere(reading, onBytes, signal));
    if (shared) await putOnDisk(copyTo);
    return read;
  } catch (error) {
    if (copyTo !== undefined) await unlink(copyTo).catch(() => undefined);
    signal.throwIfAborted();
    throw BenchtopError.from(error, copyTo === undefined ? "FILE_READ_FAILED" : "FILE_WRITE_FAILED");
  }
}

/** A thread takes as long to start as this many bytes take to be read. */
const ownThreadFrom = 16 * 1024 * 1024;
const chunkBytes = 1024 * 1024;

async function sharesBlocks(path: string, copyTo: string): Promise<boolean> {
  try {
    await copyFile(path, copyTo, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch {
    // It cannot, or the other file is there already, or cannot be read: an ordinary copy will tell which.
    return false;
  }
}

/** In whichever thread this is called. */
export async function readHere(
  { path, copyTo }: Reading,
  onBytes: (bytesDone: number) => void,
  signal?: AbortSignal,
): Promise<ReadFile> {
  await using source = await open(path, "r");
  await using copy = copyTo === undefined ? undefined : await open(copyTo, "wx", 0o600);
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(chunkBytes);
  let bytes = 0;
  for (;;) {
    signal?.throwIfAborted();
    const { bytesRead } = await source.read(buffer, 0, chunkBytes, bytes);
    if (bytesRead === 0) break;
    const chunk = buffer.subarray(0, bytesRead);
    hash.update(chunk);
    if (copy) await writeAll(copy, chunk, bytes);
    bytes += bytesRead;
    onBytes(bytes);
  }
  await copy?.sync();
  return { bytes, sha256: hash.digest("hex") };
}

/** A file handle may write less than it was given. */
export async function writeAll(file: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  let written = 0;
  while (written < chunk.length) {
    const { bytesWritten } = await file.write(chunk, written, chunk.length - written, position + written);
    written += bytesWritten;
  }
}

async function readElsewhere(
  reading: Reading,
  onBytes: (bytesDone: number) => void,
  signal: AbortSignal,
): Promise<ReadFile> {
  // The thread inherits the flags of the process; those of a program given by `--eval` are refused for a file.
  const isEval = process.execArgv.some((flag) => flag.startsWith("--input-type"));
  const worker = new Worker(new URL("read-file-worker.ts", import.meta.url), {
    workerData: reading,
    name: "benchtop-read-file",
    ...(isEval && { execArgv: [] }),
  });
  const { promise, resolve, reject } = Promise.withResolvers<ReadFile>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  worker.on("message", (message: ReadingMessage) => {
    if ("bytesDone" in message) onBytes(message.bytesDone);
    else if ("read" in message) resolve(message.read);
    else reject(Object.assign(new Error(message.failed.message), { code: message.failed.code }));
  });
  worker.on("error", reject);
  worker.on("exit", () => reject(new Error("The thread that read the file ended.")));
  try {
    return await promise;
  } finally {
    signal.removeEventListener("abort", onAbort);
    await worker.terminate();
  }
}

/** Windows wants a file that could be written; elsewhere one may belong to somebody else. */
export async function putOnDisk(path: string): Promise<void> {
  await using file = await open(path, process.platform === "win32" ? "r+" : "r");
  await file.sync();
}
