import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { Home } from "./e2e/home.ts";
import { startModelServer } from "./model-server.ts";

/** docs/quickstart.md is run as it is written: its `sh` blocks, one after another, in one shell and a fresh home. */

const root = resolve(import.meta.dirname, "..");
const document = readFileSync(join(root, "docs/quickstart.md"), "utf8");

test("HX every command of the quickstart works, in the order in which a reader types them", async () => {
  await using home = await Home.create();
  await using server = await startModelServer();
  const script = join(home.folder, "quickstart.sh");
  writeFileSync(
    script,
    ["set -euo pipefail", "shopt -s expand_aliases", "set -x", ...shellBlocks(document)].join("\n"),
  );

  const { status, stdout, stderr } = await runShell(script, home, { MODEL_URL: server.url, MODEL_NAME: "gpt-5.2" });
  expect(`${stdout}\n${stderr}`.split("\n").slice(-30).join("\n")).not.toContain("✗");
  expect(status).toBe(0);

  expect(stdout).toContain("local answers in");
  expect(stdout).toContain("-Total,1610,1705\n+Total,1610,1695\n");
  expect(stdout).toContain("✓ Published budget: 1 added, 1 modified.");
  expect(stdout).toMatch(/✓ \d+ journals, \d+ events: whole and unchanged\./);
  expect(readFileSync(join(home.files, "result/summary.md"), "utf8")).toContain("# Summary");
  expect(server.requests.length).toBeGreaterThan(5);
});

/** Blocks marked `sh`. Blocks without a language are what a reader does elsewhere, or instead. */
function shellBlocks(markdown: string): string[] {
  return [...markdown.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = ""]) => block);
}

/** Bash with the clone's own `npx benchtop`: a stand-in `npx` that needs no working directory in the clone. */
async function runShell(script: string, home: Home, env: NodeJS.ProcessEnv) {
  const bin = join(home.folder, "bin");
  mkdirSync(bin);
  const command = join(root, "apps/cli/bin/benchtop.js");
  writeFileSync(join(bin, "npx"), `#!/bin/sh\nshift\nexec "${process.execPath}" "${command}" "$@"\n`);
  chmodSync(join(bin, "npx"), 0o755);
  const child = spawn("bash", [script], {
    cwd: home.files,
    env: { ...home.env, ...env, PATH: `${bin}:${process.env["PATH"]}` },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
  const status = await new Promise<number>((done) => child.once("close", (code) => done(code ?? 1)));
  return { status, stdout, stderr };
}
