import type { GgufHeader } from "./gguf.ts";

/** A whole number of the metadata, whatever the width of its type; undefined where there is none that counts something. */
export function numberIn(header: GgufHeader, key: string): number | undefined {
  return countOf(header.metadata.get(key));
}

/**
 * A number for each layer: some files give one for all, some one for each. Undefined where there is none, or not enough.
 */
export function numbersIn(header: GgufHeader, key: string, layers: number): number[] | undefined {
  const value = header.metadata.get(key);
  if (!Array.isArray(value)) {
    const all = countOf(value);
    return all === undefined ? undefined : Array.from({ length: layers }, () => all);
  }
  const counts = value.slice(0, layers).map(countOf);
  const known = counts.filter((count) => count !== undefined);
  return known.length === layers ? known : undefined;
}

export function textIn(header: GgufHeader, key: string): string | undefined {
  const value = header.metadata.get(key);
  return typeof value === "string" && value !== "" ? value : undefined;
}

function countOf(value: unknown): number | undefined {
  const number = typeof value === "bigint" ? Number(value) : value;
  return typeof number === "number" && Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}
