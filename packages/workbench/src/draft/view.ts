import type { Selectable } from "../rows.ts";
import { classifyText } from "../files/classify.ts";
import type { Manifest, ManifestEntry } from "../files/manifest.ts";

export type ChangeKind = "added" | "modified" | "deleted";

/** One path of the Draft that differs from the base. */
export interface DraftChange {
  readonly path: string;
  readonly change: ChangeKind;
  readonly before: ManifestEntry | undefined;
  /** Null for a deletion. */
  readonly sha256: string | null;
  readonly bytes: number;
  readonly confirmed: boolean;
  readonly runId: string | null;
  readonly revision: number;
  readonly at: string;
}

/** A file as the Draft shows it; `change` where it is not as in the base. */
export interface DraftFile {
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly mediaType: string;
  readonly opaque: boolean;
  /** Undefined for a file that was never published. */
  readonly fileId: string | undefined;
  readonly change?: "added" | "modified";
}

/**
 * The Draft over its base: the newest row of each path wins, and a row that says what the base says is no change. What kind
 * of change it is follows from the base alone, so that it stays true when the base moves under the Draft.
 */
export class DraftView {
  readonly base: Manifest;
  readonly changes: ReadonlyMap<string, DraftChange>;

  constructor(base: Manifest, rows: readonly Selectable<"draft_changes">[]) {
    this.base = base;
    const changes = new Map<string, DraftChange>();
    for (const row of rows.toSorted((a, b) => a.revision - b.revision)) {
      const before = base.byPath.get(row.path);
      const kind = changeKind(
        before?.sha256 ?? null,
        row.change === "reverted" ? (before?.sha256 ?? null) : row.sha256,
      );
      if (kind === undefined) {
        changes.delete(row.path);
        continue;
      }
      changes.set(row.path, {
        path: row.path,
        change: kind,
        before,
        sha256: row.sha256,
        bytes: row.bytes,
        confirmed: row.confirmed === 1,
        runId: row.run_id,
        revision: row.revision,
        at: row.at,
      });
    }
    this.changes = changes;
  }

  get(path: string): DraftFile | undefined {
    const change = this.changes.get(path);
    if (!change) return this.base.byPath.get(path);
    return change.sha256 === null ? undefined : draftFile(change, change.sha256);
  }

  /** Every file, sorted by path. */
  files(): DraftFile[] {
    if (this.changes.size === 0) return [...this.base.entries];
    const files: DraftFile[] = this.base.entries.filter((entry) => !this.changes.has(entry.path));
    for (const change of this.changes.values()) {
      if (change.sha256 !== null) files.push(draftFile(change, change.sha256));
    }
    return files.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  counts(): { added: number; modified: number; deleted: number } {
    const counts = { added: 0, modified: 0, deleted: 0 };
    for (const { change } of this.changes.values()) counts[change] += 1;
    return counts;
  }

  /** Sorted by path. */
  sortedChanges(): DraftChange[] {
    return [...this.changes.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  unconfirmedDeletions(): string[] {
    return this.sortedChanges()
      .filter((change) => change.change === "deleted" && !change.confirmed)
      .map((change) => change.path);
  }
}

function draftFile(change: DraftChange, sha256: string): DraftFile {
  const { path, bytes } = change;
  const kind = change.change === "added" ? "added" : "modified";
  // A Draft is written as text only (see `Drafts.write`), so its classification follows from the name.
  return { path, sha256, bytes, ...classifyText(path), fileId: change.before?.fileId, change: kind };
}

/** Undefined when both sides are the same. Null means absent. */
export function changeKind(before: string | null, after: string | null): ChangeKind | undefined {
  if (before === after) return undefined;
  if (before === null) return "added";
  return after === null ? "deleted" : "modified";
}
