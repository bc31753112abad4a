/**
 * Replaces one exact piece of a text, which must occur once unless all are wanted. In a file whose lines end with CRLF a piece
 * that was written with LF is understood, and what replaces it gets the file's line ends.
 */
export function applyEdit(
  text: string,
  oldText: string,
  newText: string,
  replaceAll: boolean,
): { readonly text: string } | { readonly problem: string } {
  const endsWithCrlf = usesCrlf(text) && !oldText.includes("\r");
  const piece = endsWithCrlf ? oldText.replaceAll("\n", "\r\n") : oldText;
  const replacement = endsWithCrlf ? newText.replaceAll(/\r?\n/g, "\r\n") : newText;
  const count = occurrences(text, piece);
  if (count === 0) return { problem: `old_text does not occur in it.${hint(text, oldText)}` };
  if (count > 1 && !replaceAll) {
    return { problem: `old_text occurs ${count} times. Give more of its surroundings, or set replace_all.` };
  }
  return { text: text.split(piece).join(replacement) };
}

function usesCrlf(text: string): boolean {
  return text.includes("\r\n") && !/(?:^|[^\r])\n/.test(text);
}

function occurrences(text: string, piece: string): number {
  let count = 0;
  for (let at = text.indexOf(piece); at !== -1; at = text.indexOf(piece, at + piece.length)) count += 1;
  return count;
}

/** The usual reasons why a model's piece does not match. */
function hint(text: string, oldText: string): string {
  if (/^\s*\d+\t/.test(oldText)) return " It starts with a line number; leave the numbers of read_file out.";
  if (text.length <= 1_000_000 && squeezed(text).includes(squeezed(oldText))) {
    return " It occurs with other white space; copy it exactly as read_file shows it.";
  }
  return " Read the file again and copy the piece exactly.";
}

function squeezed(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}
