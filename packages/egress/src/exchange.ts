import { BenchtopError } from "@benchtop/protocol";
import type { Dispatcher } from "undici";

export interface OutgoingRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | null;
  readonly maxResponseBytes: number;
  /** A redirect is an error, or an answer that its caller looks at. Its target is never contacted from here. */
  readonly redirects: "refused" | "answered";
  /** Turns what undici throws into an error for people. */
  explain(thrown: unknown): BenchtopError;
}

/** How an exchange ended; reported once. `error` is absent when the body was read to its end or given up by its reader. */
export interface ExchangeEnd {
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly status: number | null;
  readonly error?: BenchtopError;
}

/**
 * One request and its answer, straight on undici's dispatcher: what the socket yields goes into the response's stream,
 * counted by one addition, with backpressure to the socket once 64 KiB wait for the reader.
 *
 * An abort destroys the socket, whether the answer has begun or not; like `fetch`, it rejects (or ends the body) with the
 * signal's reason.
 */
export function exchange(
  dispatcher: Dispatcher,
  request: OutgoingRequest,
  ended: (end: ExchangeEnd) => void,
  signal?: AbortSignal,
): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  let connection: Dispatcher.DispatchController | undefined;
  let body: ReadableStreamDefaultController<Uint8Array> | undefined;
  let waiting: Uint8Array[] = [];
  let bytesWaiting = 0;
  let bytesSent = 0;
  let bytesReceived = 0;
  let status: number | null = null;
  let open = true;

  const end = (error?: BenchtopError) => {
    if (!open) return false;
    open = false;
    signal?.removeEventListener("abort", onAbort);
    ended({ bytesSent, bytesReceived, status, ...(error !== undefined && { error }) });
    return true;
  };
  /** The request is over: tell the reader, wherever it waits, and give the socket up. */
  const fail = (error: BenchtopError, reason: unknown = error) => {
    if (!end(error)) return;
    if (body) body.error(reason);
    else reject(reason);
    connection?.abort(stopped);
  };
  const onAbort = () => {
    const reason: unknown = signal?.reason;
    fail(
      BenchtopError.is(reason) ? reason : new BenchtopError("USER_CANCELED", "Canceled.", { cause: reason }),
      reason,
    );
  };

  /**
   * A token is an HTTP chunk of its own with many providers, and one read of the socket holds dozens. They are handed on
   * together at the end of the turn, as one piece: no later, and a fraction of the work for everyone downstream.
   */
  const handOn = () => {
    if (!open || !body || bytesWaiting === 0) return;
    const [first] = waiting;
    const piece = waiting.length === 1 && first ? first : Buffer.concat(waiting, bytesWaiting);
    waiting = [];
    bytesWaiting = 0;
    body.enqueue(piece);
  };

  if (signal?.aborted) {
    onAbort();
    return promise;
  }
  signal?.addEventListener("abort", onAbort);

  dispatcher.dispatch(
    {
      origin: request.url.origin,
      path: request.url.pathname + request.url.search,
      method: request.method,
      headers: request.headers,
      body: request.body,
    },
    {
      onRequestStart(controller) {
        connection = controller;
        // Aborted while the connection was being made: nothing is written.
        if (!open) controller.abort(stopped);
      },
      onBodySent(chunk) {
        bytesSent += chunk.byteLength;
      },
      onResponseStart(controller, statusCode, headers) {
        if (statusCode < 200 || !open) return;
        status = statusCode;
        const refusal = refuse(statusCode, headers, request);
        if (refusal) {
          fail(refusal);
          return;
        }
        const init = { status: statusCode, headers: responseHeaders(headers) };
        if (request.method === "HEAD" || withoutBody.has(statusCode)) {
          resolve(new Response(null, init));
          return;
        }
        const stream = new ReadableStream<Uint8Array>(
          {
            start(streamController) {
              body = streamController;
            },
            pull() {
              controller.resume();
            },
            cancel() {
              end();
              controller.abort(stopped);
            },
          },
          queueing,
        );
        resolve(new Response(stream, init));
      },
      onResponseData(controller, chunk) {
        bytesReceived += chunk.byteLength;
        if (!open || !body) return;
        if (bytesReceived > request.maxResponseBytes) {
          fail(tooLarge(request));
          return;
        }
        // The parser flushes with an empty piece when it resumes in the middle of a chunk; there is nothing to hand on.
        if (chunk.byteLength === 0) return;
        if (bytesWaiting === 0) queueMicrotask(handOn);
        waiting.push(chunk);
        bytesWaiting += chunk.byteLength;
        if (bytesWaiting >= (body.desiredSize ?? 0)) controller.pause();
      },
      onResponseEnd() {
        handOn();
        if (end()) body?.close();
      },
      onResponseError(_controller, error) {
        fail(request.explain(error));
      },
    },
  );
  return promise;
}

const stopped = Object.assign(new Error("The request was given up."), { code: "UND_ERR_ABORTED" });
const queueing = new ByteLengthQueuingStrategy({ highWaterMark: 64 * 1024 });
const withoutBody: ReadonlySet<number> = new Set([204, 205, 304]);

type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>;

function refuse(
  status: number,
  headers: ResponseHeaders,
  { url, redirects }: OutgoingRequest,
): BenchtopError | undefined {
  const host = url.host;
  if (redirects === "refused" && status >= 300 && status < 400 && headers["location"] !== undefined) {
    const target = URL.parse(String([headers["location"]].flat()[0]), url.href)?.host ?? "";
    return new BenchtopError(
      "EGRESS_BLOCKED_BY_POLICY",
      `${host} answered with a redirect${target === "" ? "" : ` to ${target}`}; redirects are never followed. ` +
        "Set the provider's base URL to the address that answers itself.",
      { detail: { host, status, redirectHost: target } },
    );
  }
  const encoding = String(headers["content-encoding"] ?? "identity").toLowerCase();
  if (encoding !== "identity" && encoding !== "") {
    return new BenchtopError(
      "PROVIDER_UNAVAILABLE",
      `${host} sent a compressed answer although none was asked for. Use another model or provider.`,
      { detail: { host, status } },
    );
  }
  if (status > 599) {
    return new BenchtopError("PROVIDER_UNAVAILABLE", `${host} answered with status ${status}, which means nothing.`, {
      detail: { host, status },
    });
  }
  return undefined;
}

function tooLarge(request: OutgoingRequest): BenchtopError {
  return new BenchtopError(
    "PROVIDER_UNAVAILABLE",
    `${request.url.host} sent more than ${request.maxResponseBytes} bytes, which is the limit for one answer.`,
    { retryable: false, detail: { host: request.url.host, maxBytes: request.maxResponseBytes } },
  );
}

function responseHeaders(headers: ResponseHeaders): Headers {
  const result = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    for (const single of [value ?? []].flat()) result.append(name, single);
  }
  return result;
}
