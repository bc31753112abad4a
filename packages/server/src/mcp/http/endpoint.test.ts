import { afterAll, beforeAll, expect, test } from "vitest";
import { call, connect, headersOf } from "../../../test/mcp/clients.ts";
import { budget, furnish, type Furnished } from "../../../test/mcp/furnish.ts";

let furnished: Furnished;
beforeAll(async () => {
  furnished = await furnish();
});
afterAll(() => furnished[Symbol.asyncDispose]());

interface Sent {
  readonly token?: string | null;
  readonly workspace?: string;
  readonly session?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

/** A request of the older protocol, as a program of anybody's could make it. */
function send(
  body: unknown,
  { token, session, method = "POST", headers = {}, workspace, signal }: Sent = {},
): Promise<Response> {
  const shown =
    token === null
      ? {}
      : headersOf(furnished.daemon, {
          ...(token !== undefined && { token }),
          ...(workspace !== undefined && { workspace }),
        });
  return fetch(`${furnished.daemon.url}/mcp`, {
    method,
    headers: {
      ...shown,
      accept: method === "GET" ? "text/event-stream" : "application/json, text/event-stream",
      ...(method === "POST" && { "content-type": "application/json" }),
      ...(session !== undefined && { "mcp-session-id": session, "mcp-protocol-version": "2025-11-25" }),
      ...headers,
    },
    ...(method === "POST" && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    ...(signal && { signal }),
  });
}

const initialize = {
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "raw", version: "1" } },
};
const list = { jsonrpc: "2.0", id: 1, method: "tools/list" };

async function greet(sent: Sent = {}): Promise<string> {
  const response = await send(initialize, sent);
  expect(response.status).toBe(200);
  await response.text();
  return response.headers.get("mcp-session-id") ?? "";
}

test("who shows no token or a wrong one is told so as RFC 6750 has it, before anything is read", async () => {
  const none = await send(initialize, { token: null });
  expect(none.status).toBe(401);
  expect(none.headers.get("www-authenticate")).toBe('Bearer realm="benchtop"');
  expect(await none.json()).toMatchObject({ error: { error_code: "AUTH_REQUIRED" } });
  const wrong = await send("not even JSON", { token: "wrong" });
  expect(wrong.status).toBe(401);
  expect(wrong.headers.get("www-authenticate")).toBe('Bearer realm="benchtop", error="invalid_token"');
  expect(none.headers.get("mcp-session-id")).toBeNull();
});

test("a page of another origin, and a name that is not ours, are refused", async () => {
  const headers = { ...headersOf(furnished.daemon, {}), "content-type": "application/json" };
  const body = JSON.stringify(initialize);
  const host = `127.0.0.1:${furnished.daemon.port}`;
  const page = await furnished.daemon.raw("/mcp", {
    method: "POST",
    headers: { ...headers, host, origin: "https://evil.example" },
    body,
  });
  expect(page.status).toBe(403);
  const rebound = await furnished.daemon.raw("/mcp", {
    method: "POST",
    headers: { ...headers, host: "evil.example" },
    body,
  });
  expect(rebound.status).toBe(421);
});

test("a session is its maker's alone: another key, or the same person in another workspace, does not find it", async () => {
  const scopes = ["workbenches:read", "runs:read"];
  const [mine, theirs] = [await furnished.key(...scopes), await furnished.key(...scopes)];
  const session = await greet({ token: mine.secret });
  expect((await send(list, { token: mine.secret, session })).status).toBe(200);
  for (const thief of [{ token: theirs.secret }, {}]) {
    const stolen = await send(list, { ...thief, session });
    expect(stolen.status).toBe(404);
    expect(await stolen.json()).toMatchObject({ error: { code: -32001 } });
    expect((await send(undefined, { ...thief, session, method: "GET" })).status).toBe(404);
    expect((await send(undefined, { ...thief, session, method: "DELETE" })).status).toBe(404);
  }
  const { workspaceId } = (await furnished.ask("POST", "/api/v1/workspaces", { name: "Another" })) as {
    workspaceId: string;
  };
  const own = await greet();
  expect((await send(list, { session: own, workspace: workspaceId })).status).toBe(404);
  expect((await send(list, { session: own })).status).toBe(200);
});

test("another workspace's workbenches and runs are not there", async () => {
  const workbenchId = await furnished.workbench("secret", budget);
  const runId = await furnished.draft(workbenchId);
  const { workspaceId } = (await furnished.ask("POST", "/api/v1/workspaces", { name: "Elsewhere" })) as {
    workspaceId: string;
  };
  await using mcp = await connect("MCP 2026-07-28", furnished.daemon, { workspace: workspaceId });
  for (const uri of [`benchtop://workbenches/${workbenchId}`, `benchtop://runs/${runId}`]) {
    await expect(mcp.client.readResource({ uri })).rejects.toMatchObject({ code: -32602 });
  }
  const { resources } = await mcp.client.listResources();
  expect(JSON.stringify(resources)).not.toContain(workbenchId);
  expect((await call(mcp, "runs_get", { runId })).isError).toBe(true);
  await expect(mcp.client.listen({ resourceSubscriptions: [`benchtop://runs/${runId}`] })).rejects.toThrow("not there");
});

test("a key that is revoked ends what its session still reads", async () => {
  const { keyId, secret } = await furnished.key("workbenches:read", "runs:read");
  const session = await greet({ token: secret });
  const stream = await send(undefined, { token: secret, session, method: "GET" });
  expect(stream.status).toBe(200);
  const ended = stream.text().then(
    () => "ended",
    () => "ended",
  );
  await furnished.ask("DELETE", `/api/v1/keys/${keyId}`);
  expect(await ended).toBe("ended");
  expect((await send(list, { token: secret, session })).status).toBe(401);
});

test("a session ends with DELETE, and is not known afterwards", async () => {
  const session = await greet();
  expect((await send(undefined, { session, method: "DELETE" })).status).toBe(200);
  expect((await send(list, { session })).status).toBe(404);
});

test("whoever opens sessions without end loses the oldest that do nothing", async () => {
  const { secret: token } = await furnished.key("workbenches:read");
  const first = await greet({ token });
  const busy = await greet({ token });
  const leaving = new AbortController();
  const stream = await send(undefined, { token, session: busy, method: "GET", signal: leaving.signal });
  expect(stream.status).toBe(200);
  for (let number = 0; number < 40; number++) await greet({ token });
  expect((await send(list, { token, session: first })).status).toBe(404);
  expect((await send(list, { token, session: busy })).status).toBe(200);
  leaving.abort();
});

test("a broken stream is taken up again where it was, by its own session only", async () => {
  const session = await greet();
  const answered = await (await send(list, { session })).text();
  // The first event has no data: it says from where on the stream can be taken up.
  const first = /^id: (\S+)$/m.exec(answered)?.[1] ?? "";
  const resumed = await send(undefined, { session, method: "GET", headers: { "last-event-id": first } });
  expect(resumed.status).toBe(200);
  expect(await resumed.text()).toContain('"workbenches_list"');
  const other = await greet();
  const stolen = await send(undefined, { session: other, method: "GET", headers: { "last-event-id": first } });
  expect(stolen.status).toBe(400);
});

test("garbage is answered as garbage, and the next request as ever", async () => {
  const session = await greet();
  const deep = `${"[".repeat(5000)}${"]".repeat(5000)}`;
  for (const [body, status] of [
    ["{", 400],
    ["", 400],
    [deep, 400],
    ["null", 400],
    ['"text"', 400],
    ["[]", 400],
    [JSON.stringify({ jsonrpc: "1.0", id: 1, method: "x" }), 400],
    [Buffer.from([0xff, 0xfe]).toString("latin1"), 400],
  ] as const) {
    const response = await send(body, { session });
    expect([body.slice(0, 40), response.status]).toEqual([body.slice(0, 40), status]);
    expect(await response.json()).toMatchObject({ error: { code: expect.any(Number) as unknown } });
  }
  const unknown = await send({ jsonrpc: "2.0", id: 9, method: "no/such" }, { session });
  expect(await unknown.text()).toContain("-32601");
  expect((await send(list, {})).status).toBe(400);
  expect((await send(list, { session, headers: { "content-type": "text/plain" } })).status).toBe(415);
  expect((await send(list, { session, headers: { "mcp-protocol-version": "1999-01-01" } })).status).toBe(400);
  expect((await send(undefined, { session, method: "PUT" })).status).toBe(405);
  const large = await send(`"${"x".repeat(10_000_001)}"`, { session }).catch(() => undefined);
  expect([413, undefined]).toContain(large?.status);
  expect((await send(list, { session })).status).toBe(200);
});

test("versions are negotiated: what the client knows where we know it, else the newest with a greeting", async () => {
  for (const [asked, got] of [
    ["2025-03-26", "2025-03-26"],
    ["2025-06-18", "2025-06-18"],
    ["2025-11-25", "2025-11-25"],
    ["2099-01-01", "2025-11-25"],
  ] as const) {
    const response = await send({ ...initialize, params: { ...initialize.params, protocolVersion: asked } });
    expect(await response.text()).toContain(`"protocolVersion":"${got}"`);
  }
});
