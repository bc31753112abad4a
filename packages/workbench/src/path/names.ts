import { refusal, twinKey, type WorkbenchPath } from "./workbench-path.ts";

interface Taken {
  readonly path: string;
  readonly kind: "file" | "folder";
}

/**
 * The names that a set of files takes, folders included, compared as the least discerning file system would.
 * Two files whose names differ only by case or normalisation cannot both be in a workbench, at any folder level.
 */
export class Names {
  readonly #taken = new Map<string, Taken>();

  constructor(paths: Iterable<string> = []) {
    for (const path of paths) this.claim(path);
  }

  /** Takes a path, or throws `VALIDATION_FAILED` naming what stands in its way. A path that is there already is fine. */
  add(path: WorkbenchPath): void {
    const conflict = this.conflictOf(path);
    if (conflict !== undefined) throw refusal("VALIDATION_FAILED", path, conflict);
    this.claim(path);
  }

  /** What stands in the way of a path; undefined where nothing does. */
  conflictOf(path: string): string | undefined {
    for (const folder of foldersOf(path)) {
      const other = this.#taken.get(twinKey(folder));
      if (!other) continue;
      if (other.kind === "file") return `"${other.path}" is a file, not a folder. Choose another name`;
      if (other.path !== folder) return twin(`the folder "${other.path}"`);
    }
    const other = this.#taken.get(twinKey(path));
    if (!other) return undefined;
    if (other.kind === "folder") return `"${other.path}" is a folder. Choose another name`;
    return other.path === path ? undefined : twin(`"${other.path}"`);
  }

  /** Takes a path whatever stands in its way. */
  claim(path: string): void {
    for (const folder of foldersOf(path)) {
      const key = twinKey(folder);
      if (!this.#taken.has(key)) this.#taken.set(key, { path: folder, kind: "folder" });
    }
    this.#taken.set(twinKey(path), { path, kind: "file" });
  }
}

/** Throws `VALIDATION_FAILED` when one of some paths collides with another of `all`, which they are among. */
export function refuseTaken(all: Iterable<string>, paths: readonly WorkbenchPath[]): void {
  const fresh = new Set<string>(paths);
  const names = new Names([...all].filter((path) => !fresh.has(path)));
  for (const path of paths) names.add(path);
}

function twin(other: string): string {
  return `${other} exists and differs only by case or by how its characters are composed. Use its exact spelling, or another name`;
}

/** `a/b/c.txt` → `a`, `a/b`. */
export function foldersOf(path: string): string[] {
  const folders: string[] = [];
  for (let at = path.indexOf("/"); at !== -1; at = path.indexOf("/", at + 1)) folders.push(path.slice(0, at));
  return folders;
}
