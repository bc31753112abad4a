import { readServerSentEvents } from "@benchtop/client";
import { watchedFetch } from "../api/client.ts";
import { requestOf, type Input } from "./request.ts";
import type { ApiOperation } from "./document.ts";

/** What came back. A body that is no text stays a blob, to be saved. */
export interface ApiResponse {
  readonly status: number;
  readonly statusText: string;
  readonly milliseconds: number;
  readonly bytes: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body:
    | { readonly kind: "text"; readonly text: string; readonly json: boolean }
    | { readonly kind: "file"; readonly blob: Blob; readonly name: string };
}

/** The headers that say something about the answer itself. */
const interesting = [
  "content-type",
  "content-length",
  "content-disposition",
  "etag",
  "idempotency-replayed",
  "retry-after",
  "ratelimit-limit",
  "ratelimit-remaining",
  "ratelimit-reset",
  "www-authenticate",
  "x-request-id",
];
const longestText = 2_000_000;

/** Sends with this browser's session. Throws only when nothing answers. */
export async function send(
  operation: ApiOperation,
  input: Input,
  options: {
    readonly file: Blob | undefined;
    readonly idempotencyKey: string | undefined;
    readonly signal: AbortSignal;
  },
): Promise<ApiResponse> {
  const { method, address, body } = requestOf(operation, input);
  const started = performance.now();
  const payload = operation.transfer === "upload" ? (options.file ?? new Blob([])) : body;
  const response = await watchedFetch(address, {
    method,
    signal: options.signal,
    credentials: "same-origin",
    redirect: "error",
    headers: {
      ...(body !== undefined && { "content-type": "application/json" }),
      ...(operation.transfer === "upload" && { "content-type": "application/octet-stream" }),
      ...(options.idempotencyKey !== undefined && { "idempotency-key": options.idempotencyKey }),
    },
    ...(payload !== undefined && { body: payload }),
  });
  const blob = await response.blob();
  return {
    status: response.status,
    statusText: response.statusText,
    milliseconds: performance.now() - started,
    bytes: blob.size,
    headers: interesting.flatMap((name) => {
      const value = response.headers.get(name);
      return value === null ? [] : [[name, value] as const];
    }),
    body: await readBody(blob, response.headers),
  };
}

async function readBody(blob: Blob, headers: Headers): Promise<ApiResponse["body"]> {
  const type = headers.get("content-type") ?? "";
  const json = type.includes("json");
  const attached = headers.get("content-disposition");
  if ((attached !== null && !json) || (!json && !type.startsWith("text/")) || blob.size > longestText) {
    return { kind: "file", blob, name: fileName(attached) };
  }
  const text = await blob.text();
  return { kind: "text", text: json ? pretty(text) : text, json };
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function fileName(disposition: string | null): string {
  const encoded = /filename\*=UTF-8''([^;]+)/.exec(disposition ?? "")?.[1];
  return encoded === undefined ? "answer" : decodeURIComponent(encoded);
}

export interface StreamedEvent {
  readonly id: string;
  readonly data: string;
}

/** Follows a stream until it ends or is stopped. Tells of the status first, then of events as they come, in batches. */
export async function follow(
  operation: ApiOperation,
  input: Input,
  listener: {
    readonly onOpen: (status: number) => void;
    readonly onEvents: (events: readonly StreamedEvent[]) => void;
    /** The daemon refused: what it says. */
    readonly onRefused: (text: string) => void;
  },
  signal: AbortSignal,
): Promise<void> {
  const { address } = requestOf(operation, input);
  const response = await watchedFetch(address, {
    signal,
    credentials: "same-origin",
    redirect: "error",
    headers: { accept: "text/event-stream" },
  });
  listener.onOpen(response.status);
  if (!response.ok) return listener.onRefused(pretty(await response.text()));
  if (response.body === null || response.status === 204) return;
  const reader = response.body.getReader();
  const chunks = (async function* () {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  })();
  for await (const events of readServerSentEvents(chunks)) if (events.length > 0) listener.onEvents(events);
}
