import type { ImageSide } from "../comparison.ts";

/**
 * Width, height (as shown: turned as EXIF and `irot` say) and media type, of the header alone: no pixel is decoded. Null for
 * what is no image of these types, or breaks off, or claims a side of no pixels. Every reading is bounded by the file's own
 * length and every loop by a count.
 */
export function readImage(bytes: Uint8Array): ImageSide | null {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const { mediaType, is, size } of types) {
    try {
      if (!is(file)) continue;
      const read = size(file);
      if (!read) return null;
      const [width, height] = read.map((side) => Math.round(side)) as [number, number];
      return width >= 1 && height >= 1 && width <= longest && height <= longest ? { width, height, mediaType } : null;
    } catch (error) {
      // Read beyond the end: the header is cut off.
      if (error instanceof RangeError) return null;
      throw error;
    }
  }
  return null;
}

const longest = 0x7fff_ffff;

type Size = readonly [width: number, height: number];

interface ImageType {
  readonly mediaType: string;
  readonly is: (file: Buffer) => boolean;
  readonly size: (file: Buffer) => Size | null;
}

const at = (file: Buffer, start: number, text: string): boolean =>
  file.toString("latin1", start, start + text.length) === text;

const types: readonly ImageType[] = [
  {
    mediaType: "image/png",
    is: (file) => at(file, 0, "\x89PNG\r\n\x1a\n"),
    size: (file) => (at(file, 12, "IHDR") ? [file.readUInt32BE(16), file.readUInt32BE(20)] : null),
  },
  { mediaType: "image/jpeg", is: (file) => at(file, 0, "\xff\xd8\xff"), size: sizeOfJpeg },
  {
    mediaType: "image/gif",
    is: (file) => at(file, 0, "GIF87a") || at(file, 0, "GIF89a"),
    size: (file) => [file.readUInt16LE(6), file.readUInt16LE(8)],
  },
  { mediaType: "image/webp", is: (file) => at(file, 0, "RIFF") && at(file, 8, "WEBP"), size: sizeOfWebp },
  { mediaType: "image/avif", is: (file) => hasBrand(file, ["avif", "avis"]), size: sizeOfHeif },
  { mediaType: "image/heic", is: (file) => hasBrand(file, ["heic", "heix", "hevc", "mif1"]), size: sizeOfHeif },
  { mediaType: "image/bmp", is: (file) => at(file, 0, "BM") && file.length > 26, size: sizeOfBmp },
  { mediaType: "image/tiff", is: (file) => at(file, 0, "II*\0") || at(file, 0, "MM\0*"), size: sizeOfTiff },
  {
    mediaType: "image/x-icon",
    is: (file) => at(file, 0, "\0\0\x01\0") && file.length > 22,
    size: (file) => [file.readUInt8(6) || 256, file.readUInt8(7) || 256],
  },
  { mediaType: "image/svg+xml", is: (file) => svgTag(file) !== null, size: sizeOfSvg },
];

/** ITU-T T.81: segments up to the one that begins a frame. */
function sizeOfJpeg(file: Buffer): Size | null {
  let turned = false;
  let position = 2;
  for (let segment = 0; segment < 2_000; segment += 1) {
    while (file.readUInt8(position) === 0xff && file.readUInt8(position + 1) === 0xff) position += 1;
    if (file.readUInt8(position) !== 0xff) return null;
    const marker = file.readUInt8(position + 1);
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) {
      const [height, width] = [file.readUInt16BE(position + 5), file.readUInt16BE(position + 7)];
      return turned ? [height, width] : [width, height];
    }
    const scanOrEnd = marker === 0xda || marker === 0xd9;
    if (scanOrEnd) return null;
    const alone = marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8);
    if (alone) {
      position += 2;
      continue;
    }
    const length = file.readUInt16BE(position + 2);
    if (length < 2) return null;
    if (marker === 0xe1 && at(file, position + 4, "Exif\0\0")) {
      const orientation = tagOf(file.subarray(position + 10, position + 2 + length), 0x0112);
      if (orientation !== null) turned = orientation >= 5 && orientation <= 8;
    }
    position += 2 + length;
  }
  return null;
}

/** A number among the tags of the first directory of TIFF 6.0; null where it is not there. */
function tagOf(tiff: Buffer, tag: number): number | null {
  if (tiff.length < 8) return null;
  const little = at(tiff, 0, "II");
  const short = (start: number): number => (little ? tiff.readUInt16LE(start) : tiff.readUInt16BE(start));
  const long = (start: number): number => (little ? tiff.readUInt32LE(start) : tiff.readUInt32BE(start));
  const directory = long(4);
  if (directory > tiff.length - 2) return null;
  const count = short(directory);
  for (let entry = 0; entry < count; entry += 1) {
    const start = directory + 2 + entry * 12;
    if (start + 12 > tiff.length) return null;
    if (short(start) === tag) return short(start + 2) === 4 ? long(start + 8) : short(start + 8);
  }
  return null;
}

function sizeOfTiff(file: Buffer): Size | null {
  const [width, height, orientation] = [tagOf(file, 256), tagOf(file, 257), tagOf(file, 274) ?? 1];
  if (width === null || height === null) return null;
  return orientation >= 5 && orientation <= 8 ? [height, width] : [width, height];
}

/** https://developers.google.com/speed/webp/docs/riff_container */
function sizeOfWebp(file: Buffer): Size | null {
  if (at(file, 12, "VP8X")) return [file.readUIntLE(24, 3) + 1, file.readUIntLE(27, 3) + 1];
  if (at(file, 12, "VP8L") && file.readUInt8(20) === 0x2f) {
    const bits = file.readUInt32LE(21);
    return [(bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1];
  }
  if (at(file, 12, "VP8 ") && at(file, 23, "\x9d\x01\x2a")) {
    return [file.readUInt16LE(26) & 0x3fff, file.readUInt16LE(28) & 0x3fff];
  }
  return null;
}

function sizeOfBmp(file: Buffer): Size | null {
  const header = file.readUInt32LE(14);
  if (header === 12) return [file.readUInt16LE(18), file.readUInt16LE(20)];
  return header >= 40 && header <= 4_096 ? [file.readInt32LE(18), Math.abs(file.readInt32LE(22))] : null;
}

function hasBrand(file: Buffer, brands: readonly string[]): boolean {
  return at(file, 4, "ftyp") && file.length > 12 && brands.includes(file.toString("latin1", 8, 12));
}

/** ISO/IEC 23008-12: the largest picture of the container, which is the whole one where it is made of tiles. */
function sizeOfHeif(file: Buffer): Size | null {
  const meta = boxOf(file, 0, file.length, "meta");
  const properties = meta && boxOf(file, meta.start + 4, meta.end, "iprp");
  const container = properties && boxOf(file, properties.start, properties.end, "ipco");
  if (!container) return null;
  let largest: Size = [0, 0];
  let turned = false;
  for (const box of boxesIn(file, container.start, container.end)) {
    if (box.type === "ispe" && box.end - box.start >= 12) {
      const size: Size = [file.readUInt32BE(box.start + 4), file.readUInt32BE(box.start + 8)];
      if (size[0] * size[1] > largest[0] * largest[1]) largest = size;
    }
    if (box.type === "irot" && box.end > box.start) turned = (file.readUInt8(box.start) & 1) === 1;
  }
  return turned ? [largest[1], largest[0]] : largest;
}

interface Box {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

function boxOf(file: Buffer, start: number, end: number, type: string): Box | undefined {
  for (const box of boxesIn(file, start, end)) if (box.type === type) return box;
  return undefined;
}

/** Boxes of ISO/IEC 14496-12, each within what it is in; at most a thousand. */
function* boxesIn(file: Buffer, start: number, end: number): Generator<Box> {
  let position = start;
  for (let count = 0; count < 1_000 && position + 8 <= end; count += 1) {
    const size = file.readUInt32BE(position);
    const length = size === 1 ? Number(file.readBigUInt64BE(position + 8)) : size === 0 ? end - position : size;
    const header = size === 1 ? 16 : 8;
    if (length < header || position + length > end) return;
    yield {
      type: file.toString("latin1", position + 4, position + 8),
      start: position + header,
      end: position + length,
    };
    position += length;
  }
}

/** The start tag of the root, where the file begins as an SVG does. */
function svgTag(file: Buffer): string | null {
  if (!/^[\s\uFEFF]*</.test(file.toString("utf8", 0, 64))) return null;
  return /<(?:[a-z]{1,20}:)?svg(?:\s[^<>]{0,20000})?>/.exec(file.toString("utf8", 0, 65_536))?.[0] ?? null;
}

/** CSS pixels, where the root says; else the size of its view box; else what browsers take. */
function sizeOfSvg(file: Buffer): Size | null {
  const tag = svgTag(file) ?? "";
  const box = /\sviewBox\s*=\s*["']\s*[-\d.e]+[\s,]+[-\d.e]+[\s,]+([\d.e]+)[\s,]+([\d.e]+)\s*["']/.exec(tag);
  const side = (name: string, otherwise: number): number => {
    const [, number = "", unit = ""] =
      new RegExp(`\\s${name}\\s*=\\s*["']\\s*(\\d{1,9}(?:\\.\\d{1,9})?)(px|pt|pc|mm|cm|in|)\\s*["']`).exec(tag) ?? [];
    return number === "" ? otherwise : Number(number) * (pixels[unit] ?? 1);
  };
  const size: Size = [side("width", Number(box?.[1] ?? 300)), side("height", Number(box?.[2] ?? 150))];
  return [Math.max(size[0], 1), Math.max(size[1], 1)];
}

const pixels: Readonly<Record<string, number>> = { pt: 4 / 3, pc: 16, mm: 96 / 25.4, cm: 96 / 2.54, in: 96 };
