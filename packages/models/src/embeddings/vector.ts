import { BenchtopError } from "@benchtop/protocol";
import type { EmbeddingBackend } from "./backend.ts";

/** Longer than the vectors of any model. */
const mostDimensions = 65_536;

/**
 * Throws `PROVIDER_UNAVAILABLE`, not retryable, for vectors that no search could use: of another number than the texts, of
 * another length than the others, with a number that is none, or without a direction.
 */
export function checkVectors(
  { id, model }: Pick<EmbeddingBackend, "id" | "model">,
  vectors: readonly Float32Array[],
  expected: { readonly count: number; readonly dimensions: number | undefined },
): void {
  const unusable = (what: string): BenchtopError =>
    new BenchtopError("PROVIDER_UNAVAILABLE", `${model} of ${id} gave ${what}, so its vectors cannot be used.`, {
      providerId: id,
      modelId: model,
      retryable: false,
      actions: ["switch_model", "open_settings"],
    });
  if (vectors.length !== expected.count) throw unusable(`${vectors.length} vectors for ${expected.count} texts`);
  const dimensions = expected.dimensions ?? vectors[0]?.length ?? 0;
  for (const vector of vectors) {
    if (vector.length === 0 || vector.length > mostDimensions) throw unusable(`a vector of ${vector.length} numbers`);
    if (vector.length !== dimensions) throw unusable(`a vector of ${vector.length} numbers where ${dimensions} belong`);
    const length = lengthOf(vector);
    if (!Number.isFinite(length)) throw unusable("a vector with something in it that is no number");
    if (length === 0) throw unusable("a vector of zeros");
  }
}

/** The same direction with length 1. */
export function normalized(vector: Float32Array): Float32Array {
  const length = lengthOf(vector);
  return vector.map((value) => value / length);
}

/** Reckoned in 64 bits, so that squares of large numbers do not overflow. */
export function lengthOf(vector: Float32Array): number {
  let sum = 0;
  for (const value of vector) sum += value * value;
  return Math.sqrt(sum);
}

/** 32-bit floats, the lowest byte first, on every machine. */
export function bytesOf(vector: Float32Array): Uint8Array {
  const bytes = new Uint8Array(vector.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of vector.entries()) view.setFloat32(index * 4, value, true);
  return bytes;
}

export function vectorOf(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: Math.floor(bytes.byteLength / 4) }, (_, index) =>
    view.getFloat32(index * 4, true),
  );
}
