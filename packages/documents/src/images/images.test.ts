import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { compare, describe as describeImage } from "./compare.ts";
import { readImage } from "./read-image.ts";

const folder = join(import.meta.dirname, "../../test/fixtures/images");
const fixture = (name: string): Buffer => readFileSync(join(folder, name));

function png(width: number, height: number): Buffer {
  const bytes = Buffer.from(fixture("stripes.png"));
  bytes.writeUInt32BE(width, 16);
  bytes.writeUInt32BE(height, 20);
  return bytes;
}

/** A JPEG of segments, each a marker with its content. */
function jpeg(...segments: [marker: number, content: Uint8Array][]): Buffer {
  const parts = segments.map(([marker, content]) => {
    const head = Buffer.from([0xff, marker, 0, 0]);
    head.writeUInt16BE(content.length + 2, 2);
    return Buffer.concat([head, content]);
  });
  return Buffer.concat([Buffer.from([0xff, 0xd8]), ...parts]);
}

const frame = Buffer.from([8, 0, 100, 0, 200, 1, 1, 0x11, 0]);
const exif = (orientation: number, little: boolean): Buffer => {
  const tiff = little
    ? "49492a0008000000010012010300010000000x00000000000000"
    : "4d4d002a0000000800010112000300000001000x000000000000";
  const hex = tiff.replace("x", String(orientation));
  return Buffer.concat([Buffer.from("Exif\0\0"), Buffer.from(hex, "hex")]);
};

function box(type: string, ...content: Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(body.length + 8, 0);
  head.write(type, 4, "latin1");
  return Buffer.concat([head, body]);
}

function avif(width: number, height: number, ...more: Buffer[]): Buffer {
  const size = Buffer.alloc(12);
  size.writeUInt32BE(width, 4);
  size.writeUInt32BE(height, 8);
  const properties = box("iprp", box("ipco", box("ispe", size), ...more));
  return Buffer.concat([box("ftyp", Buffer.from("avif\0\0\0\0")), box("meta", Buffer.alloc(4), properties)]);
}

const svg = (text: string): Buffer => Buffer.from(text);
const tiffOf = (width: number, height: number): Buffer =>
  Buffer.from(
    `49492a00080000000200${["0001", "0101"]
      .map((tag, at) => {
        const value = Buffer.alloc(4);
        value.writeUInt32LE(at === 0 ? width : height);
        return `${tag}040001000000${value.toString("hex")}`;
      })
      .join("")}00000000`,
    "hex",
  );
const bmp = (width: number, height: number): Buffer => {
  const bytes = Buffer.alloc(54);
  bytes.write("BM");
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(width, 18);
  bytes.writeInt32LE(height, 22);
  return bytes;
};

describe("images by their headers", () => {
  it.each<[string, Buffer, string, number, number]>([
    ["PNG", fixture("stripes.png"), "image/png", 40, 24],
    ["JPEG", fixture("stripes.jpg"), "image/jpeg", 794, 1123],
    ["GIF", fixture("stripes.gif"), "image/gif", 794, 1123],
    ["WebP", fixture("stripes.webp"), "image/webp", 794, 1123],
    ["JPEG as it was shot", jpeg([0xe1, exif(1, true)], [0xc0, frame]), "image/jpeg", 200, 100],
    ["JPEG turned a quarter", jpeg([0xe1, exif(6, true)], [0xc0, frame]), "image/jpeg", 100, 200],
    ["JPEG turned, big-endian", jpeg([0xe1, exif(8, false)], [0xc2, frame]), "image/jpeg", 100, 200],
    ["JPEG upside down", jpeg([0xe1, exif(3, true)], [0xc0, frame]), "image/jpeg", 200, 100],
    ["AVIF", avif(320, 240), "image/avif", 320, 240],
    ["AVIF turned", avif(320, 240, box("irot", Buffer.from([1]))), "image/avif", 240, 320],
    ["BMP from top to bottom", bmp(30, -20), "image/bmp", 30, 20],
    ["TIFF", tiffOf(70, 50), "image/tiff", 70, 50],
    ["SVG with a size", svg('<svg width="2in" height="48px"/>'), "image/svg+xml", 192, 48],
    ["SVG with a view box", svg('<?xml version="1.0"?><svg viewBox="0 0 64 32"></svg>'), "image/svg+xml", 64, 32],
  ])("S10: %s", (_, bytes, mediaType, width, height) => {
    expect(readImage(bytes)).toEqual({ mediaType, width, height });
    expect(describeImage({ bytes })).toContain(`${width} × ${height}`);
  });

  it("S10: both sides are told, and a missing one is null", () => {
    const after = fixture("stripes.png");
    expect(compare({ before: null, after })).toEqual({
      kind: "image",
      before: null,
      after: { width: 40, height: 24, mediaType: "image/png" },
      warnings: [],
      truncated: false,
    });
    expect(compare({ before: png(80, 48), after }).before).toMatchObject({ width: 80, height: 48 });
  });

  it.each<[string, Buffer]>([
    ["nothing", Buffer.alloc(0)],
    ["text", Buffer.from("hello")],
    ["a signature alone", Buffer.from("89504e470d0a1a0a", "hex")],
    ["a PNG of no width", png(0, 10)],
    ["a PNG wider than the format allows", png(0xffff_ffff, 1)],
    ["a JPEG that ends in its first segment", jpeg([0xe0, Buffer.alloc(20)]).subarray(0, 10)],
    [
      "a JPEG of segments without a frame",
      jpeg(...Array.from({ length: 3_000 }, () => [0xe2, Buffer.alloc(1)] as [number, Buffer])),
    ],
    ["a JPEG with a segment of no length", Buffer.from("ffd8ffe00000ffc0", "hex")],
    ["a JPEG that is all markers", Buffer.concat([Buffer.from("ffd8", "hex"), Buffer.alloc(1_000_000, 0xff)])],
    [
      "a JPEG whose EXIF points beyond it",
      jpeg([0xe1, Buffer.concat([Buffer.from("Exif\0\0II*\0"), Buffer.alloc(4, 0xff)])]),
    ],
    ["a GIF that breaks off", Buffer.from("GIF89a\x10")],
    ["a WebP without its picture", Buffer.from("RIFF\0\0\0\0WEBPVP8X")],
    ["an AVIF whose box has no length", Buffer.concat([box("ftyp", Buffer.from("avif\0\0\0\0")), Buffer.alloc(64)])],
    [
      "an AVIF whose box is larger than the file",
      Buffer.concat([box("ftyp", Buffer.from("avif")), Buffer.from("7fffffff6d657461", "hex")]),
    ],
    [
      "an AVIF of 2^64 bytes",
      Buffer.concat([box("ftyp", Buffer.from("avif")), Buffer.from("000000016d657461ffffffffffffffff", "hex")]),
    ],
    ["a TIFF whose directory is in itself", Buffer.from("49492a0004000000", "hex")],
    ["a TIFF whose directory is beyond it", Buffer.from("49492a00ffffffff", "hex")],
    ["a BMP with a header of four thousand million bytes", Buffer.concat([Buffer.from("BM"), Buffer.alloc(60, 0xff)])],
  ])("S10: %s is no image that is shown", (_, bytes) => {
    expect(readImage(bytes)).toBeNull();
    expect(compare({ before: null, after: bytes })).toMatchObject({ after: null, warnings: [{ kind: "unreadable" }] });
  });

  it("S10: an image that claims more pixels than a browser can hold is not shown", () => {
    const { after, warnings } = compare({ before: null, after: png(60_000, 60_000) });
    expect(after).toBeNull();
    expect(warnings).toMatchObject([{ kind: "unreadable", where: "after" }]);
  });

  it.each<[string, string, string[]]>([
    ["a script", "<svg><script>alert(1)</script></svg>", ["macro"]],
    ["a script with a prefix", '<svg><s:script xmlns:s="http://www.w3.org/2000/svg"/></svg>', ["macro"]],
    ["a handler", '<svg onload="alert(1)"/>', ["macro"]],
    ["HTML inside", "<svg><foreignObject><body/></foreignObject></svg>", ["macro"]],
    ["a picture elsewhere", '<svg><image href="https://example.org/x.png"/></svg>', ["external-reference"]],
    ["a style elsewhere", "<svg><style>@import 'https://example.org/x.css'</style></svg>", ["external-reference"]],
    ["nothing of that", '<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h1"/></svg>', []],
  ])("S10: a person is told that an SVG holds %s", (_, text, kinds) => {
    expect(compare({ before: null, after: svg(text) }).warnings.map(({ kind }) => kind)).toEqual(kinds);
  });

  it("S10: flipped bytes and cut files never throw", () => {
    let state = 7;
    const random = (below: number): number => {
      state = (state * 48_271) % 2_147_483_647;
      return state % below;
    };
    const samples = ["stripes.png", "stripes.jpg", "stripes.gif", "stripes.webp"].map(fixture);
    samples.push(avif(320, 240, box("irot", Buffer.from([1]))), tiffOf(70, 50), bmp(3, 4));
    for (let round = 0; round < 4_000; round += 1) {
      const bytes = Buffer.from(samples[round % samples.length] ?? []);
      for (let flip = 0; flip < 4; flip += 1) bytes[random(Math.min(bytes.length, 600))] = random(256);
      const image = readImage(round % 3 === 0 ? bytes.subarray(0, random(bytes.length)) : bytes);
      expect(image === null || (image.width > 0 && image.height > 0)).toBe(true);
    }
  });
});
