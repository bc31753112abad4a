import type { IncomingMessage, ServerResponse } from "node:http";
import type { EventSource, StoredEvent } from "../api/handler.ts";

const heartbeatMs = 15_000;

/**
 * Writes a journal as server-sent events: `id` is the event's `seq`, `event` its type, `data` the JSON text that is
 * stored. The stream ends when the source does. A reader that does not read stops the source being asked, so that it
 * costs a cursor and a socket and no memory; one that goes away ends the iteration through `signal`.
 */
export async function sendEventStream(
  request: IncomingMessage,
  response: ServerResponse,
  source: Pick<EventSource, "events">,
  signal: AbortSignal,
): Promise<void> {
  if (source.events === null) {
    // "Do not come back": WHATWG HTML, section 9.2.
    response.writeHead(204).end();
    return;
  }
  response.writeHead(200, {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
  });
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  response.flushHeaders();
  const heartbeat = setInterval(() => {
    if (!response.writableNeedDrain) response.write(": still here\n\n");
  }, heartbeatMs);
  try {
    for await (const batch of source.events) {
      if (signal.aborted) return;
      if (!response.write(frames(batch))) await drained(response, signal);
    }
  } finally {
    clearInterval(heartbeat);
    response.end();
  }
}

function frames(batch: readonly StoredEvent[]): string {
  let text = "";
  for (const { seq, body, event } of batch) text += `id: ${seq}\nevent: ${event.type}\ndata: ${body}\n\n`;
  return text;
}

/** Resolves once the reader has taken what was written, or has gone away. */
export function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    response.on("drain", done);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}
