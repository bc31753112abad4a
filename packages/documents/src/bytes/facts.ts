import { readZip } from "../zip.ts";

/**
 * What can be told of an opaque file from its first bytes and tables, by name: what it is, and a few facts that help a person
 * to decide. Everything here is a claim of the file; nothing is unpacked. Never throws; texts are short.
 */
export function factsOf(bytes: Uint8Array): Map<string, string> {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const facts = new Map<string, string>();
  const known = bytes.length === 0 ? undefined : formats.find((format) => startsWith(file, format));
  facts.set("type", bytes.length === 0 ? "empty" : (known?.type ?? (looksLikeText(file) ? "text" : "unknown")));
  try {
    for (const [name, value] of Object.entries(known?.facts?.(file) ?? {})) facts.set(name, short(value));
  } catch {
    // It says what it is and breaks off, or says what cannot be.
    facts.set("state", "damaged or cut off");
  }
  return facts;
}

interface Format {
  readonly type: string;
  /** The bytes that it begins with, as hex digits, and where they stand if not at the start. */
  readonly magic: string;
  readonly at?: number;
  readonly facts?: (file: Buffer) => Record<string, string | number>;
}

const formats: readonly Format[] = [
  { type: "ZIP archive", magic: "504b0304", facts: zipFacts },
  { type: "ZIP archive, empty", magic: "504b0506" },
  { type: "gzip", magic: "1f8b08", facts: gzipFacts },
  { type: "bzip2", magic: "425a68" },
  { type: "xz", magic: "fd377a585a00" },
  { type: "Zstandard", magic: "28b52ffd" },
  { type: "7-Zip archive", magic: "377abcaf271c" },
  { type: "RAR archive", magic: "526172211a07" },
  { type: "tar archive", magic: "7573746172", at: 257 },
  { type: "SQLite database", magic: "53514c69746520666f726d6174203300", facts: sqliteFacts },
  { type: "Parquet", magic: "50415231", facts: parquetFacts },
  { type: "Arrow file", magic: "4152524f5731" },
  { type: "HDF5", magic: "894844460d0a1a0a" },
  { type: "NumPy array", magic: "934e554d5059", facts: numpyFacts },
  { type: "GGUF model", magic: "47475546", facts: ggufFacts },
  { type: "ELF program or library", magic: "7f454c46", facts: elfFacts },
  { type: "Windows program or library", magic: "4d5a", facts: windowsFacts },
  { type: "Mach-O program or library", magic: "cffaedfe" },
  { type: "Java class or Mach-O program", magic: "cafebabe" },
  { type: "WebAssembly program", magic: "0061736d", facts: (file) => ({ version: file.readUInt32LE(4) }) },
  { type: "script", magic: "2321", facts: (file) => ({ interpreter: textFrom(file, 2, 200).split("\n")[0] ?? "" }) },
  { type: "old Office document (OLE compound file)", magic: "d0cf11e0a1b11ae1" },
  { type: "PDF", magic: "255044462d", facts: (file) => ({ version: textFrom(file, 5, 3) }) },
  { type: "PostScript", magic: "25215053" },
  { type: "RTF document", magic: "7b5c727466" },
  { type: "TrueType font", magic: "0001000000" },
  { type: "OpenType font", magic: "4f54544f" },
  { type: "WOFF font", magic: "774f4646" },
  { type: "WOFF2 font", magic: "774f4632" },
  { type: "WAV sound", magic: "57415645", at: 8, facts: wavFacts },
  { type: "AVI video", magic: "41564920", at: 8 },
  { type: "MP3 sound", magic: "494433" },
  { type: "FLAC sound", magic: "664c6143" },
  { type: "Ogg media", magic: "4f676753" },
  { type: "Matroska or WebM video", magic: "1a45dfa3" },
  { type: "MP4 or QuickTime media", magic: "66747970", at: 4, facts: (file) => ({ brand: textFrom(file, 8, 4) }) },
  { type: "Safetensors model", magic: "000000007b22", at: 4, facts: safetensorsFacts },
];

function startsWith(file: Buffer, { magic, at = 0 }: Format): boolean {
  return file.toString("hex", at, at + magic.length / 2) === magic;
}

function zipFacts(file: Buffer): Record<string, string | number> {
  const entries = readZip(file);
  const names = entries.map((entry) => entry.name).filter((name) => !name.endsWith("/"));
  return {
    files: names.length,
    "bytes unpacked": entries.reduce((sum, entry) => sum + entry.size, 0),
    names: names.slice(0, 8).join(", ") + (names.length > 8 ? ", …" : ""),
  };
}

/** RFC 1952. */
function gzipFacts(file: Buffer): Record<string, string | number> {
  const flags = file.readUInt8(3);
  const made = file.readUInt32LE(4);
  let at = 10;
  if (flags & 4) at += 2 + file.readUInt16LE(at);
  return {
    ...(flags & 8 && { "name inside": textFrom(file, at, 200) }),
    ...(made > 0 && { made: new Date(made * 1000).toISOString() }),
    "bytes unpacked (modulo 4 GiB)": file.readUInt32LE(file.length - 4),
  };
}

/** https://www.sqlite.org/fileformat.html */
function sqliteFacts(file: Buffer): Record<string, string | number> {
  const pageSize = file.readUInt16BE(16);
  return {
    "page size": pageSize === 1 ? 65_536 : pageSize,
    pages: file.readUInt32BE(28),
    "user version": file.readUInt32BE(60),
    encoding: ["", "UTF-8", "UTF-16le", "UTF-16be"][file.readUInt32BE(56)] ?? "unknown",
  };
}

function parquetFacts(file: Buffer): Record<string, string | number> {
  if (file.toString("latin1", file.length - 4) !== "PAR1") throw new Error("no end");
  return { "bytes of metadata": file.readUInt32LE(file.length - 8) };
}

/** numpy.lib.format: a header that describes the array as a literal of Python. */
function numpyFacts(file: Buffer): Record<string, string | number> {
  const header = textFrom(file, file.readUInt8(6) === 1 ? 10 : 12, 2_000);
  return {
    "data type": /'descr': *'([^']{1,40})'/.exec(header)?.[1] ?? "structured",
    shape: /'shape': *(\([\d, ]{0,200}\))/.exec(header)?.[1] ?? "unknown",
  };
}

/** The keys of the GGUF specification that say what a model is, where they come among the first. */
function ggufFacts(file: Buffer): Record<string, string | number> {
  const facts: Record<string, string | number> = {
    version: file.readUInt32LE(4),
    tensors: String(file.readBigUInt64LE(8)),
  };
  const told: Record<string, string> = { "general.name": "name", "general.architecture": "architecture" };
  const numberSizes: Record<number, number> = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 };
  const count = Math.min(Number(file.readBigUInt64LE(16)), 64);
  let at = 24;
  const text = (): string => {
    const length = Number(file.readBigUInt64LE(at));
    if (length > file.length - at - 8) throw new Error("beyond the end");
    const value = textFrom(file, at + 8, Math.min(length, 200));
    at += 8 + length;
    return value;
  };
  for (let index = 0; index < count; index += 1) {
    const key = text();
    const type = file.readUInt32LE(at);
    at += 4;
    const string = 8;
    if (type === string) {
      const value = text();
      const name = told[key];
      if (name !== undefined) facts[name] = value;
    } else {
      const size = numberSizes[type];
      if (size === undefined) break; // an array: what names a model comes before those
      at += size;
    }
  }
  return facts;
}

/** https://github.com/huggingface/safetensors: the length of a JSON header, and the header. */
function safetensorsFacts(file: Buffer): Record<string, string | number> {
  const length = Number(file.readBigUInt64LE(0));
  if (length > 10_000_000 || length > file.length - 8) throw new Error("no header");
  const header = JSON.parse(file.toString("utf8", 8, 8 + length)) as Record<string, unknown>;
  return { tensors: Object.keys(header).filter((name) => name !== "__metadata__").length };
}

function elfFacts(file: Buffer): Record<string, string | number> {
  const little = file.readUInt8(5) === 1;
  const number = (at: number): number => (little ? file.readUInt16LE(at) : file.readUInt16BE(at));
  const machines: Record<number, string> = { 3: "x86", 40: "ARM", 62: "x86-64", 183: "ARM64", 243: "RISC-V" };
  return {
    bits: file.readUInt8(4) === 2 ? 64 : 32,
    machine: machines[number(18)] ?? String(number(18)),
    kind: ["", "object", "program", "library or program", "core dump"][number(16)] ?? "unknown",
  };
}

function windowsFacts(file: Buffer): Record<string, string | number> {
  const header = file.readUInt32LE(0x3c);
  if (file.toString("latin1", header, header + 4) !== "PE\0\0") return {};
  const machines: Record<number, string> = { 0x14c: "x86", 0x8664: "x86-64", 0xaa64: "ARM64" };
  return { machine: machines[file.readUInt16LE(header + 4)] ?? String(file.readUInt16LE(header + 4)) };
}

function wavFacts(file: Buffer): Record<string, string | number> {
  if (file.toString("latin1", 12, 16) !== "fmt ") return {};
  const rate = file.readUInt32LE(28);
  return {
    channels: file.readUInt16LE(22),
    "samples a second": file.readUInt32LE(24),
    ...(rate > 0 && { seconds: Math.round((file.length - 44) / rate) }),
  };
}

/** Up to `length` bytes as text, ended by a zero. */
function textFrom(file: Buffer, at: number, length: number): string {
  return file.toString("utf8", at, at + length).split("\0")[0] ?? "";
}

function short(value: string | number): string {
  // oxlint-disable-next-line no-control-regex -- what a file says of itself is shown to people
  const text = String(value).replaceAll(/[\u0000-\u001F\u007F-\u009F\u200B-\u200F\u202A-\u202E\u2066-\u2069]/g, " ");
  return text.length > 200 ? `${text.slice(0, 199)}…` : text;
}

function looksLikeText(file: Buffer): boolean {
  const head = file.subarray(0, 4_096);
  return !head.includes(0) && head.every((byte) => byte >= 32 || byte === 9 || byte === 10 || byte === 13);
}
