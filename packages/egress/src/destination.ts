import { isIP } from "node:net";
import { BenchtopError, type ErrorCode } from "@benchtop/protocol";
import { isLoopbackAddress, isPrivateNetworkAddress } from "./addresses.ts";
import { approvableHost, hostName } from "./local-network.ts";

/** Where a request may go, judged from the URL alone: no lookup happens here. */

/** On loopback, at a host of the local network that the operator approved, or on the public internet. */
export type Place = "this-machine" | "local-network" | "elsewhere";

/**
 * Checks the base URL of a provider as a person gives it. Returns the parsed URL, whose `host` is what the allowlist
 * holds. Throws `VALIDATION_FAILED` for what is no base URL at all, `EGRESS_BLOCKED_BY_POLICY` for what is never allowed.
 */
export function checkProviderUrl(url: string, place: Place): URL {
  const text = url.trim();
  if (/^[\w.-]+(:\d+)?(\/|$)/.test(text)) {
    throw invalid(
      `“${shorten(text)}” has no scheme. Start it with ${place === "elsewhere" ? "" : "http:// or "}https://.`,
    );
  }
  if (!/^[a-z][a-z0-9+.-]*:/i.test(text)) throw invalid(`“${shorten(text)}” is not a URL.`);
  const parsed = checkDestination(parseDestination(text), place);
  if (parsed.search !== "" || parsed.hash !== "") {
    throw invalid("A base URL has no “?” or “#” part: paths are added to it.");
  }
  return parsed;
}

/**
 * Reads the URL of one request. The URL parser itself turns every notation of an IPv4 address (decimal, octal, hex, short,
 * full-width digits, percent-encoded) into dotted decimal, so literals are recognised on the parsed host, which is also
 * what the connection is made to: there is no second parser that could read it differently.
 */
export function parseDestination(input: string | URL): URL {
  const url = URL.parse(String(input));
  if (!url) throw blocked("That URL names no host that can be checked.");
  if (url.username !== "" || url.password !== "") {
    throw blocked("A URL must not hold a user name or password. Give the key with --api-key-env instead.");
  }
  return url;
}

/** Checks a URL for where it is said to lead. */
export function checkDestination(url: URL, place: Place): URL {
  if (place === "this-machine") checkLocal(url);
  else if (place === "elsewhere") checkRemote(url);
  // Who says “local network” has asked for the approval of this very host; this is for who has not.
  else if (approvableHost(url) === undefined) throw blocked("That host is not on the local network.");
  return url;
}

function checkLocal(url: URL): void {
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw blocked(`${scheme(url)} is not allowed: use http or https.`);
  if (!isLoopbackHost(url.hostname)) {
    throw blocked(
      `${url.hostname} is not this machine's loopback, so it cannot be a local provider. ` +
        "Use localhost or 127.0.0.1, or add it without --local: by host name and HTTPS, or where the operator approved it.",
    );
  }
}

function checkRemote(url: URL): void {
  const host = url.hostname;
  const hint = isLoopbackHost(host) ? " For a model server on this machine, add the provider with --local." : "";
  const approvable = hint === "" ? approvableHost(url) : undefined;
  if (approvable !== undefined && isPrivateNetworkAddress(host.replace(/^\[(.*)\]$/, "$1"))) {
    throw notApproved(`${host} is an IP address of the local network, and nobody approved ${approvable}.`, approvable);
  }
  if (approvable !== undefined && url.protocol === "http:") {
    throw notApproved(
      `“http” is not allowed: only https leaves this machine, and nobody approved ${approvable}.`,
      approvable,
    );
  }
  if (url.protocol !== "https:") throw blocked(`${scheme(url)} is not allowed: only https leaves this machine.${hint}`);
  if (host.startsWith("[") || isIP(host) !== 0) {
    throw blocked(`${host} is an IP address: only host names are allowed.${hint}`);
  }
  if (host === "localhost" || host.endsWith(".localhost")) throw blocked(`${host} is this machine.${hint}`);
  if (!hostName.test(host)) throw blocked(`“${shorten(host)}” is not a host name that can be checked.`);
}

/** `hostname` as the URL parser writes it. `localhost` counts because it is pinned to loopback without a lookup. */
export function isLoopbackHost(hostname: string): boolean {
  return hostname === "localhost" || isLoopbackAddress(hostname.replace(/^\[(.*)\]$/, "$1"));
}

function scheme(url: URL): string {
  return `“${shorten(url.protocol.slice(0, -1))}”`;
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function refusal(code: ErrorCode, message: string): BenchtopError {
  return new BenchtopError(code, message, { phase: "settings", subphase: "egress" });
}
const invalid = (message: string) => refusal("VALIDATION_FAILED", message);
const blocked = (message: string) => refusal("EGRESS_BLOCKED_BY_POLICY", message);

/** `host` (`host:port`) is what the operator could approve, which `detail.approvable` says to programs. */
export function notApproved(message: string, host: string, detail: object = {}): BenchtopError {
  return new BenchtopError("EGRESS_BLOCKED_BY_POLICY", message, {
    phase: "settings",
    subphase: "egress",
    detail: { ...detail, host, approvable: true },
  });
}

/** The same refusal with what to do about it, for requests and providers that an approval would let through. */
export function withApproval(thrown: unknown): unknown {
  if (!BenchtopError.is(thrown) || thrown.info.detail?.["approvable"] !== true) return thrown;
  const { message, info } = thrown;
  const { phase, subphase, detail } = info;
  const host = String(detail?.["host"]);
  return new BenchtopError(
    "EGRESS_BLOCKED_BY_POLICY",
    `${message} If ${host} is a host of your local network, the operator can approve it in the settings, or with: benchtop network approve ${host}`,
    { phase, ...(subphase !== undefined && { subphase }), ...(detail && { detail }), cause: thrown },
  );
}
