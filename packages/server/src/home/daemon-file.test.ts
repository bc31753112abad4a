import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readBootstrapToken } from "./bootstrap-token.ts";
import { removeDaemonFile } from "./daemon-file.ts";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "benchtop-home-"));
});
afterEach(() => rm(home, { recursive: true, force: true }));

test("a start removes the address of a killed daemon, and one that it had half written", async () => {
  for (const name of ["daemon.json", "daemon.json.tmp"]) await writeFile(join(home, name), "{");
  await removeDaemonFile(home);
  expect(await readdir(home)).toEqual([]);
});

test("a token that a killed daemon had half written is not taken, and not left", async () => {
  await writeFile(join(home, ".bootstrap-token.new"), "half");
  const { token } = await readBootstrapToken(home);
  expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(await readdir(home)).toEqual(["bootstrap-token"]);
});
