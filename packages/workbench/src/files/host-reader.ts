import { read } from "node:fs";
import { promisify } from "node:util";
import { BenchtopError } from "@benchtop/protocol";
import type { BlobBatch } from "@benchtop/store";
import type { Environment } from "../environment.ts";
import { classifyBlob } from "./classify-blob.ts";
import { classifiedBytes, classify, type Classification } from "./classify.ts";
import type { HostFile, HostRefusal } from "./host.ts";
import type { Manifest } from "./manifest.ts";

interface Content {
  readonly sha256: string;
  readonly bytes: number;
}

/** Takes content from the file system into blobs, and says what it is. */
export class HostReader {
  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** One file as a blob, or why it cannot be taken. Never more bytes than the limit, never a file that changed meanwhile. */
  async copyIn(file: Pick<HostFile, "base" | "path">): Promise<Content | HostRefusal> {
    return await this.#copy(file, this.#environment.store.blobs, () => undefined);
  }

  /** One of many, which are blobs once the batch is kept; and what it is, for the path that it shall have. */
  async copyInto(
    batch: BlobBatch,
    file: Pick<HostFile, "base" | "path">,
    path: string,
  ): Promise<(Content & { readonly kind: Classification }) | HostRefusal> {
    const head: Uint8Array[] = [];
    let length = 0;
    const result = await this.#copy(file, batch, (chunk) => {
      if (length < classifiedBytes) head.push(chunk);
      length += chunk.length;
    });
    if ("code" in result) return result;
    const seen = Buffer.concat(head).subarray(0, classifiedBytes);
    return { ...result, kind: classify(path, seen, seen.length === result.bytes) };
  }

  async #copy(
    file: Pick<HostFile, "base" | "path">,
    into: Pick<BlobBatch, "putStream">,
    see: (chunk: Uint8Array) => void,
  ): Promise<Content | HostRefusal> {
    const { disk, limits } = this.#environment;
    const path = `${file.base}/${file.path}`;
    const opened = await disk.run("openHostFile", { base: file.base, path: file.path });
    if ("code" in opened) return opened;
    let blob: Content;
    try {
      blob = await into.putStream(contentOf(opened.descriptor, see), { maxBytes: limits.maxFileBytes });
    } catch (thrown) {
      await disk.run("closeHostFile", opened);
      const error = BenchtopError.from(thrown, "FILE_READ_FAILED", { phase: "workbench" });
      if (error.code !== "VALIDATION_FAILED") throw error;
      return { path, code: error.code, reason: `it has more than ${limits.maxFileBytes} bytes (limit maxFileBytes)` };
    }
    if (await disk.run("closeHostFile", opened)) return blob;
    return { path, code: "FILE_READ_FAILED", reason: "it changed while it was copied; try again" };
  }

  /** What the content of a blob is, for the path that it shall have. */
  async classify(path: string, content: Content): Promise<Classification> {
    return await classifyBlob(this.#environment.store.blobs, path, content);
  }

  /** The limits that the files of a workbench have together. */
  refuseTooMuch(manifest: Manifest): void {
    const { maxFiles, maxTotalBytes, maxFileBytes } = this.#environment.limits;
    const count = manifest.entries.length;
    if (count > maxFiles) {
      throw limitError(`A workbench holds at most ${maxFiles} files; this would make ${count}.`, "maxFiles", maxFiles);
    }
    if (manifest.totalBytes > maxTotalBytes) {
      throw limitError(`A workbench holds at most ${maxTotalBytes} bytes.`, "maxTotalBytes", maxTotalBytes);
    }
    const large = manifest.entries.find((entry) => entry.bytes > maxFileBytes);
    if (large) throw tooLarge(large.path, large.bytes, maxFileBytes);
  }
}

export function tooLarge(path: string, bytes: number, limit: number): BenchtopError {
  return limitError(`"${path}" has ${bytes} bytes; a file may have at most ${limit}.`, "maxFileBytes", limit);
}

export function limitError(message: string, limit: string, allowed: number): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", `${message} (The limit is ${limit}.)`, {
    phase: "workbench",
    detail: { limit, allowed },
  });
}

const readFrom = promisify(read);
const chunkBytes = 1 << 18;

async function* contentOf(descriptor: number, see: (chunk: Uint8Array) => void): AsyncGenerator<Uint8Array> {
  for (let position = 0; ;) {
    const { bytesRead, buffer } = await readFrom(descriptor, Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    const chunk = buffer.subarray(0, bytesRead);
    see(chunk);
    yield chunk;
  }
}
