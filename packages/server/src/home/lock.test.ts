import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { takeHomeLock } from "./lock.ts";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "benchtop-lock-"));
});
afterEach(() => rm(home, { recursive: true, force: true }));

test("a home has one holder at a time, and is free again once it lets go", () => {
  const first = takeHomeLock(home);
  expect(() => takeHomeLock(home)).toThrow(/Another daemon is starting/);
  first.release();
  takeHomeLock(home).release();
});

test("the refusal names the pid and the address of the daemon that holds the home", async () => {
  const first = takeHomeLock(home);
  await writeFile(join(home, "daemon.json"), JSON.stringify({ pid: 4242, url: "http://127.0.0.1:9", startedAt: "" }));
  expect(() => takeHomeLock(home)).toThrow(
    expect.objectContaining({
      message: `The daemon with pid 4242 already runs on ${home}: http://127.0.0.1:9`,
      info: expect.objectContaining({
        subphase: "home_locked",
        detail: { home, pid: 4242, url: "http://127.0.0.1:9" },
      }) as unknown,
    }),
  );
  first.release();
});

test("a folder that cannot be written is told apart from a home that is taken", () => {
  expect(() => takeHomeLock(join(home, "missing"))).toThrow(
    expect.objectContaining({ info: expect.objectContaining({ error_code: "FILE_WRITE_FAILED" }) as unknown }),
  );
});

test("of several processes that take a home at the same instant, one gets it", async () => {
  const program = join(import.meta.dirname, "../../test/lock-process.ts");
  const at = String(Date.now() + 1500);
  const children = [1, 2, 3].map(() => {
    return spawn(process.execPath, [program, home, at], { stdio: ["pipe", "pipe", "inherit"] });
  });
  const said = await Promise.all(children.map(async ({ stdout }) => String((await once(stdout, "data"))[0]).trim()));
  for (const { stdin } of children) stdin.end();
  expect(said.toSorted()).toEqual(["refused", "refused", "taken"]);
});
