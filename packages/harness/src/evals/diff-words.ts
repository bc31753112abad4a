/** A stretch of text that both sides share, or only one of them has. */
export interface DiffPart {
  readonly kind: "same" | "missing" | "extra";
  readonly text: string;
}

const maxWords = 600;

/**
 * What turns `expected` into `actual`, word by word (longest common subsequence). Undefined when the texts are too long to
 * compare in a moment, or have next to nothing in common, so that a diff would only be noise.
 */
export function diffWords(expected: string, actual: string): readonly DiffPart[] | undefined {
  const left = expected.match(/\s+|[^\s]+/g) ?? [];
  const right = actual.match(/\s+|[^\s]+/g) ?? [];
  if (left.length > maxWords || right.length > maxWords) return undefined;
  const lengths = commonLengths(left, right);
  const parts: { kind: DiffPart["kind"]; text: string }[] = [];
  const add = (kind: DiffPart["kind"], text: string): void => {
    const last = parts.at(-1);
    if (last?.kind === kind) last.text += text;
    else parts.push({ kind, text });
  };
  let shared = 0;
  let i = 0;
  let j = 0;
  while (i < left.length || j < right.length) {
    const from = left[i];
    const to = right[j];
    if (from !== undefined && from === to) {
      add("same", from);
      if (from.trim() !== "") shared += 1;
      i += 1;
      j += 1;
    } else if (to === undefined || (from !== undefined && (lengths[i + 1]?.[j] ?? 0) >= (lengths[i]?.[j + 1] ?? 0))) {
      add("missing", from ?? "");
      i += 1;
    } else {
      add("extra", to);
      j += 1;
    }
  }
  return shared === 0 ? undefined : parts;
}

/** `lengths[i][j]`: words in common of what follows from i and from j on. */
function commonLengths(left: readonly string[], right: readonly string[]): readonly Uint16Array[] {
  const lengths = Array.from({ length: left.length + 1 }, () => new Uint16Array(right.length + 1));
  for (let i = left.length - 1; i >= 0; i -= 1) {
    for (let j = right.length - 1; j >= 0; j -= 1) {
      const row = lengths[i];
      if (!row) continue;
      row[j] =
        left[i] === right[j] ? (lengths[i + 1]?.[j + 1] ?? 0) + 1 : Math.max(lengths[i + 1]?.[j] ?? 0, row[j + 1] ?? 0);
    }
  }
  return lengths;
}
