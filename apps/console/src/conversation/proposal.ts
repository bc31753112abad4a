import type { EventOf, Json } from "@benchtop/protocol";
import type { FileChange } from "../files/tree.ts";
import { factsOf } from "./turn.ts";

export interface ProposedFile {
  readonly path: string;
  readonly change: FileChange;
  /** The model's own word on it. */
  readonly summary: string;
  /** Once it is in the Draft. */
  readonly bytes: number | undefined;
}

/** A proposal as the model made it, with what became of each file. It is a model's text: anything may be missing or of another type. */
export function readProposal(
  proposal: Json,
  changes: readonly EventOf<"DraftChanged">[],
): { readonly summary: string; readonly files: readonly ProposedFile[] } {
  const { summary, changes: proposed } = factsOf(proposal);
  const applied = new Map(changes.map((event) => [event.path, event]));
  const files = new Map<string, ProposedFile>();
  for (const each of Array.isArray(proposed) ? proposed : []) {
    const { path, action, summary: said } = factsOf(each);
    if (typeof path !== "string" || files.has(path)) continue;
    const change = applied.get(path);
    const planned = action === "delete" ? "deleted" : action === "edit" ? "modified" : "added";
    files.set(path, {
      path,
      change: change === undefined ? planned : changeOf(change),
      summary: typeof said === "string" ? said : "",
      bytes: change?.bytes,
    });
  }
  for (const change of changes) {
    if (files.has(change.path)) continue;
    files.set(change.path, { path: change.path, change: changeOf(change), summary: "", bytes: change.bytes });
  }
  return { summary: typeof summary === "string" ? summary : "", files: [...files.values()] };
}

/** A file that says again what is published is, for the reader, modified. */
function changeOf({ change }: EventOf<"DraftChanged">): FileChange {
  return change === "reverted" ? "modified" : change;
}
