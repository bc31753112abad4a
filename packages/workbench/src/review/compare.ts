import { warningsOfSvg } from "@benchtop/documents/svg";
import { diffWordsWithSpace } from "diff";
import { unshown, type Comparison, type DiffLine, type Hunk, type HunkStretch } from "./comparison.ts";
import type { Stretch } from "./lines.ts";
import { textWarnings } from "./text-warnings.ts";
import { compareSides, stretchId, type Sides, type SidesInput } from "./sides.ts";

export interface CompareInput extends SidesInput {
  readonly contextLines: number;
  /** Only the numbers of lines are wanted. */
  readonly countsOnly: boolean;
  /** The text is that of an image, which may hold programs. */
  readonly svg?: boolean;
}

/** Lines of all hunks together; above it the diff says that it is truncated. */
const maxShownLines = 20_000;

/** The text diff of two blobs. Offline, bounded in time and size whatever the texts are. */
export function compareTexts(input: CompareInput): Comparison {
  const sides = compareSides(input);
  if ("view" in sides) return unshown(sides.view, sides.oldLineCount, sides.newLineCount);
  const { oldLines, newLines, stretches } = sides;
  const changed = stretches.filter((stretch) => !stretch.equal);
  const counts = {
    linesAdded: changed.reduce((sum, { newStart, newEnd }) => sum + newEnd - newStart, 0),
    linesRemoved: changed.reduce((sum, { oldStart, oldEnd }) => sum + oldEnd - oldStart, 0),
  };
  const facts = { view: "text", oldLineCount: oldLines.length, newLineCount: newLines.length } as const;
  if (input.countsOnly) return { ...facts, ...counts, hunks: [], truncated: false, warnings: [] };
  const hunks = hunksOf(sides, input.contextLines);
  const active = input.svg === true ? warningsOfSvg(newLines.join("")) : [];
  return { ...facts, ...bounded(hunks, counts), warnings: [...active, ...textWarnings(sides)] };
}

function hunksOf(sides: Sides, context: number): Hunk[] {
  const { stretches, oldLines, newLines } = sides;
  const hunks: Hunk[] = [];
  const words = new WordBudget();
  let lines: DiffLine[] = [];
  let changed: HunkStretch[] = [];
  const finish = (): void => {
    if (changed.length > 0) hunks.push(hunkOf(lines, changed));
    [lines, changed] = [[], []];
  };
  for (const [index, stretch] of stretches.entries()) {
    if (!stretch.equal) {
      for (const line of replaced(stretch, oldLines, newLines, words)) lines.push(line);
      changed.push(hunkStretch(stretch, sides));
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

function hunkStretch(stretch: Stretch, sides: Sides): HunkStretch {
  const { oldStart, oldEnd, newStart, newEnd } = stretch;
  return {
    id: stretchId(stretch, sides),
    oldStart: oldStart + 1,
    oldLines: oldEnd - oldStart,
    newStart: newStart + 1,
    newLines: newEnd - newStart,
  };
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

function hunkOf(lines: DiffLine[], stretches: HunkStretch[]): Hunk {
  const old = lines.filter((line) => line.oldLine !== null);
  const fresh = lines.filter((line) => line.newLine !== null);
  return {
    oldStart: old[0]?.oldLine ?? 0,
    oldLines: old.length,
    newStart: fresh[0]?.newLine ?? 0,
    newLines: fresh.length,
    lines,
    stretches,
  };
}

/** As much of a hunk as there is room for. A stretch that is cut is named still: it can be decided on as a whole. */
function cut(hunk: Hunk, room: number): Hunk {
  const lines = hunk.lines.slice(0, room);
  const lastOld = lines.findLast((line) => line.oldLine !== null)?.oldLine ?? 0;
  const lastNew = lines.findLast((line) => line.newLine !== null)?.newLine ?? 0;
  const isShown = ({ oldStart, oldLines, newStart, newLines }: HunkStretch): boolean =>
    (oldLines > 0 && oldStart <= lastOld) || (newLines > 0 && newStart <= lastNew);
  return hunkOf(lines, hunk.stretches.filter(isShown));
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
    shown.push(hunk.lines.length <= room ? hunk : cut(hunk, room));
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
