/**
 * Whether a spreadsheet program that opens the text as a cell would run it (OWASP, "CSV Injection"). Numbers, phone numbers and
 * dates that begin with a sign are none; what could be a formula is one, however it is dressed up.
 */
export function runsAsFormula(text: string): boolean {
  if (text === "") return false;
  // Most cells are words and numbers.
  if (/^[\p{L}\p{N}]/u.test(text) && !/[;,\t\r\n|]/.test(text)) return false;
  // A cell that begins with these can become one that begins with what follows, when it is read again.
  if (/^[\t\r\n]/.test(text) && /\S/u.test(text)) return true;
  const bare = text.slice(0, 4000).replace(unseen, "").normalize("NFKC");
  if (/^[=@]/.test(bare)) return /[\p{L}\p{N}]/u.test(bare);
  if (/^[+\-−]/.test(bare)) return /[\p{L}@=|!{]/u.test(bare) && !plainNumber.test(bare);
  return splits.test(bare);
}

/** Spaces and characters that nobody sees, in front of the one that counts. */
const unseen = /^[\s\p{Cc}\p{Cf}\p{Zs}\u00ad\u115f\u1160\u3164\uffa0\u2800]+/u;

const plainNumber =
  /^[+\-−]\s*(?:[\p{Sc}]|[A-Z]{3})?\s*(?:\d[\d.,\s'’]*|[.,]\d+)(?:e[+-]?\d+)?\s*(?:%|‰|[\p{Sc}]|[A-Z]{3}|°?[CFK]|(?:[kKMGT]?(?:m|g|s|W|B|Hz|bp)))?\s*$/iu;

/** A program that divides elsewhere than here would find a cell in it that begins with a formula. */
const splits = /[;,\t\r\n|]["'\s]*[=@+-][^;,\t\r\n]{0,200}?(?:[A-Za-z][\w.]*\(|\|[^;,\t\r\n]{0,200}!)/;
