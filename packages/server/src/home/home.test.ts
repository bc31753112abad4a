import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { prepareHome } from "./home.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchtop-home-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

test("a new home is closed to everybody but its owner", async () => {
  const home = join(folder, "new", "home");
  expect(await prepareHome(home)).toEqual({ open: false });
  expect(await modeOf(home)).toBe(0o700);
});

test("an empty folder and a home of ours are closed, somebody's own folder is left as it is", async () => {
  for (const [name, content] of [
    ["empty", undefined],
    ["ours", "daemon.lock"],
    ["theirs", "letter.txt"],
  ] as const) {
    const home = join(folder, name);
    await mkdir(home);
    await chmod(home, 0o755);
    if (content !== undefined) await writeFile(join(home, content), "");
    const isTheirs = name === "theirs";
    expect(await prepareHome(home)).toEqual({ open: isTheirs });
    expect(await modeOf(home)).toBe(isTheirs ? 0o755 : 0o700);
  }
});

test("a file in the place of the home is refused", async () => {
  await writeFile(join(folder, "file"), "");
  await expect(prepareHome(join(folder, "file"))).rejects.toMatchObject({ info: { error_code: "FILE_WRITE_FAILED" } });
});
