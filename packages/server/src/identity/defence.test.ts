import { readFile } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test, vi } from "vitest";
import { startModelServer } from "../../../../test/model-server.ts";
import { byCookie, byToken, makeKey, nobody, startTeam, type Asker } from "../../test/identity/team.ts";
import { startTestDaemon, unlimited } from "../../test/test-daemon.ts";
import { newApiKey } from "./token.ts";

const config = { rateLimits: unlimited };

describe("P1.4 guessing tokens", () => {
  test("is told to wait after a few wrong ones, while right ones pass and other requests are not held up", async () => {
    const address = { perSecond: 0.001, burst: 5 };
    await using daemon = await startTestDaemon({ config: { rateLimits: { ...unlimited, address } } });
    const guesses = [
      byToken(daemon, newApiKey()),
      byToken(daemon, "A".repeat(43)),
      byToken(daemon, "short"),
      byCookie(daemon, "A".repeat(43)),
    ];
    const codes: string[] = [];
    for (let attempt = 0; attempt < 8; attempt++) {
      codes.push(String((await guesses[attempt % 4]?.ask("GET", "/api/v1/whoami"))?.code));
    }
    expect(codes).toEqual([...Array<string>(5).fill("AUTH_REQUIRED"), ...Array<string>(3).fill("RATE_LIMITED")]);
    expect((await byToken(daemon, daemon.token).ask("GET", "/api/v1/whoami")).status).toBe(200);
    expect((await nobody(daemon).ask("GET", "/healthz")).status).toBe(200);
  });

  test("behind a proxy that is named holds up the guesser, and nobody else who comes through it", async () => {
    const address = { perSecond: 0.001, burst: 3 };
    const listen = { proxies: ["127.0.0.1"] };
    await using daemon = await startTestDaemon({ config: { rateLimits: { ...unlimited, address }, listen } });
    const guess = async (forwarded: string) =>
      (await byToken(daemon, newApiKey(), { "x-forwarded-for": forwarded }).ask("GET", "/api/v1/whoami")).status;
    const guesser = [1, 2, 3, 4].map((count) => `10.9.8.${count}, 192.0.2.1`);
    const statuses: number[] = [];
    for (const forwarded of guesser) statuses.push(await guess(forwarded));
    expect(statuses).toEqual([401, 401, 401, 429]);
    expect(await guess("192.0.2.2")).toBe(401);
  });

  test("cannot flood the audit: the first of a kind is written and the rest is a number", async () => {
    await using daemon = await startTestDaemon({ config });
    const { owner } = await startTeam(daemon, "acme");
    for (let attempt = 0; attempt < 40; attempt++) {
      await byToken(daemon, newApiKey()).ask("GET", "/api/v1/whoami");
      await nobody(daemon).ask("POST", "/api/v1/sign-in", { token: `wrong ${attempt}` });
    }
    await daemon.close();
    using database = new DatabaseSync(`${daemon.home}/ops.db`, { readOnly: true });
    const rows = database
      .prepare(
        "SELECT event, detail, workspace_id FROM access_events WHERE event LIKE '%.refused' OR event LIKE '%.failed'",
      )
      .all();
    expect(rows.map((row) => ({ ...row, detail: JSON.parse(String(row["detail"])) as object }))).toEqual([
      { event: "token.refused", detail: { reason: "unknown-key" }, workspace_id: null },
      { event: "sign-in.failed", detail: { reason: "token" }, workspace_id: null },
      { event: "token.refused", detail: { reason: "unknown-key", count: "39" }, workspace_id: null },
      { event: "sign-in.failed", detail: { reason: "token", count: "39" }, workspace_id: null },
    ]);
    expect(owner.userId).toMatch(/^usr_/);
  });

  test("is seen by the operator; what was tried with a key of theirs is seen by its workspace too", async () => {
    await using daemon = await startTestDaemon({ config });
    const { owner, operator } = await startTeam(daemon, "acme");
    const { keyId, secret } = await makeKey(owner, ["runs:read"]);
    await owner.ask("DELETE", `/api/v1/keys/${keyId}`);
    await byToken(daemon, secret).ask("GET", "/api/v1/whoami");
    await byToken(daemon, newApiKey()).ask("GET", "/api/v1/whoami");
    await vi.waitFor(async () => expect(await refused(operator)).toEqual([null, keyId]));
    expect(await refused(owner)).toEqual([keyId]);
  });
});

describe("P1.4 time", () => {
  test("ends keys, the browser sessions of keys, sign-ins and invitations, each in words of its own", async () => {
    await using daemon = await startTestDaemon({ config });
    const { owner } = await startTeam(daemon, "acme");
    const { secret } = await makeKey(owner, ["runs:read"]);
    const signedIn = await nobody(daemon).ask("POST", "/api/v1/sign-in", { token: secret });
    const { body } = await owner.ask("POST", "/api/v1/invitations", { role: "viewer" });
    const token = new URL(String(body["url"])).hash.slice("#invitation=".length);
    {
      using database = new DatabaseSync(`${daemon.home}/ops.db`, { timeout: 5000 });
      database.exec("UPDATE api_keys SET expires_at = '2020'; UPDATE invitations SET expires_at = '2020'");
    }
    const key = await byToken(daemon, secret).ask("GET", "/api/v1/whoami");
    expect(key).toMatchObject({
      status: 401,
      body: { error: { message: expect.stringContaining("expired") as unknown } },
    });
    const browser = await byCookie(daemon, signedIn.cookie ?? "").ask("GET", "/api/v1/whoami");
    expect(browser).toMatchObject({ code: "AUTH_REQUIRED" });
    expect(await nobody(daemon).ask("POST", "/api/v1/invitations/look", { token })).toMatchObject({ status: 401 });
    const { body: list } = await owner.ask("GET", "/api/v1/invitations");
    expect(list["items"]).toMatchObject([
      { status: "expired" },
      ...["viewer", "editor", "admin", "owner"].map(() => ({ status: "accepted" })),
    ]);
    {
      using database = new DatabaseSync(`${daemon.home}/ops.db`, { timeout: 5000 });
      database.exec("UPDATE sign_ins SET expires_at = '2020'");
    }
    await vi.waitFor(async () => expect(await owner.ask("GET", "/api/v1/whoami")).toMatchObject({ status: 401 }), 5000);
  });

  test("of the last use of a key is written, to the minute", async () => {
    await using daemon = await startTestDaemon({ config });
    const { owner } = await startTeam(daemon, "acme");
    const { secret } = await makeKey(owner, ["runs:read"]);
    await byToken(daemon, secret).ask("GET", "/api/v1/whoami");
    const lastUsed = async () => {
      const [key] = (await owner.ask("GET", "/api/v1/keys")).body["items"] as { lastUsedAt: string | null }[];
      return key?.lastUsedAt;
    };
    await vi.waitFor(async () => expect(await lastUsed()).toMatch(/^20/), 5000);
    const first = await lastUsed();
    await byToken(daemon, secret).ask("GET", "/api/v1/whoami");
    await daemon.close();
    using database = new DatabaseSync(`${daemon.home}/ops.db`, { readOnly: true });
    expect(database.prepare("SELECT last_used_at FROM api_keys").all()).toEqual([{ last_used_at: first }]);
  });
});

describe("P1.4 an Idempotency-Key", () => {
  test("of one identity is nothing to another", async () => {
    await using daemon = await startTestDaemon({ config });
    const { admin, owner } = await startTeam(daemon, "acme");
    const same = { "idempotency-key": "same" };
    const input = { role: "viewer" };
    const first = await owner.ask("POST", "/api/v1/invitations", input, same);
    const other = await admin.ask("POST", "/api/v1/invitations", input, same);
    expect([first.status, other.status]).toEqual([201, 201]);
    expect(other.body["url"]).not.toBe(first.body["url"]);
  });

  test("does not keep a secret: the first request is not made twice, and its secret is not told again", async () => {
    await using daemon = await startTestDaemon({ config });
    const { owner } = await startTeam(daemon, "acme");
    const same = { "idempotency-key": "same" };
    const input = { name: "ci", scopes: ["runs:read"] };
    const first = await owner.ask("POST", "/api/v1/keys", input, same);
    expect(await owner.ask("POST", "/api/v1/keys", input, same)).toMatchObject({ code: "IDEMPOTENCY_CONFLICT" });
    expect((await owner.ask("GET", "/api/v1/keys")).body["items"]).toHaveLength(1);
    await daemon.close();
    using database = new DatabaseSync(`${daemon.home}/ops.db`, { readOnly: true });
    const everything = ["idempotency_keys", "api_keys", "access_events", "invitations", "sign_ins"]
      .map((table) => JSON.stringify(database.prepare(`SELECT * FROM ${table}`).all()))
      .join();
    expect(everything).not.toContain(String(first.body["secret"]));
    expect(everything).not.toContain(owner.cookie);
  });
});

describe("P1.4 what stays open", () => {
  test("ends at once with the key, the sign-in or the membership that opened it, and with no other", async () => {
    await using models = await startModelServer();
    await using daemon = await startTestDaemon({ config });
    const { owner, editor, viewer, operator } = await startTeam(daemon, "acme");
    const provider = { name: "loop", kind: "openai-chat", baseUrl: models.url, local: true };
    await operator.ask("POST", "/api/v1/providers", provider);
    const run = await operator.ask("POST", "/api/v1/runs", { model: "loop/hesitant", prompt: "Wait." });
    const runId = String(run.body["runId"]);
    const { keyId, secret } = await makeKey(owner, ["runs:read"]);
    const follow = async (headers: Record<string, string>) => {
      const response = await daemon.fetch(`/api/v1/runs/${runId}/events`, { headers, token: null });
      expect(response.status).toBe(200);
      const reader = response.body?.getReader();
      await reader?.read();
      let ended = false;
      const over = (async () => {
        while (!((await reader?.read())?.done ?? true));
        ended = true;
      })().catch(() => (ended = true));
      return { over, isOver: () => ended };
    };
    const cookie = (person: typeof owner) => ({ cookie: `benchtop_session=${person.cookie}` });
    const byKey = await follow({ authorization: `Bearer ${secret}` });
    const bySignIn = await follow(cookie(viewer));
    const byMember = await follow(cookie(editor));
    const byOwner = await follow(cookie(owner));
    const byOperator = await follow({
      authorization: `Bearer ${daemon.token}`,
      "benchtop-workspace": String((await operator.ask("GET", "/api/v1/whoami")).body["workspaceId"]),
    });

    await owner.ask("DELETE", `/api/v1/keys/${keyId}`);
    await byKey.over;
    await viewer.ask("DELETE", "/api/v1/sign-in");
    await bySignIn.over;
    await owner.ask("DELETE", `/api/v1/members/${editor.userId}`);
    await byMember.over;
    expect([byOwner.isOver(), byOperator.isOver()]).toEqual([false, false]);
    await operator.ask("POST", `/api/v1/runs/${runId}/abort`, {});
    await Promise.all([byOwner.over, byOperator.over]);
  });
});

describe('P1.4 "auth": "none"', () => {
  const open = { auth: "none", rateLimits: unlimited };

  test("takes every request for the operator's, says so for ever, and pages of others still get nothing", async () => {
    await using daemon = await startTestDaemon({ config: open });
    const anybody = nobody(daemon);
    expect((await anybody.ask("GET", "/api/v1/whoami")).body).toMatchObject({
      via: "none",
      operator: true,
      userId: "owner",
    });
    expect((await byToken(daemon, "wrong").ask("GET", "/api/v1/whoami")).body).toMatchObject({ via: "none" });
    const { body } = await anybody.ask("GET", "/api/v1/status");
    expect(body["warnings"]).toEqual([expect.stringContaining("Nobody has to prove who they are")]);
    const hostile: Record<string, string>[] = [
      { origin: "https://evil.example" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
      { host: "evil.example" },
    ];
    for (const headers of hostile) {
      const host = { host: `127.0.0.1:${daemon.port}` };
      const { status } = await daemon.raw("/api/v1/whoami", { headers: { ...host, ...headers } });
      expect({ headers, status }).toEqual({ headers, status: "host" in headers ? 421 : 403 });
    }
    const form = { "content-type": "text/plain", host: `127.0.0.1:${daemon.port}` };
    expect((await daemon.raw("/api/v1/workspaces", { method: "POST", headers: form, body: "{}" })).status).toBe(415);
    await daemon.close();
    expect(await readFile(`${daemon.home}/logs/daemon.log`, "utf8")).toContain('"event":"auth.none"');
  });

  test("is refused where others can reach the daemon", async () => {
    for (const options of [
      { publicUrls: ["https://bench.example"] },
      { host: "0.0.0.0", publicUrls: ["http://b.example"] },
    ]) {
      await expect(startTestDaemon({ config: open, ...options })).rejects.toMatchObject({
        info: { error_code: "VALIDATION_FAILED" },
        message: expect.stringContaining('"auth": "none"') as unknown,
      });
    }
    const listen = { host: "0.0.0.0", publicUrls: ["http://b.example"] };
    await expect(startTestDaemon({ config: { ...open, listen } })).rejects.toMatchObject({
      message: expect.stringContaining('"auth": "none"') as unknown,
    });
  });

  test("is not what a daemon does that was not told so", async () => {
    await using daemon = await startTestDaemon({ config });
    const { status } = await daemon.fetch("/api/v1/whoami", { token: null });
    expect(status).toBe(401);
    expect(await (await daemon.fetch("/api/v1/status")).json()).toMatchObject({ warnings: [] });
  });
});

async function refused(asker: Asker): Promise<(string | null)[]> {
  const { body } = await asker.ask("GET", "/api/v1/audit?event=token.refused");
  return (body["items"] as { subjectId: string | null }[]).map(({ subjectId }) => subjectId);
}
