import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createClient, type Client } from "./index.ts";

let server: Server;
let client: Client;
let seen: IncomingMessage[];
let answer: (response: ServerResponse, attempt: number) => void;

beforeEach(async () => {
  seen = [];
  server = createServer((request, response) => {
    seen.push(request);
    request.resume().on("end", () => answer(response, seen.length));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  client = createClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, token: "t" });
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const json = (response: ServerResponse, status: number, body: unknown) =>
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));

test("a change that was cut off is made again with the same Idempotency-Key", async () => {
  answer = (response, attempt) => (attempt < 3 ? response.destroy() : json(response, 200, { discarded: true }));
  expect(await client.call("draft.discard", { workbenchId: "a/b" })).toEqual({ discarded: true });
  expect(seen.map(({ url }) => url)).toEqual(Array(3).fill("/api/v1/workbenches/a%2Fb/draft/discard"));
  expect(new Set(seen.map(({ headers }) => headers["idempotency-key"])).size).toBe(1);
  await client.call("draft.discard", { workbenchId: "a/b" });
  expect(new Set(seen.map(({ headers }) => headers["idempotency-key"])).size).toBe(2);
});

test("an attempt whose first one is still being served waits and asks again", async () => {
  const error = { message: "busy", error_code: "IDEMPOTENCY_CONFLICT", phase: "settings", retryable: true };
  answer = (response, attempt) =>
    attempt === 1 ? json(response, 409, { error }) : json(response, 200, { discarded: false });
  expect(await client.call("draft.discard", { workbenchId: "w" })).toEqual({ discarded: false });
});

const limited = (waitMs: number) => ({
  error: {
    message: "Too many requests.",
    error_code: "RATE_LIMITED",
    phase: "settings",
    retryable: true,
    actions: ["retry"],
    detail: { retry_after_ms: waitMs },
  },
});

test("where there were too many requests it waits as long as it is asked to, and not for ever", async () => {
  answer = (response, attempt) =>
    attempt < 3 ? json(response, 429, limited(5)) : json(response, 200, { discarded: false });
  expect(await client.call("draft.discard", { workbenchId: "w" })).toEqual({ discarded: false });
  expect(seen).toHaveLength(3);

  answer = (response) => json(response, 429, limited(5));
  await expect(client.call("draft.discard", { workbenchId: "w" })).rejects.toMatchObject({ code: "RATE_LIMITED" });
  expect(seen).toHaveLength(3 + 4);

  answer = (response) => json(response, 429, limited(3_600_000));
  await expect(client.call("draft.discard", { workbenchId: "w" })).rejects.toMatchObject({ code: "RATE_LIMITED" });
  expect(seen).toHaveLength(3 + 4 + 1);
});

test("P1.4 the workspace that a client works in is named with every request", async () => {
  answer = (response) => json(response, 200, {});
  await client.call("identity.whoami", {}).catch(() => undefined);
  const there = createClient({ url: client.url, token: "t", workspace: "ws_1" });
  await there.call("identity.whoami", {});
  await there.call("draft.discard", { workbenchId: "w" });
  expect(seen.map(({ headers }) => headers["benchtop-workspace"])).toEqual([undefined, "ws_1", "ws_1"]);
});

test("an answer of the daemon is thrown as it is and not tried again", async () => {
  const error = {
    message: "This workbench has a Draft.",
    error_code: "DRAFT_EXISTS",
    phase: "workbench",
    retryable: false,
    actions: ["review_draft"],
    workbench_id: "wb_1",
    detail: { path: "a.txt" },
  };
  answer = (response) => json(response, 409, { error });
  const { message, ...info } = error;
  await expect(client.call("workbenches.delete", { workbenchId: "w" })).rejects.toMatchObject({ message, info });
  expect(seen).toHaveLength(1);
});

test("what is no daemon is told apart from a daemon that is away", async () => {
  answer = (response) => response.writeHead(502).end("<html>proxy</html>");
  await expect(client.call("system.status", {})).rejects.toMatchObject({
    code: "NETWORK_UNAVAILABLE",
    info: { subphase: "not_a_daemon", detail: { status: 502 } },
  });
  const away = createClient({ url: "http://127.0.0.1:1", token: "t" });
  await expect(away.call("system.status", {}, { retry: false })).rejects.toMatchObject({
    code: "NETWORK_UNAVAILABLE",
    message: expect.stringContaining("http://127.0.0.1:1") as unknown,
    info: { subphase: "daemon_unreachable", retryable: true },
  });
});

test("a canceled call is USER_CANCELED", async () => {
  const abort = new AbortController();
  answer = () => abort.abort();
  await expect(client.call("system.status", {}, { signal: abort.signal })).rejects.toMatchObject({
    code: "USER_CANCELED",
  });
});

test.each(["..", ".", ""])("a path part %j never reaches another route", async (name) => {
  await expect(client.call("workbenches.open", { workbenchId: name })).rejects.toMatchObject({
    code: "VALIDATION_FAILED",
  });
  expect(seen).toHaveLength(0);
});

test("a redirect is not followed, so the token goes nowhere else", async () => {
  answer = (response) => response.writeHead(302, { location: "http://127.0.0.1:1/" }).end();
  await expect(client.call("system.status", {}, { retry: false })).rejects.toMatchObject({
    code: "NETWORK_UNAVAILABLE",
  });
});

test("bytes, blobs and streams are uploaded", async () => {
  answer = (response) => json(response, 201, { sha256: "", bytes: 0 });
  for (const body of [new Uint8Array(10), new Blob(["text"]), new Blob(["text"]).stream()]) await client.upload(body);
  expect(seen.map(({ headers }) => headers["content-length"])).toEqual(["10", "4", undefined]);
});
