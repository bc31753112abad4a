import type { Server as HttpServer } from "node:http";
import type { Http2Server } from "node:http2";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

/** How an HTTP/2 client without TLS begins (RFC 9113, section 3.4). No HTTP/1 request can begin so. */
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

export interface Protocols {
  /** What `takeHttp1Listener` took out. */
  readonly serveHttp1: (socket: Socket) => void;
  readonly http2: () => Http2Server;
  /** Whoever has not said by then which protocol it speaks is told so, and let go. */
  readonly firstBytesMs: number;
  readonly onTooSlow: (socket: Socket) => void;
}

/**
 * Takes the HTTP/1 part out of a listening server, so that each connection can be looked at first. `event` is `connection`
 * in clear and `secureConnection` with TLS.
 */
export function takeHttp1Listener(
  server: HttpServer,
  event: "connection" | "secureConnection",
): (socket: Socket) => void {
  const listeners = server.listeners(event);
  const serve = listeners.at(-1);
  if (serve === undefined) throw new Error(`Node's HTTP server does not listen to "${event}".`);
  server.off(event, serve as () => void);
  return (socket) => {
    serve.call(server, socket);
  };
}

/** With TLS the handshake says which protocol follows (ALPN). */
export function routeByAlpn(socket: TLSSocket, { serveHttp1, http2 }: Protocols): void {
  if (socket.alpnProtocol === "h2") http2().emit("connection", socket);
  else serveHttp1(socket);
}

/**
 * In clear the first bytes say it. HTTP/1 pays for one look at each connection, and nothing for each request: whatever was
 * read is put back, and Node's own listener takes the socket over as if it had just been opened.
 */
export function routeByPreface(socket: Socket, protocols: Protocols): void {
  let seen: Buffer = Buffer.alloc(0);
  const look = (): void => {
    const bytes = socket.read() as Buffer | null;
    if (bytes === null) return;
    seen = seen.length === 0 ? bytes : Buffer.concat([seen, bytes]);
    const length = Math.min(seen.length, preface.length);
    const isPreface = seen.subarray(0, length).equals(preface.subarray(0, length));
    if (isPreface && length < preface.length) return;
    leave();
    socket.unshift(seen);
    if (isPreface) protocols.http2().emit("connection", socket);
    else protocols.serveHttp1(socket);
  };
  const end = (): void => {
    leave();
    socket.destroy();
  };
  const timer = setTimeout(() => {
    leave();
    protocols.onTooSlow(socket);
  }, protocols.firstBytesMs);
  const leave = (): void => {
    clearTimeout(timer);
    socket.off("readable", look).off("end", end).off("error", end).off("close", end);
  };
  socket.on("readable", look).on("end", end).on("error", end).on("close", end);
}
