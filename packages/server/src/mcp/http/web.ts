import type { IncomingMessage, ServerResponse } from "node:http";

/** The headers that MCP gives a meaning; nothing else of a request reaches the SDK. */
const passedOn: ReadonlySet<string> = new Set([
  "accept",
  "content-type",
  "last-event-id",
  "mcp-session-id",
  "mcp-protocol-version",
  "mcp-method",
  "mcp-name",
]);

/** A request as the SDK takes it, without its body, which is read and parsed before. Aborts when the client goes away. */
export function toWebRequest(request: IncomingMessage, response: ServerResponse): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    const isOurs = passedOn.has(name) || name.startsWith("mcp-param-");
    if (isOurs && typeof value === "string") headers.set(name, value);
  }
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  return new Request("http://benchtop.invalid/mcp", { method: request.method ?? "GET", headers, signal: gone.signal });
}

/** Sends what the SDK answers; a stream as it comes, at the pace of the client. */
export async function sendWebResponse(response: ServerResponse, answer: Response): Promise<void> {
  for (const [name, value] of answer.headers) {
    // Ours to say, and in HTTP/2 nobody's.
    if (name !== "connection") response.setHeader(name, value);
  }
  if (!response.hasHeader("cache-control")) response.setHeader("Cache-Control", "no-store");
  response.writeHead(answer.status);
  if (answer.body === null) {
    response.end();
    return;
  }
  response.flushHeaders();
  const reader = answer.body.getReader();
  const leave = (): void => {
    reader.cancel().catch(() => undefined);
  };
  response.once("close", leave);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done || response.destroyed) break;
      if (!response.write(value)) await drained(response);
    }
  } finally {
    response.off("close", leave);
    response.end();
  }
}

export function isEventStream(answer: Response): boolean {
  return answer.headers.get("content-type")?.startsWith("text/event-stream") === true;
}

/** An error of JSON-RPC for a request whose id is not known. */
export function protocolError(status: number, code: number, message: string): Response {
  return Response.json({ jsonrpc: "2.0", error: { code, message }, id: null }, { status });
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.on("drain", done).on("close", done);
    if (response.destroyed) done();
  });
}
