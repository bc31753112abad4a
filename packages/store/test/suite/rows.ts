import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { sql } from "kysely";
import { migrations } from "../../src/migrations/migrate.ts";
import type { StoreOptions } from "../../src/store.ts";
import { isUniqueViolation } from "../../src/unique-violation.ts";
import { rejectsWith, runInit } from "@benchtop/harness/journal-suite";
import { withStores, type SuiteSubject } from "./subject.ts";

const storeModule = new URL("../../src/store.ts", import.meta.url);

export function rowSuite(subject: SuiteSubject): void {
  const { test } = subject;

  test("S13 opening again changes nothing", () =>
    withStores(subject, async (open) => {
      const first = await open();
      const writer = await first.journal.create(runInit());
      await writer.close();
      const second = await open();
      assert.equal((await second.journal.read(writer.runId)).length, 1);
      const { rows } = await sql<{ name: string }>`SELECT name FROM migrations`.execute(second.db);
      assert.deepEqual(
        rows.map(({ name }) => name),
        migrations.map(({ name }) => name),
      );
      const workspaces = await second.db.selectFrom("workspaces").select("id").execute();
      assert.deepEqual(workspaces, [{ id: "default" }]);
    }));

  test("S13 data of a newer version is refused, not damaged", () =>
    withStores(subject, async (open) => {
      const store = await open();
      await sql`INSERT INTO migrations (name, applied_at) VALUES ('9999-from-the-future', '')`.execute(store.db);
      await rejectsWith("VALIDATION_FAILED", open());
    }));

  test("processes that open new data at the same time all succeed", () =>
    withStores(subject, async (open, options) => {
      const statuses = await Promise.all(Array.from({ length: 4 }, () => openInProcess(options)));
      assert.deepEqual(statuses, [0, 0, 0, 0]);
      const { db } = await open();
      const { rows } = await sql<{ name: string }>`SELECT name FROM migrations`.execute(db);
      assert.equal(rows.length, migrations.length);
    }));

  test("transactions do not see each other half way, and a failed one leaves nothing", () =>
    withStores(subject, async (open) => {
      const { db } = await open();
      const createdAt = new Date().toISOString();
      const add = (id: string) => ({ id, name: id, created_at: createdAt });
      await Promise.all(
        Array.from({ length: 10 }, (_, place) =>
          db.transaction().execute(async (transaction) => {
            if (db.getExecutor().adapter.supportsTransactionalDdl) {
              await sql`LOCK TABLE workspaces IN EXCLUSIVE MODE`.execute(transaction);
            }
            const { total } = await transaction
              .selectFrom("workspaces")
              .select(({ fn }) => fn.countAll<number>().as("total"))
              .executeTakeFirstOrThrow();
            await transaction
              .insertInto("workspaces")
              .values(add(`${place}-${total}`))
              .execute();
          }),
        ),
      );
      const ids = (await db.selectFrom("workspaces").select("id").execute()).map(({ id }) => id.split("-")[1]);
      assert.equal(new Set(ids).size, 11);

      const failing = db.transaction().execute(async (transaction) => {
        await transaction.insertInto("workspaces").values(add("half")).execute();
        await transaction.insertInto("workspaces").values(add("default")).execute();
      });
      await assert.rejects(failing, isUniqueViolation);
      const half = await db.selectFrom("workspaces").selectAll().where("id", "=", "half").executeTakeFirst();
      assert.equal(half, undefined);
    }));

  test("updates report how many rows they changed, and big numbers come back as numbers", () =>
    withStores(subject, async (open) => {
      const store = await open();
      const created_at = new Date().toISOString();
      const bytes = 5_000_000_000;
      await store.db
        .insertInto("uploads")
        .values({ workspace_id: "w", sha256: "a", bytes, user_id: "u", created_at })
        .execute();
      const updated = await store.db.updateTable("uploads").set({ user_id: "v" }).executeTakeFirst();
      assert.equal(updated.numUpdatedRows, 1n);
      const row = await store.db.selectFrom("uploads").selectAll().executeTakeFirstOrThrow();
      assert.deepEqual(row, { workspace_id: "w", sha256: "a", bytes, user_id: "v", created_at });
      const deleted = await store.db.deleteFrom("uploads").returning("bytes").execute();
      assert.deepEqual(deleted, [{ bytes }]);
      await store.flush();
    }));
}

function openInProcess(options: StoreOptions): Promise<number | null> {
  const script = `
    const { openStore } = await import(${JSON.stringify(storeModule.href)});
    const store = await openStore(${JSON.stringify(options)});
    await store.close();`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  return new Promise((resolve) => child.once("exit", resolve));
}
