import type { Selectable } from "../rows.ts";
import { classifyText, type Classification } from "../files/classify.ts";
import type { Manifest, ManifestEntry } from "../files/manifest.ts";

export type ChangeKind = "added" | "modified" | "deleted";

/** One path of the Draft that differs from the base. `mediaType` and `opaque` are those of the side that is left. */
export interface DraftChange extends Classification {
  readonly path: string;
  readonly change: ChangeKind;
  readonly before: ManifestEntry | undefined;
  /** Null for a deletion. */
  readonly sha256: string | null;
  readonly bytes: number;
  readonly confirmed: boolean;
  readonly runId: string | null;
  /** What that run said of its change. */
  readonly summary: string | null;
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
 * of change it is follows from the base alone, so that it stays true when the base moves under the Draft. Never changes.
 */
export class DraftView {
  readonly base: Manifest;
  readonly changes: ReadonlyMap<string, DraftChange>;
  #size: { files: number; bytes: number } | undefined;

  constructor(
    base: Manifest,
    rows: readonly Selectable<"draft_changes">[],
    on: ReadonlyMap<string, DraftChange> = none,
  ) {
    this.base = base;
    const changes = new Map(on);
    for (const row of rows.toSorted((a, b) => a.revision - b.revision)) {
      const change = changeOf(row, base.byPath.get(row.path), changes.get(row.path));
      if (change) changes.set(row.path, change);
      else changes.delete(row.path);
    }
    this.changes = changes;
  }

  /** The same with newer rows. */
  with(rows: readonly Selectable<"draft_changes">[]): DraftView {
    return new DraftView(this.base, rows, this.changes);
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

  /** Files and bytes of all together. */
  get size(): { readonly files: number; readonly bytes: number } {
    if (this.#size) return this.#size;
    let { totalBytes: bytes } = this.base;
    let files = this.base.entries.length;
    for (const change of this.changes.values()) {
      bytes += change.bytes - (change.before?.bytes ?? 0);
      if (change.change === "added") files += 1;
      if (change.change === "deleted") files -= 1;
    }
    return (this.#size = { files, bytes });
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

const none: ReadonlyMap<string, DraftChange> = new Map();

/** What a row makes of a path; undefined where it says what the base says. */
function changeOf(
  row: Selectable<"draft_changes">,
  before: ManifestEntry | undefined,
  previous: DraftChange | undefined,
): DraftChange | undefined {
  const base = before?.sha256 ?? null;
  const change = changeKind(base, row.change === "reverted" ? base : row.sha256);
  if (change === undefined) return undefined;
  const goesOn = row.run_id !== null && previous?.runId === row.run_id;
  return {
    path: row.path,
    change,
    before,
    sha256: row.sha256,
    bytes: row.bytes,
    ...classificationOf(row, before),
    confirmed: row.confirmed === 1,
    runId: row.run_id,
    // A run that said why once, and goes on with the same file, has not taken it back.
    summary: row.run_id === null ? null : (row.summary ?? (goesOn ? previous.summary : null)),
    revision: row.revision,
    at: row.at,
  };
}

function classificationOf(row: Selectable<"draft_changes">, before: ManifestEntry | undefined): Classification {
  if (row.sha256 === null && before) return { mediaType: before.mediaType, opaque: before.opaque };
  if (row.media_type === null) return classifyText(row.path);
  return { mediaType: row.media_type, opaque: row.opaque === 1 };
}

function draftFile(change: DraftChange, sha256: string): DraftFile {
  const { path, bytes, mediaType, opaque, before } = change;
  const kind = change.change === "added" ? "added" : "modified";
  return { path, sha256, bytes, mediaType, opaque, fileId: before?.fileId, change: kind };
}

/** Undefined when both sides are the same. Null means absent. */
export function changeKind(before: string | null, after: string | null): ChangeKind | undefined {
  if (before === after) return undefined;
  if (before === null) return "added";
  return after === null ? "deleted" : "modified";
}
