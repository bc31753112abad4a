import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { writeGguf, type GgufContent } from "../src/gguf/write.ts";

/** A folder of its own for a test file; what is in it, and which processes work for it. */
export interface TestFolder extends Disposable {
  readonly path: string;
  at(name: string): string;
  /** Names of what lies there, hidden files too. */
  names(): string[];
  write(name: string, content: GgufContent): Promise<string>;
}

// The processes that tests start compile the same files again and again.
process.env["NODE_COMPILE_CACHE"] ??= join(tmpdir(), "benchtop-test-compiled");

export function testFolder(): TestFolder {
  const path = mkdtempSync(join(tmpdir(), "benchtop-quantize-"));
  const at = (name: string): string => join(path, name);
  return {
    path,
    at,
    names: () => readdirSync(path).toSorted(),
    async write(name, content) {
      await writeGguf(at(name), content);
      return at(name);
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

export const never = new AbortController().signal;

/** Processes that `parent` started whose main file is `script`. Linux alone tells. */
export function childrenOf(parent: number, script: string): number[] {
  return processes().filter((pid) => {
    const [, parentPid] = /\) \S (\d+) /.exec(read(`/proc/${pid}/stat`)) ?? [];
    return Number(parentPid) === parent && argumentsOf(pid).some((argument) => basename(argument) === script);
  });
}

export function isRunning(pid: number): boolean {
  return !["", "Z"].includes(/\) (\S) /.exec(read(`/proc/${pid}/stat`))?.[1] ?? "");
}

function processes(): number[] {
  return readdirSync("/proc").flatMap((name) =>
    /^\d+$/.test(name) && links(`/proc/${name}/exe`) ? [Number(name)] : [],
  );
}

function argumentsOf(pid: number): string[] {
  return read(`/proc/${pid}/cmdline`).split("\0");
}

/** It may end at any moment. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Threads of the kernel have no program. */
function links(path: string): boolean {
  try {
    return readlinkSync(path) !== "";
  } catch {
    return false;
  }
}
