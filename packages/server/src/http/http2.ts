import type { RequestListener } from "node:http";
import type { Http2Server, ServerHttp2Session } from "node:http2";

/**
 * Bounds of one HTTP/2 connection. Node closes what goes beyond them: streams that are opened and reset over and over
 * (CVE-2023-44487), header blocks without an end (CVE-2024-27316), floods of settings, pings or broken frames.
 */
const limits = {
  settings: { maxConcurrentStreams: 256, maxHeaderListSize: 32_768, enableConnectProtocol: false },
  maxHeaderListPairs: 100,
  maxSettings: 16,
  maxOutstandingPings: 10,
  /** In megabytes: what one connection may hold of headers, queued frames and unsent data. */
  maxSessionMemory: 10,
  maxSessionInvalidFrames: 100,
  maxSessionRejectedStreams: 100,
  streamResetBurst: 200,
  streamResetRate: 33,
};

export interface Http2Patience {
  /** A connection on which nothing happens for so long is closed; one with requests is asked first whether it still lives. */
  readonly idleMs: number;
  /** It has so long to say so. */
  readonly pingMs: number;
}

const usualPatience: Http2Patience = { idleMs: 65_000, pingMs: 20_000 };

export interface Http2Part {
  /** Made at the first connection that asks for it: most daemons never see one. */
  readonly server: () => Http2Server;
  /** Tells every peer to send nothing new, and lets what is under way end. */
  stop(): void;
}

/** HTTP/2 on sockets that another server has accepted. Requests reach `listener` as those of HTTP/1 do. */
export function createHttp2(listener: RequestListener, patience: Http2Patience = usualPatience): Http2Part {
  const sessions = new Set<ServerHttp2Session>();
  let server: Http2Server | undefined;
  return {
    server: () => (server ??= create(listener, sessions, patience)),
    stop() {
      for (const session of sessions) session.close();
    },
  };
}

function create(listener: RequestListener, sessions: Set<ServerHttp2Session>, patience: Http2Patience): Http2Server {
  // oxlint-disable-next-line no-restricted-properties -- loaded by the first who needs it; it listens, and connects to nobody.
  const { createServer } = process.getBuiltinModule("node:http2");
  const server = createServer(limits, (request, response) => {
    // HTTP/2 has `:authority` in place of Host, and it wins where both are sent (RFC 9113, section 8.3.1).
    const authority = request.headers[":authority"];
    if (authority !== undefined) request.headers.host = authority;
    // Node's own compatibility layer: the same methods, and no `Connection` header.
    (listener as unknown as (...both: [unknown, unknown]) => void)(request, response);
  });
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    closeWhenDead(session, patience);
  });
  // A peer that breaks the protocol loses its connection; there is nobody else to tell.
  server.on("sessionError", (_, session) => session.destroy());
  return server;
}

function closeWhenDead(session: ServerHttp2Session, { idleMs, pingMs }: Http2Patience): void {
  let open = 0;
  session.on("stream", (stream) => {
    open++;
    stream.once("close", () => open--);
  });
  session.setTimeout(idleMs);
  session.on("timeout", () => {
    if (open === 0) return session.close();
    const timer = setTimeout(() => session.destroy(), pingMs);
    timer.unref();
    const sent = session.ping((error) => {
      clearTimeout(timer);
      if (error !== null) session.destroy();
    });
    if (!sent) session.destroy();
  });
}
