import { estimateTokens } from "@benchtop/harness";
import type { DraftFile } from "../draft/view.ts";
import type { Environment } from "../environment.ts";

/** What one message may show of the files' text: a share of the model's window, or this where the window is not known. */
const tokensWithoutWindow = 60_000;
const shareOfWindow = 0.5;

export interface ShownFiles {
  /** Paths of the files whose text is shown, in the order in which it is. */
  readonly shown: readonly string[];
  /** Text files that did not fit. */
  readonly leftOut: readonly string[];
  readonly tokens: number;
}

/** Of each file, how many tokens showing it takes; opaque ones are never shown. */
function tokensOf({ path, bytes }: DraftFile): number {
  return estimateTokens(path) + Math.ceil(bytes / 4) + 12;
}

/**
 * Which files a message shows whole: those that the person names, then those that the Draft changes, then the smallest, as long
 * as they fit. The same files and message give the same choice.
 */
export function chooseFiles(
  files: readonly DraftFile[],
  message: string,
  contextTokens: number | undefined,
): ShownFiles {
  let room = contextTokens === undefined ? tokensWithoutWindow : Math.floor(contextTokens * shareOfWindow);
  const rank = (file: DraftFile): number => (message.includes(file.path) ? 0 : file.change === undefined ? 2 : 1);
  const texts = files.filter(({ opaque }) => !opaque);
  const byNeed = texts.toSorted((a, b) => rank(a) - rank(b) || a.bytes - b.bytes || (a.path < b.path ? -1 : 1));
  const shown = new Set<string>();
  let tokens = 0;
  for (const file of byNeed) {
    const cost = tokensOf(file);
    if (cost > room) continue;
    room -= cost;
    tokens += cost;
    shown.add(file.path);
  }
  return {
    shown: texts.filter(({ path }) => shown.has(path)).map(({ path }) => path),
    leftOut: texts.filter(({ path }) => !shown.has(path)).map(({ path }) => path),
    tokens,
  };
}

/**
 * The text of files as a message shows it. Throws `FILE_READ_FAILED` where one cannot be read: a model that is shown less than
 * the person believes answers about something else.
 */
export async function textOfFiles(
  { store }: Environment,
  files: readonly Pick<DraftFile, "path" | "sha256">[],
  fence: string,
): Promise<string> {
  const texts: string[] = [];
  for (const { path, sha256 } of files) {
    const text = Buffer.from(await store.blobs.read(sha256)).toString("utf8");
    texts.push(
      `<file ${fence} path=${JSON.stringify(path)}>\n${text}${text.endsWith("\n") ? "" : "\n"}</file ${fence}>`,
    );
  }
  return texts.join("\n");
}
