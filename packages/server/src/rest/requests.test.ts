import { connect } from "node:net";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { errorOf, json, startTestDaemon, type TestDaemon } from "../../test/test-daemon.ts";

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startTestDaemon({
    limits: { maxJsonBytes: 20_000, maxUploadBytes: 50_000, jsonTimeoutMs: 300, uploadIdleMs: 300 },
  });
});
afterAll(() => daemon[Symbol.asyncDispose]());

/** Writes bytes as they are and returns everything that comes back. */
async function exchange(write: (send: (text: string) => void) => Promise<void> | void): Promise<string> {
  const socket = connect(daemon.port, "127.0.0.1");
  await once(socket, "connect");
  let received = "";
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => (received += chunk));
  socket.on("error", () => undefined);
  const closed = new Promise<void>((resolve) => {
    socket.on("close", () => resolve());
  });
  await write((text) => void (socket.writable && socket.write(text)));
  await closed;
  return received;
}

const head = (line: string, ...headers: string[]) =>
  [line, `Host: 127.0.0.1:${daemon.port}`, `Authorization: Bearer ${daemon.token}`, ...headers, "", ""].join("\r\n");

describe("addresses", () => {
  test.each([
    ["/api/v1/nothing", 404, "NOT_FOUND"],
    ["/api", 404, "NOT_FOUND"],
    ["/api/v1/runs/", 404, "NOT_FOUND"],
    ["/api/v1/runs//events", 404, "NOT_FOUND"],
    ["/api/v1/runs/%zz", 400, "VALIDATION_FAILED"],
    ["/api/v1/runs/..%2f..%2fetc", 400, "VALIDATION_FAILED"],
    ["/api/v1/runs/unknown", 404, "NOT_FOUND"],
    ["/api/v1/runs?limit=0", 400, "VALIDATION_FAILED"],
    ["/api/v1/runs?limit=1&limit=2", 400, "VALIDATION_FAILED"],
    ["/api/v1/runs?cursor=%00", 400, "VALIDATION_FAILED"],
    ["/api/v1/runs?__proto__=x&status=nonsense", 400, "VALIDATION_FAILED"],
  ])("%s answers %i %s", async (path, status, code) => {
    const response = await daemon.raw(path, {
      headers: { host: `localhost:${daemon.port}`, authorization: `Bearer ${daemon.token}` },
    });
    expect(response.status).toBe(status);
    expect(response.error).toMatchObject({ error_code: code, message: expect.stringMatching(/\S/), retryable: false });
    expect(response.headers["content-type"]).toBe("application/json; charset=utf-8");
    expect(response.headers["x-request-id"]).toMatch(/^req_/);
  });

  test("another method answers 405 and names those there are", async () => {
    const response = await daemon.fetch("/api/v1/runs", { method: "DELETE" });
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("POST, GET, HEAD, OPTIONS");
  });

  test("HEAD answers as GET does, without the body", async () => {
    const response = await daemon.fetch("/api/v1/whoami", { method: "HEAD" });
    expect(response.status).toBe(200);
    expect(Number(response.headers.get("content-length"))).toBeGreaterThan(50);
    expect(await response.text()).toBe("");
  });

  test("a wrong field is named", async () => {
    const response = await daemon.fetch("/api/v1/runs?limit=5000&status=odd");
    expect(await errorOf(response)).toMatchObject({
      message: expect.stringMatching(/limit: .*1000; status: /) as unknown,
      detail: { fields: ["limit", "status"] },
    });
  });
});

const create = (init: RequestInit) => daemon.fetch("/api/v1/workbenches", { method: "POST", ...init });
const typed = (body: string | Uint8Array<ArrayBuffer>, type = "application/json"): RequestInit => ({
  body,
  headers: { "content-type": type },
});
const upload = async (body: string) => (await daemon.fetch("/api/v1/uploads", { method: "PUT", body })).json();

describe("bodies", () => {
  test.each([
    ["no JSON at all", typed("{name:"), 400],
    ["JSON that is no object", typed('["name"]'), 400],
    ["null", typed("null"), 400],
    ["broken UTF-8", typed(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d])), 400],
    ["a form", typed("name=x", "application/x-www-form-urlencoded"), 415],
    ["text", typed('{"name":"x"}', "text/plain"), 415],
    ["another character set", typed('{"name":"x"}', "application/json; charset=utf-16"), 415],
    ["a wrong type of field", typed('{"name":7}'), 400],
    ["deep nesting", typed(`{"name":${"[".repeat(9000)}${"]".repeat(9000)}}`), 400],
    ["too much", typed(JSON.stringify({ name: "x".repeat(30_000) })), 413],
  ])("%s is refused", async (_, init, status) => {
    const response = await create(init);
    expect(response.status).toBe(status);
    const error = await errorOf(response);
    expect(error.error_code).toBe("VALIDATION_FAILED");
    expect(error.message).not.toContain("xxx");
  });

  test("a compressed body is refused, so that it cannot unfold into a large one", async () => {
    const response = await create({
      body: "{}",
      headers: { "content-type": "application/json", "content-encoding": "gzip" },
    });
    expect(response.status).toBe(415);
  });

  test("a body without a length is measured while it comes", async () => {
    const received = await exchange((send) => {
      send(head("POST /api/v1/workbenches HTTP/1.1", "Content-Type: application/json", "Transfer-Encoding: chunked"));
      for (let chunk = 0; chunk < 10; chunk++) send(`fa0\r\n${"x".repeat(4000)}\r\n`);
    });
    expect(received).toMatch(/^HTTP\/1\.1 413 /);
    expect(received).toContain("VALIDATION_FAILED");
  });

  test("a body that trickles is refused when its time is over", async () => {
    const received = await exchange(async (send) => {
      send(head("POST /api/v1/workbenches HTTP/1.1", "Content-Type: application/json", "Content-Length: 1000"));
      for (let byte = 0; byte < 20; byte++) {
        send(" ");
        await sleep(30);
      }
    });
    expect(received).toMatch(/^HTTP\/1\.1 408 /);
    expect(received).toContain("arrived too slowly");
  });

  test("an upload that stalls is refused, and nothing of it is kept", async () => {
    const received = await exchange((send) => {
      send(head("PUT /api/v1/uploads HTTP/1.1", "Content-Length: 1000"));
      send("half");
    });
    expect(received).toMatch(/^HTTP\/1\.1 408 /);
    expect(await readdir(join(daemon.home, "blobs", "temporary"))).toEqual([]);
  });

  test("an upload that is too large is refused before and while it comes", async () => {
    const declared = await daemon.fetch("/api/v1/uploads", { method: "PUT", body: new Uint8Array(60_000) });
    expect(declared.status).toBe(413);
    const received = await exchange((send) => {
      send(head("PUT /api/v1/uploads HTTP/1.1", "Transfer-Encoding: chunked"));
      for (let chunk = 0; chunk < 20; chunk++) send(`fa0\r\n${"x".repeat(4000)}\r\n`);
    });
    expect(received).toMatch(/^HTTP\/1\.1 413 /);
    expect(await readdir(join(daemon.home, "blobs", "temporary"))).toEqual([]);
  });

  test("a caller that goes away in the middle of its body does no harm", async () => {
    const socket = connect(daemon.port, "127.0.0.1");
    await once(socket, "connect");
    socket.write(head("POST /api/v1/workbenches HTTP/1.1", "Content-Type: application/json", "Content-Length: 1000"));
    socket.write('{"name":');
    socket.destroy();
    expect((await daemon.fetch("/healthz")).status).toBe(200);
  });

  test("an upload is stored under its hash, an empty one too", async () => {
    expect(await upload("hello")).toEqual({
      sha256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
      bytes: 5,
    });
    expect(await upload("")).toMatchObject({ bytes: 0 });
  });
});

describe("what is no HTTP", () => {
  test.each([
    ["nonsense", "nonsense\r\n\r\n"],
    ["a TLS greeting", "\u0016\u0003\u0001\u0002"],
    ["two lengths", "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc"],
    [
      "length and chunks (request smuggling)",
      "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ["a head that is too large", `GET / HTTP/1.1\r\nX: ${"x".repeat(20_000)}\r\n\r\n`],
  ])("%s is answered 400 in the envelope", async (_, text) => {
    const received = await exchange((send) => send(text));
    expect(received).toMatch(/^HTTP\/1\.1 400 /);
    expect(received).toContain('"error_code":"VALIDATION_FAILED"');
  });

  test.each([
    ["no Host", "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", 421],
    ["no Host, in HTTP/1.0", "GET /healthz HTTP/1.0\r\n\r\n", 421],
    ["an empty Host", "GET /healthz HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", 421],
  ])("a request with %s is refused", async (_, text, status) => {
    expect(await exchange((send) => send(text))).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });

  test("a request line that names another server is refused (no open proxy)", async () => {
    const received = await exchange((send) => send(head("GET http://evil.example/ HTTP/1.1", "Connection: close")));
    expect(received).toMatch(/^HTTP\/1\.1 400 /);
  });
});

describe("the log", () => {
  test("has a line for each request, and neither tokens, queries nor bodies in it", async () => {
    const fresh = await startTestDaemon();
    await fresh.fetch("/api/v1/runs?cursor=a-secret-query");
    await fresh.fetch("/api/v1/runs", json({ prompt: "a-secret-prompt", model: 7 }));
    const { home, token } = fresh;
    await fresh.close();
    const log = await readFile(join(home, "logs", "daemon.log"), "utf8");
    expect(log).toMatch(/"event":"call","id":"req_\w+","operation":"runs.list","transport":"rest","user":"owner"/);
    expect(log).toMatch(/"event":"request","id":"req_\w+","method":"POST","status":400,"code":"VALIDATION_FAILED"/);
    for (const secret of [token, "a-secret-query", "a-secret-prompt"]) expect(log).not.toContain(secret);
  });
});
