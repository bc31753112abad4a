import { createServer, type Server, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { RunEvent } from "@benchtop/protocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createClient, type Client } from "./index.ts";

/** A server that speaks a journal as badly as a network can: what a connection gets is up to the test. */
let server: Server;
let client: Client;
let connections: string[];
let answer: (response: ServerResponse, connection: number) => void;

beforeEach(async () => {
  connections = [];
  server = createServer((request, response) => {
    connections.push(request.url ?? "");
    answer(response, connections.length);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  client = createClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: "t" });
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const frame = (seq: number, type = "HintInjected") =>
  `id: ${seq}\nevent: ${type}\ndata: ${JSON.stringify({ runId: "r", seq, type, text: "zwölf ☃" })}\n\n`;
const open = (response: ServerResponse) => response.writeHead(200, { "content-type": "text/event-stream" });
async function collect(following: AsyncIterable<RunEvent>): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for await (const event of following) events.push(event);
  return events;
}
const seqs = (events: RunEvent[]) => events.map(({ seq }) => seq);

test("a connection that is lost in the middle of a frame is taken up after the last whole event", async () => {
  answer = (response, connection) => {
    open(response);
    if (connection === 1) {
      response.write(frame(0) + frame(1) + frame(2).slice(0, 30), () => response.destroy());
      return;
    }
    response.end(frame(2) + frame(3, "Completed"));
  };
  expect(seqs(await collect(client.follow("r")))).toEqual([0, 1, 2, 3]);
  expect(connections).toEqual(["/api/v1/runs/r/events", "/api/v1/runs/r/events?after=1"]);
});

test("events that come again are given once", async () => {
  answer = (response, connection) => {
    open(response);
    if (connection === 1) response.end(frame(0) + frame(1));
    else response.end(frame(0) + frame(1) + frame(1) + frame(2, "Completed"));
  };
  expect(seqs(await collect(client.follow("r")))).toEqual([0, 1, 2]);
});

test("characters and frames that are cut anywhere come out whole", async () => {
  answer = (response) => {
    open(response);
    const bytes = Buffer.from(`: hello\n\n${frame(0)}${frame(1, "Completed")}`);
    const writeByte = (index: number): void => {
      if (index === bytes.length) response.end();
      else response.write(bytes.subarray(index, index + 1), () => setImmediate(writeByte, index + 1));
    };
    writeByte(0);
  };
  const events = await collect(client.follow("r"));
  expect(events).toMatchObject([{ text: "zwölf ☃" }, { text: "zwölf ☃" }]);
});

test("a run that has ended and was read to its end is over, without an event", async () => {
  answer = (response) => response.writeHead(204).end();
  expect(await collect(client.follow("r", { after: 7 }))).toEqual([]);
  expect(connections).toHaveLength(1);
});

test("what the daemon refuses is thrown and not tried again", async () => {
  answer = (response) =>
    response
      .writeHead(404, { "content-type": "application/json" })
      .end(JSON.stringify({ error: { message: "There is no run r.", error_code: "NOT_FOUND", phase: "run" } }));
  await expect(collect(client.follow("r"))).rejects.toMatchObject({ code: "NOT_FOUND" });
  expect(connections).toHaveLength(1);
});

test("a daemon that stays away is given up on, and the failure names it", async () => {
  answer = (response) => response.destroy();
  const states: boolean[] = [];
  const following = collect(
    client.follow("r", { giveUpAfterMs: 200, onConnection: (connected) => states.push(connected) }),
  );
  await expect(following).rejects.toMatchObject({
    code: "NETWORK_UNAVAILABLE",
    message: expect.stringContaining(client.url) as unknown,
  });
  expect(connections.length).toBeGreaterThan(1);
  expect(states).toEqual([false]);
});

test("aborting ends the iteration quietly and closes the connection", async () => {
  const abort = new AbortController();
  let closed: Promise<unknown> | undefined;
  answer = (response) => {
    closed = once(response, "close");
    open(response);
    response.write(frame(0));
  };
  const events: RunEvent[] = [];
  for await (const event of client.follow("r", { signal: abort.signal })) {
    events.push(event);
    abort.abort();
  }
  expect(seqs(events)).toEqual([0]);
  await closed;
});

test("a caller that stops early closes the connection", async () => {
  let closed: Promise<unknown> | undefined;
  answer = (response) => {
    closed = once(response, "close");
    open(response);
    response.write(frame(0) + frame(1));
  };
  for await (const event of client.follow("r")) if (event.seq === 0) break;
  await closed;
  expect(connections).toHaveLength(1);
});
