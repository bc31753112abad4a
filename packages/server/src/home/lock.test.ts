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
