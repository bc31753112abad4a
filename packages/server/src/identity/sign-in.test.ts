import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, test } from "vitest";
import { startTeam } from "../../test/identity/team.ts";
import { errorOf, json, startTestDaemon, type TestDaemon } from "../../test/test-daemon.ts";
import { OneTimeTokens } from "./one-time-tokens.ts";

const cookieOf = (response: Response) => response.headers.getSetCookie()[0]?.split(";")[0] ?? "";
const tokenOf = (url: string) => new URL(url).hash.slice("#token=".length);

describe("signing a browser in", () => {
  let daemon: TestDaemon;
  beforeEach(async () => {
    daemon = await startTestDaemon();
  });
  afterEach(() => daemon[Symbol.asyncDispose]());

  const signIn = (token: string, headers: Record<string, string> = {}) =>
    daemon.fetch("/api/v1/sign-in", { ...json({ token }, headers), token: null });
  const whoami = (cookie: string) => daemon.fetch("/api/v1/whoami", { token: null, headers: { cookie } });

  test("the bootstrap token is exchanged for a cookie that scripts and other sites never see", async () => {
    const response = await signIn(daemon.token);
    expect(response.status).toBe(200);
    const [setCookie = ""] = response.headers.getSetCookie();
    expect(setCookie).toMatch(/^benchtop_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=2592000$/);
    expect(await (await whoami(cookieOf(response))).json()).toMatchObject({ userId: "owner", via: "sign-in" });
  });

  test("a link signs in once; the second use is refused", async () => {
    const token = tokenOf(daemon.signInUrl());
    expect((await signIn(token)).status).toBe(200);
    const again = await signIn(token);
    expect(again.status).toBe(401);
    expect(again.headers.getSetCookie()).toEqual([]);
  });

  test("a running daemon hands out links to whoever is signed in", async () => {
    const link = await daemon.fetch("/api/v1/sign-in/links", json({}));
    expect(link.status).toBe(201);
    const { url } = (await link.json()) as { url: string };
    expect(url.startsWith(`${daemon.url}/#token=`)).toBe(true);
    expect((await signIn(tokenOf(url))).status).toBe(200);
  });

  test("a new bootstrap token signs out whoever came in by the one before, and nobody else", async () => {
    const operator = cookieOf(await signIn(daemon.token));
    const { owner } = await startTeam(daemon, "acme");
    const { home } = daemon;
    const old = daemon.token;
    await daemon.close();
    await rm(join(home, "bootstrap-token"));
    const again = await startTestDaemon({ home });
    try {
      const whoami = async (headers: Record<string, string>) =>
        (await again.fetch("/api/v1/whoami", { token: null, headers })).status;
      expect(again.token).not.toBe(old);
      expect(await whoami({ authorization: `Bearer ${old}` })).toBe(401);
      expect(await whoami({ cookie: operator })).toBe(401);
      expect(await whoami({ cookie: `benchtop_session=${owner.cookie}` })).toBe(200);
    } finally {
      await again.close();
    }
  });

  test("signing out ends the sign-in, and nothing but it", async () => {
    const mine = cookieOf(await signIn(daemon.token));
    const other = cookieOf(await signIn(daemon.token));
    const response = await daemon.fetch("/api/v1/sign-in", {
      method: "DELETE",
      token: null,
      headers: { cookie: mine, origin: daemon.url },
    });
    expect(response.status).toBe(200);
    expect(response.headers.getSetCookie()[0]).toMatch(/^benchtop_session=; .*Max-Age=0$/);
    expect((await whoami(mine)).status).toBe(401);
    expect((await whoami(other)).status).toBe(200);
  });

  test("a change that the cookie vouches for needs the console's own Origin", async () => {
    const cookie = cookieOf(await signIn(daemon.token));
    const change = (headers: Record<string, string>) =>
      daemon.raw("/api/v1/sign-in/links", {
        method: "POST",
        headers: { host: `127.0.0.1:${daemon.port}`, "content-type": "application/json", cookie, ...headers },
        body: "{}",
      });
    expect((await change({ origin: daemon.url })).status).toBe(201);
    const refused: Record<string, string>[] = [
      {},
      { origin: "null" },
      { origin: "https://evil.example" },
      { origin: `http://127.0.0.1:${daemon.port + 1}` },
      { origin: `https://127.0.0.1:${daemon.port}` },
      { origin: `http://localhost:${daemon.port}` },
      { origin: daemon.url, "sec-fetch-site": "same-site" },
    ];
    for (const headers of refused) {
      const { status, error } = await change(headers);
      expect({ headers, status, code: error.error_code }).toEqual({ headers, status: 403, code: "PERMISSION_DENIED" });
    }
  });

  test("a page of another port on this machine cannot read with the cookie", async () => {
    const cookie = cookieOf(await signIn(daemon.token));
    const read = (site: string) =>
      daemon.fetch("/api/v1/status", { token: null, headers: { cookie, "sec-fetch-site": site } });
    expect((await read("same-origin")).status).toBe(200);
    expect((await read("same-site")).status).toBe(403);
    expect((await read("cross-site")).status).toBe(403);
  });

  test("only the hash of a cookie is kept", async () => {
    const cookie = cookieOf(await signIn(daemon.token)).split("=")[1] ?? "";
    const { DatabaseSync } = await import("node:sqlite");
    using database = new DatabaseSync(`${daemon.home}/ops.db`, { readOnly: true });
    const rows = database.prepare("SELECT * FROM sign_ins").all();
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toContain(cookie);
  });

  test("after ten failures an address waits, even with the right token", async () => {
    for (let attempt = 0; attempt < 10; attempt++) expect((await signIn(`wrong-${attempt}`)).status).toBe(401);
    const refused = await signIn(daemon.token);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await errorOf(refused)).toMatchObject({ error_code: "RATE_LIMITED", retryable: true });
    expect((await daemon.fetch("/api/v1/whoami")).status).toBe(200);
  });
});

describe("one-time tokens", () => {
  test("expire after ten minutes", () => {
    const tokens = new OneTimeTokens<string>();
    const start = Date.now();
    const { token, expiresAt } = tokens.create("a", start);
    expect(expiresAt.getTime()).toBe(start + 600_000);
    expect(tokens.use(token, start + 600_000)).toBeUndefined();
  });

  test("are good until then, once", () => {
    const tokens = new OneTimeTokens<string>();
    const start = Date.now();
    const { token } = tokens.create("a", start);
    tokens.create("b", start);
    expect(tokens.use(token, start + 599_999)).toBe("a");
    expect(tokens.use(token, start + 599_999)).toBeUndefined();
  });
});

describe("hostile addresses", () => {
  let daemon: TestDaemon;
  beforeAll(async () => {
    daemon = await startTestDaemon({ publicUrls: ["https://bench.example"] });
  });
  afterAll(() => daemon[Symbol.asyncDispose]());

  const paths = ["/", "/assets/app.js", "/healthz", "/openapi.json", "/api/v1/whoami", "/api/v1/runs/x/events"];

  test.each(paths)("%s is not answered under another host's name (DNS rebinding)", async (path) => {
    for (const host of [
      "evil.example",
      `evil.example:${daemon.port}`,
      `127.0.0.1:${daemon.port + 1}`,
      "127.0.0.1",
      `127.0.0.1.evil.example:${daemon.port}`,
      `127.0.0.1:${daemon.port}@evil.example`,
      `0.0.0.0:${daemon.port}`,
      "bench.example:444",
    ]) {
      const { status, error } = await daemon.raw(path, {
        headers: { host, authorization: `Bearer ${daemon.token}` },
      });
      expect({ host, status, code: error.error_code }).toEqual({ host, status: 421, code: "PERMISSION_DENIED" });
    }
  });

  test.each(paths)("%s is not answered to a page of another origin, and no CORS header is sent", async (path) => {
    const { status, headers } = await daemon.raw(path, {
      headers: {
        host: `localhost:${daemon.port}`,
        origin: "https://evil.example",
        authorization: `Bearer ${daemon.token}`,
      },
    });
    expect(status).toBe(403);
    expect(Object.keys(headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
  });

  test("a preflight is answered without any permission", async () => {
    const response = await daemon.raw("/api/v1/runs", {
      method: "OPTIONS",
      headers: { host: `localhost:${daemon.port}` },
    });
    expect(response.status).toBe(204);
    expect(response.headers.allow).toBe("POST, GET, HEAD, OPTIONS");
    expect(Object.keys(response.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
  });

  test("loopback's names and the configured address are its own; cookies of an https address are Secure", async () => {
    for (const host of [
      `localhost:${daemon.port}`,
      `127.0.0.1:${daemon.port}`,
      `[::1]:${daemon.port}`,
      "bench.example",
    ]) {
      expect((await daemon.raw("/healthz", { headers: { host } })).status).toBe(200);
    }
    const response = await daemon.raw("/api/v1/sign-in", {
      method: "POST",
      headers: { host: "bench.example", origin: "https://bench.example", "content-type": "application/json" },
      body: JSON.stringify({ token: daemon.token }),
    });
    expect(response.status).toBe(200);
    const [setCookie = ""] = response.headers["set-cookie"] ?? [];
    expect(setCookie).toMatch(/^__Host-benchtop_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; .*; Secure$/);
    // What a subdomain may have planted beside it counts for nothing.
    const cookie = `benchtop_session=${"A".repeat(43)}; ${setCookie.split(";")[0] ?? ""}`;
    const { status } = await daemon.raw("/api/v1/whoami", { headers: { host: "bench.example", cookie } });
    expect(status).toBe(200);
  });

  test("links for others lead to the address that others reach, and one's own to where one is", async () => {
    const made = async (path: string, host: string, body: object) => {
      const { body: text } = await daemon.raw(path, {
        method: "POST",
        headers: { host, authorization: `Bearer ${daemon.token}`, "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      return new URL((JSON.parse(text) as { url: string }).url).origin;
    };
    const invitation = { role: "viewer" };
    const local = `127.0.0.1:${daemon.port}`;
    expect(await made("/api/v1/invitations", local, invitation)).toBe("https://bench.example");
    expect(await made("/api/v1/invitations", "bench.example", invitation)).toBe("https://bench.example");
    expect(await made("/api/v1/sign-in/links", local, {})).toBe(daemon.url);
    expect(await made("/api/v1/sign-in/links", "bench.example", {})).toBe("https://bench.example");
  });

  test("binding to every address is refused unless a public address says that it is meant", async () => {
    await expect(startTestDaemon({ host: "0.0.0.0" })).rejects.toMatchObject({
      info: { error_code: "VALIDATION_FAILED" },
    });
  });
});
