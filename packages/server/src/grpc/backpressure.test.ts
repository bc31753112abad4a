import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer as createHttp1, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createHttp2, connect, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newId, newTraceId, type JournalWriter } from "@benchtop/protocol";
import { operations, type Identity } from "@benchtop/operations";
import { openStore, type Store } from "@benchtop/store";
import { afterEach, beforeEach, expect, test } from "vitest";
import { grpcClient } from "../../test/grpc-client.ts";
import { IdempotencyKeys } from "../api/idempotency.ts";
import type { StoredEvent } from "../api/handler.ts";
import { defaultBodyLimits } from "../http/body.ts";
import { openLog, type Log } from "../log/log.ts";
import { createServeGrpc } from "./serve.ts";

/** A journal of a real store, served by gRPC; what is taken from it for readers is counted. */
let folder: string;
let store: Store;
let log: Log;
let servers: (Server | Http2Server)[];
let writer: JournalWriter;
let runId: string;
let open: number;
let events: number;
let serve: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchtop-grpc-"));
  store = await openStore({ home: folder });
  log = openLog({ home: folder });
  runId = newId("run");
  const run = { runId, traceId: newTraceId(), kind: "prompt", userId: "owner", contract: {}, input: null };
  writer = await store.journal.create(run);
  open = 0;
  events = 0;
  const serveGrpc = await createServeGrpc({
    home: folder,
    log,
    identities: {
      identify: () => Promise.resolve({ userId: "owner", permissions: ["runs:read"] } as unknown as Identity),
      watch: () => ({ signal: new AbortController().signal, end: () => undefined }),
    },
    rateLimits: { take: () => undefined },
    references: { resolve: (_, value) => Promise.resolve(value) },
    idempotencyKeys: new IdempotencyKeys(store.db),
    failures: { ofCall: async () => undefined },
    stopping: () => false,
    checkOutputs: true,
    addresses: () => ({ port: 0, publicOrigins: new Set(), tls: false, proxies: new Set() }),
    limits: defaultBodyLimits,
    isReady: () => Promise.resolve(true),
    stoppingSignal: new AbortController().signal,
    registry: {
      byId: (id) => ({
        operation: operations[id as keyof typeof operations],
        handler: (_, { signal }) => Promise.resolve({ events: counted(store.journal.followPages(runId, {}, signal)) }),
      }),
    },
  });
  serve = (request, response) => void serveGrpc({ request, response, requestId: newId("request") });
  servers = [];
});

afterEach(async () => {
  for (const server of servers) server.close();
  await log.close();
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

async function* counted(pages: AsyncIterable<readonly StoredEvent[]>) {
  open++;
  try {
    for await (const page of pages) {
      events += page.length;
      yield page;
    }
  } finally {
    open--;
  }
}

async function listen(server: Server | Http2Server): Promise<string> {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function write(count: number, text: string): Promise<void> {
  for (let number = 0; number < count; number++) {
    writer.write({ type: "HintInjected", text });
    if (writer.pending > 2_000_000) await writer.committed();
  }
  await writer.committed();
}

const headers = { ":method": "POST", ":path": "/benchtop.v1.RunsService/RunsEvents", te: "trailers" };

/** `RunsEventsRequest { run_id: "x" }`, in its envelope. */
const message = Buffer.from([0, 0, 0, 0, 3, 0x0a, 1, 0x78]);

test("a reader whose window is closed stops the journal being read for it, and gets the rest when it opens", async () => {
  const url = await listen(createHttp2((request, response) => serve(request as never, response as never)));
  await write(400, "x".repeat(100_000));
  const session = connect(url);
  const stream = session.request({ ...headers, "content-type": "application/grpc" });
  stream.end(message);
  await once(stream, "response");
  let before = -1;
  await expect
    .poll(
      () => {
        const settled = before === events;
        before = events;
        return settled && open;
      },
      { interval: 100 },
    )
    .toBe(1);
  expect(events).toBeLessThan(200);
  let bytes = 0;
  stream.on("data", (chunk: Buffer) => (bytes += chunk.length));
  await expect.poll(() => bytes, { timeout: 20_000 }).toBeGreaterThan(40_000_000);
  session.destroy();
  await expect.poll(() => open).toBe(0);
});

test("a reader that goes away frees its stream, whether or not anything happens in the run", async () => {
  const url = await listen(createHttp2((request, response) => serve(request as never, response as never)));
  const session = connect(url);
  for (let reader = 0; reader < 20; reader++) {
    const stream = session.request({ ...headers, "content-type": "application/grpc" });
    stream.on("error", () => undefined).end(message);
    await once(stream, "response");
    if (reader % 2 === 0) stream.close();
  }
  await expect.poll(() => open).toBe(10);
  session.destroy();
  await expect.poll(() => open).toBe(0);
});

test("so does one of gRPC-Web over HTTP/1.1 that never reads", async () => {
  const url = await listen(createHttp1(serve));
  await write(100, "x".repeat(100_000));
  const client = await grpcClient(url, "grpc-web");
  const gone = new AbortController();
  const reading = client.stream("runs.events", { runId: "x" }, { signal: gone.signal })[Symbol.asyncIterator]();
  expect((await reading.next()).done).toBe(false);
  expect(open).toBe(1);
  gone.abort();
  await reading.next().catch(() => undefined);
  await expect.poll(() => open).toBe(0);
});
