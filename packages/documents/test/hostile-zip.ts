import { crc32, deflateRawSync } from "node:zlib";

/** What a file of a hand-made archive says of itself; the local header says the same unless `local` says otherwise. */
export interface Made {
  readonly name?: string | Uint8Array;
  readonly content?: Uint8Array;
  readonly flags?: number;
  readonly method?: number;
  readonly crc?: number;
  readonly size?: number;
  readonly compressedSize?: number;
  readonly extra?: Uint8Array;
  readonly madeBy?: number;
  readonly external?: number;
  readonly offset?: number;
  readonly disk?: number;
  readonly data?: Uint8Array;
  /** Bytes between the data and the next header. */
  readonly after?: Uint8Array;
  readonly local?: Partial<Omit<Made, "local">>;
}

export interface End {
  readonly entries?: number;
  readonly entriesHere?: number;
  readonly size?: number;
  readonly offset?: number;
  readonly disk?: number;
  readonly comment?: Uint8Array;
  readonly zip64?: {
    readonly entries?: bigint;
    readonly size?: bigint;
    readonly offset?: bigint;
    readonly at?: bigint;
  };
}

/** An archive exactly as wrong as it is asked to be. */
export function archive(files: readonly Made[], end: End = {}): Uint8Array {
  const locals: Uint8Array[] = [];
  const records: Uint8Array[] = [];
  let at = 0;
  for (const file of files) {
    const stated = state(file);
    const local = state({ ...file, ...file.local });
    const bytes = Buffer.concat([header(local, undefined), stated.data, file.after ?? new Uint8Array()]);
    locals.push(bytes);
    records.push(header(stated, file.offset ?? at));
    at += bytes.length;
  }
  const directory = Buffer.concat(records);
  const parts = [...locals, directory];
  if (end.zip64) {
    const record = Buffer.alloc(56);
    record.writeUInt32LE(0x06064b50, 0);
    record.writeBigUInt64LE(44n, 4);
    record.writeUInt16LE(45, 12);
    record.writeUInt16LE(45, 14);
    record.writeBigUInt64LE(end.zip64.entries ?? BigInt(files.length), 24);
    record.writeBigUInt64LE(end.zip64.entries ?? BigInt(files.length), 32);
    record.writeBigUInt64LE(end.zip64.size ?? BigInt(directory.length), 40);
    record.writeBigUInt64LE(end.zip64.offset ?? BigInt(at), 48);
    const locator = Buffer.alloc(20);
    locator.writeUInt32LE(0x07064b50, 0);
    locator.writeBigUInt64LE(end.zip64.at ?? BigInt(at + directory.length), 8);
    locator.writeUInt32LE(1, 16);
    locator.writeUInt32LE(0, 4);
    parts.push(record, locator);
  }
  const comment = end.comment ?? new Uint8Array();
  const last = Buffer.alloc(22);
  last.writeUInt32LE(0x06054b50, 0);
  last.writeUInt16LE(end.disk ?? 0, 4);
  last.writeUInt16LE(end.entriesHere ?? end.entries ?? files.length, 8);
  last.writeUInt16LE(end.entries ?? files.length, 10);
  last.writeUInt32LE(end.size ?? directory.length, 12);
  last.writeUInt32LE(end.offset ?? at, 16);
  last.writeUInt16LE(comment.length, 20);
  return new Uint8Array(Buffer.concat([...parts, last, comment]));
}

/** A field of 64-bit values. */
export function zip64Extra(...values: bigint[]): Uint8Array {
  const bytes = Buffer.alloc(4 + values.length * 8);
  bytes.writeUInt16LE(1, 0);
  bytes.writeUInt16LE(values.length * 8, 2);
  for (const [at, value] of values.entries()) bytes.writeBigUInt64LE(value, 4 + at * 8);
  return bytes;
}

export function descriptor(crc: number, compressedSize: number, size: number, signed = true): Uint8Array {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32LE(0x08074b50, 0);
  bytes.writeUInt32LE(crc, 4);
  bytes.writeUInt32LE(compressedSize, 8);
  bytes.writeUInt32LE(size, 12);
  return signed ? bytes : bytes.subarray(4);
}

function state(file: Made) {
  const content = file.content ?? Buffer.from("content");
  const method = file.method ?? 8;
  const data = file.data ?? (method === 8 ? deflateRawSync(content) : content);
  return {
    name: typeof file.name === "string" ? Buffer.from(file.name) : (file.name ?? Buffer.from("part.xml")),
    flags: file.flags ?? 0,
    method,
    data,
    crc: file.crc ?? crc32(content),
    size: file.size ?? content.length,
    compressedSize: file.compressedSize ?? data.length,
    extra: file.extra ?? new Uint8Array(),
    madeBy: file.madeBy ?? 20,
    external: file.external ?? 0,
    disk: file.disk ?? 0,
  };
}

/** A local header, or a record of the directory where it says where that is. */
function header(stated: ReturnType<typeof state>, offset: number | undefined): Uint8Array {
  const common = Buffer.alloc(26);
  common.writeUInt16LE(20, 0);
  common.writeUInt16LE(stated.flags, 2);
  common.writeUInt16LE(stated.method, 4);
  common.writeUInt32LE(0x0021_0000, 6);
  common.writeUInt32LE(stated.crc, 10);
  common.writeUInt32LE(stated.compressedSize, 14);
  common.writeUInt32LE(stated.size, 18);
  common.writeUInt16LE(stated.name.length, 22);
  common.writeUInt16LE(stated.extra.length, 24);
  const signature = Buffer.alloc(offset === undefined ? 4 : 6);
  signature.writeUInt32LE(offset === undefined ? 0x04034b50 : 0x02014b50, 0);
  if (offset === undefined) return Buffer.concat([signature, common, stated.name, stated.extra]);
  signature.writeUInt16LE(stated.madeBy, 4);
  const rest = Buffer.alloc(14);
  rest.writeUInt16LE(stated.disk, 2);
  rest.writeUInt32LE(stated.external, 6);
  rest.writeUInt32LE(offset, 10);
  return Buffer.concat([signature, common, rest, stated.name, stated.extra]);
}
