import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { nameOf, parseName } from "../chaos/attempt.ts";
import { fsyncOrderViolations } from "../chaos/fsync-order.ts";
import { boundariesOf, buildShim, readCalls, runNode, shimEnvironment, type Blow } from "../chaos/shim.ts";

/** The instruments of `npm run chaos`: a test that never fails because its hammer misses proves nothing. */

const root = mkdtempSync(join(tmpdir(), "benchtop-chaos-test-"));
const shim = await buildShim(root);
afterAll(() => rmSync(root, { recursive: true, force: true }));

let home: string;
let log: string;
beforeEach(() => {
  home = mkdtempSync(join(root, "home-"));
  log = `${home}.log`;
});

/** A careful writer: content, then the name, then the folder. */
const careful = `
  import { closeSync, fsyncSync, openSync, renameSync, writeSync } from "node:fs";
  const home = process.env.CHAOS_HOME;
  const file = openSync(home + "/a.tmp", "w");
  writeSync(file, "hello");
  fsyncSync(file);
  closeSync(file);
  renameSync(home + "/a.tmp", home + "/a");
  const folder = openSync(home, "r");
  fsyncSync(folder);
`;

async function strike(program: string, blow: Blow, wide = false) {
  const script = join(root, "program.mjs");
  writeFileSync(script, program);
  rmSync(log, { force: true });
  const ended = await runNode([script], shimEnvironment({ shim: shim ?? "", home, log, blow, wide }));
  return { ...ended, calls: readCalls(log), boundaries: boundariesOf(readCalls(log)) };
}

/** The number of the last boundary of this call in the careful program. */
async function last(call: string): Promise<number> {
  const { boundaries } = await strike(careful, { kind: "none" });
  rmSync(join(home, "a"));
  return boundaries.findLast((boundary) => boundary.call === call)?.n ?? 0;
}

describe.skipIf(shim === undefined)("the shim (needs Linux and a C compiler)", () => {
  test("sees the durable calls of the main thread, the thread pool, worker threads and SQLite", async () => {
    const { boundaries, code, stderr } = await strike(
      `
      import fs from "node:fs/promises";
      import { renameSync } from "node:fs";
      import { DatabaseSync } from "node:sqlite";
      import { isMainThread, Worker } from "node:worker_threads";
      const home = process.env.CHAOS_HOME;
      if (isMainThread) {
        await fs.mkdir(home + "/d/e", { recursive: true });
        await fs.writeFile(home + "/d/a", "x", { flush: true });
        await fs.rename(home + "/d/a", home + "/d/b");
        await fs.link(home + "/d/b", home + "/d/c");
        await fs.truncate(home + "/d/b", 0);
        await fs.unlink(home + "/d/c");
        const folder = await fs.open(home + "/d", "r");
        renameSync("/proc/self/fd/" + folder.fd + "/b", "/proc/self/fd/" + folder.fd + "/f");
        await folder.sync();
        await folder.close();
        await fs.rm(home + "/d", { recursive: true });
        new Worker(new URL(import.meta.url));
      } else {
        const db = new DatabaseSync(home + "/ops.db");
        db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (x)");
        db.close();
      }`,
      { kind: "none" },
    );
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(boundaries.map(({ call, path }) => `${call} ${path}`)).toEqual(
      expect.arrayContaining([
        "mkdir /d",
        "mkdir /d/e",
        "fsync /d/a",
        "rename /d/a → /d/b",
        "link /d/b → /d/c",
        "ftruncate /d/b",
        "unlink /d/c",
        "rename /d/b → /d/f",
        "fsync /d",
        "rmdir /d/e",
        "pwrite /ops.db-wal",
        "fsync /ops.db-wal",
        "unlink /ops.db-wal",
      ]),
    );
  });

  test("kills just before and just after the call it was told", async () => {
    const { boundaries } = await strike(careful, { kind: "none" });
    const at = boundaries.find(({ call }) => call === "rename")?.n ?? 0;
    rmSync(join(home, "a"));
    expect((await strike(careful, { kind: "kill", at, when: "before" })).signal).toBe("SIGKILL");
    expect(existsSync(join(home, "a"))).toBe(false);
    expect((await strike(careful, { kind: "kill", at, when: "after" })).signal).toBe("SIGKILL");
    expect(readFileSync(join(home, "a"), "utf8")).toBe("hello");
  });

  test("fails a call with the error it was told, once or from there on", async () => {
    const program = `
      import { mkdirSync } from "node:fs";
      const tryIt = (name) => { try { mkdirSync(process.env.CHAOS_HOME + name); return "ok"; } catch (e) { return e.code; } };
      console.log(["/1", "/2", "/3"].map(tryIt).join(" "));`;
    expect((await strike(program, { kind: "fail", at: 2, errno: "EIO" })).lines).toEqual(["ok EIO ok"]);
    rmSync(home, { recursive: true });
    mkdirSync(home);
    const full = await strike(program, { kind: "fail", at: 2, errno: "ENOSPC", onwards: true });
    expect(full.lines).toEqual(["ok ENOSPC ENOSPC"]);
  });

  describe("a power cut", () => {
    test("keeps what was fsynced", async () => {
      await strike(careful, { kind: "kill", at: await last("fsync"), when: "after", power: "all" });
      expect(readFileSync(join(home, "a"), "utf8")).toBe("hello");
    });

    test("loses a rename whose folder was not fsynced", async () => {
      await strike(careful, { kind: "kill", at: await last("rename"), when: "after", power: "all" });
      expect(existsSync(join(home, "a"))).toBe(false);
    });

    test("loses content that was not fsynced and keeps the name, where names survive", async () => {
      const careless = careful.replace("fsyncSync(file);", "");
      await strike(careless, { kind: "kill", at: 1, when: "after", power: "data" });
      expect(readFileSync(join(home, "a"), "utf8")).toBe("");
    });

    test("gives back files that were removed, replaced or overwritten, and folders with what was in them", async () => {
      const program = `
        import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
        const home = process.env.CHAOS_HOME;
        rmSync(home + "/removed", { recursive: true });
        renameSync(home + "/fresh", home + "/replaced");
        writeFileSync(home + "/overwritten", "new");
        mkdirSync(home + "/made");`;
      const names = ["removed/deep/file", "fresh", "replaced", "overwritten"];
      const furnish = (): void => {
        rmSync(home, { recursive: true });
        mkdirSync(join(home, "removed/deep"), { recursive: true });
        for (const name of names) writeFileSync(join(home, name), name);
      };
      furnish();
      const at = (await strike(program, { kind: "none" })).boundaries.length;
      furnish();
      await strike(program, { kind: "kill", at, when: "after", power: "all" });
      for (const name of names) {
        expect(readFileSync(join(home, name), "utf8")).toBe(name);
      }
      expect(existsSync(join(home, "made"))).toBe(false);
    });

    test("loses a transaction that SQLite did not sync, and no other", async () => {
      const program = `
        import { DatabaseSync } from "node:sqlite";
        import { mkdirSync } from "node:fs";
        const db = new DatabaseSync(process.env.CHAOS_HOME + "/ops.db");
        db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (x); INSERT INTO t VALUES (1)");
        db.exec("PRAGMA synchronous = NORMAL; INSERT INTO t VALUES (2)");
        mkdirSync(process.env.CHAOS_HOME + "/end");`;
      const { boundaries } = await strike(program, { kind: "none" });
      const at = boundaries.find(({ path }) => path === "/end")?.n ?? 0;
      rmSync(home, { recursive: true });
      mkdirSync(home);
      await strike(program, { kind: "kill", at, when: "after", power: "all" });
      const { DatabaseSync } = await import("node:sqlite");
      const db = new DatabaseSync(join(home, "ops.db"));
      expect(db.prepare("SELECT x FROM t").all()).toEqual([{ x: 1 }]);
      db.close();
    });
  });

  test("the log shows a rename of content that was never fsynced", async () => {
    expect(fsyncOrderViolations((await strike(careful, { kind: "none" })).calls)).toEqual([]);
    const careless = await strike(careful.replace("fsyncSync(file);", ""), { kind: "none" });
    expect(fsyncOrderViolations(careless.calls)).toEqual([
      "#1 rename /a.tmp → /a: /a.tmp is not fsynced after #0 write /a.tmp",
    ]);
  });
});

test("an attempt's name repeats it", () => {
  for (const name of [
    "publish:37:after",
    "publish:37:before:power",
    "publish:2:EIO",
    "publish:3:full",
    "publish:37:after:then:5:before",
  ]) {
    const attempt = parseName(name);
    expect(attempt && nameOf(attempt)).toBe(name);
  }
  expect(parseName("publish")).toBeUndefined();
  expect(parseName("publish:x:after")).toBeUndefined();
});
