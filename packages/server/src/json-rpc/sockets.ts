import { STATUS_CODES, type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { Identity } from "@benchtop/operations";
import { newId } from "@benchtop/protocol";
import type { WebSocket, WebSocketServer } from "ws";
import { errorOf, toFailure } from "../api/failure.ts";
import { Refusal, stopping } from "../api/refusal.ts";
import { commonHeaders, errorBody, failureHeaders } from "../http/answer.ts";
import { checkAddress, type OwnAddresses } from "../identity/origin.ts";
import { proofOf, type Proof } from "../identity/proof.ts";
import type { RpcParts } from "./call-method.ts";
import { Connection, type ConnectionLimits } from "./connection.ts";
import { Load } from "./load.ts";

export interface SocketParts extends RpcParts {
  readonly addresses: () => OwnAddresses;
  readonly socketLimits: SocketLimits;
}

export interface SocketLimits extends ConnectionLimits {
  /** Open connections of one identity. */
  readonly maxConnections: number;
  /** Open streams of one identity, on all its connections. */
  readonly maxStreams: number;
  /** How often a connection is asked whether its peer lives. */
  readonly heartbeatMs: number;
}

export const defaultSocketLimits: SocketLimits = {
  maxCalls: 100,
  maxSubscriptions: 1000,
  maxFaults: 100,
  maxConnections: 1000,
  maxStreams: 5000,
  heartbeatMs: 30_000,
};

/** An application's close code (RFC 6455, section 7.4.2): whoever opened the connection is not known any more. */
const noLongerKnown = 4401;
/** Calls are refused and streams end at once; the answer to the call that ended it all has so long to leave. */
const lastAnswersMs = 500;

interface Open {
  readonly socket: WebSocket;
  readonly connection: Connection;
  heard: boolean;
}

/** JSON-RPC over WebSocket at `/rpc`. */
export class RpcSockets {
  readonly #parts: SocketParts;
  readonly #open = new Set<Open>();
  readonly #loads = new Map<string, Load>();
  #server: Promise<WebSocketServer> | undefined;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(parts: SocketParts) {
    this.#parts = parts;
  }

  /**
   * An HTTP request that asks for another protocol. Nobody gets a WebSocket who is not known: what is refused is refused
   * in HTTP, with the status and the envelope of any other request.
   */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on("error", ignore);
    const requestId = newId("request");
    let status = 101;
    let code: string | undefined;
    try {
      if (this.#parts.stopping()) throw stopping();
      checkAddress(request, this.#parts.addresses());
      if (request.url?.split("?", 1)[0] !== "/rpc" || request.headers.upgrade?.toLowerCase() !== "websocket") {
        throw new Refusal(404, "NOT_FOUND", "There is nothing to upgrade to here: WebSocket is at /rpc.");
      }
      // A socket is good for changes, so a cookie has to come from our own page as it has to for any change.
      const asked = { headers: request.headers, method: "POST", socket: request.socket };
      const proof = proofOf(asked, this.#parts.addresses());
      const identity = await this.#parts.identities.identify(proof);
      const key = identity.keyId ?? identity.userId;
      this.#parts.rateLimits.take(key, "identity");
      this.#checkConnections(key);
      const server = await this.#webSockets();
      server.handleUpgrade(request, socket, head, (webSocket) => this.#accept(webSocket, proof, identity, key));
    } catch (thrown) {
      const failure = await toFailure(this.#parts, thrown, { request_id: requestId });
      const error = errorOf(failure);
      code = error.code;
      status = failure.status;
      refuse(socket, status, { ...failureHeaders(failure, error), "X-Request-Id": requestId }, errorBody(error));
    } finally {
      socket.off("error", ignore);
      if (status !== 101) socket.on("error", ignore);
      this.#parts.log.info("upgrade", { id: requestId, status, code });
    }
  }

  /** Tells every reader that its stream is over, and closes. Within a second. */
  async close(): Promise<void> {
    clearInterval(this.#heartbeat);
    const open = [...this.#open];
    const ended = Promise.all(open.map(({ connection }) => connection.endStreams()));
    await Promise.race([ended, sleep(500, undefined, { ref: false })]);
    for (const { socket } of open) socket.close(1001, "The daemon is stopping.");
    const closed = Promise.all(open.map(({ socket }) => new Promise((resolve) => socket.once("close", resolve))));
    await Promise.race([closed, sleep(500, undefined, { ref: false })]);
    for (const { socket } of this.#open) socket.terminate();
  }

  #checkConnections(key: string): void {
    const { maxConnections } = this.#parts.socketLimits;
    if ((this.#loads.get(key)?.sockets.size ?? 0) < maxConnections) return;
    throw new Refusal(429, "RATE_LIMITED", `There are ${maxConnections} connections of this identity already.`, {
      detail: { limit: maxConnections },
    });
  }

  /** Loaded with the first connection. */
  #webSockets(): Promise<WebSocketServer> {
    this.#server ??= import("ws").then(
      ({ WebSocketServer }) =>
        new WebSocketServer({
          noServer: true,
          clientTracking: false,
          // Compression costs memory by connection, and mixes secrets with what a stranger may have written.
          perMessageDeflate: false,
          maxPayload: this.#parts.limits.maxJsonBytes,
        }),
    );
    return this.#server;
  }

  #accept(socket: WebSocket, proof: Proof, identity: Identity, key: string): void {
    const { socketLimits } = this.#parts;
    const load = this.#loads.get(key) ?? new Load(socketLimits.maxStreams);
    this.#loads.set(key, load);
    load.sockets.add(socket);
    const connection = new Connection(this.#parts, socket, proof, socketLimits, load);
    const open: Open = { socket, connection, heard: true };
    this.#open.add(open);
    socket.on("pong", () => (open.heard = true));
    socket.on("message", () => (open.heard = true));
    const watch = this.#parts.identities.watch(identity, "self");
    watch.signal.addEventListener("abort", () => {
      setTimeout(() => socket.close(noLongerKnown, "AUTH_REQUIRED"), lastAnswersMs).unref();
    });
    socket.once("close", () => {
      watch.end();
      this.#open.delete(open);
      load.sockets.delete(socket);
      if (load.sockets.size === 0) this.#loads.delete(key);
    });
    this.#heartbeat ??= setInterval(() => {
      for (const each of this.#open) look(each);
    }, socketLimits.heartbeatMs).unref();
  }
}

/** Drops a peer that has been silent since it was asked the last time. */
function look(open: Open): void {
  if (!open.heard) return open.socket.terminate();
  open.heard = false;
  open.socket.ping();
}

/** A peer that leaves before it is answered has nothing to be told. */
function ignore(): void {}

function refuse(socket: Duplex, status: number, headers: Readonly<Record<string, string>>, body: string): void {
  if (!socket.writable) return;
  const all = {
    ...commonHeaders,
    "Content-Type": "application/json; charset=utf-8",
    "Content-Length": String(Buffer.byteLength(body)),
    ...headers,
    Connection: "close",
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Refused"}\r\n${lines.join("")}\r\n${body}`);
}
