import type { ReviewWarning } from "../../comparison.ts";

/**
 * A text file as units in which delimiters, quotes and line ends are single characters, and which turn into the same bytes again:
 * bytes (as Latin-1 characters) for UTF-8 and one-byte encodings, UTF-16 code units for UTF-16.
 */
export interface SourceText {
  readonly encoding: "utf-8" | "utf-16le" | "utf-16be" | "windows-1252";
  /** Bytes before the text: a byte order mark, or nothing. */
  readonly mark: Uint8Array;
  readonly units: string;
  /** What the units of a field say. */
  read(units: string): string;
  /** The units of a text; null where the encoding has no way to write it. */
  write(text: string): string | null;
  /** The whole file again. */
  bytes(units: string): Uint8Array;
  readonly warning: ReviewWarning | null;
}

const none = new Uint8Array();

export function sourceText(bytes: Uint8Array): SourceText {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return utf16(bytes, 2, true);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return utf16(bytes, 2, false);
  const zeros = zerosAt(bytes);
  if (zeros) return utf16(bytes, 0, zeros === "odd");
  const marked = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  const body = marked ? bytes.subarray(3) : bytes;
  const units = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("latin1");
  const mark = marked ? bytes.slice(0, 3) : none;
  const bad = firstInvalid(body);
  const common = { mark, units, bytes: (changed: string) => joined(mark, Buffer.from(changed, "latin1")) };
  if (bad === null || bad.mostlyUtf8 || marked) {
    return {
      ...common,
      encoding: "utf-8",
      // oxlint-disable-next-line no-control-regex -- ASCII is what it looks for.
      read: (text) => (/^[\0-\x7f]*$/.test(text) ? text : Buffer.from(text, "latin1").toString("utf8")),
      write: (text) => Buffer.from(text, "utf8").toString("latin1"),
      warning: bad && invalid("Some bytes are not valid UTF-8. They are shown as �.", units, bad.at),
    };
  }
  return {
    ...common,
    encoding: "windows-1252",
    read: (text) => windows.decode(Buffer.from(text, "latin1")),
    write: toWindows,
    warning: invalid("The file is not valid UTF-8. It is shown as Windows-1252 text.", units, bad.at),
  };
}

function invalid(message: string, units: string, at: number): ReviewWarning {
  let line = 1;
  for (let next = units.indexOf("\n"); next !== -1 && next < at; next = units.indexOf("\n", next + 1)) line++;
  return { kind: "invalid-utf8", message, where: `line ${line}` };
}

function utf16(bytes: Uint8Array, skip: number, little: boolean): SourceText {
  const whole = Buffer.from(bytes.slice(skip, bytes.length - ((bytes.length - skip) % 2)));
  const units = (little ? whole : whole.swap16()).toString("utf16le");
  const odd = (bytes.length - skip) % 2 === 1;
  const mark = bytes.slice(0, skip);
  const tail = odd ? bytes.slice(-1) : none;
  const broken = odd || !units.isWellFormed();
  return {
    encoding: little ? "utf-16le" : "utf-16be",
    mark,
    units,
    read: (text) => text.toWellFormed(),
    write: (text) => text,
    bytes: (changed) => {
      const buffer = Buffer.from(changed, "utf16le");
      return joined(mark, little ? buffer : buffer.swap16(), tail);
    },
    warning: broken ? { kind: "invalid-utf8", message: "The file is not valid UTF-16.", where: null } : null,
  };
}

/** UTF-16 without its mark: every second byte of the beginning is zero. */
function zerosAt(bytes: Uint8Array): "even" | "odd" | null {
  const length = Math.min(bytes.length & ~1, 400);
  if (length < 4) return null;
  let [even, odd] = [0, 0];
  for (let at = 0; at < length; at += 2) {
    if (bytes[at] === 0) even++;
    if (bytes[at + 1] === 0) odd++;
  }
  const most = length * 0.4;
  return odd >= most && even === 0 ? "odd" : even >= most && odd === 0 ? "even" : null;
}

/** Where the bytes stop being UTF-8, and whether most of what is not ASCII is UTF-8 all the same; null for valid text. */
function firstInvalid(bytes: Uint8Array): { at: number; mostlyUtf8: boolean } | null {
  let first: number | null = null;
  let [good, bad] = [0, 0];
  for (let at = 0; at < bytes.length;) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x80) {
      at++;
      continue;
    }
    const length = sequenceLength(bytes, at);
    if (length > 0) good++;
    else {
      bad++;
      first ??= at;
    }
    at += Math.max(length, 1);
  }
  return first === null ? null : { at: first, mostlyUtf8: good > bad };
}

/** Bytes of the valid sequence that begins here; 0 where there is none (RFC 3629, section 4). */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] ?? 0;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || at + length > bytes.length) return 0;
  for (let index = 1; index < length; index++) if (((bytes[at + index] ?? 0) & 0xc0) !== 0x80) return 0;
  const second = bytes[at + 1] ?? 0;
  if ((lead === 0xe0 && second < 0xa0) || (lead === 0xed && second > 0x9f)) return 0;
  return (lead === 0xf0 && second < 0x90) || (lead === 0xf4 && second > 0x8f) ? 0 : length;
}

const windows = new TextDecoder("windows-1252");
let windowsBytes: Map<string, number> | undefined;

function toWindows(text: string): string | null {
  windowsBytes ??= new Map(Array.from({ length: 256 }, (_, byte) => [windows.decode(new Uint8Array([byte])), byte]));
  let units = "";
  for (const letter of text) {
    const byte = windowsBytes.get(letter);
    if (byte === undefined) return null;
    units += String.fromCharCode(byte);
  }
  return units;
}

function joined(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
