import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { startModelServer, type ModelServer } from "../../../../test/model-server.ts";
import { startTestDaemon, type TestDaemon } from "../../test/test-daemon.ts";
import { RpcPeer } from "../../test/rpc-peer.ts";

let daemon: TestDaemon;
let models: ModelServer;
beforeAll(async () => {
  models = await startModelServer();
  daemon = await startTestDaemon({ socketLimits: { maxConnections: 5, maxFaults: 10, maxCalls: 2 } });
  const provider = { name: "loop", kind: "openai-chat", baseUrl: models.url, local: true };
  const headers = { "content-type": "application/json" };
  await daemon.fetch("/api/v1/providers", { method: "POST", headers, body: JSON.stringify(provider) });
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await models.close();
});

interface Refused {
  readonly status: number;
  readonly body: { error: { error_code: string } };
}

/** What a request to upgrade comes to when it is refused. */
function refused(headers: Record<string, string>, path = "/rpc", protocols: string[] = []): Promise<Refused> {
  const socket = new WebSocket(`${daemon.url.replace("http", "ws")}${path}`, protocols, { headers });
  return new Promise((resolve, reject) => {
    socket.on("open", () => reject(new Error("It was let in.")));
    socket.on("error", reject);
    socket.on("unexpected-response", (_, response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () => {
        socket.off("error", reject).on("error", () => undefined);
        socket.terminate();
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as Refused["body"] });
      });
    });
  });
}

const bearer = () => ({ authorization: `Bearer ${daemon.token}` });

describe("P1.4 nobody gets a WebSocket who is not known", () => {
  interface Case {
    readonly who: string;
    readonly headers: () => Record<string, string>;
    readonly status: number;
    readonly code: string;
    readonly path?: string;
  }
  const denied = "PERMISSION_DENIED";
  const cookie = `benchtop_session=${"A".repeat(43)}`;
  const cases: readonly Case[] = [
    { who: "no token", headers: () => ({}), status: 401, code: "AUTH_REQUIRED" },
    {
      who: "a wrong token",
      headers: () => ({ authorization: `Bearer ${"A".repeat(43)}` }),
      status: 401,
      code: "AUTH_REQUIRED",
    },
    { who: "a wrong cookie", headers: () => ({ cookie, origin: daemon.url }), status: 401, code: "AUTH_REQUIRED" },
    {
      who: "a page of another origin",
      headers: () => ({ ...bearer(), origin: "https://evil.example" }),
      status: 403,
      code: denied,
    },
    {
      who: "another host (DNS rebinding)",
      headers: () => ({ ...bearer(), host: "evil.example" }),
      status: 421,
      code: denied,
    },
    { who: "another path", headers: bearer, status: 404, code: "NOT_FOUND", path: "/api/v1/whoami" },
  ];
  test.each(cases)("$who", async ({ headers, status, code, path }) => {
    const answer = await refused(headers(), path);
    expect([answer.status, answer.body.error.error_code]).toEqual([status, code]);
  });

  test("a cookie without an origin, from anywhere, and from our own page", async () => {
    const signIn = await daemon.fetch("/api/v1/sign-in", {
      method: "POST",
      token: null,
      headers: { "content-type": "application/json", origin: daemon.url },
      body: JSON.stringify({ token: daemon.token }),
    });
    const cookie = signIn.headers.getSetCookie()[0]!.split(";")[0]!;
    expect((await refused({ cookie })).status).toBe(403);
    expect((await refused({ cookie, origin: daemon.url, "sec-fetch-site": "same-site" })).status).toBe(403);
    const socket = new WebSocket(`${daemon.url.replace("http", "ws")}/rpc`, {
      headers: { cookie, origin: daemon.url },
    });
    await using peer = new RpcPeer(socket);
    await once(socket, "open");
    expect(await peer.call("IdentityWhoami")).toMatchObject({ via: "sign-in" });

    // The sign-in ends, and with it what was opened by it.
    const closed = once(socket, "close") as Promise<[number]>;
    await daemon.fetch("/api/v1/sign-in", { method: "DELETE", token: null, headers: { cookie, origin: daemon.url } });
    expect((await peer.ask("IdentityWhoami")).error?.data.error_code).toBe("AUTH_REQUIRED");
    expect((await closed)[0]).toBe(4401);
  });

  test("a key that is revoked is good for no further call, and its connection and streams end", async () => {
    const headers = { ...bearer(), "content-type": "application/json" };
    const body = JSON.stringify({ name: "for a socket", scopes: ["runs:read", "workbenches:read"] });
    const made = await daemon.fetch("/api/v1/keys", { method: "POST", headers, body });
    const { key, secret } = (await made.json()) as { key: { keyId: string }; secret: string };
    await using peer = await RpcPeer.open({ url: daemon.url, token: secret });
    expect(await peer.call("WorkbenchList")).toMatchObject({ items: [] });
    const denied = await peer.ask("WorkbenchCreate", { name: "not mine to make" });
    expect(denied.error?.data.error_code).toBe("PERMISSION_DENIED");
    const { runId } = (await (
      await daemon.fetch("/api/v1/runs", {
        method: "POST",
        headers,
        body: JSON.stringify({ model: "loop/slow", prompt: "say a lot, slowly" }),
      })
    ).json()) as { runId: string };
    const stream = await peer.subscribe("RunsEvents", { run_id: runId });
    const closed = once(peer.socket, "close") as Promise<[number]>;
    expect((await daemon.fetch(`/api/v1/keys/${key.keyId}`, { method: "DELETE" })).status).toBe(200);
    expect((await peer.ask("WorkbenchList")).error?.data.error_code).toBe("AUTH_REQUIRED");
    expect(await peer.end(stream)).toMatchObject({
      reason: "failed",
      error: { data: { error_code: "AUTH_REQUIRED" } },
    });
    expect((await closed)[0]).toBe(4401);
    await daemon.fetch(`/api/v1/runs/${runId}/abort`, { method: "POST", headers, body: "{}" });
    expect((await refused({ authorization: `Bearer ${secret}` })).status).toBe(401);
  });

  test("what is no handshake at all is answered as such", async () => {
    const answers = await Promise.all(
      ["Upgrade: websocket\r\nSec-WebSocket-Version: 12\r\n", "Upgrade: h2c\r\n", "Upgrade: websocket\r\n"].map(
        async (lines) => {
          const socket = connect(daemon.port, "127.0.0.1");
          socket.write(
            `GET /rpc HTTP/1.1\r\nHost: 127.0.0.1:${daemon.port}\r\nAuthorization: Bearer ${daemon.token}\r\nConnection: Upgrade\r\n${lines}\r\n`,
          );
          const [answer] = (await once(socket, "data")) as [Buffer];
          socket.destroy();
          return answer.toString().split(" ", 2)[1];
        },
      ),
    );
    for (const status of answers) expect(Number(status)).toBeGreaterThanOrEqual(400);
    for (const status of answers) expect(Number(status)).toBeLessThan(500);
  });
});

describe("limits of connections", () => {
  const peers: RpcPeer[] = [];
  afterEach(async () => {
    for (const peer of peers.splice(0)) await peer[Symbol.asyncDispose]();
  });
  const open = async (): Promise<RpcPeer> => {
    const peer = await RpcPeer.open(daemon);
    peers.push(peer);
    return peer;
  };

  test("one identity has so many at once, and one that closes makes room", async () => {
    for (let count = 0; count < 5; count++) await open();
    expect(await refused(bearer())).toMatchObject({ status: 429, body: { error: { error_code: "RATE_LIMITED" } } });
    await peers.pop()![Symbol.asyncDispose]();
    let last: unknown;
    for (let attempt = 0; attempt < 100; attempt++) {
      last = await open().catch((thrown: unknown) => thrown);
      if (last instanceof RpcPeer) break;
    }
    expect(last).toBeInstanceOf(RpcPeer);
  });

  test("a message beyond the limit of a body closes with 1009", async () => {
    const peer = await open();
    peer.send(`"${"x".repeat(10_000_001)}"`);
    expect(await once(peer.socket, "close")).toMatchObject({ 0: 1009 });
  });

  test("bytes that are no text close with 1003, and text that is not UTF-8 with 1007", async () => {
    const binary = await open();
    binary.socket.send(Buffer.from([1, 2, 3]));
    expect(await once(binary.socket, "close")).toMatchObject({ 0: 1003 });
    const broken = await open();
    broken.socket.send(Buffer.from([0xff, 0xfe]), { binary: false });
    expect(await once(broken.socket, "close")).toMatchObject({ 0: 1007 });
  });

  test("whoever sends nothing but what is no JSON-RPC is let go", async () => {
    const peer = await open();
    for (let count = 0; count < 11; count++) peer.send("nonsense");
    expect(await once(peer.socket, "close")).toMatchObject({ 0: 1008 });
  });

  test("more calls than may go on at once wait, and more than may wait are refused", async () => {
    const peer = await open();
    const answers = await Promise.all(Array.from({ length: 200 }, () => peer.ask("SystemStatus")));
    const refusedCalls = answers.filter(({ error }) => error !== undefined);
    expect(refusedCalls.length).toBeGreaterThan(0);
    for (const { error } of refusedCalls) {
      expect(error).toMatchObject({ code: -32_000, data: { error_code: "RATE_LIMITED", retryable: true } });
    }
    expect(await peer.call("SystemStatus")).toMatchObject({ pid: process.pid });
  });

  test("an id that is in use is refused without touching the call that has it", async () => {
    const peer = await open();
    const answer = peer.ask("SystemStatus", {}, "same");
    peer.send({ jsonrpc: "2.0", id: "same", method: "SystemHealth" });
    const first = await answer;
    expect(first.result).toMatchObject({ pid: process.pid });
    await peer.until(() => peer.others.length > 0);
    expect(peer.others[0]).toMatchObject({ id: null, error: { code: -32_600 } });
  });
});

test("a peer that does not answer pings is dropped, and one that does is kept", async () => {
  await using other = await startTestDaemon({ socketLimits: { heartbeatMs: 300 } });
  await using alive = await RpcPeer.open(other);
  const headers = { authorization: `Bearer ${other.token}` };
  const socket = new WebSocket(`${other.url.replace("http", "ws")}/rpc`, { headers, autoPong: false });
  expect(await once(socket, "close")).toMatchObject({ 0: 1006 });
  expect(await alive.call("SystemHealth")).toMatchObject({ status: "ok" });
});

test("an offer of another protocol than WebSocket is passed over, and the request answered", async () => {
  const headers = { host: `127.0.0.1:${daemon.port}`, connection: "Upgrade, HTTP2-Settings", upgrade: "h2c" };
  expect((await daemon.raw("/healthz", { headers: { ...headers, "http2-settings": "AAMAAABk" } })).status).toBe(200);
});

test("H8 the daemon tells its peers when it stops", async () => {
  await using other = await startTestDaemon();
  const peer = await RpcPeer.open(other);
  const closed = once(peer.socket, "close");
  await other.close();
  expect(await closed).toMatchObject({ 0: 1001 });
});
