/** A piece of a text on both sides: in both, only before, or only after. */
export interface MergedPiece {
  readonly text: string;
  readonly kind: "same" | "removed" | "added";
}

type Marks = readonly (readonly [start: number, end: number])[];

interface Piece {
  readonly text: string;
  readonly marked: boolean;
}

/**
 * Both sides of a text as one, as a word processor shows tracked changes. Undefined where what is not marked differs, so
 * that the sides cannot be laid over each other.
 */
export function mergeMarks(
  before: string,
  after: string,
  marksBefore: Marks,
  marksAfter: Marks,
): MergedPiece[] | undefined {
  const old = cut(before, marksBefore);
  const now = cut(after, marksAfter);
  const merged: MergedPiece[] = [];
  const add = (text: string, kind: MergedPiece["kind"]) => {
    const last = merged.at(-1);
    if (last?.kind === kind) merged[merged.length - 1] = { text: last.text + text, kind };
    else if (text !== "") merged.push({ text, kind });
  };
  let i = 0;
  let j = 0;
  // How much of the current piece of each side is written already.
  let oldAt = 0;
  let newAt = 0;
  for (;;) {
    const left = old[i];
    const right = now[j];
    if (left === undefined && right === undefined) return merged;
    if (left?.marked === true) {
      add(left.text, "removed");
      i++;
      continue;
    }
    if (right?.marked === true) {
      add(right.text, "added");
      j++;
      continue;
    }
    if (left === undefined || right === undefined) return undefined;
    const length = Math.min(left.text.length - oldAt, right.text.length - newAt);
    const text = left.text.slice(oldAt, oldAt + length);
    if (text !== right.text.slice(newAt, newAt + length)) return undefined;
    add(text, "same");
    oldAt += length;
    newAt += length;
    if (oldAt === left.text.length) {
      i++;
      oldAt = 0;
    }
    if (newAt === right.text.length) {
      j++;
      newAt = 0;
    }
  }
}

function cut(text: string, marks: Marks): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const [start, end] of marks) {
    if (start > at) pieces.push({ text: text.slice(at, start), marked: false });
    if (end > start) pieces.push({ text: text.slice(start, end), marked: true });
    at = Math.max(at, end);
  }
  if (at < text.length) pieces.push({ text: text.slice(at), marked: false });
  return pieces;
}
