import type { Token } from "../code/tokens.ts";

export interface Segment {
  readonly text: string;
  readonly style: string | undefined;
  readonly marked: boolean;
}

/** Cuts a line where its colours or its word marks change. `marks` are [start, end) in UTF-16 units, in order. */
export function paint(
  text: string,
  tokens: readonly Token[] | undefined,
  marks: readonly (readonly [number, number])[],
): Segment[] {
  const segments: Segment[] = [];
  let at = 0;
  for (const token of tokens ?? [{ text }]) {
    const end = at + token.text.length;
    let from = at;
    for (const [start, stop] of marks) {
      if (stop <= from || start >= end) continue;
      if (start > from) segments.push({ text: text.slice(from, start), style: token.style, marked: false });
      const markedFrom = Math.max(from, start);
      const markedTo = Math.min(end, stop);
      segments.push({ text: text.slice(markedFrom, markedTo), style: token.style, marked: true });
      from = markedTo;
    }
    if (from < end) segments.push({ text: text.slice(from, end), style: token.style, marked: false });
    at = end;
  }
  return segments;
}
