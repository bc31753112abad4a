import { createEgress, isLoopbackHost, type EgressOptions, type Hosts } from "@benchtop/egress";
import { invalid, refusal } from "../registry/refusals.ts";
import type { Secret } from "../secret.ts";

/** A place that models come from, where the operator may set another in its stead: a mirror. */
export interface DownloadPlace {
  /** A mirror on this machine's loopback is reached there, by http or https, and nothing else of this machine is. */
  readonly baseUrl: string;
  /** Hosts that it may send on to, beside its own and the usual ones; `*.example.com` for all below. */
  readonly hosts?: readonly string[];
}

export interface DownloadGateOptions extends Omit<EgressOptions, "policy" | "consent" | "purposes" | "limits"> {
  readonly huggingFace?: DownloadPlace;
  readonly ollama?: DownloadPlace;
  /** URLs on this machine's loopback may be given. Off unless told: whoever may install could else reach what listens there. */
  readonly loopbackUrls?: boolean;
}

/** On whose behalf something is fetched, and from where. */
export interface DownloadContext {
  readonly place: "huggingface" | "ollama" | "url";
  /** For `url`: the one that was given, and the hosts that it may send on to. */
  readonly url?: string;
  readonly redirectHosts?: readonly string[];
  readonly workspaceId: string;
  /** What the model is or will be called, for the egress log. */
  readonly modelId: string;
}

export interface DownloadRequest {
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent to the place itself and never to another host, wherever it sends on to. */
  readonly token?: Secret | undefined;
  readonly maxBytes: number;
}

/** The way to models that are asked for: a gate of its own, for GET without content, to the hosts of each source alone. */
export interface DownloadGate {
  /** Without a slash at their ends. */
  readonly baseUrls: { readonly huggingface: string; readonly ollama: string };
  /**
   * Follows redirects by hand: each hop is checked as the first request is. `url` is what answered. Throws what the gate throws,
   * `EGRESS_BLOCKED_BY_POLICY` for a redirect that leads elsewhere. The body is to be read or cancelled.
   */
  get(
    url: string,
    request: DownloadRequest,
    context: DownloadContext,
    signal: AbortSignal,
  ): Promise<{ readonly response: Response; readonly url: string }>;
  close(): Promise<void>;
}

/** Their own, and those that they keep large files at. */
const usualHosts = {
  huggingface: ["huggingface.co", "*.huggingface.co", "hf.co", "*.hf.co"],
  // Ollama keeps its files at Cloudflare, in buckets whose names may change. What comes from there is checked against its hash.
  ollama: ["registry.ollama.ai", "*.r2.cloudflarestorage.com"],
} as const;

const maxRedirects = 5;
/** A list of files; what a file may have is told with each request. */
const maxListBytes = 32 * 1024 * 1024;

/** Throws `VALIDATION_FAILED` for a base URL that is none. */
export function downloadGate(options: DownloadGateOptions): DownloadGate {
  const { huggingFace, ollama, loopbackUrls = false, ...outbound } = options;
  const bases = {
    huggingface: baseOf(huggingFace?.baseUrl ?? "https://huggingface.co"),
    ollama: baseOf(ollama?.baseUrl ?? "https://registry.ollama.ai"),
  };
  const allowedHosts = new Map<string, Hosts>([
    ["huggingface", new HostRules([bases.huggingface.host, ...usualHosts.huggingface, ...(huggingFace?.hosts ?? [])])],
    ["ollama", new HostRules([bases.ollama.host, ...usualHosts.ollama, ...(ollama?.hosts ?? [])])],
  ]);
  const egress = createEgress({
    ...outbound,
    policy: () => ({ allowedHosts }),
    consent: { isConsented: () => false },
    purposes: new Set(["model-download"]),
    limits: { requestBytes: 0, responseBytes: maxListBytes },
    // A connection that says nothing for a minute is given up and asked again.
    timeouts: { connect: 10_000, headers: 60_000, body: 60_000, ...outbound.timeouts },
  });

  /** By what its hosts are, so that no URL lends its hosts to another. */
  function providerOf({ place, url = "", redirectHosts = [] }: DownloadContext): string {
    if (place !== "url") return place;
    const wild = redirectHosts.find((host) => host.startsWith("*"));
    if (wild !== undefined) throw invalid(`Name each host that may be sent on to; “${wild}” is many.`);
    const rules = [URL.parse(url)?.host ?? "", ...redirectHosts.toSorted()];
    const id = `url:${rules.join("+")}`;
    allowedHosts.set(id, new HostRules(rules));
    return id;
  }

  async function get(
    asked: string,
    { headers, token, maxBytes }: DownloadRequest,
    context: DownloadContext,
    signal: AbortSignal,
  ) {
    const providerId = providerOf(context);
    const onLoopback = context.place === "url" ? loopbackUrls : isLoopbackHost(bases[context.place].hostname);
    const home = context.place === "url" ? undefined : bases[context.place].origin;
    let url = new URL(asked);
    for (let hop = 0; ; hop++) {
      const response = await egress.fetch(
        url,
        {
          signal,
          headers: { ...headers, ...(token && url.origin === home && { authorization: `Bearer ${token.reveal()}` }) },
        },
        {
          purpose: "model-download",
          workspaceId: context.workspaceId,
          providerId,
          modelId: context.modelId,
          local: onLoopback && isLoopbackHost(url.hostname),
          maxResponseBytes: maxBytes,
        },
      );
      const location = response.status >= 300 && response.status < 400 ? response.headers.get("location") : null;
      if (location === null) return { response, url: url.href };
      await response.body?.cancel();
      const next = URL.parse(location, url.href);
      if (hop === maxRedirects || next === null) throw nowhere(url.host);
      if (allowedHosts.get(providerId)?.has(next.host) !== true) throw sentElsewhere(url.host, next.host, context);
      url = next;
    }
  }

  return {
    baseUrls: { huggingface: bases.huggingface.href.replace(/\/$/, ""), ollama: bases.ollama.href.replace(/\/$/, "") },
    get,
    close: () => egress.close(),
  };
}

/** `has` for exact hosts, and for names below a domain at the scheme's own port. */
class HostRules implements Hosts {
  readonly #exact: ReadonlySet<string>;
  readonly #endings: readonly string[];

  constructor(rules: readonly string[]) {
    this.#exact = new Set(rules.filter((rule) => !rule.startsWith("*.")));
    this.#endings = rules.filter((rule) => rule.startsWith("*.")).map((rule) => rule.slice(1));
  }

  has(host: string): boolean {
    return this.#exact.has(host) || this.#endings.some((ending) => host.endsWith(ending));
  }
}

function baseOf(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !["https:", "http:"].includes(url.protocol) || url.search !== "" || url.hash !== "") {
    throw invalid(`“${text}” is no base URL of a place that models come from.`);
  }
  return url;
}

function sentElsewhere(from: string, to: string, { place }: DownloadContext) {
  const advice =
    place === "url"
      ? `If you trust ${to}, name it as a host that may be sent on to, or give its address itself.`
      : `If ${to} belongs to it, the operator can add it to the hosts of ${place}.`;
  return refusal("EGRESS_BLOCKED_BY_POLICY", `${from} sends on to ${to}, which nobody asked for. ${advice}`, {
    detail: { host: from, redirect_host: to },
  });
}

function nowhere(host: string) {
  return refusal("PROVIDER_UNAVAILABLE", `${host} sends from one address to the next without an end.`, {
    retryable: false,
    detail: { host },
  });
}
