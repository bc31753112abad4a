import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { BenchtopError } from "@benchtop/protocol";
import type { Download } from "../api/handler.ts";
import { Refusal } from "../api/refusal.ts";

/** On every answer, the console's pages included. */
export const commonHeaders: Readonly<Record<string, string>> = {
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Resource-Policy": "same-origin",
};

export function sendJson(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, {
    "Content-Type": "application/json; charset=utf-8",
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-store",
  });
  response.end(body);
}

/** The one shape of every failure: `{ error: { message, …ErrorInfo } }`. */
export function errorBody(error: BenchtopError): string {
  return JSON.stringify({ error: { message: error.message, ...error.info } });
}

/**
 * Answers with a failure, in the envelope of REST unless a body is given. Where part of the request's body is unread the connection ends after the answer; what still
 * arrives is thrown away for a moment, since closing at once would take the answer from a caller that is still writing.
 */
export function sendFailure(
  request: IncomingMessage,
  response: ServerResponse,
  failure: BenchtopError | Refusal,
  body?: string,
): void {
  const error = failure instanceof Refusal ? failure.error : failure;
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  for (const [name, value] of Object.entries(failureHeaders(failure, error))) {
    // HTTP/2 has no such header (RFC 9113, section 8.2.2).
    if (name !== "Connection" || request.httpVersionMajor === 1) response.setHeader(name, value);
  }
  if (!request.complete) {
    if (request.httpVersionMajor === 1) response.setHeader("Connection", "close");
    discardBody(request);
  }
  sendJson(response, failure.status, body ?? errorBody(error));
}

/** Streams a file. `attachment`, `nosniff` and a sandbox keep a browser from running what a workbench holds. */
export async function sendDownload(request: IncomingMessage, response: ServerResponse, file: Download): Promise<void> {
  const baseName = file.fileName.slice(file.fileName.lastIndexOf("/") + 1);
  response.writeHead(200, {
    "Content-Type": isHeaderText(file.mediaType) ? file.mediaType : "application/octet-stream",
    "Content-Length": file.bytes,
    "Content-Disposition": `attachment; filename*=UTF-8''${encodeRfc5987(baseName)}`,
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": "private, no-cache",
    ETag: `"${file.sha256}"`,
  });
  if (request.method === "HEAD") {
    response.end();
    await file.content[Symbol.asyncIterator]().return?.();
    return;
  }
  await pipeline(file.content, response);
}

const discardMs = 2000;

function discardBody(request: IncomingMessage): void {
  request.resume();
  const timer = setTimeout(() => request.socket.destroy(), discardMs);
  request.once("close", () => clearTimeout(timer));
}

export function failureHeaders(failure: BenchtopError | Refusal, error: BenchtopError): Record<string, string> {
  const headers: Record<string, string> = failure instanceof Refusal ? { ...failure.headers } : {};
  if (failure.status === 401) headers["WWW-Authenticate"] ??= "Bearer";
  const retryAfterMs = error.info.detail?.["retry_after_ms"];
  if (typeof retryAfterMs === "number") headers["Retry-After"] = String(Math.ceil(retryAfterMs / 1000));
  return headers;
}

function isHeaderText(text: string): boolean {
  return /^[\x20-\x7e]{1,200}$/.test(text);
}

/** RFC 5987 `ext-value`: percent-encoded UTF-8, without the characters that encodeURIComponent leaves and the RFC does not. */
function encodeRfc5987(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
