import { compareTexts } from "./compare.ts";

export interface CountInput {
  readonly pairs: readonly { readonly before: string | null; readonly after: string | null }[];
  readonly maxLines: number;
  readonly timeoutMs: number;
  /** Milliseconds after which no further pair is begun. */
  readonly budgetMs: number;
}

/** Null where the content cannot be read; whoever opens the file is told why. */
export type Count = {
  readonly view: "text" | "opaque" | "too-large";
  readonly linesAdded: number;
  readonly linesRemoved: number;
} | null;

/** How many lines each pair adds and takes away, from the first pair on, at least one and as many as the time allows. */
export function countLines({ pairs, maxLines, timeoutMs, budgetMs }: CountInput): Count[] {
  const end = performance.now() + budgetMs;
  const counts: Count[] = [];
  for (const { before, after } of pairs) {
    counts.push(count({ before, after, maxLines, timeoutMs, contextLines: 0, countsOnly: true }));
    if (performance.now() > end) break;
  }
  return counts;
}

function count(input: Parameters<typeof compareTexts>[0]): Count {
  try {
    const { view, linesAdded, linesRemoved } = compareTexts(input);
    return { view, linesAdded, linesRemoved };
  } catch (thrown) {
    if ((thrown as { code?: unknown }).code === undefined) throw thrown;
    return null;
  }
}
