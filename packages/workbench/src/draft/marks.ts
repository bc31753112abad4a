import type { Database } from "../environment.ts";
import type { DraftChange } from "./view.ts";

type Marked = Pick<DraftChange, "path" | "sha256">;

/** What a person accepted of a Draft. A mark counts while the file has the content that it was made for. */
export class Marks {
  readonly #hunks: ReadonlyMap<string, readonly { hunk: string; sha256: string | null }[]>;

  constructor(rows: readonly { path: string; hunk: string; sha256: string | null }[]) {
    this.#hunks = Map.groupBy(rows, ({ path }) => path);
  }

  /** Ids of stretches; the empty one is the whole file. */
  hunks({ path, sha256 }: Marked): string[] {
    const marks = this.#hunks.get(path) ?? [];
    return marks.filter((mark) => mark.sha256 === sha256).map((mark) => mark.hunk);
  }
}

/** Whether the whole file is. */
export function isAccepted(marks: Marks, change: Marked): boolean {
  return marks.hunks(change).includes("");
}

/** The marks of some paths, or only those of whole files where no path is named. */
export async function marksOf(db: Database, draftId: string, paths?: readonly string[]): Promise<Marks> {
  const all = db.selectFrom("draft_decisions").select(["path", "hunk", "sha256"]).where("draft_id", "=", draftId);
  if (!paths) return new Marks(await all.where("hunk", "=", "").execute());
  const rows = [];
  for (let from = 0; from < paths.length; from += 500) {
    rows.push(...(await all.where("path", "in", paths.slice(from, from + 500)).execute()));
  }
  return new Marks(rows);
}
