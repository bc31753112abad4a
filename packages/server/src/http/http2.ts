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

/** A connection without a request is closed after this time; one with requests is asked whether it still lives. */
const idleMs = 65_000;
const pingTimeoutMs = 20_000;

export interface Http2Part {
  /** Made at the first connection that asks for it: most daemons never see one. */
  readonly server: () => Http2Server;
  /** Tells every peer to send nothing new, and lets what is under way end. */
  stop(): void;
}

/** HTTP/2 on sockets that another server has accepted. Requests reach `listener` as those of HTTP/1 do. */
export function createHttp2(listener: RequestListener): Http2Part {
  const sessions = new Set<ServerHttp2Session>();
  let server: Http2Server | undefined;
  return {
    server: () => (server ??= create(listener, sessions)),
    stop() {
      for (const session of sessions) session.close();
    },
  };
}

function create(listener: RequestListener, sessions: Set<ServerHttp2Session>): Http2Server {
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
    closeWhenDead(session);
  });
  // A peer that breaks the protocol loses its connection; there is nobody else to tell.
  server.on("sessionError", (_, session) => session.destroy());
  return server;
}

function closeWhenDead(session: ServerHttp2Session): void {
  let open = 0;
  session.on("stream", (stream) => {
    open++;
    stream.once("close", () => open--);
  });
  session.setTimeout(idleMs, () => {
    if (open === 0) return session.close();
    const timer = setTimeout(() => session.destroy(), pingTimeoutMs);
    timer.unref();
    const sent = session.ping((error) => {
      clearTimeout(timer);
      if (error !== null) session.destroy();
    });
    if (!sent) session.destroy();
  });
}
