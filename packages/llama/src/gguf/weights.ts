import { refusal } from "./refusal.ts";

/** Numbers as bytes of a tensor: `F32` as they are, `F16` and `BF16` rounded to the nearest, ties to even. */
export function encodeWeights(values: Float32Array, type: string): Uint8Array {
  if (type === "F32") return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const round = type === "F16" ? halfOf : type === "BF16" ? brainOf : undefined;
  if (!round) throw refusal(`Numbers are written as F32, F16 or BF16; for ${type} give the bytes.`);
  const encoded = new Uint16Array(bits.length);
  for (let index = 0; index < bits.length; index++) encoded[index] = round(bits[index] ?? 0);
  return new Uint8Array(encoded.buffer);
}

/** The upper half of a 32-bit float. A NaN stays one, whatever its bits are. */
function brainOf(bits: number): number {
  if ((bits & 0x7fff_ffff) > 0x7f80_0000) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** IEEE 754 binary16: 5 bits of exponent, 10 of fraction. What is too large becomes infinite, as the standard has it. */
function halfOf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fff_ffff;
  if (magnitude > 0x7f80_0000) return sign | 0x7e00;
  if (magnitude >= 0x477f_f000) return sign | 0x7c00;
  if (magnitude < 0x3880_0000) return sign | subnormalHalf(magnitude);
  return sign | ((magnitude - 0x3800_0000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
}

/** Below 2⁻¹⁴ a half counts in steps of 2⁻²⁴. */
function subnormalHalf(magnitude: number): number {
  const shift = 126 - (magnitude >>> 23);
  if (shift > 25) return 0;
  const fraction = (magnitude & 0x7f_ffff) | 0x80_0000;
  const steps = fraction >>> shift;
  const rest = fraction & (2 ** shift - 1);
  const half = 2 ** (shift - 1);
  return rest > half || (rest === half && (steps & 1) === 1) ? steps + 1 : steps;
}
