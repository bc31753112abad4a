import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { removeHome, temporaryHome } from "../../test/suite/index.ts";
import { Gate } from "./gate.ts";
import { SqliteWriter } from "./writer.ts";

describe("the thread that writes", () => {
  test("that has ended refuses everything, what waits included", async () => {
    const home = await temporaryHome();
    const writer = await SqliteWriter.open(join(home, "ops.db"));
    const sql =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1e6) SELECT sum(i) AS s FROM n";
    const waiting = writer.request("query", { sql, parameters: [] });
    const closed = writer.close();
    expect((await waiting).rows).toEqual([{ s: 500_000_500_000 }]);
    await closed;
    await expect(writer.request("query", { sql, parameters: [] })).rejects.toThrow(/database thread has ended/);
    await removeHome(home);
  });

  test("that cannot open its file says so", async () => {
    await expect(SqliteWriter.open("/dev/null/ops.db")).rejects.toMatchObject({ code: "FILE_READ_FAILED" });
  });

  test("does not take another file for a database", async () => {
    const home = await temporaryHome();
    const path = join(home, "ops.db");
    writeFileSync(path, "These are my notes, not a database. ".repeat(100));
    await expect(SqliteWriter.open(path)).rejects.toMatchObject({ code: "FILE_READ_FAILED" });
    expect(readFileSync(path, "utf8")).toMatch(/^These are my notes/);
    await removeHome(home);
  });
});

describe("the gate before it", () => {
  test("gives transactions the writer one after the other, and lets statements pass between them in order", async () => {
    const gate = new Gate();
    const order: string[] = [];
    const pass = (name: string) =>
      gate.pass(() => {
        order.push(name);
        return Promise.resolve();
      });
    await pass("a");
    const release = await gate.exclusive();
    const second = gate.exclusive().then((release) => {
      order.push("transaction");
      return release;
    });
    const before = pass("b");
    order.push("held");
    release();
    const releaseSecond = await second;
    expect(order).toEqual(["a", "held", "transaction"]);
    releaseSecond();
    await before;
    await pass("c");
    expect(order).toEqual(["a", "held", "transaction", "b", "c"]);
  });
});
