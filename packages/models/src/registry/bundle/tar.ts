import { invalid } from "../refusals.ts";

/**
 * The little of the tar format (POSIX pax) that a bundle needs: files, one after the other. Any tar program reads what is written.
 * Read is only what is written: no folders, no links, no devices, so that an archive can name nothing but its own content.
 */

export interface TarEntry {
  readonly name: string;
  readonly bytes: number;
  /** To be read to its end before the next entry is asked for. */
  readonly content: AsyncIterable<Uint8Array>;
}

const block = 512;
/** What eleven octal digits hold; larger sizes are in a pax header. */
const largestOctal = 0o77777777777;

/** What comes before the content of a file. Times and owners are none, so that the same files make the same bytes. */
export function tarHeader(name: string, bytes: number): Uint8Array {
  if (bytes <= largestOctal) return header(name, bytes, "0");
  const record = paxRecord("size", String(bytes));
  return Buffer.concat([header("pax", record.length, "x"), record, padding(record.length), header(name, 0, "0")]);
}

/** What comes after it, up to the next block. */
export function padding(bytes: number): Uint8Array {
  return new Uint8Array((block - (bytes % block)) % block);
}

/** Two empty blocks end an archive. */
export const tarEnd: Uint8Array = new Uint8Array(2 * block);

function header(name: string, bytes: number, type: "0" | "x"): Buffer {
  const buffer = Buffer.alloc(block);
  buffer.write(name, 0, 100, "latin1");
  buffer.write("0000644\0", 100, "latin1");
  buffer.write("0000000\0", 108, "latin1");
  buffer.write("0000000\0", 116, "latin1");
  buffer.write(`${bytes.toString(8).padStart(11, "0")}\0`, 124, "latin1");
  buffer.write("00000000000\0", 136, "latin1");
  buffer.write("        ", 148, "latin1");
  buffer.write(type, 156, "latin1");
  buffer.write("ustar\u000000", 257, "latin1");
  buffer.write(`${checksum(buffer).toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return buffer;
}

/** The sum of all bytes, those of the sum itself taken as spaces. */
function checksum(buffer: Buffer): number {
  let sum = 0;
  for (const [index, byte] of buffer.entries()) sum += index >= 148 && index < 156 ? 32 : byte;
  return sum;
}

/** A record says its own length, the digits of the length included. */
function paxRecord(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.from(`${length}${rest}`);
}

/**
 * Reads an archive as it comes. Throws `VALIDATION_FAILED` for what is no such archive, is cut off, or holds anything but files.
 * Sizes and names are what the archive claims: whoever reads checks them.
 */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const bytes = new Bytes(source);
  for (;;) {
    const first = await bytes.read(block);
    if (first.every((byte) => byte === 0)) return await checkEnd(bytes);
    const { name, size, type } = parseHeader(first);
    if (type === "0") {
      yield { name, bytes: size, content: bytes.stream(size) };
      await bytes.read(padding(size).length);
      continue;
    }
    if (type !== "x" || size > maxPaxBytes) throw invalid("The bundle holds something that is no file.");
    const larger = sizeIn(await bytes.read(size));
    await bytes.read(padding(size).length);
    const next = parseHeader(await bytes.read(block));
    if (next.type !== "0") throw invalid("The bundle holds something that is no file.");
    yield { name: next.name, bytes: larger, content: bytes.stream(larger) };
    await bytes.read(padding(larger).length);
  }
}

const maxPaxBytes = 4096;
/** Some programs fill their last record. */
const maxAfterEnd = 1024 * 1024;

function parseHeader(buffer: Buffer): { name: string; size: number; type: string } {
  const stored = /^ *([0-7]{1,7})[\0 ]/.exec(buffer.toString("latin1", 148, 156))?.[1];
  const magic = buffer.toString("latin1", 257, 262);
  if (magic !== "ustar" || stored === undefined || Number.parseInt(stored, 8) !== checksum(buffer)) {
    throw invalid("That is no bundle of models, or it is damaged.");
  }
  const size = /^([0-7]{1,11})[\0 ]/.exec(buffer.toString("latin1", 124, 136))?.[1];
  if (size === undefined) throw invalid("The bundle has a file of a size that cannot be read.");
  const type = buffer.toString("latin1", 156, 157);
  return {
    name: text(buffer, 345, 500) === "" ? text(buffer, 0, 100) : "",
    size: Number.parseInt(size, 8),
    type: type === "\0" ? "0" : type,
  };
}

function text(buffer: Buffer, from: number, to: number): string {
  const end = buffer.indexOf(0, from);
  return buffer.toString("latin1", from, end === -1 || end > to ? to : end);
}

/** Only a size may be said this way: a name would be a second name of the same file. */
function sizeIn(records: Buffer): number {
  const [, value] = /^\d+ size=(\d{1,16})\n$/.exec(records.toString("latin1")) ?? [];
  const size = Number(value);
  if (value === undefined || !Number.isSafeInteger(size))
    throw invalid("The bundle has a header that says more than a size.");
  return size;
}

async function checkEnd(bytes: Bytes): Promise<void> {
  const second = await bytes.read(block);
  let after = 0;
  let empty = second.every((byte) => byte === 0);
  for await (const chunk of bytes.rest()) {
    after += chunk.length;
    empty &&= chunk.every((byte) => byte === 0);
    if (after > maxAfterEnd) empty = false;
    if (!empty) break;
  }
  if (!empty) throw invalid("There is something behind the end of the bundle.");
}

/** The archive, in pieces of the sizes that are asked for. */
class Bytes {
  readonly #source: AsyncIterator<Uint8Array>;
  #waiting: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Exactly so many; few. */
  async read(count: number): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    for await (const chunk of this.stream(count)) parts.push(chunk);
    return Buffer.concat(parts, count);
  }

  async *stream(count: number): AsyncGenerator<Uint8Array> {
    let left = count;
    while (left > 0) {
      if (this.#waiting.length === 0 && !(await this.#more()))
        throw invalid("The bundle is cut off: its end is missing.");
      const chunk = this.#waiting.subarray(0, left);
      this.#waiting = this.#waiting.subarray(chunk.length);
      left -= chunk.length;
      yield chunk;
    }
  }

  async *rest(): AsyncGenerator<Uint8Array> {
    do {
      if (this.#waiting.length > 0) yield this.#waiting;
      this.#waiting = Buffer.alloc(0);
    } while (await this.#more());
  }

  async #more(): Promise<boolean> {
    const next = await this.#source.next();
    if (next.done === true) return false;
    this.#waiting = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
    return true;
  }
}
