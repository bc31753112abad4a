import { afterAll, beforeAll, describe, test } from "vitest";
import { removeHome, storeSuite, temporaryHome } from "../src/suite/index.ts";
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
});
