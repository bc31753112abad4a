/**
 * Part of `npm install`: starts and stops a daemon once, in a folder that is thrown away, so that Node keeps the compiled
 * modules (`node_modules/.cache/compiled`). A person's first start is then as quick and small as every later one.
 * An install must not fail over this: what goes wrong is said in one line, and the first start compiles for itself.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const command = resolve(import.meta.dirname, "../apps/cli/bin/benchtop.js");
const folder = mkdtempSync(join(tmpdir(), "benchtop-warm-up-"));
const started = performance.now();

const problem = [["up", "--detach", "--json"], ["status"], ["down"]].map(run).find((problem) => problem !== "");
rmSync(folder, { recursive: true, force: true });

if (problem === undefined) console.log(`daemon: compiled in ${((performance.now() - started) / 1000).toFixed(1)} s`);
else console.log(`daemon: not compiled ahead (${problem}); the first start does it`);

/** Empty when the command succeeded, else what it said last. */
function run(words: readonly string[]): string {
  const { status, stderr, error } = spawnSync(process.execPath, [command, ...words], {
    env: { ...process.env, BENCHTOP_HOME: join(folder, "home"), BENCHTOP_PORT: "0", XDG_CONFIG_HOME: folder },
    encoding: "utf8",
    timeout: 60_000,
  });
  if (status === 0) return "";
  return error?.message ?? stderr.trim().split("\n").at(-1) ?? `status ${status}`;
}
