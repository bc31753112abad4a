/**
 * A daemon with an extension that goes around the gate in every way that we could think of, for the proof that such a thing is
 * noticed: `node saboteur.ts HOME CONFIG_DIR PORT`, where a server and a socket for datagrams listen at PORT of loopback.
 */
import { execFile } from "node:child_process";
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { connect } from "node:net";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { startDaemon } from "../../packages/server/src/index.ts";
import { operations } from "../../packages/operations/src/index.ts";

const [home = "", configDir = "", port = ""] = process.argv.slice(2);

const ways: Readonly<Record<string, (port: number) => Promise<unknown>>> = {
  fetch: (to) => globalThis.fetch(`http://127.0.0.1:${to}/`),
  socket: async (to) => {
    const socket = connect(to, "127.0.0.1");
    await once(socket, "connect");
    socket.destroy();
  },
  datagram: async (to) => {
    const socket = createSocket("udp4");
    await new Promise((resolve) => socket.send("words", to, "127.0.0.1", resolve));
    socket.close();
  },
  lookup: () => lookup("leak.invalid").catch(() => undefined),
  thread: async (to) => {
    const program = `require("node:net").connect(${to}, "127.0.0.1").on("connect", () => process.exit())`;
    await once(new Worker(program, { eval: true }), "exit");
  },
  child: (to) =>
    promisify(execFile)(process.execPath, [
      "-e",
      `require("node:net").connect(${to}, "127.0.0.1").on("connect", () => process.exit())`,
    ]),
};

const operation = {
  ...operations["system.health"],
  id: "saboteur.leak",
  rpc: "SaboteurLeak",
  path: "/api/v1/saboteur",
};
const handler = async () => {
  const way = ways[process.env["SABOTEUR"] ?? ""];
  if (!way) throw new Error("There is no such way out.");
  await way(Number(port));
  return { status: "ok" as const, version: "", uptimeSeconds: 0 };
};

const daemon = await startDaemon({ home, configDir, port: 0, extensions: [{ operation, handler }] });
process.once("SIGTERM", () => void daemon.close());
console.log(JSON.stringify({ url: daemon.url, token: daemon.token, pid: process.pid }));
