import { afterAll, beforeAll, expect, test } from "vitest";
import { startPostgres, type PostgresCluster } from "../../store/test/postgres.ts";
import { json, startTestDaemon } from "./test-daemon.ts";

let cluster: PostgresCluster;
beforeAll(async () => {
  cluster = await startPostgres();
});
afterAll(() => cluster.stop());

test("the daemon does the same on PostgreSQL, and says where its data is without the password", async () => {
  const databaseUrl = cluster.createDatabase().replace("benchtop@", "benchtop:my-password@");
  await using daemon = await startTestDaemon({ databaseUrl });
  const created = await daemon.fetch("/api/v1/workbenches", json({ name: "budget" }, { "idempotency-key": "key-1" }));
  expect(created.status).toBe(201);
  const again = await daemon.fetch("/api/v1/workbenches", json({ name: "budget" }, { "idempotency-key": "key-1" }));
  expect(await again.json()).toEqual(await created.json());
  const signIn = await daemon.fetch("/api/v1/sign-in", json({ token: daemon.token }));
  const cookie = signIn.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  const status = await daemon.fetch("/api/v1/status", { token: null, headers: { cookie } });
  const text = await status.text();
  expect(JSON.parse(text)).toMatchObject({
    database: {
      dialect: "postgres",
      location: expect.stringMatching(/^postgres:\/\/127\.0\.0\.1:\d+\/\w+$/) as unknown,
    },
    otherConnections: [{ purpose: "database" }],
    workbenches: 1,
  });
  expect(text).not.toContain("my-password");
  expect((await daemon.fetch("/readyz", { token: null })).status).toBe(200);
});
