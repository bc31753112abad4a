import { once } from "node:events";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { startModelServer, type ModelServer } from "../../../../test/model-server.ts";
import { createFlood, type Flood } from "../../test/flood.ts";
import { RpcPeer } from "../../test/rpc-peer.ts";
import { startTestDaemon, type TestDaemon } from "../../test/test-daemon.ts";

let daemon: TestDaemon;
let models: ModelServer;
let flood: Flood;
beforeAll(async () => {
  models = await startModelServer();
  flood = createFlood();
  daemon = await startTestDaemon({ extensions: [flood.entry], socketLimits: { maxSubscriptions: 300 } });
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await models.close();
});
beforeEach(async () => {
  await released();
  flood.pages = 0;
});

/** Waits until the daemon has let go of what a test opened. */
async function released(): Promise<void> {
  while (flood.open > 0) await new Promise((resolve) => setImmediate(resolve));
}
const settled = async () => {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
};
const seqs = (peer: RpcPeer, stream: string) => peer.eventsOf(stream).map(({ seq }) => seq);
const upTo = (count: number) => Array.from({ length: count }, (_, seq) => seq);

test("H8 a run is followed to its end, in snake_case, and taken up again from any cursor", async () => {
  await using peer = await RpcPeer.open(daemon);
  const provider = { name: "loop", kind: "openai-responses", base_url: models.url, local: true };
  await peer.call("ProvidersAdd", provider);
  const { run_id } = await peer.call("RunsStart", { model: "loop/gpt-5.2", prompt: "say hello" });
  const stream = await peer.subscribe("RunsEvents", { run_id });
  expect(await peer.end(stream)).toEqual({ subscription_id: stream, reason: "completed" });
  const events = peer.eventsOf(stream);
  expect(events.map(({ seq }) => seq)).toEqual(upTo(events.length));
  expect(events[0]).toMatchObject({ type: "RunStarted", run_id, user_id: "owner", input: { prompt: "say hello" } });
  expect(events.at(-1)).toMatchObject({ type: "Completed", finish_reason: "stop", totals: { tool_calls: 0 } });

  const later = await peer.subscribe("RunsEvents", { run_id, after: 2 });
  await peer.end(later);
  expect(peer.eventsOf(later)).toEqual(events.slice(3));
  const none = await peer.subscribe("RunsEvents", { run_id, after: events.length - 1 });
  expect(await peer.end(none)).toMatchObject({ reason: "completed" });
  expect(peer.eventsOf(none)).toEqual([]);
  const { error } = await peer.ask("RunsEvents", { run_id: "run_none" });
  expect(error?.data.error_code).toBe("NOT_FOUND");
});

test("a stream stops at its window until its reader has taken some, and costs nothing meanwhile", async () => {
  await using peer = await RpcPeer.open(daemon);
  const stream = await peer.subscribe("TestFlood", { events: 1000, window: 100 });
  await peer.until(() => seqs(peer, stream).length >= 100);
  await settled();
  expect(seqs(peer, stream)).toEqual(upTo(100));
  expect(flood.open).toBe(0);
  expect(await peer.call("$/credit", { subscription_id: stream, events: 50 })).toEqual({ granted: true });
  await peer.until(() => seqs(peer, stream).length >= 150);
  await settled();
  expect(seqs(peer, stream)).toEqual(upTo(150));
  peer.send({ jsonrpc: "2.0", method: "$/credit", params: { subscription_id: stream, events: 10_000 } });
  expect(await peer.end(stream)).toMatchObject({ reason: "completed" });
  expect(seqs(peer, stream)).toEqual(upTo(1000));
});

test("without a window the connection alone holds a stream back", async () => {
  await using peer = await RpcPeer.open(daemon);
  const stream = await peer.subscribe("TestFlood", { events: 5000, window: null });
  await peer.end(stream);
  expect(seqs(peer, stream)).toEqual(upTo(5000));
});

test("a stream that stands still holds up neither calls nor other streams", async () => {
  await using peer = await RpcPeer.open(daemon);
  const still = await peer.subscribe("TestFlood", { events: 100_000, window: 1 });
  const other = await peer.subscribe("TestFlood", { events: 500 });
  await peer.end(other);
  expect(await peer.call("SystemHealth")).toMatchObject({ status: "ok" });
  expect(seqs(peer, still)).toEqual([0]);
});

test("two hundred streams on one connection each come whole and in order", async () => {
  await using peer = await RpcPeer.open(daemon);
  const streams = await Promise.all(upTo(200).map(() => peer.subscribe("TestFlood", { events: 120, window: null })));
  await Promise.all(streams.map((stream) => peer.end(stream)));
  for (const stream of streams) expect(seqs(peer, stream)).toEqual(upTo(120));
});

test("a peer that does not read is sent a bounded amount, whatever it asked for", async () => {
  await using peer = await RpcPeer.open(daemon);
  const streams = await Promise.all(
    upTo(20).map(() => peer.subscribe("TestFlood", { events: 1000, text: 10_000, window: null })),
  );
  peer.socket.pause();
  await settled();
  // What is under way on the socket still moves; then the daemon asks its source for nothing more.
  let before: number;
  do {
    before = flood.pages;
    await new Promise((resolve) => setTimeout(resolve, 100));
  } while (flood.pages > before);
  expect(flood.open).toBe(0);
  expect(flood.pages).toBeLessThan(300);
  await using other = await RpcPeer.open(daemon);
  expect(await other.call("SystemHealth")).toMatchObject({ status: "ok" });
  peer.socket.resume();
  const first = streams[0]!;
  await peer.until(() => seqs(peer, first).length > 100);
  expect(seqs(peer, first)).toEqual(upTo(seqs(peer, first).length));
  await peer[Symbol.asyncDispose]();
  await released();
});

test("a canceled stream lets go of its source and says so", async () => {
  await using peer = await RpcPeer.open(daemon);
  const stream = await peer.subscribe("TestFlood", { events: 100, still_after: 9 });
  await peer.until(() => seqs(peer, stream).length >= 10);
  expect(await peer.call("$/cancel", { subscription_id: stream })).toEqual({ canceled: true });
  expect(await peer.end(stream)).toEqual({ subscription_id: stream, reason: "canceled" });
  await released();
  expect(await peer.call("$/cancel", { subscription_id: stream })).toEqual({ canceled: false });
});

test("a peer that goes away lets go of every source", async () => {
  const peer = await RpcPeer.open(daemon);
  await Promise.all(upTo(20).map(() => peer.subscribe("TestFlood", { events: 100, still_after: 9, window: 50 })));
  await peer.until(() => seqs(peer, "s20").length >= 10);
  await peer[Symbol.asyncDispose]();
  await released();
  expect(flood.open).toBe(0);
});

test("streams on one connection are bounded, and one that ends makes room", async () => {
  await using peer = await RpcPeer.open(daemon);
  const streams: string[] = [];
  for (let count = 0; count < 300; count++) {
    streams.push(await peer.subscribe("TestFlood", { events: 100, still_after: -1 }));
  }
  const { error } = await peer.ask("TestFlood", { events: 1 });
  expect(error?.data).toMatchObject({ error_code: "RATE_LIMITED" });
  await peer.call("$/cancel", { subscription_id: streams[0] });
  await peer.end(streams[0]!);
  await peer.subscribe("TestFlood", { events: 1 });
});

test("what the connection's own methods take is checked", async () => {
  await using peer = await RpcPeer.open(daemon);
  for (const [method, params] of [
    ["TestFlood", { events: 1, window: 0 }],
    ["TestFlood", { events: 1, window: "all" }],
    ["$/credit", { subscription_id: "s1", events: -5 }],
    ["$/credit", { subscription_id: "s1" }],
    ["$/cancel", {}],
    ["$/cancel", { id: 1, subscription_id: "s1" }],
  ] as const) {
    const { error } = await peer.ask(method, params);
    expect(error).toMatchObject({ code: -32_602, data: { error_code: "VALIDATION_FAILED" } });
  }
  expect((await peer.ask("$/nothing")).error).toMatchObject({ code: -32_601 });
  expect(await peer.call("$/credit", { subscription_id: "s99", events: 1 })).toEqual({ granted: false });
});

test("a stream in a batch begins after the batch is answered; one that nobody can name never begins", async () => {
  await using peer = await RpcPeer.open(daemon);
  const order: string[] = [];
  peer.socket.on("message", (data: Buffer) => order.push(data.toString().slice(0, 1)));
  peer.send([
    { jsonrpc: "2.0", id: "a", method: "TestFlood", params: { events: 3 } },
    { jsonrpc: "2.0", id: "b", method: "SystemStatus" },
    { jsonrpc: "2.0", method: "TestFlood", params: { events: 3 } },
  ]);
  await peer.until(() => peer.endOf("s1") !== undefined);
  expect(order).toEqual(["[", "{", "{"]);
  expect(peer.endOf("s2")).toBeUndefined();
});

test("S3 a publish that is waited for tells its phases, to the call that waits", async () => {
  await using peer = await RpcPeer.open(daemon);
  const { workbench_id } = await peer.call("WorkbenchCreate", { name: "phases" });
  const content = Buffer.from("item,amount\nrent,700\n").toString("base64");
  const { sha256 } = await peer.call("FilesUpload", { content });
  await peer.call("WorkbenchFilesAdd", { workbench_id, uploads: [{ path: "data.csv", sha256 }] });
  const task = "make the totals consistent and add a summary.md";
  const { run_id } = await peer.call("WorkshopRunAgent", { workbench_id, model: "loop/gpt-5.2", task });
  await peer.end(await peer.subscribe("RunsEvents", { run_id }));
  const publishing = peer.ask("DraftPublish", { workbench_id }, "publish-1");
  await peer.until(() => peer.notifications.some(({ method }) => method === "$/progress"));
  // Nobody can stop half a change: it is answered with how it ended.
  await peer.call("$/cancel", { id: "publish-1" });
  const answer = await publishing;
  expect(answer.result).toMatchObject({ status: "success" });
  const told = peer.notifications.filter(({ method }) => method === "$/progress").map(({ params }) => params);
  const { run_id: publishRun } = answer.result as { run_id: string };
  expect(new Set(told.map(({ id }) => id))).toEqual(new Set(["publish-1"]));
  expect(new Set(told.map(({ run_id: id }) => id))).toEqual(new Set([publishRun]));
  const phases = ["validating", "conflict_check", "checkpoint_pre_publish", "swap_directories", "finalizing"];
  expect(told.map(({ phase }) => phase)).toEqual(phases);
});

test("a call that is canceled before it began is not carried out, and one that is done is told of", async () => {
  await using peer = await RpcPeer.open(daemon);
  const create = peer.ask("WorkbenchCreate", { name: "maybe" }, "change");
  peer.send({ jsonrpc: "2.0", method: "$/cancel", params: { id: "change" } });
  const { result, error } = await create;
  const { items } = await peer.call<{ items: { name: string }[] }>("WorkbenchList");
  expect(items.some(({ name }) => name === "maybe")).toBe(result !== undefined);
  expect(error?.data.error_code).toBe(result === undefined ? "USER_CANCELED" : undefined);
});

test("H8 readers are told that a daemon which stops has no more for them", async () => {
  const own = createFlood();
  await using other = await startTestDaemon({ extensions: [own.entry] });
  const peer = await RpcPeer.open(other);
  const stream = await peer.subscribe("TestFlood", { events: 100, still_after: 9 });
  await peer.until(() => seqs(peer, stream).length >= 10);
  const closed = once(peer.socket, "close");
  const ended = peer.end(stream);
  await other.close();
  expect(await ended).toMatchObject({ reason: "stopping" });
  expect(await closed).toMatchObject({ 0: 1001 });
});
