import { getEventListeners, once } from "node:events";
import type { RequestListener, ServerResponse } from "node:http";
import { createServer as createTcpServer, type AddressInfo } from "node:net";
import { BenchtopError } from "@benchtop/protocol";
import { afterEach, describe, expect, test } from "vitest";
import { httpServer, type TestServer } from "../test/servers.ts";
import { createEgress, type Egress, type EgressContext, type EgressOptions, type EgressRecord } from "./egress.ts";

const context: EgressContext = {
  purpose: "model-call",
  workspaceId: "ws_1",
  providerId: "mine",
  local: true,
  modelId: "small",
};
const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

async function serve(listener: RequestListener, options: Partial<EgressOptions> = {}) {
  const server = await httpServer(listener);
  cleanUps.push(() => server.close());
  return { server, ...gateTo(server, options) };
}

function gateTo(server: Pick<TestServer, "port">, options: Partial<EgressOptions> = {}) {
  const records: EgressRecord[] = [];
  const host = `127.0.0.1:${server.port}`;
  const egress: Egress = createEgress({
    policy: () => ({ allowedHosts: new Map([["mine", host]]) }),
    consent: { isConsented: () => false },
    record: (event) => records.push(event),
    ...options,
  });
  cleanUps.push(() => egress.close());
  return { egress, records, get: (init: RequestInit = {}) => egress.fetch(`http://${host}/v1`, init, context) };
}

async function failureOf(attempt: Promise<unknown>): Promise<BenchtopError> {
  const error: unknown = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!BenchtopError.is(error)) throw new Error(`expected a BenchtopError, got ${String(error)}`);
  return error;
}

/** Resolves with the response of the first request and when its connection is closed. */
function held() {
  const arrived = Promise.withResolvers<ServerResponse>();
  const closed = Promise.withResolvers<void>();
  const listener: RequestListener = (request, response) => {
    request.socket.on("close", () => closed.resolve());
    arrived.resolve(response);
  };
  return { listener, arrived: arrived.promise, closed: closed.promise };
}

describe("an answer", () => {
  test("streams: each piece arrives as it is sent, as bytes", async () => {
    const { listener, arrived } = held();
    const { get, records } = await serve(listener);
    const pending = get();
    const response = await arrived;
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("data: 1\n\n");
    const answer = await pending;
    expect(answer.headers.get("content-type")).toBe("text/event-stream");
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    for (const text of ["data: 1\n\n", "data: 2\n\n", "data: ü\n\n"]) {
      if (text !== "data: 1\n\n") response.write(text);
      const { value } = await reader.read();
      expect(value).toBeInstanceOf(Uint8Array);
      expect(new TextDecoder().decode(value)).toBe(text);
      expect(records).toEqual([]);
    }
    response.end();
    expect((await reader.read()).done).toBe(true);
    expect(records).toMatchObject([{ outcome: "sent", status: 200, bytesReceived: 28, errorCode: null }]);
  });

  test.each([204, 205, 304])("%i has no body and is recorded at once", async (status) => {
    const { get, records } = await serve((_request, response) => response.writeHead(status).end());
    const answer = await get();
    expect([answer.status, answer.body]).toEqual([status, null]);
    await expect.poll(() => records).toMatchObject([{ outcome: "sent", status }]);
  });

  test.each([400, 401, 404, 429, 500, 503])("%i is an answer, not a failure of the gate", async (status) => {
    const { get, records } = await serve((_request, response) =>
      response.writeHead(status, { "retry-after": "7" }).end("{}"),
    );
    const answer = await get();
    expect([answer.status, answer.headers.get("retry-after"), await answer.text()]).toEqual([status, "7", "{}"]);
    expect(records).toMatchObject([{ outcome: "sent", status }]);
  });

  test.each([100_000, 250_000, 1_000_000, 5_000_000])("in one piece of %i bytes arrives whole", async (bytes) => {
    const content = Buffer.alloc(bytes, "abcdefg");
    const { get, records } = await serve((_request, response) => response.write(content, () => response.end()));
    const received = Buffer.from(await (await get()).arrayBuffer());
    expect(received.equals(content)).toBe(true);
    expect(records[0]).toMatchObject({ outcome: "sent", bytesReceived: bytes });
  });

  test("informational answers before the real one are skipped", async () => {
    const { get } = await serve((_request, response) => {
      response.writeEarlyHints({ link: "</x>; rel=preload" }, () => response.end("real"));
    });
    const answer = await get();
    expect([answer.status, await answer.text()]).toEqual([200, "real"]);
  });

  test("a reader that is slow holds the sender back instead of filling memory", async () => {
    let sent = 0;
    const total = 64 * 1024 * 1024;
    const piece = Buffer.alloc(64 * 1024);
    const { get, records } = await serve(
      (_request, response) => {
        const more = () => {
          while (sent < total) {
            sent += piece.byteLength;
            if (!response.write(piece)) {
              response.once("drain", more);
              return;
            }
          }
          response.end();
        };
        more();
      },
      { limits: { responseBytes: total } },
    );
    const answer = await get();
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    // Until nothing moves any more.
    for (let before = -1; before !== sent;) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(sent).toBeLessThan(total / 2);
    let received = 0;
    for (let part = await reader.read(); !part.done; part = await reader.read()) received += part.value.byteLength;
    expect(received).toBeGreaterThan(total - 2 * piece.byteLength);
    expect(records).toMatchObject([{ outcome: "sent", bytesReceived: total }]);
  });
});

describe("an abort", () => {
  test("before the answer destroys the connection and rejects with the signal's reason", async () => {
    const { listener, arrived, closed } = held();
    const { get, records } = await serve(listener);
    const controller = new AbortController();
    const pending = get({ method: "POST", body: "12345", signal: controller.signal });
    await arrived;
    controller.abort();
    await expect(pending).rejects.toMatchObject({ name: "AbortError" });
    await closed;
    expect(records).toMatchObject([{ outcome: "failed", errorCode: "USER_CANCELED", bytesSent: 5, status: null }]);
  });

  test("in the middle of the body destroys the connection and errors the reader", async () => {
    const { listener, arrived, closed } = held();
    const { get, records } = await serve(listener);
    const controller = new AbortController();
    const reason = new BenchtopError("USER_CANCELED", "The person pressed Stop.");
    const pending = get({ signal: controller.signal });
    (await arrived).write("some");
    const reader = ((await pending).body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    const next = reader.read();
    controller.abort(reason);
    await expect(next).rejects.toBe(reason);
    await closed;
    expect(records).toMatchObject([{ outcome: "sent", errorCode: "USER_CANCELED", bytesReceived: 4, status: 200 }]);
  });

  test("before anything means that nothing is sent", async () => {
    const { get, records, server } = await serve((_request, response) => response.end());
    await expect(get({ signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" });
    expect(server.connections()).toBe(0);
    expect(records).toMatchObject([{ outcome: "failed", errorCode: "USER_CANCELED", bytesSent: 0 }]);
  });

  test("while the connection is being made means that no request is written", async () => {
    const requests: string[] = [];
    const { get, records } = await serve((request, response) => {
      requests.push(request.url ?? "");
      response.end("ok");
    });
    const controller = new AbortController();
    const pending = get({ method: "POST", body: "private words", signal: controller.signal });
    await Promise.resolve();
    controller.abort();
    await expect(pending).rejects.toMatchObject({ name: "AbortError" });
    // A request made afterwards is the first one that arrives.
    await (await get({ headers: { "x-second": "1" } })).text();
    expect(requests).toHaveLength(1);
    expect(records.map((record) => record.bytesSent)).toEqual([0, 0]);
  });

  test("giving the body up destroys the connection and is no failure", async () => {
    const { listener, arrived, closed } = held();
    const { get, records } = await serve(listener);
    const pending = get();
    (await arrived).write("some");
    await (await pending).body?.cancel();
    await closed;
    expect(records).toMatchObject([{ outcome: "sent", errorCode: null, status: 200 }]);
  });

  test("closing the gate ends what is open", async () => {
    const { listener, arrived, closed } = held();
    const { get, egress, records } = await serve(listener);
    const pending = get();
    await arrived;
    const failed = failureOf(pending);
    await egress.close();
    expect((await failed).code).toBe("USER_CANCELED");
    await closed;
    expect(records).toHaveLength(1);
  });

  test("leaves no listener on a signal that outlives the request", async () => {
    const { get } = await serve((_request, response) => response.end("ok"));
    const controller = new AbortController();
    for (let i = 0; i < 20; i++) await (await get({ signal: controller.signal })).text();
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });
});

describe("S8 redirects", () => {
  test.each([301, 302, 303, 307, 308, 300])("%i is refused and its target never contacted", async (status) => {
    const target = await httpServer((_request, response) => response.end("stolen"));
    cleanUps.push(() => target.close());
    const location = `http://127.0.0.1:${target.port}/?token=private`;
    const { get, records } = await serve((_request, response) => response.writeHead(status, { location }).end("moved"));
    const error = await failureOf(get({ method: "POST", body: "12345" }));
    expect(error.code).toBe("EGRESS_BLOCKED_BY_POLICY");
    expect(error.info.detail).toMatchObject({ status, redirectHost: `127.0.0.1:${target.port}` });
    expect(error.message).not.toContain("private");
    expect(target.connections()).toBe(0);
    expect(records).toMatchObject([{ outcome: "blocked", status, bytesSent: 5 }]);
  });

  test("even to the same host, and even when the caller asks to follow", async () => {
    let requests = 0;
    const { get } = await serve((_request, response) => {
      requests++;
      response.writeHead(307, { location: "/v2" }).end();
    });
    expect((await failureOf(get({ redirect: "follow" }))).code).toBe("EGRESS_BLOCKED_BY_POLICY");
    expect(requests).toBe(1);
  });
});

describe("what a provider may not do", () => {
  test("send more than the limit", async () => {
    const { get, records } = await serve((_request, response) => response.end(Buffer.alloc(100_000)), {
      limits: { responseBytes: 50_000 },
    });
    const answer = await get();
    expect((await failureOf(answer.arrayBuffer())).code).toBe("PROVIDER_UNAVAILABLE");
    expect(records).toMatchObject([{ outcome: "failed", errorCode: "PROVIDER_UNAVAILABLE", status: 200 }]);
  });

  test("compress although not asked", async () => {
    const { get } = await serve((_request, response) =>
      response.writeHead(200, { "content-encoding": "gzip" }).end("x"),
    );
    expect((await failureOf(get())).code).toBe("PROVIDER_UNAVAILABLE");
  });

  test("keep silent for longer than the limit for headers", async () => {
    const { listener, closed } = held();
    const { get, records } = await serve(listener, { timeouts: { headers: 200 } });
    const error = await failureOf(get());
    expect(error.code).toBe("PROVIDER_UNAVAILABLE");
    expect(error.message).toContain("did not answer in time");
    await closed;
    expect(records).toMatchObject([{ outcome: "failed", errorCode: "PROVIDER_UNAVAILABLE", status: null }]);
  });

  test("stop in the middle of an answer for longer than the limit for bodies", async () => {
    const { listener, arrived, closed } = held();
    const { get } = await serve(listener, { timeouts: { body: 200 } });
    const pending = get();
    (await arrived).write("some");
    expect((await failureOf((await pending).text())).message).toContain("stopped in the middle");
    await closed;
  });

  test.each([
    ["cut a body that has a length", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome"],
    ["cut a chunked body", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n64\r\nsome"],
    ["break the chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nsome"],
    ["hang up without an answer", ""],
    ["talk something else than HTTP", "SSH-2.0-OpenSSH_9.6\r\n"],
    ["answer with a status that means nothing", "HTTP/1.1 999 What\r\ncontent-length: 0\r\n\r\n"],
    ["send endless headers", `HTTP/1.1 200 OK\r\n${"x-header: y\r\n".repeat(5000)}`],
  ])("%s", async (_name, reply) => {
    const server = createTcpServer((socket) => {
      socket.on("error", () => socket.destroy());
      socket.once("data", () => socket.end(reply));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { get, records } = gateTo({ port: (server.address() as AddressInfo).port });
    const error = await failureOf(get().then((answer) => answer.text()));
    expect(["NETWORK_UNAVAILABLE", "PROVIDER_UNAVAILABLE"]).toContain(error.code);
    expect(error.message).toContain("127.0.0.1:");
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({ outcome: "failed", errorCode: error.code });
    server.close();
  });
});

describe("what a caller sends", () => {
  test.each<[string, NonNullable<RequestInit["body"]>, number]>([
    ["text, counted in UTF-8", "grün", 5],
    ["bytes", new Uint8Array([1, 2, 3]), 3],
    ["a view of a larger buffer", new Uint8Array(new ArrayBuffer(100), 10, 7), 7],
    ["a buffer", new ArrayBuffer(9), 9],
    ["a form", new URLSearchParams({ a: "b c" }), 5],
    ["a blob", new Blob(["1234"]), 4],
    ["nothing", "", 0],
  ])("%s arrives whole and is counted", async (_name, body, bytes) => {
    let arrived = 0;
    const { get, records } = await serve((request, response) => {
      request.on("data", (chunk: Buffer) => (arrived += chunk.byteLength));
      request.on("end", () => response.end());
    });
    await (await get({ method: "POST", body })).text();
    expect(arrived).toBe(bytes);
    expect(records).toMatchObject([{ bytesSent: bytes }]);
  });

  test("more than the limit is refused before a byte is sent", async () => {
    const { get, records, server } = await serve((_request, response) => response.end(), {
      limits: { requestBytes: 10 },
    });
    expect((await failureOf(get({ method: "POST", body: "01234567890" }))).code).toBe("CONTEXT_EXHAUSTED");
    expect(server.connections()).toBe(0);
    expect(records).toMatchObject([{ outcome: "blocked", bytesSent: 0 }]);
  });

  test("many calls at once share the gate, one record each", async () => {
    const { get, records } = await serve((request, response) => {
      request.resume();
      request.on("end", () => response.end("ok"));
    });
    const answers = await Promise.all(
      Array.from({ length: 50 }, async () => (await get({ method: "POST", body: "123" })).text()),
    );
    expect(answers.every((text) => text === "ok")).toBe(true);
    expect(records.filter((record) => record.outcome === "sent" && record.bytesSent === 3)).toHaveLength(50);
  });
});
