/**
 * Cuts text into the pieces that tokens never reach across, as llama.cpp does for the pre-tokenizer `qwen2`: letters with at
 * most one other character before them, single digits, signs with at most one space before them, line ends, spaces. (It is the
 * one taken because its texts keep their spaces: for `gpt-2`, llama.cpp drops those before full stops and commas.)
 *
 * A walk over code points and not a regular expression, because llama.cpp's is one and differs from the expression that it
 * quotes. Characters newer than its tables of Unicode may be cut differently.
 */
export function wordsOf(text: string): string[] {
  const points = Array.from(text);
  const pointKinds = points.map(kindOf);
  const words: string[] = [];
  for (let at = 0; at < points.length;) {
    const end = Math.max(endOfWord(points, pointKinds, at), at + 1);
    words.push(points.slice(at, end).join(""));
    at = end;
  }
  return words;
}

type Kind = "letter" | "number" | "space" | "other";

const letter = /^\p{L}$/u;
const number = /^\p{N}$/u;
// Unicode's white space. `\s` of JavaScript has U+FEFF too and lacks U+0085.
const space = /^[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]$/u;
const short = new Set(["s", "t", "m", "d"]);
const long = new Set(["re", "ve", "ll"]);

const knownKinds = new Map<string, Kind>();

function kindOf(point: string): Kind {
  let kind = knownKinds.get(point);
  if (kind === undefined) {
    kind = letter.test(point) ? "letter" : number.test(point) ? "number" : space.test(point) ? "space" : "other";
    // There are a million code points at most, and in any text far fewer.
    knownKinds.set(point, kind);
  }
  return kind;
}

function endOfWord(points: readonly string[], kinds: readonly Kind[], start: number): number {
  const point = points[start] ?? "";
  const kind = kinds[start];
  if (point === "'") {
    const first = points[start + 1]?.toLowerCase() ?? "";
    if (short.has(first)) return start + 2;
    if (long.has(first + (points[start + 2]?.toLowerCase() ?? ""))) return start + 3;
  }
  if (!isLineEnd(point) && kind !== "number" && (kind === "letter" || kinds[start + 1] === "letter")) {
    return endOf(kinds, start + 1, "letter");
  }
  if (kind === "number") return start + 1;
  const signs = point === " " ? start + 1 : start;
  if (kinds[signs] === "other") {
    let end = endOf(kinds, signs, "other");
    while (isLineEnd(points[end])) end += 1;
    return end;
  }
  const end = endOf(kinds, start, "space");
  for (let at = end - 1; at >= start; at -= 1) if (isLineEnd(points[at])) return at + 1;
  // The last space belongs to the word after it.
  return end - start > 1 && end < points.length ? end - 1 : end;
}

function endOf(kinds: readonly Kind[], start: number, kind: Kind): number {
  let end = start;
  while (kinds[end] === kind) end += 1;
  return end;
}

function isLineEnd(point: string | undefined): boolean {
  return point === "\n" || point === "\r";
}
