import type { IncomingMessage } from "node:http";
import { clientAddress } from "./client-address.ts";
import { isCrossSite, isForeignCookieRequest, type OwnAddresses } from "./origin.ts";

/** What a caller shows of themselves, on whatever transport. */
export interface Proof {
  /** As it was sent: `Bearer …`. */
  readonly authorization: string | undefined;
  /** The cookie of a sign-in. */
  readonly cookie: string | undefined;
  /** True when a page of another origin sent the cookie: it then proves nothing. */
  readonly foreign: boolean;
  /** True when a browser says that a page of another origin asks. Matters alone where nobody has to prove anything. */
  readonly crossSite?: boolean;
  /** The workspace to work in, for identities that have several. */
  readonly workspace: string | undefined;
  /** What failed attempts and anonymous requests are counted by. */
  readonly address: string;
  readonly userAgent: string | undefined;
}

export const cookieName = "benchtop_session";
/** By TLS: browsers take it from us alone, not from a subdomain or by plain http (RFC 6265bis, 4.1.3.2). */
export const secureCookieName = `__Host-${cookieName}`;
export const workspaceHeader = "benchtop-workspace";

/** What an HTTP request shows. */
export function proofOf(request: Pick<IncomingMessage, "headers" | "method" | "socket">, own: OwnAddresses): Proof {
  const { headers } = request;
  const workspace = headers[workspaceHeader];
  return {
    authorization: headers.authorization,
    cookie: cookieOf(headers.cookie, secureCookieName) ?? cookieOf(headers.cookie, cookieName),
    foreign: isForeignCookieRequest(request),
    crossSite: isCrossSite(request),
    workspace: typeof workspace === "string" && workspace !== "" ? workspace.slice(0, 200) : undefined,
    address: clientAddress(request, own.proxies),
    userAgent: headers["user-agent"]?.slice(0, 300),
  };
}

/** A cookie that we could have set. */
export function cookieOf(header: string | undefined, wanted: string): string | undefined {
  for (const part of header?.split(";") ?? []) {
    const [name, value] = part.trim().split("=", 2);
    if (name === wanted && value !== undefined && /^[A-Za-z0-9_.-]{16,600}$/.test(value)) return value;
  }
  return undefined;
}
