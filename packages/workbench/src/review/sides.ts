import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { compareLines, splitLines, type Stretch } from "./lines.ts";

export interface SidesInput {
  /** Files that hold the two sides, blobs, whose content is in their names; null where a side has none. */
  readonly before: string | null;
  readonly after: string | null;
  readonly maxLines: number;
  readonly timeoutMs: number;
}

/** Two texts, and where they differ. */
export interface Sides {
  readonly oldLines: string[];
  readonly newLines: string[];
  readonly stretches: readonly Stretch[];
}

/** Two sides that are not compared line by line, and why. */
export interface Unshown {
  readonly view: "opaque" | "too-large";
  readonly oldLineCount: number;
  readonly newLineCount: number;
}

/**
 * How two blobs differ. Where the time for it runs out depends on the machine, so what was found is remembered: what a person
 * saw is what their decision is taken on.
 */
export function compareSides(input: SidesInput): Sides | Unshown {
  const before = textOf(input.before);
  const after = textOf(input.after);
  if (before === undefined || after === undefined) return { view: "opaque", oldLineCount: 0, newLineCount: 0 };
  const oldLines = splitLines(before);
  const newLines = splitLines(after);
  if (oldLines.length > input.maxLines || newLines.length > input.maxLines) {
    return { view: "too-large", oldLineCount: oldLines.length, newLineCount: newLines.length };
  }
  const key = `${input.before ?? ""}\n${input.after ?? ""}`;
  const known = remembered.get(key);
  const stretches = known ?? compareLines(oldLines, newLines, input.timeoutMs);
  remember(key, stretches);
  return { oldLines, newLines, stretches };
}

/**
 * Names a stretch by what it says: which lines of the base it takes away, and what it has instead. Where it is in the new
 * text does not count, so that it keeps its name when another stretch is put back.
 */
export function stretchId({ oldStart, oldEnd, newStart, newEnd }: Stretch, { oldLines, newLines }: Sides): string {
  const hash = createHash("sha256").update(`${oldStart}:${oldEnd}\n`);
  for (let at = oldStart; at < oldEnd; at++) hash.update(oldLines[at] ?? "");
  hash.update("\0");
  for (let at = newStart; at < newEnd; at++) hash.update(newLines[at] ?? "");
  return hash.digest("hex").slice(0, 24);
}

/** The text as lines, or undefined for what is no text. A byte order mark stays: putting the lines together gives the same bytes. */
function textOf(path: string | null): string | undefined {
  if (path === null) return "";
  const bytes = readFileSync(path);
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (thrown) {
    if (thrown instanceof TypeError) return undefined;
    throw thrown;
  }
}

const remembered = new Map<string, readonly Stretch[]>();
const maxRemembered = { comparisons: 256, stretches: 200_000 };
let rememberedStretches = 0;

function remember(key: string, stretches: readonly Stretch[]): void {
  if (remembered.delete(key)) rememberedStretches -= stretches.length;
  remembered.set(key, stretches);
  rememberedStretches += stretches.length;
  for (const [oldest, { length }] of remembered) {
    const fits = remembered.size <= maxRemembered.comparisons && rememberedStretches <= maxRemembered.stretches;
    if (fits || oldest === key) return;
    remembered.delete(oldest);
    rememberedStretches -= length;
  }
}
