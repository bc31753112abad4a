import { crc32, deflateSync } from "node:zlib";

/** A PNG of pixels of four bytes (blue, green, red, ignored), row by row: eight bits of red, green and blue. */
export function encodePng(width: number, height: number, pixels: Uint8Array, stride: number): Uint8Array {
  const line = width * 3 + 1;
  const raw = Buffer.alloc(line * height);
  for (let y = 0; y < height; y += 1) {
    // Each row is told as its difference to the row above: on pages, which repeat downwards, most of that is zero.
    const start = y * line;
    raw[start] = y === 0 ? 0 : 2;
    for (let x = 0; x < width; x += 1) {
      const from = y * stride + x * 4;
      const to = start + 1 + x * 3;
      for (let channel = 0; channel < 3; channel += 1) {
        const value = pixels[from + 2 - channel] ?? 0;
        raw[to + channel] = y === 0 ? value : value - (pixels[from - stride + 2 - channel] ?? 0);
      }
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(raw, { level: 6 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(type: string, content: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), content]);
  const whole = Buffer.alloc(body.length + 8);
  whole.writeUInt32BE(content.length, 0);
  whole.set(body, 4);
  whole.writeUInt32BE(crc32(body), body.length + 4);
  return whole;
}
