import type { ReviewWarning } from "@benchtop/documents";

/** A line of a hunk, with the ranges (start, end; UTF-16 offsets) of the words that differ from its counterpart. */
export interface DiffLine {
  readonly kind: "context" | "added" | "removed";
  /** Without its line feed. A carriage return before it is kept, so that a change of line ends shows. */
  readonly text: string;
  readonly oldLine: number | null;
  readonly newLine: number | null;
  readonly marks?: [number, number][];
  readonly noNewline?: boolean;
}

/** A run of changed lines; numbers as in the hunk. Its id stays the same while its lines do. */
export interface HunkStretch {
  readonly id: string;
  readonly oldStart: number;
  readonly oldLines: number;
  readonly newStart: number;
  readonly newLines: number;
}

export interface Hunk {
  readonly oldStart: number;
  readonly oldLines: number;
  readonly newStart: number;
  readonly newLines: number;
  readonly lines: DiffLine[];
  readonly stretches: HunkStretch[];
}

export interface Comparison {
  readonly view: "text" | "opaque" | "too-large";
  readonly hunks: Hunk[];
  readonly linesAdded: number;
  readonly linesRemoved: number;
  readonly truncated: boolean;
  readonly oldLineCount: number;
  readonly newLineCount: number;
  readonly warnings: ReviewWarning[];
}

/** Two sides that are not compared line by line. */
export function unshown(view: "opaque" | "too-large", oldLineCount: number, newLineCount: number): Comparison {
  return {
    view,
    hunks: [],
    linesAdded: 0,
    linesRemoved: 0,
    truncated: false,
    oldLineCount,
    newLineCount,
    warnings: [],
  };
}
