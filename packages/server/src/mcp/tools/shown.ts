/** What a person is shown in a question holds names that others chose, which must not look like a part of the question. */
export function inWords(text: string, maxLength = 200): string {
  const line = text
    .toWellFormed()
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}]+/gu, "�")
    .replaceAll(/\s+/g, " ");
  return line.length <= maxLength ? line : `${line.slice(0, maxLength - 1)}…`;
}

export function quoted(text: string): string {
  return `“${inWords(text, 120).replaceAll(/[“”"]/g, "'")}”`;
}

const shownLines = 40;

/** The first of many lines, and how many more there are. */
export function listed(lines: readonly string[]): readonly string[] {
  if (lines.length <= shownLines) return lines;
  return [...lines.slice(0, shownLines), `… and ${lines.length - shownLines} more`];
}
