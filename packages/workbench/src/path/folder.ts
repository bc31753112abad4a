import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  type BigIntStats,
} from "node:fs";
import { join } from "node:path";

/**
 * True where a path can be resolved below an open directory: Linux with `/proc`. A folder that another program swaps for
 * a symlink is then no danger, because its name is never looked up again. Elsewhere `Folder.at` checks, each time, that
 * the folder's path still names the very same directory and holds no link; that leaves a gap of microseconds.
 */
const anchored = process.platform === "linux" && existsSync("/proc/self/fd");
const openDirectory = constants.O_RDONLY | (constants.O_DIRECTORY ?? 0) | (constants.O_NOFOLLOW ?? 0);

/** An open directory. Nothing below it is reached through a symlink. Synchronous: for worker threads only. */
export class Folder {
  readonly #descriptor: number;
  readonly #path: string;
  readonly #identity: BigIntStats;

  private constructor(path: string, open: string) {
    this.#descriptor = openSync(open, openDirectory);
    this.#path = path;
    this.#identity = fstatSync(this.#descriptor, { bigint: true });
  }

  /** Opens a trusted absolute path. Its last part must be a directory and no symlink (`ENOTDIR`, `ELOOP`). */
  static open(path: string): Folder {
    return new Folder(path, path);
  }

  /** A path by which the entry `name` of this very directory can be used in one system call. */
  at(name: string): string {
    if (anchored) return `/proc/self/fd/${this.#descriptor}/${name}`;
    const now = lstatSync(this.#path, { bigint: true });
    if (!now.isDirectory() || now.ino !== this.#identity.ino || realpathSync(this.#path) !== this.#path) {
      throw Object.assign(new Error(`${this.#path} was replaced while it was in use`), { code: "ELOOP" });
    }
    return join(this.#path, name);
  }

  child(name: string): Folder {
    return new Folder(join(this.#path, name), this.at(name));
  }

  /** The child folder, made when it is missing. */
  makeChild(name: string): Folder {
    try {
      mkdirSync(this.at(name), 0o755);
    } catch (thrown) {
      if (codeOf(thrown) !== "EEXIST") throw thrown;
    }
    return this.child(name);
  }

  names(): string[] {
    return readdirSync(anchored ? `/proc/self/fd/${this.#descriptor}` : this.at("."));
  }

  stat(name: string): BigIntStats {
    return lstatSync(this.at(name), { bigint: true });
  }

  /** Where this very directory lies now, without a link in the path; it may have been moved since it was opened. */
  real(): string {
    return anchored ? readlinkSync(`/proc/self/fd/${this.#descriptor}`) : realpathSync(this.at("."));
  }

  get device(): bigint {
    return this.#identity.dev;
  }

  /** Makes the directory's entries durable. */
  sync(): void {
    fsyncSync(this.#descriptor);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/**
 * Folders below a root, opened as a path is walked and closed as it is left. Paths that come sorted open each folder once.
 */
export class FolderStack {
  readonly #open: { name: string; folder: Folder }[] = [];
  readonly #root: Folder;

  constructor(root: Folder) {
    this.#root = root;
  }

  /** The folder that holds the file `path`, and the file's name in it. */
  holding(path: string, missing: "fail" | "make"): { folder: Folder; name: string } {
    const parts = path.split("/");
    const name = parts.pop() ?? "";
    let shared = 0;
    while (shared < this.#open.length && shared < parts.length && this.#open[shared]?.name === parts[shared])
      shared += 1;
    this.#closeFrom(shared);
    for (const part of parts.slice(shared)) {
      const parent = this.#open.at(-1)?.folder ?? this.#root;
      this.#open.push({ name: part, folder: missing === "make" ? parent.makeChild(part) : parent.child(part) });
    }
    return { folder: this.#open.at(-1)?.folder ?? this.#root, name };
  }

  close(): void {
    this.#closeFrom(0);
  }

  #closeFrom(depth: number): void {
    for (const { folder } of this.#open.splice(depth).toReversed()) folder.close();
  }
}

/** Opens for reading without following a link and without waiting for the other end of a FIFO. */
export const openForReading = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

export function codeOf(thrown: unknown): string {
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  return typeof code === "string" ? code : "";
}
