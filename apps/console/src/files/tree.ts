import type { FileEntry } from "@benchtop/operations";

export type FileChange = "added" | "modified" | "deleted";

/** One visible line of the files panel. */
export interface TreeRow {
  readonly kind: "folder" | "file";
  readonly path: string;
  readonly name: string;
  readonly depth: number;
  readonly open: boolean;
  readonly bytes: number;
  /** How many files lie below a folder. */
  readonly files: number;
  readonly change: FileChange | undefined;
}

interface Folder {
  readonly folders: Map<string, Folder>;
  readonly files: { name: string; path: string; bytes: number; change: FileChange | undefined }[];
  count: number;
  bytes: number;
  changed: boolean;
}

/** The lines of a tree of files: folders first, then files, each by name; what lies in closed folders is left out. */
export function treeRows(
  entries: readonly Pick<FileEntry, "path" | "bytes" | "change">[],
  changes: ReadonlyMap<string, FileChange>,
  closed: ReadonlySet<string>,
): TreeRow[] {
  const root = emptyFolder();
  for (const { path, bytes, change } of entries) place(root, path, bytes, changes.get(path) ?? change);
  const present = new Set(entries.map(({ path }) => path));
  for (const [path, change] of changes) if (change === "deleted" && !present.has(path)) place(root, path, 0, change);
  const rows: TreeRow[] = [];
  list(root, "", 0, closed, rows);
  return rows;
}

function emptyFolder(): Folder {
  return { folders: new Map(), files: [], count: 0, bytes: 0, changed: false };
}

function place(root: Folder, path: string, bytes: number, change: FileChange | undefined): void {
  const parts = path.split("/");
  const name = parts.pop() ?? path;
  let folder = root;
  for (const part of parts) {
    let next = folder.folders.get(part);
    if (next === undefined) folder.folders.set(part, (next = emptyFolder()));
    folder = next;
    folder.count++;
    folder.bytes += bytes;
    folder.changed ||= change !== undefined;
  }
  folder.files.push({ name, path, bytes, change });
}

function list(folder: Folder, prefix: string, depth: number, closed: ReadonlySet<string>, rows: TreeRow[]): void {
  for (const [name, child] of [...folder.folders].sort(([a], [b]) => compareNames(a, b))) {
    const path = prefix + name;
    const open = !closed.has(path);
    rows.push({
      kind: "folder",
      path,
      name,
      depth,
      open,
      bytes: child.bytes,
      files: child.count,
      change: child.changed ? "modified" : undefined,
    });
    if (open) list(child, `${path}/`, depth + 1, closed, rows);
  }
  for (const file of folder.files.sort((a, b) => compareNames(a.name, b.name))) {
    rows.push({ kind: "file", ...file, depth, open: false, files: 1 });
  }
}

const collator = new Intl.Collator("en", { numeric: true });
function compareNames(a: string, b: string): number {
  return collator.compare(a, b);
}
