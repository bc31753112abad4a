import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sql } from "kysely";
import { openStore } from "../src/index.ts";
import { removeHome, storeSuite, temporaryHome } from "./suite/index.ts";
import { startPostgres, type PostgresCluster } from "./postgres.ts";

describe("a store on PostgreSQL", () => {
  let cluster: PostgresCluster;
  const homes: string[] = [];
  beforeAll(async () => {
    cluster = await startPostgres();
  });
  afterAll(async () => {
    cluster.stop();
    await Promise.all(homes.map(removeHome));
  });
  storeSuite({
    test,
    async place() {
      const home = await temporaryHome();
      homes.push(home);
      return { home, databaseUrl: cluster.createDatabase() };
    },
  });

  test("every connection sees the schema ops, whatever else the URL sets", async () => {
    const home = await temporaryHome();
    homes.push(home);
    const databaseUrl = `${cluster.createDatabase()}?options=-c%20statement_timeout%3D60000`;
    const store = await openStore({ home, databaseUrl });
    const { rows } = await sql<{ schema: string; timeout: string }>`
      SELECT current_schema() AS schema, current_setting('statement_timeout') AS timeout`.execute(store.db);
    expect(rows).toEqual([{ schema: "ops", timeout: "1min" }]);
    await store.close();
  });

  test("a URL of something else is refused without repeating what it holds", async () => {
    const home = await temporaryHome();
    homes.push(home);
    const opening = openStore({ home, databaseUrl: "mysql://root:secret@localhost/x" });
    await expect(opening).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
    await expect(opening).rejects.not.toThrow(/secret/);
  });
});
