import type { IncomingMessage, ServerResponse } from "node:http";
import type { BrowserSession } from "../api/handler.ts";
import { isSecure, type OwnAddresses } from "../identity/origin.ts";
import { cookieOf } from "../identity/proof.ts";

/** The cookies of whoever makes this request. */
export function browserOf(addresses: OwnAddresses, request: IncomingMessage, response: ServerResponse): BrowserSession {
  const secure = isSecure(request, addresses);
  return {
    secure,
    // Both were checked against our own addresses before.
    origin: request.headers.origin ?? `http${secure ? "s" : ""}://${request.headers.host ?? ""}`,
    cookie: (name) => cookieOf(request.headers.cookie, name),
    setCookie: (line) => response.appendHeader("Set-Cookie", line),
  };
}

/** Aborts when the caller goes away before the answer is sent. */
export function goneSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once("close", () => {
    // An answer that was sent has nobody left to stop; aborting would only cost an exception.
    if (!response.writableFinished) gone.abort();
  });
  return gone.signal;
}
