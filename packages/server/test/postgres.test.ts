import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createClient } from "@benchtop/client";
import { startModelServer } from "../../../test/model-server.ts";
import { startPostgres, type PostgresCluster } from "../../store/test/postgres.ts";
import { identitySuite } from "./identity/suite.ts";
import { byCookie, byToken, makeKey, startTeam } from "./identity/team.ts";
import { json, startTestDaemon, unlimited } from "./test-daemon.ts";

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

test("S3 S7 S11 a conversation, decisions, context items and failures are the same on PostgreSQL", async () => {
  const databaseUrl = cluster.createDatabase();
  const models = await startModelServer();
  await using daemon = await startTestDaemon({ databaseUrl, config: { rateLimits: unlimited } });
  const client = createClient({ url: daemon.url, token: daemon.token });
  await client.call("providers.add", { name: "loop", kind: "openai-chat", baseUrl: models.url, local: true });
  const { workbenchId } = await client.call("workbenches.create", { name: "budget" });
  const { sha256 } = await client.upload(new TextEncoder().encode("item,amount\nrent,700\ntotal,900\n"));
  await client.call("files.add", { workbenchId, uploads: [{ path: "data.csv", sha256 }] });
  const ended = async ({ runId }: { readonly runId: string }) => {
    for await (const event of client.follow(runId)) if (event.type === "Error") throw new Error(event.error.message);
    return runId;
  };
  const model = "loop/gpt-5.2";
  const say = async (message: string) =>
    ended(await client.call("workshop.sendUserMessage", { workbenchId, model, message }));
  const kinds = async () =>
    (await client.call("workshop.conversation", { workbenchId, limit: 2 })).items.map(({ kind }) => kind);

  const first = await say("make the totals consistent");
  await say('add a.md with "one"');
  expect(await client.call("workshop.undoToMessage", { workbenchId, runId: first })).toMatchObject({
    draft: { exists: false },
  });
  await say('add a.md with "one"');
  await ended(await client.call("workshop.regenerate", { workbenchId }));
  await client.call("workshop.switchModel", { workbenchId, model: "loop/gpt-5.2-mini" });
  expect(await kinds()).toEqual(["switch-model", "message"]);
  const { changes } = await client.call("review.getChangeSet", { workbenchId });
  const decisions = changes.map(({ path, sha256After }) => ({
    path,
    sha256: sha256After,
    decision: "accept" as const,
  }));
  expect(await client.call("draft.decide", { workbenchId, decisions })).toMatchObject({
    changes: [{ accepted: true }],
  });
  await client.call("draft.publish", { workbenchId });
  await client.call("checkpoints.restore", { workbenchId });
  expect(await kinds()).toEqual(["restore", "rewind"]);
  await client.call("contextItems.put", { workbenchId, kind: "situation", title: "Now", content: "It is autumn." });
  expect((await client.call("workshop.context", { workbenchId, model })).parts).toContainEqual(
    expect.objectContaining({ part: "context-items", count: 1 }),
  );
  await client.call("providers.add", { name: "far", kind: "openai-chat", baseUrl: "https://far.invalid/v1" });
  await ended(await client.call("runs.start", { model: "far/m", prompt: "hello" })).catch(() => undefined);
  expect((await client.call("failures.list", {})).items).toMatchObject([{ errorCode: "EGRESS_CONSENT_REQUIRED" }]);
  await models.close();
});

describe("identities on PostgreSQL", () => {
  const config = { rateLimits: unlimited };
  identitySuite(() => startTestDaemon({ databaseUrl: cluster.createDatabase(), config }));

  test("what one process takes away, another on the same database does not grant for long", async () => {
    const databaseUrl = cluster.createDatabase();
    await using one = await startTestDaemon({ databaseUrl, config });
    await using other = await startTestDaemon({ databaseUrl, config });
    const team = await startTeam(one, "acme");
    const { keyId, secret } = await makeKey(team.owner, ["runs:read"]);
    const there = [byToken(other, secret), byCookie(other, team.viewer.cookie), byCookie(other, team.admin.cookie)];
    for (const asker of there) expect((await asker.ask("GET", "/api/v1/members")).code).not.toBe("AUTH_REQUIRED");
    await team.owner.ask("DELETE", `/api/v1/keys/${keyId}`);
    await team.owner.ask("DELETE", `/api/v1/members/${team.viewer.userId}`);
    await team.owner.ask("PATCH", `/api/v1/members/${team.admin.userId}`, { role: "viewer" });
    await vi.waitFor(
      async () => {
        const codes = await Promise.all(there.map(async (asker) => (await asker.ask("GET", "/api/v1/audit")).code));
        expect(codes).toEqual(["AUTH_REQUIRED", "AUTH_REQUIRED", "PERMISSION_DENIED"]);
      },
      { timeout: 5000, interval: 50 },
    );
  });

  test("owners who remove each other through two processes at once leave one", async () => {
    const databaseUrl = cluster.createDatabase();
    await using one = await startTestDaemon({ databaseUrl, config });
    await using other = await startTestDaemon({ databaseUrl, config });
    for (let round = 0; round < 5; round++) {
      const { operator, owner, admin } = await startTeam(one, `round ${round}`);
      await operator.ask("PATCH", `/api/v1/members/${admin.userId}`, { role: "owner" });
      await operator.ask("DELETE", "/api/v1/members/owner");
      await Promise.all([
        owner.ask("DELETE", `/api/v1/members/${admin.userId}`),
        byCookie(other, admin.cookie).ask("DELETE", `/api/v1/members/${owner.userId}`),
      ]);
      const { body } = await operator.ask("GET", "/api/v1/members");
      expect((body["items"] as { role: string }[]).filter(({ role }) => role === "owner")).toHaveLength(1);
    }
  });
});
