import type { ReviewWarning } from "@benchtop/documents";
import type { DraftView } from "../draft/view.ts";
import { printable } from "../path/workbench-path.ts";
import { falseSeparatorIn, hiddenIn, mixedWordIn, skeletonOf } from "./spoofing.ts";

/** Names of a workbench that a person may take for others. */
export class SpoofedNames {
  readonly #view: DraftView;
  #bySkeleton: ReadonlyMap<string, readonly string[]> | undefined;

  constructor(view: DraftView) {
    this.#view = view;
  }

  /** Of one path of the view. */
  warningsOf(path: string): ReviewWarning[] {
    const messages: string[] = [];
    const hidden = hiddenIn(path);
    if (hidden !== undefined) messages.push(`The name holds ${hidden}.`);
    const separator = falseSeparatorIn(path);
    if (separator !== undefined)
      messages.push(`The name holds ${separator}, which looks like a separator and is none.`);
    const mixed = mixedWordIn(path);
    if (mixed) messages.push(`"${mixed.word}" in the name mixes letters of ${mixed.scripts}, which look alike.`);
    const [twin] = this.#lookingLike(path);
    if (twin !== undefined) messages.push(`The name looks like that of "${printable(twin)}", which is another file.`);
    return messages.map((message) => ({ kind: "spoofed-text", message, where: null }));
  }

  #lookingLike(path: string): string[] {
    this.#bySkeleton ??= Map.groupBy(this.#paths(), skeleton);
    return (this.#bySkeleton.get(skeleton(path)) ?? []).filter((other) => other !== path);
  }

  *#paths(): Generator<string> {
    for (const path of this.#view.base.byPath.keys()) if (!this.#view.changes.has(path)) yield path;
    for (const { path, sha256 } of this.#view.changes.values()) if (sha256 !== null) yield path;
  }
}

const known = new Map<string, string>();
const remembered = 50_000;

/** The names of a workbench are looked at again with each review of it. */
function skeleton(path: string): string {
  const before = known.get(path);
  if (before !== undefined) return before;
  const made = skeletonOf(path);
  if (known.size >= remembered) known.clear();
  known.set(path, made);
  return made;
}
