import { readFileSync } from "node:fs";
import { diffWordsWithSpace } from "diff";
import { unshown, type Comparison, type DiffLine, type Hunk } from "./comparison.ts";
import { compareLines, splitLines, type Stretch } from "./lines.ts";

export interface CompareInput {
  /** Files that hold the two sides; null where a side has none. */
  readonly before: string | null;
  readonly after: string | null;
  readonly contextLines: number;
  readonly maxLines: number;
  readonly timeoutMs: number;
  /** Only the numbers of lines are wanted. */
  readonly countsOnly: boolean;
}

/** Lines of all hunks together; above it the diff says that it is truncated. */
const maxShownLines = 20_000;

/** The text diff of two blobs. Offline, bounded in time and size whatever the texts are. */
export function compareTexts(input: CompareInput): Comparison {
  const before = textOf(input.before);
  const after = textOf(input.after);
  if (before === undefined || after === undefined) return unshown("opaque", 0, 0);
  const oldLines = splitLines(before);
  const newLines = splitLines(after);
  if (oldLines.length > input.maxLines || newLines.length > input.maxLines) {
    return unshown("too-large", oldLines.length, newLines.length);
  }
  const stretches = compareLines(oldLines, newLines, input.timeoutMs);
  const changed = stretches.filter((stretch) => !stretch.equal);
  const counts = {
    linesAdded: changed.reduce((sum, { newStart, newEnd }) => sum + newEnd - newStart, 0),
    linesRemoved: changed.reduce((sum, { oldStart, oldEnd }) => sum + oldEnd - oldStart, 0),
  };
  const sides = { view: "text", oldLineCount: oldLines.length, newLineCount: newLines.length } as const;
  if (input.countsOnly) return { ...sides, ...counts, hunks: [], truncated: false };
  const hunks = hunksOf(stretches, oldLines, newLines, input.contextLines);
  return { ...sides, ...bounded(hunks, counts) };
}

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

function hunksOf(stretches: readonly Stretch[], oldLines: string[], newLines: string[], context: number): Hunk[] {
  const hunks: Hunk[] = [];
  const words = new WordBudget();
  let lines: DiffLine[] = [];
  const finish = (): void => {
    if (lines.some((line) => line.kind !== "context")) hunks.push(hunkOf(lines));
    lines = [];
  };
  for (const [index, stretch] of stretches.entries()) {
    if (!stretch.equal) {
      lines.push(...replaced(stretch, oldLines, newLines, words));
      continue;
    }
    const length = stretch.oldEnd - stretch.oldStart;
    const tail = index === 0 ? 0 : Math.min(context, length);
    const head = index === stretches.length - 1 ? 0 : Math.min(context, length - tail);
    for (let at = 0; at < tail; at++) lines.push(contextLine(stretch, at, oldLines));
    if (tail + head < length) finish();
    for (let at = length - head; at < length; at++) lines.push(contextLine(stretch, at, oldLines));
  }
  finish();
  return hunks;
}

function contextLine(stretch: Stretch, at: number, lines: string[]): DiffLine {
  const oldLine = stretch.oldStart + at;
  return diffLine("context", lines[oldLine] ?? "", oldLine + 1, stretch.newStart + at + 1);
}

function replaced(stretch: Stretch, oldLines: string[], newLines: string[], words: WordBudget): DiffLine[] {
  const removed: DiffLine[] = [];
  const added: DiffLine[] = [];
  for (let at = stretch.oldStart; at < stretch.oldEnd; at++) {
    removed.push(diffLine("removed", oldLines[at] ?? "", at + 1, null));
  }
  for (let at = stretch.newStart; at < stretch.newEnd; at++) {
    added.push(diffLine("added", newLines[at] ?? "", null, at + 1));
  }
  for (const [index, before] of removed.entries()) {
    const after = added[index];
    const marks = after && words.compare(before.text, after.text);
    if (!after || !marks) continue;
    removed[index] = { ...before, marks: marks.before };
    added[index] = { ...after, marks: marks.after };
  }
  return [...removed, ...added];
}

function diffLine(kind: DiffLine["kind"], line: string, oldLine: number | null, newLine: number | null): DiffLine {
  const ended = line.endsWith("\n");
  return { kind, text: ended ? line.slice(0, -1) : line, oldLine, newLine, ...(!ended && { noNewline: true }) };
}

function hunkOf(lines: DiffLine[]): Hunk {
  const old = lines.filter((line) => line.oldLine !== null);
  const fresh = lines.filter((line) => line.newLine !== null);
  return {
    oldStart: old[0]?.oldLine ?? 0,
    oldLines: old.length,
    newStart: fresh[0]?.newLine ?? 0,
    newLines: fresh.length,
    lines,
  };
}

/** Words are compared for lines that resemble each other, while the time that one diff has for it lasts. */
class WordBudget {
  #left = 200;

  compare(before: string, after: string): { before: [number, number][]; after: [number, number][] } | undefined {
    if (this.#left <= 0 || before.length > 2000 || after.length > 2000) return undefined;
    const started = performance.now();
    const parts = diffWordsWithSpace(before, after, { timeout: 20 });
    this.#left -= performance.now() - started;
    if (!parts) return undefined;
    const marks = { before: [] as [number, number][], after: [] as [number, number][] };
    let [old, fresh, common] = [0, 0, 0];
    for (const { value, added, removed } of parts) {
      if (removed) marks.before.push([old, old + value.length]);
      else if (added) marks.after.push([fresh, fresh + value.length]);
      else common += value.trim().length;
      if (!added) old += value.length;
      if (!removed) fresh += value.length;
    }
    // Marks on lines with little in common only make noise.
    return common * 4 >= Math.max(before.trim().length, after.trim().length) ? marks : undefined;
  }
}

function bounded(hunks: Hunk[], counts: { linesAdded: number; linesRemoved: number }) {
  const shown: Hunk[] = [];
  let room = maxShownLines;
  for (const hunk of hunks) {
    if (room <= 0) break;
    shown.push(hunk.lines.length <= room ? hunk : hunkOf(hunk.lines.slice(0, room)));
    room -= hunk.lines.length;
  }
  if (room >= 0) return { hunks, ...counts, truncated: false };
  const lines = shown.flatMap((hunk) => hunk.lines);
  return {
    hunks: shown,
    linesAdded: lines.filter((line) => line.kind === "added").length,
    linesRemoved: lines.filter((line) => line.kind === "removed").length,
    truncated: true,
  };
}
