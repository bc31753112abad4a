import { dirname } from "node:path";
import type { Call } from "./shim.ts";

/**
 * The order of durability, read from the log of every call that one process made:
 *
 * 1. a file that is renamed into place was fsynced after its last write;
 * 2. a folder that is renamed into place holds no file that was written and not fsynced, and every folder of it whose
 *    entries changed was fsynced;
 * 3. after a rename, a link or a removal outside such a tree, the folder is fsynced before the next durable commit of
 *    the database, so that the database never says what the disk does not have.
 *
 * SQLite's own files follow SQLite's own rules and are left out, and so are files that only save work and are checked when
 * they are read. Where a rename came from is not asked for: a second name that survives is removed at start-up. One
 * sentence a violation.
 */
export function fsyncOrderViolations(calls: readonly Call[]): string[] {
  const state = new Unsynced();
  const violations: string[] = [];
  for (const call of calls) {
    if (call.result === undefined || call.result < 0 || isCache(call.path)) continue;
    if (isDatabase(call.path)) {
      if (isSync(call)) violations.push(...state.beforeCommit(call));
      continue;
    }
    if (call.call === "rename") violations.push(...state.beforeRename(call));
    state.take(call);
  }
  return violations;
}

/** What no fsync has covered yet. */
class Unsynced {
  readonly #content = new Map<string, Call>();
  readonly #entries = new Map<string, Call>();

  take(call: Call): void {
    switch (call.call) {
      case "fsync":
      case "fdatasync":
        this.#content.delete(call.path);
        this.#entries.delete(call.path);
        return;
      case "write":
      case "writev":
      case "pwrite":
      case "pwritev":
      case "sendfile":
      case "copy_file_range":
      case "ftruncate":
      case "open-truncate":
        this.#content.set(call.path, call);
        return;
      case "create":
        this.#content.set(call.path, call);
        this.#entries.set(dirname(call.path), call);
        return;
      case "mkdir":
        this.#entries.set(call.path, call);
        this.#entries.set(dirname(call.path), call);
        return;
      case "link":
        this.#entries.set(dirname(call.to), call);
        return;
      case "unlink":
        this.#content.delete(call.path);
        this.#entries.set(dirname(call.path), call);
        return;
      case "rmdir":
        this.#entries.delete(call.path);
        this.#entries.set(dirname(call.path), call);
        return;
      case "rename":
        move(this.#content, call.path, call.to);
        move(this.#entries, call.path, call.to);
        this.#entries.set(dirname(call.to), call);
    }
  }

  beforeRename(rename: Call): string[] {
    return [
      ...below(this.#content, rename.path).map(
        ([path, call]) => `${say(rename)}: ${path} is not fsynced after ${say(call)}`,
      ),
      ...below(this.#entries, rename.path).map(
        ([path, call]) => `${say(rename)}: the folder ${path} is not fsynced after ${say(call)}`,
      ),
    ];
  }

  beforeCommit(commit: Call): string[] {
    const moved = [...this.#entries].filter(([, call]) => call.call === "rename" || call.call === "link");
    return moved.map(([path, call]) => `commit ${say(commit)}: the folder ${path} is not fsynced after ${say(call)}`);
  }
}

function below(map: ReadonlyMap<string, Call>, root: string): [string, Call][] {
  return [...map].filter(([path]) => path === root || path.startsWith(`${root}/`));
}

function move(map: Map<string, Call>, from: string, to: string): void {
  for (const [path, call] of below(map, from)) {
    map.delete(path);
    map.set(to + path.slice(from.length), call);
  }
}

const isSync = (call: Call): boolean => call.call === "fsync" || call.call === "fdatasync";
const isDatabase = (path: string): boolean => /\.db(-wal|-shm|-journal)?$/.test(path);
/** What lies in `published`, as last seen; without it every file is hashed. And where the daemon listens; it removes the file at start. */
const isCache = (path: string): boolean => /\/(published\.stamps\.json|daemon\.json)(\.[^/]*)?$/.test(path);
const say = (call: Call): string => `#${call.n} ${call.call} ${call.path}${call.to ? ` → ${call.to}` : ""}`;
