import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import {
  WebStandardStreamableHTTPServerTransport,
  type EventStore,
  type JSONRPCMessage,
} from "@modelcontextprotocol/server";
import { workshopServer } from "./workshop-server.ts";

export interface HttpWorkshop {
  readonly url: string;
  readonly requests: { method: string; lastEventId: string | undefined; authorization: string | undefined }[];
  /** Forgets every session, as a restarted server has. */
  forgetSessions(): void;
  /** Cuts the connections that are open; the sessions stay. */
  cutStreams(): void;
  close(): Promise<void>;
}

/** The workshop server behind streamable HTTP on loopback, with sessions that can be resumed. */
export async function startHttpWorkshop(notes: string): Promise<HttpWorkshop> {
  const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>();
  const requests: HttpWorkshop["requests"] = [];
  const http = createServer((request, response) => void answer(request, response));
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    requests.push({
      method: request.method ?? "",
      lastEventId: headerOf(request, "last-event-id"),
      authorization: headerOf(request, "authorization"),
    });
    const sessionId = headerOf(request, "mcp-session-id");
    if (sessionId !== undefined && !sessions.has(sessionId)) {
      response.writeHead(404, { "content-type": "application/json" });
      response.end('{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}');
      return;
    }
    const transport = sessions.get(sessionId ?? "") ?? (await newSession());
    const reply = await transport.handleRequest(webRequest(request));
    response.writeHead(reply.status, Object.fromEntries(reply.headers));
    if (reply.body)
      Readable.fromWeb(reply.body)
        .on("error", () => response.destroy())
        .pipe(response);
    else response.end();
  };
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const address = http.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/mcp`,
    requests,
    forgetSessions: () => sessions.clear(),
    cutStreams: () => http.closeAllConnections(),
    close: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };

  async function newSession(): Promise<WebStandardStreamableHTTPServerTransport> {
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      onsessioninitialized: (id) => void sessions.set(id, transport),
      onsessionclosed: (id) => void sessions.delete(id),
      eventStore: memoryEvents(),
      retryInterval: 50,
    });
    await workshopServer(notes).connect(transport);
    return transport;
  }
}

function webRequest(request: IncomingMessage): Request {
  const headers = Object.entries(request.headers).map(([name, value]): [string, string] => [name, String(value)]);
  const hasBody = request.method === "POST";
  return new Request(`http://127.0.0.1${request.url}`, {
    method: request.method ?? "GET",
    headers,
    ...(hasBody && { body: Readable.toWeb(request) as never, duplex: "half" as const }),
  });
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === "string" ? value : undefined;
}

function memoryEvents(): EventStore {
  const events: { id: string; streamId: string; message: JSONRPCMessage }[] = [];
  return {
    async storeEvent(streamId, message) {
      const id = `${streamId}|${events.length}`;
      events.push({ id, streamId, message });
      return id;
    },
    async replayEventsAfter(lastEventId, { send }) {
      const streamId = lastEventId.split("|")[0] ?? "";
      const place = events.findIndex(({ id }) => id === lastEventId);
      for (const event of events.slice(place + 1)) {
        // A primer has no message.
        if (event.streamId === streamId && "jsonrpc" in event.message) await send(event.id, event.message);
      }
      return streamId;
    },
  };
}
