import { spawnSync } from "node:child_process";
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openStore, type Store } from "../src/index.ts";
import { callFinished, callStarted, completed, delta, failed, runInit } from "@benchtop/harness/journal-suite";
import { removeHome, temporaryHome } from "./suite/index.ts";

describe("a store on SQLite whose surroundings fail", () => {
  let home: string;
  beforeEach(async () => {
    home = await temporaryHome();
  });
  afterEach(() => removeHome(home));

  test("says DISK_FULL, has written nothing of what it refused, and goes on once there is room", async () => {
    const store = await openStore({ home });
    const writer = await store.journal.create(runInit());
    await setRoom(store, 0);
    writer.write(callStarted());
    writer.write(delta("x".repeat(1_000_000)));
    await expect(writer.committed()).rejects.toMatchObject({ code: "DISK_FULL", info: { run_id: writer.runId } });
    await expect(store.journal.create({ ...runInit(), input: "x".repeat(1_000_000) })).rejects.toMatchObject({
      code: "DISK_FULL",
    });
    const rows = store.db.insertInto("workspaces").values({ id: "x", name: "x".repeat(1_000_000), created_at: "" });
    await expect(rows.execute()).rejects.toMatchObject({ code: "DISK_FULL" });
    await expect(store.db.transaction().execute((transaction) => transaction.executeQuery(rows))).rejects.toMatchObject(
      {
        code: "DISK_FULL",
      },
    );

    await setRoom(store, 100_000);
    const next = await store.journal.acquire(writer.runId);
    next.write(failed("DISK_FULL"));
    await next.close();
    const { ok, eventCount } = await store.journal.verify(writer.runId);
    expect({ ok, eventCount }).toEqual({ ok: true, eventCount: 2 });
    await store.close();
  });

  // Mounting needs root on Linux; the test above fills the database itself and runs everywhere.
  test.runIf(process.platform === "linux" && process.getuid?.() === 0)(
    "says DISK_FULL on a file system that is full",
    async () => {
      const small = join(home, "small");
      mkdirSync(small);
      const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", small]);
      expect(mounted.stderr.toString()).toBe("");
      try {
        const store = await openStore({ home: small });
        const writer = await store.journal.create(runInit());
        writer.write(callStarted());
        await writer.committed();
        writer.write(delta("x".repeat(2_000_000)));
        await expect(writer.committed()).rejects.toMatchObject({ code: "DISK_FULL" });
        await expect(store.blobs.put(new Uint8Array(2_000_000))).rejects.toMatchObject({ code: "DISK_FULL" });
        expect(await store.journal.read(writer.runId)).toHaveLength(2);
        const next = await store.journal.acquire(writer.runId);
        next.write(callFinished());
        next.write(failed("DISK_FULL"));
        await next.close();
        expect((await store.journal.verify(writer.runId)).violations).toEqual([]);
        await store.close();
      } finally {
        spawnSync("umount", [small]);
      }
    },
  );

  test("keeps its write-ahead log small while followers read", async () => {
    const store = await openStore({ home });
    const writer = await store.journal.create(runInit());
    const followed = (async () => {
      let count = 0;
      for await (const page of store.journal.followPages(writer.runId)) count += page.length;
      return count;
    })();
    writer.write(callStarted());
    for (let i = 0; i < 400; i++) {
      for (let j = 0; j < 300; j++) writer.write(delta("x".repeat(1000), j % 2 === 0 ? "text" : "reasoning"));
      await writer.committed();
    }
    expect(statSync(join(home, "ops.db-wal")).size).toBeLessThan(80 * 1024 * 1024);
    writer.write(callFinished());
    writer.write(completed());
    await writer.close();
    expect(await followed).toBe(400 * 300 + 4);
    await store.close();
  });
});

/** Lets the database grow by so many pages, as a disk with that much room would. */
async function setRoom(store: Store, pages: number): Promise<void> {
  const { rows } = await sql<{ page_count: number }>`PRAGMA page_count`.execute(store.db);
  await sql.raw(`PRAGMA max_page_count = ${rows[0]!.page_count + pages}`).execute(store.db);
}
