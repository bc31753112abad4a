import type { IncomingMessage } from "node:http";
import { Refusal } from "../api/refusal.ts";

/** The addresses under which this daemon may be asked for. */
export interface OwnAddresses {
  /** The port it listens on; loopback names with it are its own. */
  readonly port: number;
  /** Other addresses that the operator configured (`https://bench.example`), as origins. */
  readonly publicOrigins: ReadonlySet<string>;
  /** Whether that port speaks TLS. */
  readonly tls: boolean;
  /** Addresses of proxies in front of it, which say for whom they ask. */
  readonly proxies: ReadonlySet<string>;
}

/**
 * Refuses requests that name another host (DNS rebinding: a page of `evil.example` whose name now points to 127.0.0.1)
 * and requests that a page of another origin makes. There is no CORS: no other origin may use this API.
 */
export function checkAddress(request: IncomingMessage, own: OwnAddresses): void {
  const host = request.headers.host?.toLowerCase() ?? "";
  if (!isOwnHost(host, own)) {
    throw new Refusal(421, "PERMISSION_DENIED", "This daemon does not answer for the host that the request names.", {
      detail: { expected: `127.0.0.1:${own.port}` },
    });
  }
  const { origin } = request.headers;
  if (origin !== undefined && !isOwnOrigin(origin.toLowerCase(), host, own)) throw foreignOrigin();
}

/**
 * Whether a cookie that comes with this request proves nothing. `SameSite=Strict` does not tell ports of one host apart,
 * so a change must also carry our own `Origin`, and a read must not come from a page of another origin (`Sec-Fetch-Site`).
 */
export function isForeignCookieRequest(request: Pick<IncomingMessage, "headers" | "method">): boolean {
  const isRead = request.method === "GET" || request.method === "HEAD";
  if (!isRead && request.headers.origin === undefined) return true;
  return isCrossSite(request);
}

/** Whether a browser says that a page of another origin asks; programs say nothing. */
export function isCrossSite(request: Pick<IncomingMessage, "headers">): boolean {
  const site = request.headers["sec-fetch-site"];
  return site !== undefined && site !== "same-origin" && site !== "none";
}

/** Whether the browser reached us by TLS: ours, or that of a proxy of the operator's in front of us. */
export function isSecure(request: Pick<IncomingMessage, "headers">, own: OwnAddresses): boolean {
  return own.tls || isPublicHttps(request, own);
}

/** Whether the request came by a public address that is https: one that a browser may keep to it (HSTS). */
export function isPublicHttps(request: Pick<IncomingMessage, "headers">, own: OwnAddresses): boolean {
  return own.publicOrigins.has(`https://${request.headers.host?.toLowerCase() ?? ""}`);
}

const loopbackNames = new Set(["localhost", "127.0.0.1", "[::1]"]);

function isOwnHost(host: string, own: OwnAddresses): boolean {
  if (own.publicOrigins.has(`https://${host}`) || own.publicOrigins.has(`http://${host}`)) return true;
  const { name, port } = splitHost(host, own.tls ? 443 : 80);
  return loopbackNames.has(name) && port === own.port;
}

function isOwnOrigin(origin: string, host: string, own: OwnAddresses): boolean {
  if (own.publicOrigins.has(origin)) return origin === `https://${host}` || origin === `http://${host}`;
  return origin === `${own.tls ? "https" : "http"}://${host}`;
}

function splitHost(host: string, usualPort: number): { name: string; port: number } {
  const match = /^(\[[0-9a-f:.]+\]|[^:]+)(?::(\d{1,5}))?$/.exec(host);
  return match?.[1] === undefined ? { name: "", port: 0 } : { name: match[1], port: Number(match[2] ?? usualPort) };
}

export function foreignOrigin(): Refusal {
  return new Refusal(403, "PERMISSION_DENIED", "Pages of another origin may not use this daemon.");
}
