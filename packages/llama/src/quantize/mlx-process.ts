/** A process that has Python quantize a model for MLX, and hashes what went in and what came out. */
import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { open, readdir, stat, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { BenchtopError } from "@benchtop/protocol/errors";
import { serveNativeTask } from "../ffi/native-process.ts";
import { codeOf } from "./partial-output.ts";

export interface MlxTask {
  readonly input: {
    readonly python: string;
    readonly sourcePath: string;
    readonly partialPath: string;
    readonly bits: number;
    readonly groupSize: number;
    readonly environment: Readonly<Record<string, string>>;
  };
  /** A line of what `mlx_lm` says. */
  readonly progress: { readonly line: string };
  readonly result: { readonly source: readonly FolderFile[]; readonly output: readonly FolderFile[] };
}

export interface FolderFile {
  /** Below the folder. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

let running: ChildProcess | undefined;

serveNativeTask<MlxTask>(convert, ({ partialPath }) => {
  endPython();
  rmSync(partialPath, { recursive: true, force: true });
});

/** With all that Python started: it is a process group of its own. */
function endPython(): void {
  if (running?.pid === undefined) return;
  try {
    process.kill(process.platform === "win32" ? running.pid : -running.pid, "SIGKILL");
  } catch (cause) {
    // It ended just now.
    if (codeOf(cause) !== "ESRCH") throw cause;
  }
}

async function convert(
  input: MlxTask["input"],
  report: (progress: MlxTask["progress"]) => void,
): Promise<MlxTask["result"]> {
  const source = await filesOf(input.sourcePath);
  await runPython(input, report);
  return { source, output: await filesOf(input.partialPath, "durable") };
}

async function runPython(input: MlxTask["input"], report: (progress: MlxTask["progress"]) => void): Promise<void> {
  const { python, sourcePath, partialPath, bits, groupSize, environment } = input;
  const child = spawn(
    python,
    [
      "-m",
      "mlx_lm.convert",
      "--hf-path",
      sourcePath,
      "--mlx-path",
      partialPath,
      "--quantize",
      "--q-bits",
      String(bits),
      "--q-group-size",
      String(groupSize),
    ],
    { env: environment, stdio: ["ignore", "pipe", "pipe"], detached: process.platform !== "win32" },
  );
  running = child;
  let last = "";
  for (const stream of [child.stdout, child.stderr]) {
    let rest = "";
    stream.setEncoding("utf8").on("data", (text: string) => {
      // Bars of progress are drawn over and over in one line.
      const lines = (rest + text).split(/[\r\n]+/);
      rest = (lines.pop() ?? "").slice(-1000);
      for (const each of lines) {
        const line = each
          .replace(/\p{Cc}+/gu, " ")
          .trim()
          .slice(0, 300);
        if (line === "") continue;
        last = line;
        report({ line });
      }
    });
  }
  const status = await new Promise<number | NodeJS.Signals | null>((settle, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => settle(signal ?? code));
  });
  running = undefined;
  if (status === 0) return;
  throw new BenchtopError(
    "TOOL_FAILED",
    `mlx_lm could not convert the model (${status}): ${last || "it said nothing"}`,
    {
      phase: "job",
      detail: { exit: status },
    },
  );
}

/** `durable` puts them on disk. */
async function filesOf(folder: string, durable?: "durable"): Promise<FolderFile[]> {
  const files: FolderFile[] = [];
  for (const path of (await readdir(folder, { recursive: true })).toSorted()) {
    // Follows links: Hugging Face's cache is made of them.
    if (!(await stat(join(folder, path))).isFile()) continue;
    const file = await open(join(folder, path), "r");
    try {
      if (durable) await file.sync();
      files.push({ path, ...(await hashOf(file)) });
    } finally {
      await file.close();
    }
  }
  return files;
}

async function hashOf(file: FileHandle): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const part of file.createReadStream({ highWaterMark: 2 ** 20, autoClose: false })) {
    bytes += (part as Buffer).length;
    hash.update(part as Buffer);
  }
  return { bytes, sha256: hash.digest("hex") };
}
