/** What the transport asks the network by; undici's, the platform's and the egress gate's all fit. */
export type McpFetch = (url: string | URL, init?: RequestInit) => Promise<Response>;

/**
 * The same `fetch`, whose answers fail once one message of them is longer than the limit: the whole body of a JSON answer,
 * one event of an event stream, which may itself go on for ever.
 */
export function boundedFetch(fetch: McpFetch, maxBytes: number): McpFetch {
  return async (url, init) => {
    const response = await fetch(url, init);
    if (!response.body || response.status === 204 || response.status === 304) return response;
    const isStream = response.headers.get("content-type")?.includes("text/event-stream") === true;
    const body = response.body.pipeThrough(isStream ? eventLimit(maxBytes) : bodyLimit(maxBytes));
    const { status, statusText, headers } = response;
    const bounded = new Response(body, { status, statusText, headers });
    // A made response has no URL and no redirect mark, which the transport looks at.
    Object.defineProperty(bounded, "url", { value: response.url });
    Object.defineProperty(bounded, "redirected", { value: response.redirected });
    return bounded;
  };
}

function bodyLimit(maxBytes: number): TransformStream<Uint8Array, Uint8Array> {
  let bytes = 0;
  return new TransformStream({
    transform(chunk, controller) {
      bytes += chunk.length;
      if (bytes > maxBytes) controller.error(tooLong(maxBytes));
      else controller.enqueue(chunk);
    },
  });
}

const lineFeed = 10;
const carriageReturn = 13;

/** Events end with an empty line (https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream). */
function eventLimit(maxBytes: number): TransformStream<Uint8Array, Uint8Array> {
  let bytes = 0;
  let lineIsEmpty = true;
  return new TransformStream({
    transform(chunk, controller) {
      for (const byte of chunk) {
        bytes += 1;
        if (byte === lineFeed) {
          if (lineIsEmpty) bytes = 0;
          lineIsEmpty = true;
        } else if (byte !== carriageReturn) {
          lineIsEmpty = false;
        }
        if (bytes > maxBytes) return controller.error(tooLong(maxBytes));
      }
      controller.enqueue(chunk);
    },
  });
}

function tooLong(maxBytes: number): Error {
  return new Error(`A message of the MCP server is longer than ${maxBytes} bytes.`);
}
