import { isIP } from "node:net";
import { BenchtopError, type ErrorCode } from "@benchtop/protocol";
import { isPrivateNetworkAddress } from "./addresses.ts";

/**
 * Hosts of the local network that the operator may approve: the one way to a provider that is neither on this machine nor on
 * the public internet. One is written `host:port` in exactly one way, which is what is kept, shown and compared.
 */

/**
 * The host and port of a URL as an approval would name it; undefined for what can never be approved: other schemes, credentials,
 * this machine, addresses outside the private ranges.
 */
export function approvableHost(url: URL): string | undefined {
  if (url.protocol !== "http:" && url.protocol !== "https:") return undefined;
  if (url.username !== "" || url.password !== "" || !mayBeApproved(url.hostname)) return undefined;
  return `${url.hostname}:${url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port}`;
}

/**
 * Reads `host:port` as the operator gives it. Any other notation of the same place is refused by saying the right one, so that
 * what a person reads in the list is what they approved. Throws `VALIDATION_FAILED` and `EGRESS_BLOCKED_BY_POLICY`.
 */
export function approvedHost(text: string): string {
  const given = text.trim().toLowerCase();
  const [, host = "", port = ""] = /^(\[[^[\]]*\]|[^:/?#@\\[\]\s]+):([1-9]\d{0,4})$/.exec(given) ?? [];
  // The scheme has a port of its own that no number here is taken away as.
  const url = port === "" || Number(port) > 65_535 ? null : URL.parse(`http://${host}/`);
  if (url === null) {
    throw refusal("VALIDATION_FAILED", "Write a host and its port, such as 192.168.1.20:11434 or nas.local:8443.");
  }
  const { hostname } = url;
  if (!mayBeApproved(hostname)) {
    throw refusal(
      "EGRESS_BLOCKED_BY_POLICY",
      `${shorten(hostname)} cannot be approved: only an address of a private network (10.…, 172.16–31.…, 192.168.…, ` +
        "fd…), or a name that leads to one, is on the local network.",
      `${hostname}:${port}`,
    );
  }
  if (hostname !== host) {
    throw refusal(
      "EGRESS_BLOCKED_BY_POLICY",
      `${shorten(host)} means ${hostname}. If that is meant, approve ${hostname}:${port}.`,
      `${hostname}:${port}`,
    );
  }
  return `${hostname}:${port}`;
}

function mayBeApproved(hostname: string): boolean {
  const literal = hostname.replace(/^\[(.*)\]$/, "$1");
  if (isIP(literal) !== 0) return isPrivateNetworkAddress(literal);
  return hostName.test(hostname) && hostname !== "localhost" && !hostname.endsWith(".localhost");
}

/** Letters, digits, dashes and underscores in labels of 1 to 63, 253 in all; no trailing dot, which would be a second spelling. */
export const hostName =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function refusal(code: ErrorCode, message: string, host?: string): BenchtopError {
  return new BenchtopError(code, message, {
    phase: "settings",
    subphase: "egress",
    ...(host !== undefined && { detail: { host } }),
  });
}
