import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { RpcPeer } from "../../test/rpc-peer.ts";

/** Peers that ask for much and take nothing, against a daemon whose heap is small enough that what is not bounded kills it. */
let folder: string;
let child: ChildProcess;
let daemon: { url: string; token: string; pid: number };
let bystander: RpcPeer;

const heapMegabytes = 160;
const residentLimit = 700_000_000;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchtop-rpc-siege-"));
  const program = join(import.meta.dirname, "../../test/daemon-process.ts");
  const words = [`--max-old-space-size=${heapMegabytes}`, program, join(folder, "home"), join(folder, "config")];
  child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(createInterface(child.stdout!), "line")) as [string];
  daemon = JSON.parse(line) as typeof daemon;
  bystander = await RpcPeer.open(daemon);
  const body = new Uint8Array(7_000_000).fill(65);
  const headers = { authorization: `Bearer ${daemon.token}`, "content-type": "application/octet-stream" };
  const stored = await fetch(`${daemon.url}/api/v1/uploads`, { method: "PUT", headers, body });
  const { sha256 } = (await stored.json()) as { sha256: string };
  await bystander.call("WorkbenchCreate", { name: "large" });
  await bystander.call("WorkbenchFilesAdd", { workbench_id: "large", uploads: [{ path: "a.bin", sha256 }] });
});
afterAll(async () => {
  await bystander[Symbol.asyncDispose]();
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  await exited;
  await rm(folder, { recursive: true, force: true });
});

/** What the daemon may use at most while it is besieged; somebody else is served all the time. */
async function withstood(): Promise<boolean> {
  for (let look = 0; look < 5; look++) {
    expect(await bystander.call("$/ping")).toEqual({});
    await bystander.call("WorkbenchCreate", { name: `served ${look} ${Math.random()}` });
    const status = await readFile(`/proc/${daemon.pid}/status`, "utf8");
    expect(Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024).toBeLessThan(residentLimit);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return child.exitCode === null;
}

async function deafPeers(count: number): Promise<RpcPeer[]> {
  const peers = await Promise.all(Array.from({ length: count }, () => RpcPeer.open(daemon)));
  for (const peer of peers) peer.socket.pause();
  return peers;
}

async function leave(peers: readonly RpcPeer[]): Promise<void> {
  for (const peer of peers) peer.socket.terminate();
}

test("files that are asked for a thousand times and never read", { timeout: 60_000 }, async () => {
  const peers = await deafPeers(10);
  const read = { jsonrpc: "2.0", method: "WorkbenchFilesRead", params: { workbench_id: "large", path: "a.bin" } };
  for (const peer of peers) for (let id = 0; id < 50; id++) peer.send({ ...read, id });
  expect(await withstood()).toBe(true);
  await leave(peers);
});

test("batches, pings and nonsense without end, whose answers nobody reads", { timeout: 60_000 }, async () => {
  const peers = await deafPeers(10);
  const batch = JSON.stringify(
    Array.from({ length: 100 }, (_, id) => ({ jsonrpc: "2.0", id, method: "SystemHealth" })),
  );
  const flood = setInterval(() => {
    for (const { socket } of peers) {
      if (socket.bufferedAmount > 4_000_000 || socket.readyState !== WebSocket.OPEN) continue;
      for (let count = 0; count < 20; count++) socket.send(batch);
      for (let count = 0; count < 200; count++) socket.ping("x".repeat(100));
      for (let count = 0; count < 50; count++) socket.send("nonsense");
      socket.send(
        JSON.stringify({ jsonrpc: "2.0", id: 1, method: "SystemHealth", params: { x: "x".repeat(1_000_000) } }),
      );
    }
  }, 10);
  expect(await withstood()).toBe(true);
  clearInterval(flood);
  await leave(peers);
});

test("messages that begin and never end, in frames without number", { timeout: 60_000 }, async () => {
  const sockets = await Promise.all(
    Array.from({ length: 10 }, async () => {
      const socket = connect(Number(new URL(daemon.url).port), "127.0.0.1");
      socket.on("error", () => undefined);
      socket.write(
        `GET /rpc HTTP/1.1\r\nHost: ${new URL(daemon.url).host}\r\nAuthorization: Bearer ${daemon.token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
      );
      await once(socket, "data");
      return socket;
    }),
  );
  // A text frame that is not final, then continuations of one byte each, masked with zeros.
  const opening = Buffer.from([0x01, 0x81, 0, 0, 0, 0, 0x22]);
  const more = Buffer.concat(Array.from({ length: 2000 }, () => Buffer.from([0x00, 0x81, 0, 0, 0, 0, 0x78])));
  for (const socket of sockets) socket.write(opening);
  const flood = setInterval(() => {
    for (const socket of sockets) if (socket.writableLength < 1_000_000) socket.write(more);
  }, 5);
  expect(await withstood()).toBe(true);
  clearInterval(flood);
  for (const socket of sockets) socket.destroy();
});
