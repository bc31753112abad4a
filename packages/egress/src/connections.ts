import { lookup as systemLookup } from "node:dns/promises";
import type { LookupFunction } from "node:net";
import { createSecureContext, getCACertificates } from "node:tls";
import { callbackify } from "node:util";
import { BenchtopError } from "@benchtop/protocol";
import type { Dispatcher } from "undici";
import { isLoopbackAddress, isPrivateNetworkAddress, isPublicAddress } from "./addresses.ts";

/** An address of a host, as a resolver gives it. */
export interface ResolvedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}
export type Resolve = (hostname: string) => Promise<readonly ResolvedAddress[]>;

export interface ConnectionOptions {
  /** Replaces the system's resolver. */
  readonly resolve?: Resolve;
  /** Certificate authorities (PEM) trusted beside the ones that come with Node. */
  readonly ca?: string | readonly string[];
  /** `http://` or `https://` proxy, credentials in the URL if it wants any. Never used for loopback and the local network. */
  readonly proxy?: string;
  readonly timeouts?: Partial<Timeouts>;
}

/** Milliseconds: to a usable connection, from the request to its headers, and between two pieces of a body. */
export interface Timeouts {
  readonly connect: number;
  readonly headers: number;
  readonly body: number;
}
export const defaultTimeouts: Timeouts = { connect: 10_000, headers: 300_000, body: 300_000 };

export interface Connections {
  /** To this machine's loopback. */
  readonly local: () => Promise<Dispatcher>;
  /** To addresses of private networks, with TLS or without. */
  readonly network: () => Promise<Dispatcher>;
  /** To public addresses over TLS, through the proxy where one is configured. */
  readonly remote: () => Promise<Dispatcher>;
  /** Breaks what is open. */
  close(): Promise<void>;
}

/**
 * Three connection pools that can reach nothing but what they are for. A name is looked up once for each new connection; if
 * any of its addresses is refused, so is the connection, and the socket is opened to the addresses that were checked
 * (an answer that changes between check and connect never matters). TLS verifies the certificate against the name.
 *
 * undici is loaded by the first request, not at start-up. Nothing of the environment is read: not `HTTPS_PROXY`, not
 * `NODE_EXTRA_CA_CERTS` (roots are passed explicitly), not `NODE_TLS_REJECT_UNAUTHORIZED`.
 */
export function openConnections(options: ConnectionOptions): Connections {
  const timeouts = { ...defaultTimeouts, ...options.timeouts };
  const client = { headersTimeout: timeouts.headers, bodyTimeout: timeouts.body, allowH2: false };
  const tls = once(() => ({
    secureContext: createSecureContext({ ca: [...getCACertificates("bundled"), ...[options.ca ?? []].flat()] }),
    rejectUnauthorized: true,
    allowH2: false,
    timeout: timeouts.connect,
  }));

  const local = once(async () => {
    const { Agent } = await import("undici");
    const lookup = checkedLookup(resolveLocalhost, isLoopbackAddress, "an address of this machine");
    return new Agent({ ...client, connect: { ...tls(), lookup } });
  });
  const network = once(async () => {
    const { Agent } = await import("undici");
    // An address in place of a name is connected to without a lookup; the gate lets approved ones pass, which are private.
    const lookup = checkedLookup(options.resolve ?? resolveBySystem, isPrivateNetworkAddress, "in a private network");
    return new Agent({ ...client, connect: { ...tls(), lookup } });
  });
  const remote = once(async (): Promise<Dispatcher> => {
    const { Agent, ProxyAgent } = await import("undici");
    // A proxy resolves the name itself; the allowlist and the certificate still bind the request to that name.
    if (options.proxy !== undefined) {
      return new ProxyAgent({ ...client, uri: options.proxy, proxyTunnel: true, requestTls: tls(), proxyTls: tls() });
    }
    const lookup = checkedLookup(options.resolve ?? resolveBySystem, isPublicAddress, "a public address");
    return new Agent({ ...client, connect: { ...tls(), lookup } });
  });

  return {
    local,
    network,
    remote,
    async close() {
      const opened = await Promise.all([local, network, remote].flatMap((pool) => (pool.started ? [pool()] : [])));
      await Promise.all(opened.map((dispatcher) => dispatcher.destroy()));
    },
  };
}

/**
 * A `lookup` for `net.connect` that yields checked addresses only. All of a name's addresses must pass, not just one.
 * `expected` is what they are, in words.
 */
export function checkedLookup(
  resolve: Resolve,
  accepts: (address: string) => boolean,
  expected: string,
): LookupFunction {
  const checked = async (hostname: string): Promise<ResolvedAddress[]> => {
    const addresses = await resolve(hostname);
    const refused = addresses.find(({ address }) => !accepts(address));
    if (refused) {
      throw new BenchtopError(
        "EGRESS_BLOCKED_BY_POLICY",
        `${hostname} leads to ${refused.address}, which is not ${expected}, so nothing was sent. ` +
          "Check the name, or the network's name server.",
        { detail: { host: hostname, address: refused.address } },
      );
    }
    if (addresses.length === 0) throw Object.assign(new Error(`no address for ${hostname}`), { code: "ENOTFOUND" });
    return [...addresses];
  };
  const lookup = callbackify(checked);
  return (hostname, lookupOptions, callback) => {
    lookup(hostname, (error, addresses) => {
      if (error) callback(error, "");
      else if (lookupOptions.all === true) callback(null, addresses);
      else callback(null, addresses[0]?.address ?? "", addresses[0]?.family);
    });
  };
}

async function resolveBySystem(hostname: string): Promise<readonly ResolvedAddress[]> {
  const addresses = await systemLookup(hostname, { all: true });
  return addresses.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));
}

/** `localhost` is loopback by definition (RFC 6761); no name server is asked. */
async function resolveLocalhost(): Promise<readonly ResolvedAddress[]> {
  return [
    { address: "127.0.0.1", family: 4 },
    { address: "::1", family: 6 },
  ];
}

function once<Value>(make: () => Value): (() => Value) & { readonly started: boolean } {
  let made: { value: Value } | undefined;
  return Object.defineProperty(() => (made ??= { value: make() }).value, "started", {
    get: () => made !== undefined,
  }) as (() => Value) & { readonly started: boolean };
}
