import type { IncomingMessage } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import { BenchtopError } from "@benchtop/protocol";
import { parseJson } from "../api/json-text.ts";
import { Refusal } from "../api/refusal.ts";

export interface BodyLimits {
  /** Of a JSON body. */
  readonly maxJsonBytes: number;
  /** Of an upload. */
  readonly maxUploadBytes: number;
  /** A JSON body that has not arrived whole by then is refused. */
  readonly jsonTimeoutMs: number;
  /** An upload that brings nothing for so long is refused. */
  readonly uploadIdleMs: number;
}

export const defaultBodyLimits: BodyLimits = {
  maxJsonBytes: 10_000_000,
  maxUploadBytes: 100_000_000,
  jsonTimeoutMs: 30_000,
  uploadIdleMs: 30_000,
};

/** The JSON object of a request; `{}` when there is no body at all. */
export async function readJsonBody(request: IncomingMessage, limits: BodyLimits): Promise<Record<string, unknown>> {
  return hasBody(request) ? parseObject(await readJsonBytes(request, limits)) : {};
}

/** A JSON body that nobody has parsed yet. */
export async function readJsonBytes(request: IncomingMessage, limits: BodyLimits): Promise<Uint8Array> {
  checkEncoding(request);
  const type = request.headers["content-type"];
  if (type === undefined || !/^application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i.test(type)) {
    throw new Refusal(415, "VALIDATION_FAILED", "The body must be JSON (Content-Type: application/json).");
  }
  checkLength(request, limits.maxJsonBytes);
  const chunks: Uint8Array[] = [];
  for await (const chunk of readLimited(request, limits.maxJsonBytes, { totalMs: limits.jsonTimeoutMs })) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The raw body of an upload, chunk by chunk. */
export function readUpload(request: IncomingMessage, limits: BodyLimits): AsyncIterable<Uint8Array> {
  checkEncoding(request);
  checkLength(request, limits.maxUploadBytes);
  return readLimited(request, limits.maxUploadBytes, { idleMs: limits.uploadIdleMs });
}

export function hasBody(request: IncomingMessage): boolean {
  const { "content-length": length, "transfer-encoding": encoding } = request.headers;
  // In HTTP/2 a body needs neither header: the frame of the headers says whether anything follows.
  const { stream } = request as IncomingMessage & { readonly stream?: Pick<ServerHttp2Stream, "endAfterHeaders"> };
  if (stream !== undefined) return !stream.endAfterHeaders && length !== "0";
  return encoding !== undefined || (length !== undefined && length !== "0");
}

async function* readLimited(
  request: IncomingMessage,
  maxBytes: number,
  time: { readonly totalMs?: number; readonly idleMs?: number },
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  // `destroyOnReturn: false` keeps the connection, so that a refusal can still be answered on it.
  const iterator = request.iterator({ destroyOnReturn: false });
  const deadline = Date.now() + (time.totalMs ?? Number.MAX_SAFE_INTEGER);
  try {
    for (;;) {
      const next = await within(iterator.next(), Math.min(deadline - Date.now(), time.idleMs ?? Infinity));
      if (next === tooLate) {
        throw new Refusal(408, "VALIDATION_FAILED", "The request body arrived too slowly.", { retryable: true });
      }
      if (next.done === true) return;
      const chunk = next.value as Uint8Array;
      bytes += chunk.byteLength;
      if (bytes > maxBytes) throw tooLarge(maxBytes);
      yield chunk;
    }
  } catch (thrown) {
    if (thrown instanceof Refusal) throw thrown;
    throw new BenchtopError("VALIDATION_FAILED", "The request ended before its body did.", {
      phase: "settings",
      cause: thrown,
    });
  }
}

const tooLate = Symbol("too late");

async function within<T>(promise: Promise<T>, milliseconds: number): Promise<T | typeof tooLate> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<typeof tooLate>((resolve) => {
    timer = setTimeout(() => resolve(tooLate), Math.max(0, milliseconds));
  });
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}

function checkEncoding(request: IncomingMessage): void {
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") {
    throw new Refusal(415, "VALIDATION_FAILED", "Compressed request bodies are not accepted.");
  }
}

function checkLength(request: IncomingMessage, maxBytes: number): void {
  const length = Number(request.headers["content-length"] ?? 0);
  if (length > maxBytes) throw tooLarge(maxBytes);
}

function tooLarge(maxBytes: number): Refusal {
  return new Refusal(413, "VALIDATION_FAILED", `The body is too large: ${maxBytes} bytes at most.`, {
    detail: { max_bytes: maxBytes },
  });
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function parseObject(bytes: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseJson(utf8.decode(bytes));
  } catch {
    throw new BenchtopError("VALIDATION_FAILED", "The body is not valid JSON in UTF-8.", { phase: "settings" });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new BenchtopError("VALIDATION_FAILED", "The body must be a JSON object.", { phase: "settings" });
  }
  return value as Record<string, unknown>;
}
