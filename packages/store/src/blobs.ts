import { createHash, randomBytes } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { lstat, mkdir, open, readdir, rename, unlink, utimes, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { BenchtopError } from "@benchtop/protocol";
import { syncFolder } from "./sync-folder.ts";

export interface BlobRef {
  readonly sha256: string;
  readonly bytes: number;
}

/**
 * Streams that are kept together: none is kept before `keep` resolves, and then all are. Everything is written before the first
 * fsync, and folders are put on disk once for all, so that many files cost little more than their bytes. To be disposed.
 */
export interface BlobBatch extends AsyncDisposable {
  /** As that of `Blobs`, but for what is not kept yet. */
  putStream(source: AsyncIterable<Uint8Array>, limits: { readonly maxBytes: number }): Promise<BlobRef>;
  /** Once. Rejects with `DISK_FULL` or `FILE_WRITE_FAILED`. */
  keep(): Promise<void>;
}

/** The fsyncs of this many puts overlap; more would only fill the thread pool that all file access shares. */
const parallelPuts = 8;
const readChunk = 256 * 1024;
const setAside = "unused-";

/** Windows has no such flag, and no links that an ordinary user could make. */
const readFlags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0);

/**
 * Content-addressed files: `blobs/ab/<sha256>`. A blob is on disk before `put` resolves, and a crash leaves nothing
 * but files in `blobs/temporary`, which the next start removes. Blobs are never changed; symbolic links are never
 * followed.
 */
export class Blobs {
  readonly #root: string;
  readonly #temporary: string;
  readonly #slots = new Slots(parallelPuts);
  /** Folders that this process has put on disk. */
  readonly #folders = new Map<string, Promise<void>>();
  /** Puts of the same content at the same time are one. */
  readonly #putting = new Map<string, Promise<void>>();

  /** `root` is this store's alone: what an earlier process left half written is removed. */
  static async open(root: string): Promise<Blobs> {
    const blobs = new Blobs(root);
    await mkdir(blobs.#temporary, { recursive: true, mode: 0o700 });
    for (const left of await readdir(blobs.#temporary)) {
      const path = join(blobs.#temporary, left);
      // Moved away to be removed, and perhaps asked for again meanwhile.
      if (left.startsWith(setAside)) await rename(path, blobs.pathOf(left.slice(setAside.length)));
      else await removeIfThere(path);
    }
    return blobs;
  }

  private constructor(root: string) {
    this.#root = root;
    this.#temporary = join(root, "temporary");
  }

  /** Keeps some bytes; nothing to do where they are kept already. Rejects with `DISK_FULL` or `FILE_WRITE_FAILED`. */
  async put(bytes: Uint8Array): Promise<BlobRef> {
    const sha256 = sha256Of(bytes);
    let put = this.#putting.get(sha256);
    if (!put) {
      put = this.#slots.use(() => this.#putOnce(sha256, bytes)).finally(() => this.#putting.delete(sha256));
      this.#putting.set(sha256, put);
    }
    await put;
    return { sha256, bytes: bytes.length };
  }

  /** Keeps a stream without holding it in memory. Rejects with `VALIDATION_FAILED` when it is longer than the limit. */
  putStream(source: AsyncIterable<Uint8Array>, limits: { readonly maxBytes: number }): Promise<BlobRef> {
    return this.#slots.use(async () => {
      const { temporary, ...blob } = await this.#receive(source, limits, true);
      await this.#moveIn(temporary, blob.sha256);
      return blob;
    });
  }

  /** For many streams that are kept together. */
  batch(): BlobBatch {
    const waiting = new Map<string, string>();
    return {
      putStream: (source, limits) =>
        this.#slots.use(async () => {
          const { temporary, ...blob } = await this.#receive(source, limits, false);
          if (waiting.has(blob.sha256)) await removeIfThere(temporary);
          else waiting.set(blob.sha256, temporary);
          return blob;
        }),
      keep: async () => {
        await this.#each(waiting.values(), syncFile);
        await this.#each(waiting, async ([sha256, temporary]) => {
          await this.#keepFolder(dirname(this.pathOf(sha256)));
          await rename(temporary, this.pathOf(sha256));
        });
        await this.#each(new Set([...waiting.keys()].map((sha256) => dirname(this.pathOf(sha256)))), syncFolder);
        waiting.clear();
      },
      [Symbol.asyncDispose]: async () => {
        for (const temporary of waiting.values()) await removeIfThere(temporary);
      },
    };
  }

  /** The bytes, proven to be those that were put. Rejects with `FILE_READ_FAILED` when they are missing or damaged. */
  async read(sha256: string): Promise<Uint8Array> {
    const file = await this.#openForReading(sha256);
    try {
      const bytes = await readable(sha256, file.readFile());
      if (sha256Of(bytes) !== sha256) throw damaged(sha256);
      return bytes;
    } finally {
      await file.close();
    }
  }

  /** The bytes as a stream; it fails with `FILE_READ_FAILED` before its end when they are not those that were put. */
  stream(sha256: string): Readable {
    return Readable.from(this.#chunks(sha256), { objectMode: false });
  }

  /** Bytes that it has. Rejects with `FILE_READ_FAILED` when there is no such blob. */
  async size(sha256: string): Promise<number> {
    const file = await this.#openForReading(sha256);
    try {
      return (await readable(sha256, file.stat())).size;
    } finally {
      await file.close();
    }
  }

  async has(sha256: string): Promise<boolean> {
    const path = this.pathOf(sha256);
    try {
      return (await lstat(path)).isFile();
    } catch (error) {
      if (isMissing(error)) return false;
      throw unreadable(sha256, error);
    }
  }

  /**
   * Whether the blob is there, for somebody who is about to name it: it counts as put just now, so that it is not removed
   * as unused before the name is committed.
   */
  async keep(sha256: string): Promise<boolean> {
    if (!(await this.has(sha256))) return false;
    const now = new Date();
    try {
      await utimes(this.pathOf(sha256), now, now);
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw BenchtopError.from(error, "FILE_WRITE_FAILED");
    }
  }

  /** Every blob, and when it was put or kept last (milliseconds since 1970). */
  async *list(): AsyncGenerator<{ readonly sha256: string; readonly changedAt: number }> {
    for (const folder of await readdir(this.#root)) {
      if (!/^[0-9a-f]{2}$/.test(folder)) continue;
      for (const sha256 of await readdir(join(this.#root, folder))) {
        const stats = /^[0-9a-f]{64}$/.test(sha256) ? await statsIfThere(this.pathOf(sha256)) : undefined;
        if (stats?.isFile()) yield { sha256, changedAt: stats.mtimeMs };
      }
    }
  }

  /**
   * Removes a blob that nobody has put or kept since; gives its size, or undefined where it stays. It is moved away before its
   * time is read: whoever keeps it before that makes it young, so that it is moved back; whoever puts it after finds it
   * missing and writes it again.
   */
  async removeIfUnchangedSince(sha256: string, changedAt: number): Promise<number | undefined> {
    const path = this.pathOf(sha256);
    const aside = join(this.#temporary, setAside + sha256);
    try {
      await rename(path, aside);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw BenchtopError.from(error, "FILE_WRITE_FAILED");
    }
    const { mtimeMs, size } = await lstat(aside);
    if (mtimeMs >= changedAt) {
      await rename(aside, path);
      return undefined;
    }
    await unlink(aside);
    return size;
  }

  /**
   * The text of a blob that may be JSON, in pieces of which each begins with the last 64 characters of the one before; nothing
   * for other blobs and those that are missing.
   */
  async *jsonText(sha256: string): AsyncGenerator<string> {
    if (!(await this.has(sha256))) return;
    const file = await this.#openForReading(sha256);
    try {
      let before = "";
      for (;;) {
        const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(readChunk), 0, readChunk, null);
        if (bytesRead === 0) return;
        const text = buffer.toString("latin1", 0, bytesRead);
        if (before === "" && !/^[{[]/.test(text)) return;
        yield before + text;
        before = text.slice(-64);
      }
    } finally {
      await file.close();
    }
  }

  /** Where the blob lies, for copying it. Rejects what is not a hash, so that no caller can name another file. */
  pathOf(sha256: string): string {
    if (!/^[0-9a-f]{64}$/.test(sha256)) {
      throw new BenchtopError("VALIDATION_FAILED", "That is not the sha256 of a blob (64 lower-case hex digits).");
    }
    return join(this.#root, sha256.slice(0, 2), sha256);
  }

  async #putOnce(sha256: string, bytes: Uint8Array): Promise<void> {
    if (await this.keep(sha256)) return this.#keepFolder(dirname(this.pathOf(sha256)));
    const temporary = await this.#writeTemporary((file) => file.writeFile(bytes));
    await this.#moveIn(temporary, sha256);
  }

  async #receive(
    source: AsyncIterable<Uint8Array>,
    limits: { readonly maxBytes: number },
    durable: boolean,
  ): Promise<BlobRef & { readonly temporary: string }> {
    const hash = createHash("sha256");
    let bytes = 0;
    const temporary = await this.#writeTemporary(async (file) => {
      for await (const chunk of source) {
        bytes += chunk.length;
        if (bytes > limits.maxBytes) throw tooLarge(limits.maxBytes);
        hash.update(chunk);
        await file.writeFile(chunk);
      }
    }, durable);
    return { temporary, sha256: hash.digest("hex"), bytes };
  }

  /** As many at a time as may be. Waits for all before it rejects. */
  async #each<Item>(items: Iterable<Item>, work: (item: Item) => Promise<void>): Promise<void> {
    const ends = await Promise.allSettled([...items].map((item) => this.#slots.use(() => work(item))));
    const failed = ends.find((end) => end.status === "rejected");
    if (failed) throw BenchtopError.from(failed.reason, "FILE_WRITE_FAILED");
  }

  /** A new file of our own; a durable one is on disk when this resolves. */
  async #writeTemporary(write: (file: FileHandle) => Promise<void>, durable = true): Promise<string> {
    const path = join(this.#temporary, randomBytes(12).toString("hex"));
    try {
      const file = await open(path, "wx", 0o600);
      try {
        await write(file);
        if (durable) await file.sync();
      } finally {
        await file.close();
      }
      return path;
    } catch (error) {
      await removeIfThere(path);
      throw BenchtopError.from(error, "FILE_WRITE_FAILED");
    }
  }

  async #moveIn(temporary: string, sha256: string): Promise<void> {
    const path = this.pathOf(sha256);
    const folder = dirname(path);
    try {
      await this.#keepFolder(folder);
      await rename(temporary, path);
      await syncFolder(folder);
    } catch (error) {
      await removeIfThere(temporary);
      throw BenchtopError.from(error, "FILE_WRITE_FAILED");
    }
  }

  /** Makes a folder and puts it on disk, what an earlier process moved into it included. Once a process. */
  #keepFolder(folder: string): Promise<void> {
    let kept = this.#folders.get(folder);
    if (!kept) {
      kept = makeFolder(folder).catch((error: unknown) => {
        this.#folders.delete(folder);
        throw error;
      });
      this.#folders.set(folder, kept);
    }
    return kept;
  }

  async #openForReading(sha256: string): Promise<FileHandle> {
    const path = this.pathOf(sha256);
    try {
      return await open(path, readFlags);
    } catch (error) {
      throw new BenchtopError("FILE_READ_FAILED", `The stored content ${short(sha256)} is missing.`, {
        detail: { sha256 },
        cause: error,
      });
    }
  }

  async *#chunks(sha256: string): AsyncGenerator<Uint8Array> {
    const file = await this.#openForReading(sha256);
    try {
      const hash = createHash("sha256");
      let held: Uint8Array | undefined;
      for (;;) {
        const read = file.read(Buffer.allocUnsafe(readChunk), 0, readChunk, null);
        const { bytesRead, buffer } = await readable(sha256, read);
        if (bytesRead === 0) break;
        // The last chunk is given only after the whole is proven.
        if (held) yield held;
        held = buffer.subarray(0, bytesRead);
        hash.update(held);
      }
      if (hash.digest("hex") !== sha256) throw damaged(sha256);
      if (held) yield held;
    } finally {
      await file.close();
    }
  }
}

/** Lets a number of tasks run at once and the others wait in line. */
class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async use<Result>(task: () => Promise<Result>): Promise<Result> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    }
  }
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await syncFolder(folder);
  await syncFolder(dirname(folder));
}

async function statsIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}

function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function short(sha256: string): string {
  return sha256.slice(0, 12);
}

/** What a failing disk throws is that the content cannot be read, and no defect of ours. */
async function readable<Result>(sha256: string, reading: Promise<Result>): Promise<Result> {
  try {
    return await reading;
  } catch (cause) {
    throw unreadable(sha256, cause);
  }
}

function unreadable(sha256: string, cause: unknown): BenchtopError {
  const { code } = cause as NodeJS.ErrnoException;
  return new BenchtopError("FILE_READ_FAILED", `The stored content ${short(sha256)} cannot be read (${code ?? "?"}).`, {
    detail: { sha256 },
    cause,
  });
}

function damaged(sha256: string): BenchtopError {
  return new BenchtopError("FILE_READ_FAILED", `The stored content ${short(sha256)} is damaged.`, {
    detail: { sha256 },
  });
}

function tooLarge(maxBytes: number): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", `That is larger than the limit of ${maxBytes} bytes.`, {
    detail: { max_bytes: maxBytes },
  });
}
