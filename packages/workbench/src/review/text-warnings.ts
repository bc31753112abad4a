import type { ReviewWarning } from "@benchtop/documents";
import type { Sides } from "./sides.ts";
import { hiddenIn, mixedWordIn } from "./spoofing.ts";

/** A longer line is hardly read to its end. */
const longLine = 5000;
/** Of each kind; the last one says how many more there are. */
const shownOfKind = 20;
/** Lines are looked at up to here; longer ones are warned of as long. */
const lookedAt = 100_000;

/** What a person may overlook in the lines that a change adds. */
export function textWarnings({ newLines, stretches }: Sides): ReviewWarning[] {
  const found = new Map<ReviewWarning["kind"], ReviewWarning[]>();
  const more = new Map<ReviewWarning["kind"], number>();
  const warn = (kind: ReviewWarning["kind"], message: string, line: number): void => {
    const warnings = found.get(kind) ?? [];
    found.set(kind, warnings);
    if (warnings.length < shownOfKind) warnings.push({ kind, message, where: `line ${line}` });
    else more.set(kind, (more.get(kind) ?? 0) + 1);
  };
  for (const { equal, newStart, newEnd } of stretches) {
    if (equal) continue;
    for (let at = newStart; at < newEnd; at++) {
      const line = newLines[at] ?? "";
      if (line.length > longLine) warn("long-line", `The line has ${line.length} characters.`, at + 1);
      // A byte order mark begins a file, and nothing else.
      const text = (at === 0 ? line.replace(/^\uFEFF/, "") : line).slice(0, lookedAt);
      const hidden = hiddenIn(text);
      if (hidden !== undefined) warn("spoofed-text", `The line holds ${hidden}.`, at + 1);
      const mixed = mixedWordIn(text);
      if (mixed) warn("spoofed-text", `A word mixes letters of ${mixed.scripts}, which look alike.`, at + 1);
    }
  }
  return [...found].flatMap(([kind, warnings]) => {
    const count = more.get(kind);
    const rest = { kind, message: `There are ${count} more such lines.`, where: null };
    return count === undefined ? warnings : [...warnings, rest];
  });
}
