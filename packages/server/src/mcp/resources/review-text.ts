import type { Change, TextDiff } from "@benchtop/operations";
import type { Caller } from "../../api/caller.ts";

/** What a Draft changes, as text: the list of files, then their differences as a unified diff. */
export interface ReviewText {
  readonly draftId: string | null;
  readonly revision: number;
  readonly text: string;
}

const maxText = 200_000;

/** Reads the Draft of a workbench, until the text is long enough for one answer; what is left out is said. */
export async function reviewText(caller: Caller, workbenchId: string, signal: AbortSignal): Promise<ReviewText> {
  const { draft, changes } = await caller.call("review.getChangeSet", { workbenchId }, signal);
  if (!draft.exists)
    return { draftId: null, revision: 0, text: "There is no Draft: the published files are all there is.\n" };
  const { added, modified, deleted } = draft.counts;
  const head = [
    `Draft ${draft.draftId} at revision ${draft.revision}: ${added} added, ${modified} modified, ${deleted} deleted.`,
    ...(draft.unconfirmedDeletions.length > 0
      ? [`A person has not confirmed these deletions yet: ${draft.unconfirmedDeletions.slice(0, 100).join(", ")}`]
      : []),
    ...changes.slice(0, 1000).map(describe),
    ...(changes.length > 1000 ? [`… and ${changes.length - 1000} more files`] : []),
    "",
  ];
  const parts = [head.join("\n")];
  let length = parts[0]?.length ?? 0;
  for (const [place, { path, view }] of changes.entries()) {
    if (view !== "text") continue;
    if (length > maxText) {
      parts.push(
        `… the differences of ${changes.length - place} more files are left out; review_get_text_diff shows each.`,
      );
      break;
    }
    const diff = unified(await caller.call("review.getTextDiff", { workbenchId, path }, signal));
    parts.push(diff.length > maxText ? `${diff.slice(0, maxText)}\n… the rest of ${path} is left out.\n` : diff);
    length += diff.length;
  }
  return { draftId: draft.draftId, revision: draft.revision, text: parts.join("\n") };
}

function describe({ path, change, view, linesAdded, linesRemoved, bytesAfter }: Change): string {
  const size =
    view === "text" ? `+${linesAdded ?? 0} −${linesRemoved ?? 0} lines` : `${view}, ${bytesAfter ?? 0} bytes`;
  return `${change} ${path} (${size})`;
}

const signs = { context: " ", added: "+", removed: "-" } as const;

function unified({ path, change, hunks, truncated }: TextDiff): string {
  const lines = [
    `--- ${change === "added" ? "/dev/null" : `a/${path}`}`,
    `+++ ${change === "deleted" ? "/dev/null" : `b/${path}`}`,
    ...hunks.flatMap(({ oldStart, oldLines, newStart, newLines, lines: of }) => [
      `@@ -${oldStart},${oldLines} +${newStart},${newLines} @@`,
      ...of.flatMap(({ kind, text, noNewline }) => [
        `${signs[kind]}${text}`,
        ...(noNewline === true ? ["\\ No newline at end of file"] : []),
      ]),
    ]),
    ...(truncated ? ["… the rest is left out."] : []),
  ];
  return `${lines.join("\n")}\n`;
}
