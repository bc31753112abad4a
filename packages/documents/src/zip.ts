import { crc32, deflateRawSync, inflateRawSync } from "node:zlib";
import { documentLimits as limits } from "./limits.ts";
import { refusal } from "./refusal.ts";

/** One file of an archive, as the central directory and its local header both describe it. */
export interface ZipEntry {
  readonly name: string;
  readonly method: 0 | 8;
  readonly crc: number;
  /** Inflated. */
  readonly size: number;
  readonly compressed: Uint8Array;
  /** MS-DOS time in the low half, date in the high one. */
  readonly modified: number;
  readonly madeBy: number;
  readonly internalAttributes: number;
  readonly externalAttributes: number;
}

/**
 * Reads the directory of a ZIP archive more strictly than the specification asks (APPNOTE 6.3.10), because programs that read
 * a lax archive differently show different documents: every byte belongs to exactly one entry or to the directory, both
 * descriptions of an entry agree, and no two names mean the same file. Nothing is inflated. Throws `VALIDATION_FAILED`.
 */
export function readZip(bytes: Uint8Array): ZipEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const directory = findDirectory(view);
  if (directory.entries > limits.entries) throw refusal(`The package has more than ${limits.entries} entries.`);
  const records = readDirectory(bytes, view, directory);
  refuseEqualNames(records);
  refuseTooMuch(records, bytes.length);
  let expected = 0;
  const byPlace = records.toSorted((one, other) => one.offset - other.offset);
  for (const record of byPlace) {
    if (record.offset !== expected) throw refusal(`The package has bytes that belong to no entry, or to two of them.`);
    expected = endOfEntry(bytes, view, record, directory.offset);
  }
  if (expected !== directory.offset) throw refusal("The package has bytes that belong to no entry.");
  return records.map((record) => record.entry as ZipEntry);
}

/** The content of an entry: exactly as many bytes as it declares, with the checksum it declares. */
export function inflateEntry(entry: ZipEntry): Uint8Array {
  const content = entry.method === 0 ? entry.compressed : inflated(entry);
  if (content.length !== entry.size) throw refusal(`The entry "${entry.name}" is not as large as it says.`);
  if (crc32(content) !== entry.crc) throw refusal(`The entry "${entry.name}" is damaged: its checksum is wrong.`);
  return content;
}

/** An entry for new content. It keeps the date of the one that it replaces: no clock is asked, so equal input gives equal bytes. */
export function entryOf(name: string, content: Uint8Array, previous?: ZipEntry): ZipEntry {
  const deflated = deflateRawSync(content, { level: 6 });
  const smaller = deflated.length < content.length;
  return {
    name,
    method: smaller ? 8 : 0,
    crc: crc32(content),
    size: content.length,
    compressed: smaller ? deflated : content,
    modified: previous?.modified ?? firstDosDate,
    madeBy: previous?.madeBy ?? versionNeeded,
    internalAttributes: previous?.internalAttributes ?? 0,
    externalAttributes: previous?.externalAttributes ?? 0,
  };
}

/** Writes an archive: compressed bytes as they are, one plain header each, no extra fields, no data descriptors. */
export function writeZip(entries: readonly ZipEntry[]): Uint8Array {
  if (entries.length > limits.entries) throw refusal(`The package would have more than ${limits.entries} entries.`);
  const names = entries.map((entry) => Buffer.from(entry.name));
  const local = entries.reduce((sum, entry, at) => sum + 30 + nameLength(names, at) + entry.compressed.length, 0);
  const central = names.reduce((sum, name) => sum + 46 + name.length, 0);
  const bytes = new Uint8Array(local + central + 22);
  const view = new DataView(bytes.buffer);
  let at = 0;
  let record = local;
  for (const [index, entry] of entries.entries()) {
    const name = names[index] ?? new Uint8Array();
    const common = (start: number): void => {
      view.setUint16(start, versionNeeded, true);
      view.setUint16(start + 2, isAscii(name) ? 0 : flagUtf8, true);
      view.setUint16(start + 4, entry.method, true);
      view.setUint32(start + 6, entry.modified, true);
      view.setUint32(start + 10, entry.crc, true);
      view.setUint32(start + 14, entry.compressed.length, true);
      view.setUint32(start + 18, entry.size, true);
      view.setUint16(start + 22, name.length, true);
    };
    view.setUint32(record, signatures.central, true);
    view.setUint16(record + 4, entry.madeBy, true);
    common(record + 6);
    view.setUint16(record + 36, entry.internalAttributes, true);
    view.setUint32(record + 38, entry.externalAttributes, true);
    view.setUint32(record + 42, at, true);
    bytes.set(name, record + 46);
    record += 46 + name.length;
    view.setUint32(at, signatures.local, true);
    common(at + 4);
    bytes.set(name, at + 30);
    bytes.set(entry.compressed, at + 30 + name.length);
    at += 30 + name.length + entry.compressed.length;
  }
  view.setUint32(record, signatures.end, true);
  view.setUint16(record + 8, entries.length, true);
  view.setUint16(record + 10, entries.length, true);
  view.setUint32(record + 12, central, true);
  view.setUint32(record + 16, local, true);
  return bytes;
}

/** Two names that a file system or an Office program may take for one. */
export function foldName(name: string): string {
  return name.normalize("NFC").toLowerCase();
}

const signatures = {
  local: 0x0403_4b50,
  central: 0x0201_4b50,
  end: 0x0605_4b50,
  end64: 0x0606_4b50,
  locator64: 0x0706_4b50,
  descriptor: 0x0807_4b50,
} as const;
const flagEncrypted = 0x1;
const flagDescriptor = 0x8;
const flagPatched = 0x20;
const flagStrongEncryption = 0x40;
const flagUtf8 = 0x800;
const flagMasked = 0x2000;
/** How hard the writer tried. Some write it once only. */
const compressionHints = 0x6;
const versionNeeded = 20;
/** 1 January 1980, 00:00. */
const firstDosDate = 0x0021_0000;
const all16 = 0xffff;
const all32 = 0xffff_ffff;

interface Directory {
  readonly entries: number;
  readonly offset: number;
  readonly end: number;
}

interface Record {
  readonly name: string;
  readonly nameBytes: Uint8Array;
  readonly flags: number;
  readonly method: 0 | 8;
  readonly modified: number;
  readonly crc: number;
  readonly compressedSize: number;
  readonly size: number;
  readonly offset: number;
  readonly madeBy: number;
  readonly internalAttributes: number;
  readonly externalAttributes: number;
  entry?: ZipEntry;
}

/** The end record is where its comment ends with the file: nothing may follow an archive, and nothing else may look like its end. */
function findDirectory(view: DataView): Directory {
  const ends: number[] = [];
  for (let at = view.byteLength - 22; at >= 0 && at >= view.byteLength - 22 - all16; at--) {
    if (view.getUint32(at, true) !== signatures.end) continue;
    if (at + 22 + view.getUint16(at + 20, true) === view.byteLength) ends.push(at);
  }
  const [end] = ends;
  if (end === undefined) throw refusal("This is no complete ZIP package: its directory is missing or cut off.");
  if (ends.length > 1) throw refusal("The package has two ends.");
  const plain = {
    disks: view.getUint16(end + 4, true) + view.getUint16(end + 6, true),
    here: view.getUint16(end + 8, true),
    entries: view.getUint16(end + 10, true),
    size: view.getUint32(end + 12, true),
    offset: view.getUint32(end + 16, true),
  };
  if (plain.disks !== 0 || plain.here !== plain.entries) throw refusal("The package is split over several files.");
  const large = end64(view, end);
  if (!large) {
    if (plain.offset + plain.size !== end) throw refusal("The directory of the package is not where it should be.");
    return { entries: plain.entries, offset: plain.offset, end };
  }
  if (
    !agrees(plain.entries, all16, large.entries) ||
    !agrees(plain.size, all32, large.end - large.offset) ||
    !agrees(plain.offset, all32, large.offset)
  ) {
    throw refusal("The package describes its directory twice, in different ways.");
  }
  return large;
}

/** A field of 16 or 32 bits says the same as its ZIP64 field, or says that it is there. */
function agrees(small: number, all: number, value: number): boolean {
  return small === all || small === value;
}

/** The ZIP64 end record, where there is one: it has to stand between the directory and the plain end record. */
function end64(view: DataView, end: number): Directory | undefined {
  const locator = end - 20;
  if (locator < 0 || view.getUint32(locator, true) !== signatures.locator64) return undefined;
  const start = large(view, locator + 8);
  if (start + 56 > locator || view.getUint32(start, true) !== signatures.end64) {
    throw refusal("The ZIP64 directory of the package is not where it should be.");
  }
  const size = large(view, start + 4);
  const entries = large(view, start + 32);
  const directory = { size: large(view, start + 40), offset: large(view, start + 48) };
  const disks = view.getUint32(start + 16, true) + view.getUint32(start + 20, true) + view.getUint32(locator + 4, true);
  if (
    start + 12 + size !== locator ||
    disks !== 0 ||
    large(view, start + 24) !== entries ||
    directory.offset + directory.size !== start
  ) {
    throw refusal("The ZIP64 directory of the package contradicts itself.");
  }
  return { entries, offset: directory.offset, end: start };
}

function readDirectory(bytes: Uint8Array, view: DataView, directory: Directory): Record[] {
  const records: Record[] = [];
  let at = directory.offset;
  while (at < directory.end) {
    if (at + 46 > directory.end || view.getUint32(at, true) !== signatures.central) {
      throw refusal("The directory of the package is damaged.");
    }
    const next =
      at + 46 + view.getUint16(at + 28, true) + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (next > directory.end) throw refusal("The directory of the package is damaged.");
    if (records.length >= directory.entries) throw refusal("The package has more entries than it says.");
    records.push(readRecord(bytes, view, at));
    at = next;
  }
  if (records.length !== directory.entries) throw refusal("The package has fewer entries than it says.");
  return records;
}

function readRecord(bytes: Uint8Array, view: DataView, at: number): Record {
  const flags = view.getUint16(at + 8, true);
  const method = view.getUint16(at + 10, true);
  const nameBytes = bytes.subarray(at + 46, at + 46 + view.getUint16(at + 28, true));
  const name = nameOf(nameBytes);
  const extra = fields(view, at + 46 + nameBytes.length, view.getUint16(at + 30, true));
  const sizes = wide(view, extra, [
    view.getUint32(at + 24, true),
    view.getUint32(at + 20, true),
    view.getUint32(at + 42, true),
  ]);
  const [size, compressedSize, offset] = sizes as [number, number, number];
  const external = view.getUint32(at + 38, true);
  const madeBy = view.getUint16(at + 4, true);
  if ((flags & (flagEncrypted | flagStrongEncryption | flagMasked)) !== 0) throw refusal("The package is encrypted.");
  if ((flags & flagPatched) !== 0 || (method !== 0 && method !== 8)) {
    throw refusal(`The entry "${name}" is compressed in a way that Office documents do not use.`);
  }
  if (view.getUint16(at + 34, true) !== 0) throw refusal("The package is split over several files.");
  refuseSpecial(name, madeBy, external);
  if (method === 0 && size !== compressedSize) throw refusal(`The entry "${name}" gives two different sizes.`);
  if (name.endsWith("/") && size !== 0) throw refusal(`The folder "${name}" of the package has content.`);
  return {
    name,
    nameBytes,
    flags,
    method,
    modified: view.getUint32(at + 12, true),
    crc: view.getUint32(at + 16, true),
    compressedSize,
    size,
    offset,
    madeBy,
    internalAttributes: view.getUint16(at + 36, true),
    externalAttributes: external,
  };
}

/** Names stay inside: relative, with slashes, without steps upwards, drives, or characters that a terminal would act on. */
function nameOf(bytes: Uint8Array): string {
  if (bytes.length === 0 || bytes.length > limits.nameBytes)
    throw refusal("An entry of the package has no usable name.");
  let name: string;
  try {
    name = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw refusal("The name of an entry of the package is not UTF-8.");
  }
  refuseName(name);
  return name;
}

export function refuseName(name: string): void {
  const steps = name.replace(/\/$/, "").split("/");
  const unsafe =
    // oxlint-disable-next-line no-control-regex -- Control characters are what is refused.
    /[\0-\x1f\x7f\\]/.test(name) ||
    /^[A-Za-z]:/.test(name) ||
    steps.some((step) => step === "" || step === "." || step === "..");
  if (unsafe) throw refusal("The name of an entry of the package leads out of it, or is no name.");
}

/** Symbolic links, devices and sockets: Unix modes in the high half of the external attributes. */
function refuseSpecial(name: string, madeBy: number, external: number): void {
  const kind = (external >>> 16) & 0xf000;
  const plain = name.endsWith("/") ? 0x4000 : 0x8000;
  // Some programs leave the system of origin at 0 and write a mode all the same.
  if (kind !== 0 && kind !== plain && (madeBy >> 8 === 3 || madeBy >> 8 === 19 || kind === 0xa000)) {
    throw refusal(`The entry "${name}" is a link or a device.`);
  }
}

function refuseEqualNames(records: readonly Record[]): void {
  const seen = new Set<string>();
  for (const { name } of records) {
    const folded = foldName(name.replace(/\/$/, ""));
    if (seen.has(folded)) throw refusal(`The package has two entries named "${name}".`);
    seen.add(folded);
  }
}

function refuseTooMuch(records: readonly Record[], bytes: number): void {
  let total = 0;
  for (const { name, size } of records) {
    if (size > limits.partBytes) throw refusal(`The entry "${name}" would have more than ${limits.partBytes} bytes.`);
    total += size;
  }
  if (total > limits.totalBytes) throw refusal(`The package would have more than ${limits.totalBytes} bytes inflated.`);
  if (total > limits.ratioFromBytes && total > bytes * limits.ratio) {
    throw refusal(`The package would grow more than ${limits.ratio} times when inflated.`);
  }
}

/** Checks the local header of an entry against the directory, and gives the place after its data. */
function endOfEntry(bytes: Uint8Array, view: DataView, record: Record, limit: number): number {
  const { offset, name } = record;
  const differs = (): Error => refusal(`The package describes the entry "${name}" twice, in different ways.`);
  if (offset + 30 > limit || view.getUint32(offset, true) !== signatures.local) throw differs();
  const flags = view.getUint16(offset + 6, true);
  const nameLength = view.getUint16(offset + 26, true);
  const extraLength = view.getUint16(offset + 28, true);
  const data = offset + 30 + nameLength + extraLength;
  if (data + record.compressedSize > limit) throw refusal(`The entry "${name}" is cut off.`);
  const localName = bytes.subarray(offset + 30, offset + 30 + nameLength);
  if (((flags ^ record.flags) & ~compressionHints) !== 0 || view.getUint16(offset + 8, true) !== record.method)
    throw differs();
  if (Buffer.compare(localName, record.nameBytes) !== 0) throw differs();
  const extra = fields(view, offset + 30 + nameLength, extraLength);
  const [size, compressedSize] = wide(view, extra, [
    view.getUint32(offset + 22, true),
    view.getUint32(offset + 18, true),
  ]);
  const stated = [view.getUint32(offset + 14, true), compressedSize, size];
  const actual = [record.crc, record.compressedSize, record.size];
  const later = (flags & flagDescriptor) !== 0;
  if (stated.some((value, at) => value !== actual[at] && !(later && (value === 0 || value === all32)))) throw differs();
  const { madeBy, internalAttributes, externalAttributes, method, modified, crc } = record;
  const compressed = bytes.subarray(data, data + record.compressedSize);
  record.entry = {
    name,
    method,
    crc,
    size: record.size,
    compressed,
    modified,
    madeBy,
    internalAttributes,
    externalAttributes,
  };
  const end = data + record.compressedSize;
  return later ? end + descriptorLength(view, end, limit, record) : end;
}

/** A data descriptor comes with or without a signature, with sizes of four or eight bytes; one of these forms has to fit. */
function descriptorLength(view: DataView, at: number, limit: number, record: Record): number {
  for (const signed of [4, 0]) {
    for (const width of [4, 8]) {
      const length = signed + 4 + 2 * width;
      if (at + length > limit) continue;
      if (signed !== 0 && view.getUint32(at, true) !== signatures.descriptor) continue;
      const number = (place: number): number => (width === 4 ? view.getUint32(place, true) : large(view, place));
      const sizes = at + signed + 4;
      if (view.getUint32(at + signed, true) !== record.crc) continue;
      if (number(sizes) === record.compressedSize && number(sizes + width) === record.size) {
        // What follows decides between the forms that fit: another entry, or the directory.
        if (at + length === limit || startsEntry(view, at + length)) return length;
      }
    }
  }
  throw refusal(`The package describes the entry "${record.name}" twice, in different ways.`);
}

function startsEntry(view: DataView, at: number): boolean {
  return at + 4 <= view.byteLength && view.getUint32(at, true) === signatures.local;
}

/** The extra fields of a header: id to place and length. */
function fields(view: DataView, start: number, length: number): Map<number, { at: number; length: number }> {
  const found = new Map<number, { at: number; length: number }>();
  let at = start;
  const end = Math.min(start + length, view.byteLength);
  while (at + 4 <= end) {
    const size = view.getUint16(at + 2, true);
    if (at + 4 + size > end) break;
    const id = view.getUint16(at, true);
    if (found.has(id) && id === 1) throw refusal("An entry of the package gives its ZIP64 sizes twice.");
    found.set(id, { at: at + 4, length: size });
    at += 4 + size;
  }
  return found;
}

/** Values that did not fit into 32 bits are, in this order, in the ZIP64 field. */
function wide(view: DataView, extra: Map<number, { at: number; length: number }>, values: number[]): number[] {
  const field = extra.get(1);
  let used = 0;
  return values.map((value) => {
    if (value !== all32 || !field) return value;
    if (used + 8 > field.length) throw refusal("An entry of the package has no ZIP64 size where it says so.");
    const read = large(view, field.at + used);
    used += 8;
    return read;
  });
}

function large(view: DataView, at: number): number {
  if (at + 8 > view.byteLength) throw refusal("The package is cut off.");
  const value = view.getBigUint64(at, true);
  if (value > BigInt(view.byteLength) * 2000n + 1_000_000_000n)
    throw refusal("The package gives impossible ZIP64 sizes.");
  return Number(value);
}

function inflated(entry: ZipEntry): Uint8Array {
  try {
    // One byte more than is declared tells an entry that lies from one that does not, and no more is ever inflated.
    const { buffer, engine } = inflateRawSync(entry.compressed, {
      maxOutputLength: entry.size + 1,
      info: true,
    }) as unknown as { buffer: Uint8Array; engine: { bytesWritten: number } };
    if (engine.bytesWritten !== entry.compressed.length)
      throw refusal(`The entry "${entry.name}" has bytes after its end.`);
    return buffer;
  } catch (thrown) {
    const { code } = thrown as { code?: unknown };
    if (code === "ERR_BUFFER_TOO_LARGE") throw refusal(`The entry "${entry.name}" is larger than it says.`);
    if (typeof code === "string" && code.startsWith("Z_")) throw refusal(`The entry "${entry.name}" is damaged.`);
    throw thrown;
  }
}

function nameLength(names: readonly Uint8Array[], at: number): number {
  return names[at]?.length ?? 0;
}

function isAscii(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte < 0x80);
}
