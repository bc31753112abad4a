import { readFileSync } from "node:fs";

export interface SearchInput {
  readonly files: readonly { readonly path: string; readonly blob: string }[];
  readonly pattern: string;
  readonly regex: boolean;
  readonly caseSensitive: boolean;
  readonly maxMatches: number;
}

export interface SearchMatch {
  readonly path: string;
  readonly line: number;
  readonly text: string;
}

export interface SearchResult {
  readonly matches: SearchMatch[];
  readonly truncated: boolean;
}

const maxLineCharacters = 10_000;
const maxShownCharacters = 300;

/**
 * Lines that hold a text or match a JavaScript regular expression. A catastrophic expression is no danger because the
 * thread that runs this is killed at its time limit. Throws `EPATTERN` for an expression that is none.
 */
export function searchTexts(input: SearchInput): SearchResult {
  const matches = matcher(input);
  const found: SearchMatch[] = [];
  for (const file of input.files) {
    const lines = readFileSync(file.blob, "utf8").split("\n");
    for (const [index, line] of lines.entries()) {
      const text = line.length > maxLineCharacters ? line.slice(0, maxLineCharacters) : line;
      if (!matches(text)) continue;
      if (found.length >= input.maxMatches) return { matches: found, truncated: true };
      found.push({ path: file.path, line: index + 1, text: text.trimEnd().slice(0, maxShownCharacters) });
    }
  }
  return { matches: found, truncated: false };
}

function matcher({ pattern, regex, caseSensitive }: SearchInput): (line: string) => boolean {
  if (regex) {
    let expression: RegExp;
    try {
      expression = new RegExp(pattern, caseSensitive ? "u" : "iu");
    } catch (thrown) {
      const reason = thrown instanceof Error ? thrown.message : "";
      throw Object.assign(new Error(reason, { cause: thrown }), { code: "EPATTERN" });
    }
    return (line) => expression.test(line);
  }
  if (caseSensitive) return (line) => line.includes(pattern);
  const lower = pattern.toLowerCase();
  return (line) => line.toLowerCase().includes(lower);
}
