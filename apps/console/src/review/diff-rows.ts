import type { DiffLine, HunkStretch, TextDiff } from "@benchtop/operations";

/** A row of a diff on screen. Lines are pairs side by side; inline, each pair has one side only. */
export type DiffRow =
  | {
      readonly kind: "lines";
      readonly left: PlacedLine | undefined;
      readonly right: PlacedLine | undefined;
      readonly changed: boolean;
    }
  | StretchHead
  | Gap;

/** Stands above a run of changed lines, which can be decided on by itself. */
export interface StretchHead {
  readonly kind: "stretch";
  readonly stretch: HunkStretch;
  /** From 1, among those of the file. */
  readonly number: number;
  readonly lines: readonly DiffLine[];
}

/** A line and its place in the text of its side, for colouring. */
export interface PlacedLine {
  readonly line: DiffLine;
  readonly index: number;
}

/** Unchanged lines that are not shown; `from` and `to` are lines of the old side. */
export interface Gap {
  readonly kind: "gap";
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** The lines are not here yet: the whole file must be asked for. */
  readonly missing: boolean;
}

export interface DiffRows {
  readonly rows: readonly DiffRow[];
  /** Index of the first row of each block of changes. */
  readonly changes: readonly number[];
  readonly oldText: string;
  readonly newText: string;
}

export type Expansion = readonly [from: number, to: number];

const context = 3;

/**
 * Lays a diff out as rows: changes with three lines around them, gaps between, and whatever was expanded. `heads`: a row
 * above each run of changed lines, to decide on it.
 */
export function diffRows(
  diff: TextDiff,
  view: "split" | "inline",
  expanded: readonly Expansion[],
  heads = false,
): DiffRows {
  const stretches = diff.hunks.flatMap((hunk) => hunk.stretches);
  const rows: DiffRow[] = [];
  const changes: number[] = [];
  const oldLines: string[] = [];
  const newLines: string[] = [];
  let pending: { removed: PlacedLine[]; added: PlacedLine[] } = { removed: [], added: [] };
  let lastOld = 0;
  let lastNew = 0;
  let hidden: { from: number; to: number } | undefined;

  const flushChanges = () => {
    const { removed, added } = pending;
    if (removed.length + added.length === 0) return;
    const stretch = stretches[changes.length];
    changes.push(rows.length);
    if (heads && stretch !== undefined) {
      const lines = [...removed, ...added].map(({ line }) => line);
      rows.push({ kind: "stretch", stretch, number: changes.length, lines });
    }
    if (view === "split") {
      for (let i = 0; i < Math.max(removed.length, added.length); i++) {
        rows.push({ kind: "lines", left: removed[i], right: added[i], changed: true });
      }
    } else {
      for (const left of removed) rows.push({ kind: "lines", left, right: undefined, changed: true });
      for (const right of added) rows.push({ kind: "lines", left: undefined, right, changed: true });
    }
    pending = { removed: [], added: [] };
  };
  const flushHidden = () => {
    if (hidden === undefined) return;
    rows.push({ kind: "gap", ...hidden, count: hidden.to - hidden.from + 1, missing: false });
    hidden = undefined;
  };
  const leaveOut = (count: number) => {
    if (count <= 0) return;
    rows.push({ kind: "gap", from: lastOld + 1, to: lastOld + count, count, missing: true });
  };

  const isExpanded = (line: number) => expanded.some(([from, to]) => line >= from && line <= to);
  for (const hunk of diff.hunks) {
    const near = nearChanges(hunk.lines);
    for (const [position, line] of hunk.lines.entries()) {
      if (position === 0) {
        flushChanges();
        leaveOut(line.oldLine !== null ? line.oldLine - lastOld - 1 : (line.newLine ?? 0) - lastNew - 1);
      }
      lastOld = line.oldLine ?? lastOld;
      lastNew = line.newLine ?? lastNew;
      if (line.kind === "removed") {
        flushHidden();
        pending.removed.push({ line, index: oldLines.push(line.text) - 1 });
        continue;
      }
      if (line.kind === "added") {
        flushHidden();
        pending.added.push({ line, index: newLines.push(line.text) - 1 });
        continue;
      }
      flushChanges();
      const left = { line, index: oldLines.push(line.text) - 1 };
      const right = { line, index: newLines.push(line.text) - 1 };
      if (near[position] === true || isExpanded(lastOld)) {
        flushHidden();
        rows.push({ kind: "lines", left, right, changed: false });
      } else if (hidden === undefined) hidden = { from: lastOld, to: lastOld };
      else hidden.to = lastOld;
    }
  }
  flushChanges();
  flushHidden();
  if (!diff.truncated && diff.hunks.length > 0) leaveOut(diff.newLineCount - lastNew);
  return { rows, changes, oldText: oldLines.join("\n"), newText: newLines.join("\n") };
}

/** For each line, whether a change is at most three lines away. */
function nearChanges(lines: readonly DiffLine[]): boolean[] {
  const near = lines.map(({ kind }) => kind !== "context");
  for (const [index, line] of lines.entries()) {
    if (line.kind === "context") continue;
    for (let i = Math.max(0, index - context); i <= Math.min(lines.length - 1, index + context); i++) near[i] = true;
  }
  return near;
}
