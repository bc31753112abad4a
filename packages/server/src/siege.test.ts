import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { startModelServer, type ModelServer } from "../../../test/model-server.ts";

/**
 * Many bad callers at once, against a daemon whose heap is small enough that what is not bounded kills it. While they are
 * there, and after, somebody who behaves is served.
 */
let folder: string;
let models: ModelServer;
let child: ChildProcess;
let url: string;
let port: number;
let token: string;

const heapMegabytes = 192;
const residentLimit = 700_000_000;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchtop-siege-"));
  models = await startModelServer();
  const program = join(import.meta.dirname, "../test/daemon-process.ts");
  child = spawn(
    process.execPath,
    [`--max-old-space-size=${heapMegabytes}`, program, join(folder, "home"), join(folder, "config")],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const [line] = (await once(createInterface(child.stdout!), "line")) as [string];
  ({ url, token } = JSON.parse(line) as { url: string; token: string });
  port = Number(new URL(url).port);
});
afterAll(async () => {
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  await exited;
  await models.close();
  await rm(folder, { recursive: true, force: true });
});

async function ask(path: string, init: Omit<RequestInit, "headers"> = {}): Promise<Response> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  return await fetch(`${url}${path}`, { ...init, headers });
}

/**
 * The siege goes on while a caller who behaves asks again and again; then the daemon has to be there still. Answers what it
 * has resident, in bytes.
 */
async function besiege(siege: () => Promise<void>): Promise<number> {
  const besieged = siege().then(() => "over" as const);
  for (;;) {
    const response = await ask("/api/v1/whoami", { signal: AbortSignal.timeout(20_000) });
    if (response.status !== 200) throw new Error(`Who behaves was answered ${response.status}.`);
    await response.body?.cancel();
    if ((await Promise.race([besieged, sleep(20)])) === "over") break;
  }
  if (child.exitCode !== null) throw new Error(`The daemon ended with ${child.exitCode}.`);
  const status = await readFile(`/proc/${child.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}

async function open(): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  await new Promise((resolve) => {
    socket.once("connect", resolve);
    socket.once("close", resolve);
  });
  return socket;
}

async function openMany(count: number): Promise<Socket[]> {
  return await Promise.all(Array.from({ length: count }, open));
}

/** Until the socket takes more, or is closed, or a while has passed. */
function room(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      socket.off("drain", done).off("close", done);
      resolve();
    };
    const timer = setTimeout(done, 2000);
    socket.once("drain", done).once("close", done);
  });
}

const head = (line: string, ...headers: string[]): string =>
  [line, `Host: 127.0.0.1:${port}`, `Authorization: Bearer ${token}`, ...headers, "", ""].join("\r\n");

test("P1.4 connections that say nothing, or say it byte by byte, keep nobody else out", async () => {
  const resident = await besiege(async () => {
    const silent = await openMany(300);
    const slow = await openMany(300);
    const text = head("GET /api/v1/whoami HTTP/1.1");
    for (let place = 0; place < 40; place += 1) {
      for (const socket of slow) socket.write(text.charAt(place));
      await sleep(10);
    }
    for (const socket of [...silent, ...slow]) socket.destroy();
  });
  expect(resident).toBeLessThan(residentLimit);
}, 60_000);

test("P1.4 bytes that are no protocol are answered or cut off", async () => {
  const resident = await besiege(async () => {
    for (let round = 0; round < 5; round += 1) {
      const sockets = await openMany(100);
      for (const [index, socket] of sockets.entries()) {
        const preface = index % 2 === 0 ? "" : "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        socket.end(Buffer.concat([Buffer.from(preface), randomBytes(2000)]));
      }
      await sleep(100);
      for (const socket of sockets) socket.destroy();
    }
  });
  expect(resident).toBeLessThan(residentLimit);
}, 60_000);

test("P1.4 bodies that are far too large are refused while they come", async () => {
  const resident = await besiege(async () => {
    const sockets = await openMany(40);
    const piece = `10000\r\n${"a".repeat(0x1_00_00)}\r\n`;
    await Promise.all(
      sockets.map(async (socket) => {
        socket.write(
          head("POST /api/v1/workbenches HTTP/1.1", "Content-Type: application/json", "Transfer-Encoding: chunked"),
        );
        for (let sent = 0; sent < 40_000_000 && socket.writable; sent += piece.length) {
          if (!socket.write(piece)) await room(socket);
        }
        socket.destroy();
      }),
    );
  });
  expect(resident).toBeLessThan(residentLimit);
}, 120_000);

test("P1.4 bodies that are announced and come byte by byte hold nothing", async () => {
  const resident = await besiege(async () => {
    const sockets = await openMany(200);
    for (const socket of sockets) {
      socket.write(head("POST /api/v1/runs HTTP/1.1", "Content-Type: application/json", "Content-Length: 9999999"));
    }
    for (let round = 0; round < 30; round += 1) {
      for (const socket of sockets) socket.write(" ");
      await sleep(20);
    }
    for (const socket of sockets) socket.destroy();
  });
  expect(resident).toBeLessThan(residentLimit);
}, 60_000);

test("H8 readers of a journal who never read cost a cursor each", async () => {
  const provider = { name: "loop", kind: "openai-chat", baseUrl: models.url, local: true };
  await (await ask("/api/v1/providers", { method: "POST", body: JSON.stringify(provider) })).json();
  const run = { model: "loop/gpt-5.2", prompt: "x".repeat(1_500_000) };
  const started = await ask("/api/v1/runs", { method: "POST", body: JSON.stringify(run) });
  expect(started.status).toBe(202);
  const { runId } = (await started.json()) as { runId: string };
  const resident = await besiege(async () => {
    const sockets = await openMany(150);
    for (const socket of sockets) {
      socket.pause();
      socket.write(head(`GET /api/v1/runs/${runId}/events HTTP/1.1`));
    }
    await sleep(3000);
    for (const socket of sockets) socket.destroy();
  });
  expect(resident).toBeLessThan(residentLimit);
}, 60_000);

test("P1.4 streams of HTTP/2 that are opened and reset at once are bounded", async () => {
  const resident = await besiege(async () => {
    for (let round = 0; round < 5; round += 1) {
      const session = connectHttp2(url);
      session.on("error", () => undefined);
      const closed = new Promise((resolve) => session.once("close", resolve));
      for (let count = 0; count < 5000 && !session.closed && !session.destroyed; count += 1) {
        const stream = session.request({ ":method": "POST", ":path": "/grpc.health.v1.Health/Check" });
        stream.on("error", () => undefined);
        stream.close(8);
        if (count % 500 === 0) await sleep(1);
      }
      session.destroy();
      await closed;
    }
  });
  expect(resident).toBeLessThan(residentLimit);
}, 60_000);

test("S12 WebSockets that are flooded with garbage, huge messages and pings are bounded", async () => {
  const garbage = [
    "{",
    "[]",
    "null",
    '{"jsonrpc":"2.0","id":1,"method":"RunsEvents","params":{"run_id":"none"}}',
    '{"jsonrpc":"2.0","id":{},"method":"__proto__"}',
    `[${'{"jsonrpc":"2.0","id":1,"method":"IdentityWhoami"},'.repeat(90)}1]`,
    "[".repeat(100_000),
    "a".repeat(200_000),
  ];
  const resident = await besiege(async () => {
    const sockets = Array.from({ length: 40 }, () => {
      const headers = { authorization: `Bearer ${token}` };
      const socket = new WebSocket(`${url.replace("http", "ws")}/rpc`, { headers });
      socket.on("error", () => undefined);
      return socket;
    });
    await Promise.all(
      sockets.map(async (socket, index) => {
        await new Promise((resolve) => socket.once("open", resolve).once("close", resolve));
        // Half of them never read what is answered.
        if (index % 2 === 0) socket.pause();
        for (let count = 0; count < 500 && socket.readyState === WebSocket.OPEN; count += 1) {
          socket.send(garbage[count % garbage.length] ?? "", () => undefined);
          if (count % 50 === 0) {
            socket.ping(undefined, undefined, () => undefined);
            await sleep(1);
          }
        }
        if (index % 4 === 0) socket.send(Buffer.alloc(30_000_000), () => undefined);
      }),
    );
    await sleep(1000);
    for (const socket of sockets) socket.terminate();
  });
  expect(resident).toBeLessThan(residentLimit);
}, 120_000);
