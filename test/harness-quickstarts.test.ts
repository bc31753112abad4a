import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

/** Each page of docs/harness/quickstart is run as it is written: its `sh` blocks, one after another, as in the clone. */

const root = resolve(import.meta.dirname, "..");
const pages = join(root, "docs/harness/quickstart");

/** What a reader sees, page by page. */
const shown: Record<string, readonly string[]> = {
  "reliability.md": ["fallback, loopback is next", "attempt 2\nNETWORK_UNAVAILABLE: "],
  "memory.md": [
    "(remembered: Ada's favourite tea",
    "user: My name is Ada.\nassistant: So you say.\nuser: I live in Bern.\nassistant: So you say.\n",
  ],
  "gates.md": ["send_mail: denied", "short-answers (shadow): deny\nA workbench is", "(enforcing): deny\nPOLICY_DENIED"],
  "replay-and-undo.md": [
    "replayed: identical, ",
    "killed, as intended",
    "resumed: One, two, three.\nreplayed: identical\nforked: Three, two, one.\n",
  ],
};

test.for(readdirSync(pages))(
  "HX every command of the quickstart %s works, in the order in which a reader types them",
  { timeout: 180_000 },
  async (page) => {
    const folder = mkdtempSync(join(tmpdir(), "benchtop-quickstart-"));
    try {
      for (const name of ["node_modules", "examples", "packages"])
        symlinkSync(join(root, name), join(folder, name), "junction");
      const markdown = readFileSync(join(pages, page), "utf8");
      const blocks = [...markdown.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = ""]) => block);
      writeFileSync(join(folder, "page.sh"), ["set -euo pipefail", ...blocks].join("\n"));
      const { code, stdout, stderr } = await bash(folder);
      expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
      for (const text of shown[page] ?? [`what ${page} should print`]) expect(stdout).toContain(text);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);

async function bash(folder: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const path = `${resolve(process.execPath, "..")}:${process.env["PATH"]}`;
  const child = spawn("bash", ["page.sh"], { cwd: folder, env: { ...process.env, PATH: path } });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
  const code = await new Promise<number>((done) => child.once("close", (status) => done(status ?? 1)));
  return { code, stdout, stderr };
}
