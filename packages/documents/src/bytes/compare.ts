import type { ByteRow, DocumentComparison } from "../comparison.ts";
import type { ComparisonInput } from "../format.ts";
import { factsOf } from "./facts.ts";

const rowLength = 16;
const rowsAtOnce = 64;
const chunkLength = 65_536;

/**
 * The bytes of two files side by side, by position: byte 100 faces byte 100, so that after an insertion everything differs.
 * Rows run from `offset` on, by default from just before the first difference. A missing side, and what one side has beyond
 * the end of the other, is a difference everywhere.
 */
export function compare({
  before,
  after,
  offset,
}: Pick<ComparisonInput, "before" | "after" | "offset">): Extract<DocumentComparison, { kind: "bytes" }> {
  const longest = Math.max(before?.length ?? 0, after?.length ?? 0);
  const asked = offset ?? Math.max((differenceFrom(before, after, 0) ?? 0) - 2 * rowLength, 0);
  const start = Math.max(Math.floor(Math.min(asked, Math.max(longest - 1, 0)) / rowLength) * rowLength, 0);
  const shown: ByteRow[] = [];
  const end = Math.min(start + rowsAtOnce * rowLength, longest);
  for (let at = start; at < end; at += rowLength) {
    shown.push({ offset: at, before: hex(before, at), after: hex(after, at) });
  }
  return {
    kind: "bytes",
    metadata: metadataOf(before, after),
    rows: shown,
    offset: start,
    nextDifference: differenceFrom(before, after, end),
    warnings: [],
    truncated: end < longest || start > 0,
  };
}

/** Where the two differ first, at `from` or later; null where they do not. */
export function differenceFrom(before: Uint8Array | null, after: Uint8Array | null, from: number): number | null {
  const longest = Math.max(before?.length ?? 0, after?.length ?? 0);
  if (from >= longest) return null;
  if (!before || !after) return from;
  const shared = Math.min(before.length, after.length);
  for (let at = from; at < shared; at += chunkLength) {
    const end = Math.min(at + chunkLength, shared);
    if (Buffer.compare(before.subarray(at, end), after.subarray(at, end)) === 0) continue;
    for (let byte = at; byte < end; byte += 1) if (before[byte] !== after[byte]) return byte;
  }
  return shared < longest ? Math.max(shared, from) : null;
}

function hex(bytes: Uint8Array | null, at: number): string | null {
  if (!bytes || at >= bytes.length) return null;
  const length = Math.min(rowLength, bytes.length - at);
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, length).toString("hex");
}

function metadataOf(
  before: Uint8Array | null,
  after: Uint8Array | null,
): { name: string; before: string | null; after: string | null }[] {
  const left = before ? factsOf(before) : new Map<string, string>();
  const right = after ? factsOf(after) : new Map<string, string>();
  return [...new Set([...right.keys(), ...left.keys()])].map((name) => ({
    name,
    before: left.get(name) ?? null,
    after: right.get(name) ?? null,
  }));
}
