import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readBootstrapToken } from "./bootstrap-token.ts";

let home: string;
let path: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "benchtop-token-"));
  path = join(home, "bootstrap-token");
});
afterEach(() => rm(home, { recursive: true, force: true }));

test("P1.4 the bootstrap token is 32 random bytes, made once and readable by its owner alone", async () => {
  const first = await readBootstrapToken(home);
  expect(Buffer.from(first.token, "base64url")).toHaveLength(32);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await readFile(path, "utf8")).trim()).toBe(first.token);
  expect(await readBootstrapToken(home)).toEqual({ token: first.token, repaired: false });
});

test("a token file that others can read is closed to them again", async () => {
  const { token } = await readBootstrapToken(home);
  await chmod(path, 0o644);
  expect(await readBootstrapToken(home)).toEqual({ token, repaired: true });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("a link in the place of the token file is refused", async () => {
  await writeFile(join(home, "elsewhere"), "x".repeat(43));
  await symlink(join(home, "elsewhere"), path);
  await expect(readBootstrapToken(home)).rejects.toThrow(/plain file/);
});

test.each(["", "short", "a token with spaces in it, longer than it has to be"])(
  "a file that holds no token (%j) is refused and left as it is",
  async (content) => {
    await writeFile(path, content, { mode: 0o600 });
    await expect(readBootstrapToken(home)).rejects.toThrow(/does not hold a token/);
    expect(await readFile(path, "utf8")).toBe(content);
  },
);
