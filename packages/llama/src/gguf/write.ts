import { createHash, randomBytes } from "node:crypto";
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { BenchtopError } from "@benchtop/protocol/errors";
import { encodeField, encodeString, type GgufField } from "./field.ts";
import { defaultAlignment, padded, tensorDimensions, tensorNameBytes, tensorTypeByName } from "./layout.ts";
import { refusal } from "./refusal.ts";
import { encodeWeights } from "./weights.ts";

/** What is to be in a GGUF file. The order of fields and tensors is the order in the file. */
export interface GgufContent {
  readonly metadata: Readonly<Record<string, GgufField>> | ReadonlyMap<string, GgufField>;
  readonly tensors: readonly GgufTensorContent[];
}

export interface GgufTensorContent {
  /** At most 63 bytes. */
  readonly name: string;
  /** The fastest-moving dimension first, as ggml has it: a matrix of 3 rows and 4 columns is `[4, 3]`. */
  readonly shape: readonly number[];
  /** `F32`, `F16`, `BF16`, `Q8_0`, … */
  readonly type: string;
  /**
   * The bytes as they lie in the file; or numbers, which are rounded to `F32`, `F16` or `BF16`; or a function that gives the
   * bytes in parts when they are due, for models that are larger than the memory.
   */
  readonly data: Uint8Array | Float32Array | (() => Iterable<Uint8Array> | AsyncIterable<Uint8Array>);
}

/**
 * Writes a GGUF file (version 3): it appears whole or not at all (temporary name, fsync, rename), in place of what had its
 * name. The same content gives the same bytes.
 *
 * Throws `VALIDATION_FAILED` for content that GGUF cannot hold or a producer that gives another number of bytes than its
 * shape says, `DISK_FULL`, `FILE_WRITE_FAILED`, and the signal's reason; nothing is left behind then.
 */
export async function writeGguf(
  path: string,
  content: GgufContent,
  signal?: AbortSignal,
): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const placed = placeTensors(content);
  const header = encodeHeader(content, placed.tensors);
  const temporary = `${path}.${randomBytes(6).toString("hex")}.part`;
  let file: FileHandle | undefined;
  try {
    file = await open(temporary, "wx", 0o644);
    const output = new Output(file, signal);
    await output.write(header);
    await output.pad(placed.alignment);
    for (const tensor of placed.tensors) {
      const until = output.bytes + tensor.bytes;
      for await (const part of partsOf(tensor.content)) {
        if (output.bytes + part.length > until) throw wrongLength(tensor);
        await output.write(part);
      }
      if (output.bytes !== until) throw wrongLength(tensor);
      await output.pad(placed.alignment);
    }
    await file.sync();
    await file.close();
    file = undefined;
    await rename(temporary, path);
    await syncFolder(dirname(path));
    return { bytes: output.bytes, sha256: output.digest() };
  } catch (thrown) {
    await file?.close();
    await rm(temporary, { force: true });
    signal?.throwIfAborted();
    throw writeFailure(thrown, path);
  }
}

interface PlacedTensor {
  readonly content: GgufTensorContent;
  readonly typeNumber: number;
  readonly offset: number;
  readonly bytes: number;
}

function placeTensors(content: GgufContent): { tensors: PlacedTensor[]; alignment: number } {
  const alignment = alignmentOf(content);
  const names = new Set<string>();
  let offset = 0;
  const tensors = content.tensors.map((tensor): PlacedTensor => {
    if (names.has(tensor.name)) throw refusal(`The tensor "${tensor.name}" is there twice.`);
    names.add(tensor.name);
    const { bytes, typeNumber } = measure(tensor);
    const placed = { content: tensor, typeNumber, offset, bytes };
    offset += padded(bytes, alignment);
    if (!Number.isSafeInteger(offset)) throw refusal("The tensors are larger than any file.");
    return placed;
  });
  return { tensors, alignment };
}

function alignmentOf({ metadata }: GgufContent): number {
  const field = fieldsOf(metadata).find(([key]) => key === "general.alignment")?.[1];
  if (!field) return defaultAlignment;
  // ggml reads no other type here, and llama.cpp can map no less.
  if (field.type !== "u32" || field.value < defaultAlignment || !Number.isInteger(Math.log2(field.value))) {
    throw refusal(`\`general.alignment\` has to be a u32 and a power of two from ${defaultAlignment} on.`);
  }
  return field.value;
}

function measure({ name, shape, type: typeName }: GgufTensorContent): { bytes: number; typeNumber: number } {
  const nameBytes = Buffer.byteLength(name);
  if (nameBytes === 0 || nameBytes > tensorNameBytes) {
    throw refusal(`A tensor's name has 1 to ${tensorNameBytes} bytes; "${name}" has ${nameBytes}.`);
  }
  const type = tensorTypeByName.get(typeName);
  if (!type) throw refusal(`GGUF has no tensors of type ${typeName}.`);
  const [row] = shape;
  const weights = shape.reduce((product, length) => product * length, 1);
  const whole = shape.every((length) => Number.isSafeInteger(length) && length > 0) && Number.isSafeInteger(weights);
  if (row === undefined || shape.length > tensorDimensions || !whole) {
    throw refusal(
      `The tensor "${name}" has a shape that GGUF does not know: 1 to ${tensorDimensions} lengths above 0.`,
    );
  }
  if (row % type.blockWeights !== 0) {
    throw refusal(
      `Rows of ${typeName} hold a multiple of ${type.blockWeights} weights; those of "${name}" hold ${row}.`,
    );
  }
  return { bytes: (weights / type.blockWeights) * type.blockBytes, typeNumber: type.number };
}

function encodeHeader({ metadata }: GgufContent, tensors: readonly PlacedTensor[]): Uint8Array {
  const fields = fieldsOf(metadata);
  const start = Buffer.alloc(24);
  start.write("GGUF", 0, "latin1");
  start.writeUInt32LE(3, 4);
  start.writeBigUInt64LE(BigInt(tensors.length), 8);
  start.writeBigUInt64LE(BigInt(fields.length), 16);
  const parts: Uint8Array[] = [start];
  for (const [key, field] of fields) {
    if (!/^[\x21-\x7e]{1,65535}$/.test(key)) throw refusal(`"${key}" is no name for a GGUF field.`);
    parts.push(encodeString(key), encodeField(key, field));
  }
  for (const { content, typeNumber, offset } of tensors) {
    const rest = Buffer.alloc(4 + 8 * content.shape.length + 12);
    let at = rest.writeUInt32LE(content.shape.length, 0);
    for (const length of content.shape) at = rest.writeBigUInt64LE(BigInt(length), at);
    at = rest.writeUInt32LE(typeNumber, at);
    rest.writeBigUInt64LE(BigInt(offset), at);
    parts.push(encodeString(content.name), rest);
  }
  return Buffer.concat(parts);
}

function fieldsOf(metadata: GgufContent["metadata"]): (readonly [string, GgufField])[] {
  return metadata instanceof Map ? [...metadata] : Object.entries(metadata);
}

/** Writes in order, and hashes what it writes. */
class Output {
  bytes = 0;
  readonly #hash = createHash("sha256");
  readonly #file: FileHandle;
  readonly #signal: AbortSignal | undefined;

  constructor(file: FileHandle, signal: AbortSignal | undefined) {
    this.#file = file;
    this.#signal = signal;
  }

  async write(part: Uint8Array): Promise<void> {
    this.#signal?.throwIfAborted();
    this.#hash.update(part);
    for (let written = 0; written < part.length;) {
      const { bytesWritten } = await this.#file.write(part, written, part.length - written, this.bytes + written);
      written += bytesWritten;
    }
    this.bytes += part.length;
  }

  async pad(alignment: number): Promise<void> {
    const missing = padded(this.bytes, alignment) - this.bytes;
    if (missing > 0) await this.write(new Uint8Array(missing));
  }

  digest(): string {
    return this.#hash.digest("hex");
  }
}

function partsOf({ type, data }: GgufTensorContent): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  if (typeof data === "function") return data();
  return [data instanceof Float32Array ? encodeWeights(data, type) : data];
}

function wrongLength({ content, bytes }: PlacedTensor): BenchtopError {
  return refusal(
    `The tensor "${content.name}" has ${bytes} bytes by its shape and type, and was given another number.`,
  );
}

/** Puts the new name on disk. Windows cannot open folders; a rename is durable there by itself. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function writeFailure(thrown: unknown, path: string): unknown {
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  if (BenchtopError.is(thrown) || typeof code !== "string") return thrown;
  if (code === "ENOSPC" || code === "EDQUOT") return BenchtopError.from(thrown, "DISK_FULL", { detail: { path } });
  return new BenchtopError("FILE_WRITE_FAILED", `The model file could not be written (${code}).`, {
    detail: { path },
    cause: thrown,
  });
}
