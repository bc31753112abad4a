import { constants } from "node:fs";
import { open, stat, type FileHandle } from "node:fs/promises";
import { BenchtopError } from "@benchtop/protocol/errors";
import { ggufLimits as limits } from "./limits.ts";
import { refusal } from "./refusal.ts";

/** Windows has no such flag, and no FIFOs among files. */
const openForReading = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
const windowBytes = 256 * 1024;

/**
 * The beginning of a file, read in order through a window, so that neither the file nor its header is in memory whole.
 * A read is ready when `has` says so; else `load` has to be awaited first. The split is for speed: a vocabulary has half a
 * million strings, and hardly any of them has to wait.
 */
export class HeaderBytes {
  readonly fileBytes: number;
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #signal: AbortSignal | undefined;
  #window = Buffer.allocUnsafe(windowBytes);
  /** Where the window begins in the file. */
  #start = 0;
  #end = 0;
  #at = 0;

  /** Opens a regular file, also through a symbolic link: caches of models are full of them. Nothing else is waited for. */
  static async use<T>(
    path: string,
    signal: AbortSignal | undefined,
    action: (bytes: HeaderBytes) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    // Asked before it is opened: to open a device can already do something.
    if (!(await reading(path, stat(path))).isFile()) throw irregular(path);
    const file = await reading(path, open(path, openForReading));
    try {
      const found = await reading(path, file.stat());
      if (!found.isFile()) throw irregular(path);
      return await action(new HeaderBytes(file, path, found.size, signal));
    } finally {
      await file.close();
    }
  }

  private constructor(file: FileHandle, path: string, fileBytes: number, signal: AbortSignal | undefined) {
    this.#file = file;
    this.#path = path;
    this.fileBytes = fileBytes;
    this.#signal = signal;
  }

  /** Bytes from the start of the file. */
  get position(): number {
    return this.#start + this.#at;
  }

  has(count: number): boolean {
    return this.#end - this.#at >= count;
  }

  /** Throws `VALIDATION_FAILED` where the file ends before, or the header is larger than allowed. */
  async load(count: number): Promise<void> {
    if (this.has(count)) return;
    const left = this.fileBytes - this.position;
    if (count > left) throw cutOff();
    if (this.position + count > limits.headerBytes) throw headerTooLarge();
    const rest = this.#window.subarray(this.#at, this.#end);
    const larger = count > this.#window.length ? Buffer.allocUnsafe(count) : this.#window;
    rest.copy(larger);
    this.#start = this.position;
    this.#window = larger;
    this.#end = rest.length;
    this.#at = 0;
    while (this.#end < count) {
      this.#signal?.throwIfAborted();
      const { bytesRead } = await reading(
        this.#path,
        this.#file.read(this.#window, this.#end, this.#window.length - this.#end, this.#start + this.#end),
      );
      if (bytesRead === 0) throw cutOff();
      this.#end += bytesRead;
    }
  }

  /** Goes on without reading what is between. */
  skip(count: number): void {
    if (count > this.fileBytes - this.position) throw cutOff();
    if (this.position + count > limits.headerBytes) throw headerTooLarge();
    if (this.has(count)) this.#at += count;
    else {
      this.#start = this.position + count;
      this.#at = 0;
      this.#end = 0;
    }
  }

  u32(): number {
    const value = this.#window.readUInt32LE(this.#at);
    this.#at += 4;
    return value;
  }

  /** Exact up to 2⁵³. What is larger comes out larger than any limit. */
  size(): number {
    const low = this.#window.readUInt32LE(this.#at);
    const high = this.#window.readUInt32LE(this.#at + 4);
    this.#at += 8;
    return high * 2 ** 32 + low;
  }

  /** A copy, for what is kept. */
  take(count: number): Buffer {
    return Buffer.from(this.#taken(count));
  }

  text(count: number): string {
    return this.#taken(count).toString("utf8");
  }

  /** What comes next, valid until the next `load`. */
  peek(count: number): Buffer {
    return this.#window.subarray(this.#at, this.#at + count);
  }

  #taken(count: number): Buffer {
    const taken = this.#window.subarray(this.#at, this.#at + count);
    this.#at += count;
    return taken;
  }
}

async function reading<T>(path: string, operation: Promise<T>): Promise<T> {
  try {
    return await operation;
  } catch (thrown) {
    const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "unknown error";
    const why =
      code === "ENOENT"
        ? "there is no file of this name"
        : code === "EACCES" || code === "EPERM"
          ? "Benchtop may not read it"
          : code;
    throw new BenchtopError("FILE_READ_FAILED", `The model file could not be read: ${why}.`, {
      detail: { path },
      cause: thrown,
    });
  }
}

function irregular(path: string): BenchtopError {
  return refusal("This is no file but a folder, a device or a pipe. Give the path of a GGUF file.", { path });
}

function cutOff(): BenchtopError {
  return refusal("The GGUF file is cut off: it ends within its header. Download or copy it again.");
}

function headerTooLarge(): BenchtopError {
  return refusal(
    `The header of the GGUF file is larger than ${limits.headerBytes / 2 ** 20} MiB; no known model's is.`,
  );
}
