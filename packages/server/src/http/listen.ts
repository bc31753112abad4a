import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { BenchtopError } from "@benchtop/protocol";
import type { OwnAddresses } from "../identity/origin.ts";
import type { LogFields } from "../log/log.ts";
import type { TlsOptions } from "../tls/certificate.ts";
import { errorBody } from "./answer.ts";
import { routeByAlpn, routeByPreface, takeHttp1Listener, type Protocols } from "./connections.ts";
import { createHttp2 } from "./http2.ts";

export interface ListenOptions {
  /** 0 for any free port. */
  readonly port: number;
  readonly host: string;
  readonly publicUrls: readonly string[];
  /** Addresses of proxies in front of the daemon, which say for whom they ask. */
  readonly proxies?: readonly string[] | undefined;
  /** In clear when absent. */
  readonly tls?: TlsOptions | undefined;
  readonly warn: (event: string, fields?: LogFields) => void;
}

export interface HttpServer {
  /** The listening server: of HTTP/1, with the upgrades of WebSocket. */
  readonly server: Server;
  /** `http(s)://host:port`, the port in use; with TLS, by a name that the certificate is for. */
  readonly url: string;
  readonly addresses: OwnAddresses;
  /** Takes no new connection. */
  stop(): void;
  /** Waits a moment for answers that are on their way, then ends every connection. */
  close(): Promise<void>;
}

/** An upload may take as long as this in all; its idle limit is much shorter. */
const requestTimeoutMs = 15 * 60_000;
const headersTimeoutMs = 10_000;
const answersTimeoutMs = 1500;

const http1Options = {
  requestTimeout: requestTimeoutMs,
  headersTimeout: headersTimeoutMs,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 5000,
  // Node would answer a missing Host by itself, outside our envelope; `checkAddress` refuses it.
  requireHostHeader: false,
  // Whoever offers another protocol (HTTP/2 in clear: `curl --http2`) is answered in this one.
  shouldUpgradeCallback: ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === "websocket",
};

/**
 * Listens: HTTP/1.1 and HTTP/2 on one port, by ALPN with TLS and by the first bytes without. Throws `VALIDATION_FAILED` for
 * an address that is taken, not ours, or open to others without being meant to, and what `readCertificate` throws.
 */
export async function listen(options: ListenOptions, listener: RequestListener): Promise<HttpServer> {
  const publicOrigins = new Set(options.publicUrls.map(toOrigin));
  if (!isLoopback(options.host) && publicOrigins.size === 0) {
    throw new BenchtopError(
      "VALIDATION_FAILED",
      `${options.host} can be reached from other machines. Name the public address as well (publicUrls), or listen on 127.0.0.1.`,
      { phase: "settings", detail: { host: options.host } },
    );
  }
  const secured =
    options.tls &&
    (await (await import("../tls/secure-server.ts")).secure(options.tls, http1Options, listener, options.warn));
  const server = secured?.server ?? createServer(http1Options, listener);
  server.on("clientError", (_, socket) => refuseMalformed(socket as Socket));
  const http2 = createHttp2(listener);
  const sockets = routeConnections(server, secured !== undefined, {
    http2: http2.server,
    firstBytesMs: headersTimeoutMs,
    onTooSlow: refuseMalformed,
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => reject(cannotListen(options, cause)));
    server.listen({ port: options.port, host: options.host, backlog: 2048 }, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const stop = (): void => {
    secured?.stop();
    server.close();
    http2.stop();
  };
  return {
    server,
    url: secured?.url(options.host, port, options.publicUrls) ?? `http://${inUrl(options.host)}:${port}`,
    addresses: { port, publicOrigins, tls: secured !== undefined, proxies: new Set(options.proxies) },
    stop,
    async close() {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      stop();
      server.closeIdleConnections();
      const timer = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, answersTimeoutMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

/** Sends every connection to the protocol that it speaks. Returns those that are open. */
function routeConnections(server: Server, isTls: boolean, rest: Omit<Protocols, "serveHttp1">): ReadonlySet<Socket> {
  const event = isTls ? "secureConnection" : "connection";
  const protocols: Protocols = { ...rest, serveHttp1: takeHttp1Listener(server, event) };
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    if (!isTls) routeByPreface(socket, protocols);
  });
  if (isTls) server.on("secureConnection", (socket: TLSSocket) => routeByAlpn(socket, protocols));
  return sockets;
}

function inUrl(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

function toOrigin(text: string): string {
  const url = URL.parse(text);
  if (url !== null && (url.protocol === "https:" || url.protocol === "http:") && url.pathname === "/")
    return url.origin;
  throw new BenchtopError("VALIDATION_FAILED", "A public URL is http(s)://HOST[:PORT], without a path.", {
    phase: "settings",
    detail: { url: text },
  });
}

function cannotListen({ host, port }: ListenOptions, cause: NodeJS.ErrnoException): BenchtopError {
  const why =
    cause.code === "EADDRINUSE"
      ? `Port ${port} is taken by another program. Choose another with BENCHTOP_PORT (0 for any free one).`
      : `Cannot listen on ${host}:${port}.`;
  return new BenchtopError("VALIDATION_FAILED", why, {
    phase: "settings",
    subphase: "listen",
    detail: { host, port, ...(cause.code !== undefined && { code: cause.code }) },
    cause,
  });
}

/** What is no HTTP at all, or whose head came too slowly: the same envelope, written by hand. */
function refuseMalformed(socket: Socket): void {
  if (!socket.writable) return;
  const body = errorBody(
    new BenchtopError("VALIDATION_FAILED", "The request is not well-formed HTTP, or came too slowly.", {
      phase: "settings",
    }),
  );
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
