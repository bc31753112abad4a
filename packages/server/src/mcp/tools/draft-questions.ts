import type { Change, InputOf, Operations, TextDiff } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol";
import { benchOf, marks, noDraft, tooLong, type Asking, type Describe } from "./asking.ts";
import { inWords, listed, quoted } from "./shown.ts";

type Decision = InputOf<Operations["draft.decide"]>["decisions"][number];
type Stretch = TextDiff["hunks"][number]["stretches"][number];

/** What is lost comes first: nobody is to overlook it below what is not. */
const order = ["reject", "undecide", "accept"] as const;
const says = { reject: "Reject, which is lost:", undecide: "Accepted no more:", accept: "Accept:" } as const;
/** Each of them is read to tell which lines are meant. */
const maxFilesByHunks = 20;

/**
 * Accepting says that a person has looked, so that nobody else can: they are told which files and lines are meant, and of
 * which of them the change is lost. A file that is another one by now is not asked about.
 */
export const askToDecide: Describe = async (asking) => {
  const { input, caller, signal } = asking;
  const { workbenchId, name } = await benchOf(input, caller, signal);
  const { draft, changes } = await caller.call("review.getChangeSet", { workbenchId }, signal);
  if (!draft.exists || draft.draftId === null) throw noDraft("decide on");
  const decisions = input["decisions"] as readonly Decision[];
  const hunks = new HunkLines(asking, workbenchId);
  const lines: string[] = [];
  for (const kind of order) {
    for (const decision of decisions.filter((each) => each.decision === kind)) {
      const change = changeOf(workbenchId, changes, decision);
      const part = decision.hunks === undefined ? "" : `, ${await hunks.named(change.path, decision.hunks)}`;
      lines.push(`${says[kind]} ${marks[change.change]} ${inWords(change.path)}${part}`);
    }
  }
  const rejected = decisions.some(({ decision }) => decision === "reject");
  const accepted = decisions.some(({ decision }) => decision === "accept");
  return {
    title: `Decide on changes in the Draft of the workbench ${quoted(name)} (revision ${draft.revision})?`,
    lines: [
      ...listed(lines),
      ...(rejected ? ["What is rejected leaves the Draft for good."] : []),
      ...(accepted ? ["What is accepted is marked as looked at, in your name. Nothing is published by it."] : []),
    ],
    // Each decision names the content that it was taken on.
    pinned: { ...input, workbenchId, draftId: draft.draftId },
  };
};

function changeOf(workbenchId: string, changes: readonly Change[], { path, sha256 }: Decision): Change {
  const change = changes.find((each) => each.path === path);
  if (change !== undefined && change.sha256After === sha256) return change;
  throw changedSince(workbenchId, "A file is not in the Draft as it is named here. Look at the changes again.");
}

/** Which lines the ids of hunks mean. */
class HunkLines {
  readonly #asking: Asking;
  readonly #workbenchId: string;
  readonly #read = new Map<string, readonly Stretch[]>();

  constructor(asking: Asking, workbenchId: string) {
    this.#asking = asking;
    this.#workbenchId = workbenchId;
  }

  async named(path: string, ids: readonly string[]): Promise<string> {
    const all = await this.#stretches(path);
    const meant = new Set(ids.flatMap((id) => this.#meant(all, id)));
    const lines = all.filter((stretch) => meant.has(stretch)).map(linesOf);
    if (lines.length > maxLines) throw tooLong({ stretches: lines.length, limit: maxLines });
    return lines.join(", ");
  }

  /** The id of one stretch, or `first..last`, as `Hunk` has it. */
  #meant(all: readonly Stretch[], id: string): readonly Stretch[] {
    const [first = "", last = first, ...more] = id.split("..");
    const from = all.findIndex((stretch) => stretch.id === first);
    const to = all.findIndex((stretch) => stretch.id === last);
    if (more.length === 0 && from >= 0 && to >= from) return all.slice(from, to + 1);
    throw changedSince(this.#workbenchId, "A hunk is not there as it is named here. Look at the differences again.");
  }

  async #stretches(path: string): Promise<readonly Stretch[]> {
    const known = this.#read.get(path);
    if (known !== undefined) return known;
    if (this.#read.size === maxFilesByHunks)
      throw tooLong({ filesByHunks: maxFilesByHunks + 1, limit: maxFilesByHunks });
    const { caller, signal } = this.#asking;
    const input = { workbenchId: this.#workbenchId, path, contextLines: 0 };
    const diff = await caller.call("review.getTextDiff", input, signal);
    const stretches = diff.hunks.flatMap((hunk) => hunk.stretches);
    this.#read.set(path, stretches);
    return stretches;
  }
}

const maxLines = 40;

function linesOf({ oldStart, oldLines, newStart, newLines }: Stretch): string {
  if (newLines === 0) return `what it removes: ${range(oldStart, oldLines)} as published`;
  return range(newStart, newLines);
}

function range(start: number, count: number): string {
  return count === 1 ? `line ${start}` : `lines ${start}–${start + count - 1}`;
}

function changedSince(workbenchId: string, message: string): BenchtopError {
  return new BenchtopError("CONFLICT_PUBLISHED_CHANGED", message, {
    phase: "review",
    subphase: "draft_changed",
    actions: ["review_draft"],
    workbenchId,
  });
}
