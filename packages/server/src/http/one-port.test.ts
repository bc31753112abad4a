import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, get, request as httpRequest } from "node:http";
import { connect as connectHttp2, type ClientHttp2Session, type OutgoingHttpHeaders } from "node:http2";
import { connect, type AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startModelServer, type ModelServer } from "../../../../test/model-server.ts";
import { field, flags, frame, frameTypes, openConnection, preface, requestHeaders } from "../../test/http2-frames.ts";
import { json, startTestDaemon, type TestDaemon } from "../../test/test-daemon.ts";
import { routeByPreface, takeHttp1Listener } from "./connections.ts";
import { createHttp2 } from "./http2.ts";

let daemon: TestDaemon;
let models: ModelServer;
let session: ClientHttp2Session;
beforeAll(async () => {
  models = await startModelServer();
  daemon = await startTestDaemon({ limits: { maxJsonBytes: 100_000 } });
  const provider = { name: "loop", kind: "openai-chat", baseUrl: models.url, local: true };
  await daemon.fetch("/api/v1/providers", json(provider));
  session = connectHttp2(daemon.url);
});
afterAll(async () => {
  session.destroy();
  await daemon[Symbol.asyncDispose]();
  await models[Symbol.asyncDispose]();
});

interface Http2Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: string;
}

async function ask(path: string, headers: OutgoingHttpHeaders = {}, body?: string): Promise<Http2Answer> {
  const stream = session.request(
    { ":path": path, authorization: `Bearer ${daemon.token}`, ...headers },
    { endStream: body === undefined },
  );
  const answered = once(stream, "response") as Promise<[Record<string, unknown>]>;
  if (body !== undefined) stream.end(body);
  const [head] = await answered;
  stream.setEncoding("utf8");
  let text = "";
  for await (const chunk of stream) text += chunk as string;
  return { status: Number(head[":status"]), headers: head, body: text };
}

describe("REST over HTTP/2", () => {
  const type = { ":method": "POST", "content-type": "application/json" };

  test("answers what HTTP/1.1 answers, on the same port", async () => {
    const first: unknown = await (await daemon.fetch("/api/v1/whoami")).json();
    const { status, headers, body } = await ask("/api/v1/whoami");
    expect(status).toBe(200);
    expect(JSON.parse(body)).toEqual(first);
    expect(headers["x-content-type-options"]).toBe("nosniff");
  });

  test("takes JSON with and without a length, and refuses what HTTP/1.1 refuses", async () => {
    const created = await ask("/api/v1/workbenches", type, JSON.stringify({ name: "two" }));
    expect(created.status).toBe(201);
    const refused = async (headers: OutgoingHttpHeaders, body?: string) => {
      const { status, body: text } = await ask("/api/v1/workbenches", headers, body);
      return [status, (JSON.parse(text) as { error: { error_code: string } }).error.error_code];
    };
    expect(await refused({ ...type, "content-type": "text/plain" }, "x")).toEqual([415, "VALIDATION_FAILED"]);
    expect(await refused(type, "{")).toEqual([400, "VALIDATION_FAILED"]);
    expect(await refused({ ...type, authorization: "Bearer wrong" }, "{}")).toEqual([401, "AUTH_REQUIRED"]);
    expect(await refused({ ":method": "PATCH" })).toEqual([405, "VALIDATION_FAILED"]);
    expect(await refused(type, JSON.stringify({ name: "x".repeat(200_000) }))).toEqual([413, "VALIDATION_FAILED"]);
    expect(await refused({ ...type, "content-length": 200_000 }, "")).toEqual([413, "VALIDATION_FAILED"]);
  });

  test("P1.4 is not answered under another host's name, nor to a page of another origin", async () => {
    for (const authority of ["evil.example", `evil.example:${daemon.port}`, `127.0.0.1:${daemon.port + 1}`]) {
      expect((await ask("/healthz", { ":authority": authority })).status).toBe(421);
      // A Host that is ours does not help: the authority is what counts.
      expect((await ask("/healthz", { ":authority": authority, host: `127.0.0.1:${daemon.port}` })).status).toBe(421);
    }
    expect((await ask("/healthz", { origin: "https://evil.example" })).status).toBe(403);
    expect((await ask("/healthz", { origin: daemon.url })).status).toBe(200);
  });

  test("uploads, downloads and follows a run to its end", async () => {
    const upload = await ask("/api/v1/uploads", { ":method": "PUT" }, "content");
    const { sha256 } = JSON.parse(upload.body) as { sha256: string };
    const bench = JSON.parse((await ask("/api/v1/workbenches", type, '{"name":"files"}')).body) as Record<
      string,
      string
    >;
    const files = `/api/v1/workbenches/${bench["workbenchId"]}/files`;
    const added = await ask(files, type, JSON.stringify({ uploads: [{ path: "a.txt", sha256 }] }));
    expect(added.status).toBe(200);
    expect((await ask(`${files}/content?path=a.txt`)).body).toBe("content");

    const run = await ask("/api/v1/runs", type, JSON.stringify({ model: "loop/gpt-5.2", prompt: "Hello." }));
    const { runId } = JSON.parse(run.body) as { runId: string };
    const events = await ask(`/api/v1/runs/${runId}/events`);
    expect(events.headers["content-type"]).toBe("text/event-stream; charset=utf-8");
    expect(events.body).toMatch(/^id: 0\nevent: RunStarted\n/);
    expect(events.body).toMatch(/\nevent: Completed\n.*\n\n$/);
  });

  test("HEAD and OPTIONS have no body", async () => {
    expect(await ask("/api/v1/whoami", { ":method": "HEAD" })).toMatchObject({ status: 200, body: "" });
    expect(await ask("/api/v1/runs", { ":method": "OPTIONS" })).toMatchObject({ status: 204, body: "" });
  });
});

describe("how a connection begins", () => {
  test("the preface of HTTP/2 may come byte by byte", async () => {
    const socket = connect(daemon.port, "127.0.0.1");
    await once(socket, "connect");
    socket.setNoDelay(true);
    for (const byte of Buffer.from(preface)) {
      socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.write(frame(frameTypes.settings, 0, 0));
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer[3]).toBe(frameTypes.settings);
    socket.destroy();
  });

  test("so may a request of HTTP/1.1 that begins alike", async () => {
    const socket = connect(daemon.port, "127.0.0.1");
    socket.setEncoding("utf8");
    for (const part of [
      "P",
      "R",
      "OPFIND / HTTP/1.1\r\n",
      `Host: 127.0.0.1:${daemon.port}\r\nConnection: close\r\n\r\n`,
    ]) {
      socket.write(part);
      await new Promise((resolve) => setImmediate(resolve));
    }
    let text = "";
    for await (const chunk of socket) text += chunk as string;
    expect(text).toMatch(/^HTTP\/1\.1 4\d\d /);
  });

  test("who says nothing, or stops within the preface, is let go; one that says all is served", async () => {
    const server = createServer((_, response) => response.end("one"));
    const http2 = createHttp2((_, response) => response.end("two"));
    const slow: number[] = [];
    const protocols = {
      serveHttp1: takeHttp1Listener(server, "connection"),
      http2: http2.server,
      firstBytesMs: 300,
      onTooSlow: (socket: { end(text: string): void }) => {
        slow.push(1);
        socket.end("too slow");
      },
    };
    server.on("connection", (socket) => routeByPreface(socket, protocols));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const told = async (first: string): Promise<string> => {
      const socket = connect(port, "127.0.0.1");
      socket.setEncoding("utf8").write(first);
      let text = "";
      for await (const chunk of socket) text += chunk as string;
      return text;
    };
    expect(await Promise.all(["", "P", "PRI * HTTP/2.0\r\n"].map(told))).toEqual(Array(3).fill("too slow"));
    expect(slow).toHaveLength(3);
    expect(await told("GET / HTTP/1.0\r\n\r\n")).toContain("one");
    const peer = connectHttp2(`http://127.0.0.1:${port}`);
    const stream = peer.request({ ":path": "/" }).setEncoding("utf8");
    let text = "";
    for await (const chunk of stream) text += chunk as string;
    expect(text).toBe("two");
    peer.destroy();
    server.closeAllConnections();
    server.close();
  });

  test("one of HTTP/2 on which nothing happens is closed, unless it has requests and says that it lives", async () => {
    const waiting: { end(text: string): void }[] = [];
    const http2 = createHttp2((_, response) => waiting.push(response), { idleMs: 50, pingMs: 1500 });
    const server = createServer();
    takeHttp1Listener(server, "connection");
    server.on("connection", (socket) => http2.server().emit("connection", socket));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const idle = connectHttp2(`http://127.0.0.1:${port}`);
    const alive = connectHttp2(`http://127.0.0.1:${port}`);
    const stream = alive.request({ ":path": "/" }).setEncoding("utf8");
    const dead = await openConnection(port);
    await dead.send(frame(frameTypes.headers, flags.endHeaders | flags.endStream, 1, requestHeaders("a", "/")));
    await Promise.all([once(idle, "close"), dead.closed]);
    expect(dead.received.get(frameTypes.ping)).toHaveLength(1);
    expect(alive.closed || alive.destroyed).toBe(false);
    for (const response of waiting) response.end("still here");
    let text = "";
    for await (const chunk of stream) text += chunk as string;
    expect(text).toBe("still here");
    alive.destroy();
    server.close();
  });

  test("a request that is pipelined behind another is answered, and a connection is used again", async () => {
    const head = `Host: 127.0.0.1:${daemon.port}\r\n`;
    const socket = connect(daemon.port, "127.0.0.1");
    socket.setEncoding("utf8");
    socket.write(`GET /healthz HTTP/1.1\r\n${head}\r\nGET /healthz HTTP/1.1\r\n${head}Connection: close\r\n\r\n`);
    let text = "";
    for await (const chunk of socket) text += chunk as string;
    expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
  });

  test("what asks to be upgraded reaches the listeners for it", async () => {
    const request = httpRequest({
      host: "127.0.0.1",
      port: daemon.port,
      path: "/nothing",
      headers: { connection: "Upgrade", upgrade: "websocket" },
    });
    request.end();
    const status = await new Promise((resolve) => {
      request.once("response", ({ statusCode }) => resolve(statusCode));
      request.once("upgrade", () => resolve(101));
      request.once("error", () => resolve("closed"));
    });
    expect(status).not.toBe(101);
    expect((await daemon.fetch("/healthz")).status).toBe(200);
  });
});

const authority = () => `127.0.0.1:${daemon.port}`;

async function alive(): Promise<void> {
  expect((await daemon.fetch("/api/v1/whoami")).status).toBe(200);
}

async function requestsLogged(): Promise<number> {
  const log = await readFile(join(daemon.home, "logs", "daemon.log"), "utf8");
  return log.split('"event":"request"').length - 1;
}

function answered(peer: Awaited<ReturnType<typeof openConnection>>): Promise<unknown> {
  return expect.poll(() => peer.received.has(frameTypes.headers) || peer.received.has(frameTypes.reset)).toBe(true);
}

/** How the answer to a request with these headers as well begins. */
async function statusByte(extra: Buffer): Promise<number | undefined> {
  const peer = await openConnection(daemon.port);
  const block = Buffer.concat([requestHeaders(authority(), "/openapi.json"), extra]);
  await peer.send(frame(frameTypes.headers, flags.endHeaders | flags.endStream, 1, block));
  await Promise.race([peer.closed, new Promise((resolve) => peer.socket.once("end", resolve)), answered(peer)]);
  const answer = peer.received.get(frameTypes.headers)?.[0];
  peer.socket.destroy();
  return answer?.[9];
}

describe("a peer that abuses HTTP/2", () => {
  test("by opening and resetting streams (CVE-2023-44487) loses its connection", async () => {
    const peer = await openConnection(daemon.port);
    const block = requestHeaders(authority(), "/healthz");
    const before = await requestsLogged();
    for (let stream = 1; stream < 20_000; stream += 2) {
      const opened = frame(frameTypes.headers, flags.endHeaders | flags.endStream, stream, block);
      const reset = frame(frameTypes.reset, 0, stream, Buffer.from([0, 0, 0, 8]));
      if (!(await peer.send(opened, reset))) break;
    }
    await peer.closed;
    expect(peer.received.has(frameTypes.goAway)).toBe(true);
    // What was read together with the last one that is allowed still passes.
    expect((await requestsLogged()) - before).toBeLessThan(4000);
    await alive();
  });

  test("by header blocks without an end (CVE-2024-27316) loses its connection", async () => {
    const peer = await openConnection(daemon.port);
    await peer.send(frame(frameTypes.headers, flags.none, 1, requestHeaders(authority(), "/healthz")));
    const more = frame(frameTypes.continuation, flags.none, 1, field("x", "y".repeat(100)));
    for (let sent = 0; sent < 10_000; sent++) if (!(await peer.send(more))) break;
    await peer.closed;
    expect(peer.received.has(frameTypes.headers)).toBe(false);
    await alive();
  });

  test("by headers that are too many or too large gets no handler", async () => {
    // The first byte of the answer's HPACK is 0x88 for 200.
    expect(await statusByte(Buffer.alloc(0))).toBe(0x88);
    expect(await statusByte(Buffer.concat(Array.from({ length: 150 }, () => field("x-a", "b"))))).not.toBe(0x88);
    // One reference of two bytes each to a field that was stored once: a small block that unfolds into a large list.
    const stored = Buffer.concat([
      Buffer.from([0x40, 1]),
      Buffer.from("a"),
      Buffer.from([120]),
      Buffer.alloc(120, "b"),
    ]);
    expect(await statusByte(Buffer.concat([stored, Buffer.alloc(5000, 0xbe)]))).not.toBe(0x88);
    await alive();
  });

  test("by pings or settings, and never reading what is answered, is not answered for ever", async () => {
    for (const flood of [
      frame(frameTypes.ping, 0, 0, Buffer.alloc(8)),
      frame(frameTypes.settings, 0, 0, Buffer.from([0, 4, 0, 1, 0, 0])),
    ]) {
      const peer = await openConnection(daemon.port);
      peer.socket.pause();
      const many = Buffer.concat(Array.from({ length: 2000 }, () => flood));
      const before = process.memoryUsage().rss;
      for (let round = 0; round < 100; round++) {
        const sent = await Promise.race([
          peer.send(many),
          new Promise((resolve) => setTimeout(resolve, 200, "stalled")),
        ]);
        if (sent !== true) break;
      }
      expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
      peer.socket.destroy();
      await alive();
    }
  });

  test("by more streams at once than there may be has the rest refused", async () => {
    const peer = await openConnection(daemon.port);
    const block = requestHeaders(authority(), "/api/v1/sign-in", "POST");
    const opened = Array.from({ length: 400 }, (_, index) =>
      frame(frameTypes.headers, flags.endHeaders, 1 + index * 2, block),
    );
    await peer.send(...opened);
    await expect.poll(() => peer.received.get(frameTypes.reset)?.length ?? 0).toBeGreaterThan(0);
    peer.socket.destroy();
    await alive();
  });

  test("by asking for much and never taking it holds back its own streams alone", async () => {
    const window = frame(frameTypes.settings, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0]));
    const peer = await openConnection(daemon.port);
    await peer.send(window);
    const block = requestHeaders(authority(), "/openapi.json");
    const before = process.memoryUsage().rss;
    for (let stream = 1; stream < 400; stream += 2) {
      await peer.send(frame(frameTypes.headers, flags.endHeaders | flags.endStream, stream, block));
    }
    await expect.poll(() => peer.received.get(frameTypes.headers)?.length ?? 0).toBeGreaterThan(20);
    expect(peer.received.get(frameTypes.data)?.every(({ length }) => length === 9) ?? true).toBe(true);
    expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000);
    const answer = await new Promise<number | undefined>((resolve, reject) => {
      get(`${daemon.url}/openapi.json`, ({ statusCode }) => resolve(statusCode)).on("error", reject);
    });
    expect(answer).toBe(200);
    peer.socket.destroy();
  });

  test("by what is no HTTP/2 after the preface loses its connection", async () => {
    const peer = await openConnection(daemon.port);
    await peer.send(Buffer.alloc(100, 0xff));
    await peer.closed;
    expect(peer.received.has(frameTypes.headers)).toBe(false);
    await alive();
  });
});
