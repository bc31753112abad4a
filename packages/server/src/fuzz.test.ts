import { afterAll, beforeAll, describe } from "vitest";
import { startPostgres, type PostgresCluster } from "../../store/test/postgres.ts";
import { fuzzSuite } from "../test/fuzz/suite.ts";
import {
  connectByHandCarrier,
  mcpCarrier,
  restCarrier,
  rpcPostCarrier,
  rpcWebSocketCarrier,
} from "../test/permissions/carriers.ts";
import { startTestDaemon, unlimited } from "../test/test-daemon.ts";

const config = { rateLimits: unlimited };

describe("on SQLite", () => {
  fuzzSuite(
    () => startTestDaemon({ config }),
    (daemon) => [
      restCarrier(daemon),
      rpcPostCarrier(daemon),
      rpcWebSocketCarrier(daemon),
      connectByHandCarrier(daemon),
      mcpCarrier(daemon),
    ],
  );
});

describe("on PostgreSQL", () => {
  let cluster: PostgresCluster;
  beforeAll(async () => {
    cluster = await startPostgres();
  });
  afterAll(() => cluster.stop());
  // What reaches the database is the same from every transport.
  fuzzSuite(
    () => startTestDaemon({ config, databaseUrl: cluster.createDatabase() }),
    (daemon) => [rpcPostCarrier(daemon)],
  );
});
