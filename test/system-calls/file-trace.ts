import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

/** A call that changes a file, a name or who may do what with it. */
export interface FileChange {
  /** Seconds since 1970. */
  readonly at: number;
  readonly call: string;
  /** What it names, absolute; two for a rename or a link. */
  readonly paths: readonly string[];
}

const opening = ["open", "openat", "openat2", "creat"];
const changing = [
  ["rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat"],
  ["mkdir", "mkdirat", "rmdir", "mknod", "mknodat", "truncate", "ftruncate", "fallocate", "copy_file_range"],
  ["chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "utimensat", "setxattr"],
].flat();
const closing = ["close", "dup2", "dup3"];

/** Starts Node with this script under strace, for `readFileChanges` once it has ended. */
export function startFileTraced(
  script: string,
  words: readonly string[],
  file: string,
  options: { readonly env: NodeJS.ProcessEnv; readonly cwd: string },
): ChildProcess {
  const calls = [...opening, ...changing, ...closing].map((call) => `?${call}`);
  const seen = [
    "-f",
    "-qq",
    "--seccomp-bpf",
    "-y",
    "-ttt",
    "-s",
    "4096",
    "-e",
    `trace=${calls.join(",")},io_uring_setup`,
  ];
  // A ring would carry calls past strace. Node does without one where the kernel has none.
  const tracing = [...seen, "-e", "inject=io_uring_setup:error=ENOSYS", "-o", file];
  return spawn("strace", [...tracing, "--", process.execPath, script, ...words], {
    ...options,
    stdio: ["ignore", "pipe", "inherit"],
  });
}

/** Every change that was tried, in order. Opening a file for writing is one, whether anything is written or not. */
export function readFileChanges(file: string): FileChange[] {
  const changes: FileChange[] = [];
  const begun = new Map<string, { text: string; at: number }>();
  /** What the descriptors of the process name now: Benchtop reaches files below a folder through them. */
  const open = new Map<string, string>();
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const [, pid = "", time = "", rest = ""] = /^(\d+)\s+(\d+\.\d+) (.*)$/.exec(line) ?? [];
    const first = /^(.*) <unfinished \.\.\.>$/.exec(rest)?.[1];
    if (first !== undefined) {
      begun.set(pid, { text: first, at: Number(time) });
      // What it names has to be understood now: the descriptor may name something else when it returns.
      take(first, Number(time));
      continue;
    }
    const second = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)?.[1];
    const text = second === undefined ? rest : (begun.get(pid)?.text ?? "") + second;
    if (second === undefined) take(text, Number(time));
    begun.delete(pid);
    const [, descriptor = "", path = ""] = / = (\d+)<(.*)>$/.exec(text) ?? [];
    if (descriptor !== "" && opening.some((call) => text.startsWith(`${call}(`))) open.set(descriptor, unescaped(path));
  }
  return changes;

  function take(text: string, at: number): void {
    const [, call = "", words = ""] = /^(\w+)\((.*)$/.exec(text) ?? [];
    if (
      opening.includes(call)
        ? !/O_WRONLY|O_RDWR|O_CREAT|O_TRUNC/.test(words) && call !== "creat"
        : !changing.includes(call)
    )
      return;
    changes.push({ at, call, paths: pathsIn(words, open) });
  }
}

/** The names that a call gives, each below the descriptor before it; and the files that it changes by descriptor alone. */
function pathsIn(words: string, open: ReadonlyMap<string, string>): string[] {
  const paths: string[] = [];
  let base = "/";
  let bare: string | undefined;
  for (const [, folder, quoted] of words.matchAll(/(?:\d+|AT_FDCWD)<((?:[^>\\]|\\.)*)>|"((?:[^"\\]|\\.)*)"/g)) {
    if (folder !== undefined) {
      base = bare = unescaped(folder);
      continue;
    }
    const name = unescaped(quoted ?? "");
    const [, descriptor = "", below = ""] = /^\/proc\/(?:self|\d+)\/fd\/(\d+)(.*)$/.exec(name) ?? [];
    paths.push(descriptor === "" ? resolve(base, name) : `${open.get(descriptor) ?? `?${descriptor}`}${below}`);
    bare = undefined;
  }
  return bare === undefined ? paths : [...paths, bare];
}

/** As strace writes what is no printable ASCII. */
function unescaped(text: string): string {
  const bytes = [...text.matchAll(/\\([0-7]{1,3})|\\(.)|([^\\])/gsu)].map(([, octal, escaped, plain]) =>
    octal === undefined ? Buffer.from(escaped ?? plain ?? "") : Buffer.from([Number.parseInt(octal, 8)]),
  );
  return Buffer.concat(bytes).toString("utf8");
}
