import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchtop-proto-"));
  await cp(join(root, "proto"), folder, { recursive: true });
});
afterEach(() => rm(folder, { recursive: true }));

/** What buf says of the folder against the released interface; empty when it has nothing to say. */
async function complaints(): Promise<string> {
  const buf = join(root, "node_modules", ".bin", "buf");
  const options = ["breaking", "--against", join(root, "proto", "released.binpb")];
  return await promisify(execFile)(buf, options, { cwd: folder }).then(
    () => "",
    ({ stdout }: { stdout: string }) => stdout,
  );
}

async function change(file: string, from: string, to: string): Promise<void> {
  const path = join(folder, "benchtop", "v1", file);
  const text = await readFile(path, "utf8");
  expect(text).toContain(from);
  await writeFile(path, text.replace(from, to));
}

test("P1.4 what is here breaks no client of what was released", async () => {
  expect(await complaints()).toBe("");
});

test("P1.4 a number that is given to another field, and a field that is gone without a trace, are found", async () => {
  await change(
    "runs.proto",
    "message RunsAbortRequest {\n  string run_id = 1;",
    "message RunsAbortRequest {\n  int64 run_id = 1;",
  );
  expect(await complaints()).toMatch(/run_id.*changed type from "string" to "int64"/);
  await change("runs.proto", "message RunsAbortRequest {\n  int64 run_id = 1;", "message RunsAbortRequest {");
  expect(await complaints()).toContain('"1"');
});
