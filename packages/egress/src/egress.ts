import { BenchtopError, type ErrorCode } from "@benchtop/protocol";
import { isPrivateNetworkAddress } from "./addresses.ts";
import { openConnections, type ConnectionOptions } from "./connections.ts";
import { checkDestination, notApproved, parseDestination, withApproval, type Place } from "./destination.ts";
import { exchange } from "./exchange.ts";
import { transportFailure } from "./failure.ts";
import { approvableHost } from "./local-network.ts";

/** Where the requests of one workspace may go now. */
export interface EgressPolicy {
  /**
   * The one host each of its configured providers may be reached at, by provider id: `URL.host` of its base URL, so the port is
   * part of it unless it is the scheme's own. Identity providers and places that models are downloaded from may have several.
   */
  readonly allowedHosts: ReadonlyMap<string, string | Hosts>;
}

/** Hosts by name; a set of them, or a rule. */
export type Hosts = Pick<ReadonlySet<string>, "has">;

/**
 * `oidc`: a sign-in, asked of the team's identity provider. `telemetry`: traces, to the operator's own collector. `mcp`: a call to
 * a server of tools, which is shown content as a model is. `model-download`: the file of a model that a person asked for from this
 * very source; GET without a body, so that nothing of anybody's content can leave.
 */
export type EgressPurpose =
  | "model-call"
  | "provider-test"
  | "model-list"
  | "oidc"
  | "telemetry"
  | "mcp"
  | "model-download";

/** On whose behalf a request is made. `provider-test` and `model-list` carry no content: GET, no query, no body. */
export interface EgressContext {
  readonly purpose: EgressPurpose;
  /** Whose provider it is: another workspace may have one of the same name elsewhere. */
  readonly workspaceId: string;
  readonly providerId: string;
  /** The provider is on this machine's loopback; nothing else can then be reached, and no consent is needed. */
  readonly local: boolean;
  readonly modelId?: string;
  readonly runId?: string;
  readonly workbenchId?: string;
  readonly scopeHash?: string;
  /** Files in that scope. */
  readonly fileCount?: number;
  /** Of a `model-download` alone, whose answers are as large as what was asked for: its limit in place of the gate's. */
  readonly maxResponseBytes?: number;
  /** Whatever stands for the call that requests are made for; handed on with their records, and never kept. */
  readonly call?: object;
}

export interface ConsentQuestion {
  readonly workspaceId: string;
  readonly providerId: string;
  readonly modelId: string;
  readonly scopeHash: string;
  readonly runId?: string;
  readonly workbenchId?: string;
}

/** Who knows what a person consented to. Anything but `true`, a throw included, means no. */
export interface ConsentPort {
  isConsented(question: ConsentQuestion): Promise<boolean> | boolean;
}

/** One attempt, after its end. `sent`: an answer came; `blocked`: refused by us; `failed`: the network or provider broke it. */
export interface EgressRecord {
  /** When the attempt began; ISO 8601 UTC. */
  readonly at: string;
  readonly purpose: EgressPurpose;
  readonly outcome: "sent" | "blocked" | "failed";
  readonly method: string;
  /** Host, with the port where it is not the scheme's own. Never a path or query. */
  readonly host: string;
  readonly workspaceId: string;
  readonly providerId: string;
  readonly modelId: string | null;
  readonly runId: string | null;
  readonly workbenchId: string | null;
  readonly scopeHash: string | null;
  readonly fileCount: number | null;
  /** Bytes of the bodies, without headers. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly status: number | null;
  readonly errorCode: ErrorCode | null;
  /** That of the context. */
  readonly call?: object;
}

export interface EgressOptions extends ConnectionOptions {
  /** Asked at every request, for the workspace that makes it. */
  policy(workspaceId: string): EgressPolicy;
  readonly consent: ConsentPort;
  /**
   * Whether the operator approved a host of the local network for a workspace: `host:port`, the port always. Asked at every
   * request that could go to one; without it, none is reached. The policy must name the host as well.
   */
  isApproved?(workspaceId: string, host: string): Promise<boolean> | boolean;
  /** What this gate is for: models and tools unless told. Sign-ins, telemetry and downloads, which nobody consents to, have gates of their own. */
  readonly purposes?: ReadonlySet<EgressPurpose>;
  /** Called exactly once an attempt, when its body has ended or was given up. Must return at once and not throw. */
  record(event: EgressRecord): void;
  /** Bytes of one body; 64 MiB each unless told. */
  readonly limits?: { readonly requestBytes?: number; readonly responseBytes?: number };
}

export interface Egress {
  /**
   * `fetch`, gated. Rejects with `EGRESS_BLOCKED_BY_POLICY` or `EGRESS_CONSENT_REQUIRED` before any lookup or byte, with
   * `NETWORK_UNAVAILABLE` / `PROVIDER_UNAVAILABLE` when the wire fails, and with the signal's reason on abort. Redirects
   * are refused; those of a `model-download` are answers like any other, and each hop has to be asked for through the gate again.
   * The body must be read or cancelled.
   */
  fetch(input: string | URL, init: RequestInit, context: EgressContext): Promise<Response>;
  /** A `fetch` whose every request is made in this context. */
  bind(context: EgressContext): typeof globalThis.fetch;
  /** Breaks what is open. Requests made afterwards fail. */
  close(): Promise<void>;
}

export function createEgress(options: EgressOptions): Egress {
  const connections = openConnections(options);
  const pools = {
    "this-machine": connections.local,
    "local-network": connections.network,
    elsewhere: connections.remote,
  };
  const closing = new AbortController();
  const maxRequestBytes = options.limits?.requestBytes ?? 64 * 1024 * 1024;
  const maxResponseBytes = options.limits?.responseBytes ?? 64 * 1024 * 1024;

  async function gatedFetch(input: string | URL, init: RequestInit, given: EgressContext): Promise<Response> {
    const context = { ...given };
    const attempt = new Attempt(input, init, context, (event) => options.record(event));
    try {
      const url = parseDestination(input);
      const place = await placeOf(url, context, options);
      checkDestination(url, place);
      checkAllowed(url, context, options);
      checkContent(url, attempt.method, init, context, options.purposes ?? forModels);
      await checkConsent(options.consent, url, context);
      const { headers, body } = await readRequest(init, attempt.method, maxRequestBytes);
      const dispatcher = await pools[place]();
      const explain = (thrown: unknown) =>
        place === "elsewhere" && isNearby(thrown, url)
          ? nearby(thrown, url)
          : transportFailure(thrown, url.host, {
              local: place !== "elsewhere",
              proxied: place === "elsewhere" && options.proxy !== undefined,
            });
      return await exchange(
        dispatcher,
        {
          url,
          method: attempt.method,
          headers,
          body,
          maxResponseBytes: isDownload(context) ? (context.maxResponseBytes ?? maxResponseBytes) : maxResponseBytes,
          redirects: isDownload(context) ? "answered" : "refused",
          explain,
        },
        (end) => attempt.end(end),
        init.signal ? AbortSignal.any([init.signal, closing.signal]) : closing.signal,
      );
    } catch (thrown) {
      attempt.end({ bytesSent: 0, bytesReceived: 0, status: null, error: BenchtopError.from(thrown) });
      throw placed(options.isApproved ? withApproval(thrown) : thrown, context);
    }
  }

  return {
    fetch: gatedFetch,
    bind: (context) => async (input, init) => {
      if (!(input instanceof Request)) return gatedFetch(input, init ?? {}, context);
      const request = new Request(input, init);
      const body = request.body === null ? null : await request.arrayBuffer();
      const { method, headers, signal } = request;
      return gatedFetch(request.url, { method, headers, signal, body }, context);
    },
    async close() {
      closing.abort(new BenchtopError("USER_CANCELED", "Benchtop is shutting down."));
      await connections.close();
    },
  };
}

/** Fail closed: an approval that cannot be read is none. A provider of this machine is never looked for elsewhere. */
async function placeOf(url: URL, context: EgressContext, options: EgressOptions): Promise<Place> {
  if (context.local) return "this-machine";
  const host = approvableHost(url);
  if (host === undefined) return "elsewhere";
  try {
    return (await options.isApproved?.(context.workspaceId, host)) === true ? "local-network" : "elsewhere";
  } catch {
    return "elsewhere";
  }
}

/** A name that leads into the local network, where nobody approved it. */
function isNearby(thrown: unknown, url: URL): boolean {
  const address = BenchtopError.is(thrown) ? thrown.info.detail?.["address"] : undefined;
  return typeof address === "string" && isPrivateNetworkAddress(address) && approvableHost(url) !== undefined;
}

function nearby(thrown: unknown, url: URL): BenchtopError {
  const { message, info } = BenchtopError.from(thrown);
  return notApproved(message, approvableHost(url) ?? url.host, info.detail);
}

/** Fail closed: a policy that cannot be read allows nothing. The request must go to the provider it is made for. */
function checkAllowed(url: URL, context: EgressContext, options: EgressOptions): void {
  let cause: unknown;
  try {
    const allowed = options.policy(context.workspaceId).allowedHosts.get(context.providerId);
    if (typeof allowed === "string" ? allowed === url.host : allowed?.has(url.host) === true) return;
  } catch (thrown) {
    cause = thrown;
  }
  throw new BenchtopError(
    "EGRESS_BLOCKED_BY_POLICY",
    isDownload(context)
      ? `${url.host} is no host that models of “${context.providerId}” come from, so nothing was sent.`
      : `${url.host} is not the host of the provider “${context.providerId}”, so nothing was sent. ` +
          "Add or correct the provider in the settings.",
    { detail: { host: url.host }, cause },
  );
}

function isDownload({ purpose }: EgressContext): boolean {
  return purpose === "model-download";
}

/** No query, or how many entries a list is to have: lists of some providers are short unless asked for more. */
const countQuery = /^(\?limit=\d{1,4})?$/;

/** What a gate lets through unless it is told what it is for. */
const forModels: ReadonlySet<EgressPurpose> = new Set(["model-call", "provider-test", "model-list", "mcp"]);

/** Only what is consented to may carry content of people; otherwise the other purposes would be a way around consent. */
function checkContent(
  url: URL,
  method: string,
  init: RequestInit,
  { purpose }: EgressContext,
  purposes: ReadonlySet<EgressPurpose>,
): void {
  const refused = (message: string) =>
    new BenchtopError("EGRESS_BLOCKED_BY_POLICY", message, { detail: { host: url.host } });
  if (!purposes.has(purpose)) throw refused(`Nothing is sent here for the purpose ${purpose}.`);
  if (!methods.has(method)) throw refused(`The method ${method} is not allowed.`);
  if (purpose === "oidc") return checkSignInContent(url, method, init);
  if (purpose === "telemetry" && method !== "POST") throw refused("Telemetry is sent by POST alone.");
  const empty = method === "GET" && (init.body === undefined || init.body === null);
  if (purpose === "model-download" && !empty) throw refused("A model is downloaded by GET alone, without content.");
  if (purpose !== "provider-test" && purpose !== "model-list") return;
  if (empty && countQuery.test(url.search)) return;
  throw refused("A provider is tested and listed by GET alone, without content.");
}

/** What a sign-in sends is a few parameters: a code, and what proves who asks. */
const maxSignInCharacters = 16_384;

function checkSignInContent(url: URL, method: string, init: RequestInit): void {
  const { body } = init;
  if (method === "GET" && (body === undefined || body === null)) return;
  const form = body instanceof URLSearchParams ? body.toString() : body;
  if (method === "POST" && typeof form === "string" && form.length <= maxSignInCharacters) return;
  throw new BenchtopError("EGRESS_BLOCKED_BY_POLICY", "A sign-in sends a short form, and nothing else.", {
    detail: { host: url.host },
  });
}

const methods: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);

/** What can carry no content of anybody's, and what the operator's own configuration sends to their own collector. */
const withoutConsent: ReadonlySet<EgressPurpose> = new Set([
  "provider-test",
  "model-list",
  "oidc",
  "telemetry",
  "model-download",
]);

async function checkConsent(port: ConsentPort, url: URL, context: EgressContext): Promise<void> {
  if (context.local || withoutConsent.has(context.purpose)) return;
  const { workspaceId, providerId, modelId, scopeHash, runId, workbenchId } = context;
  const required = (cause?: unknown) =>
    new BenchtopError(
      "EGRESS_CONSENT_REQUIRED",
      `${url.host} would be shown content that nobody consented to send, so nothing was sent. ` +
        "Consent to this model and these files, or use a model on this machine.",
      { subphase: "consent", detail: { host: url.host, scope_hash: scopeHash ?? null }, cause },
    );
  if (modelId === undefined || scopeHash === undefined) throw required();
  const question = {
    workspaceId,
    providerId,
    modelId,
    scopeHash,
    ...(runId !== undefined && { runId }),
    ...(workbenchId !== undefined && { workbenchId }),
  };
  let answer: unknown;
  try {
    answer = await port.isConsented(question);
  } catch (thrown) {
    throw required(thrown);
  }
  if (answer !== true) throw required();
}

/** Headers and body as they go out. Headers that steer the connection are ours alone: a `Host` of the caller would be a way around the allowlist. */
async function readRequest(
  init: RequestInit,
  method: string,
  maxBytes: number,
): Promise<{ headers: Record<string, string>; body: Uint8Array | null }> {
  const headers: Record<string, string> = {};
  for (const [name, value] of new Headers(init.headers)) {
    if (!connectionHeaders.has(name) && !name.startsWith("proxy-")) headers[name] = value;
  }
  headers["user-agent"] ??= "benchtop";
  headers["accept-encoding"] = "identity";
  if (init.body === undefined || init.body === null) return { headers, body: null };
  if (method === "GET" || method === "HEAD") {
    throw new BenchtopError("VALIDATION_FAILED", `A ${method} request has no body.`);
  }
  const body = await bytesOf(init.body, headers);
  if (body.byteLength > maxBytes) {
    throw new BenchtopError(
      "CONTEXT_EXHAUSTED",
      `The request has ${body.byteLength} bytes; ${maxBytes} is the limit. Send fewer or smaller files.`,
      { detail: { bytes: body.byteLength, maxBytes } },
    );
  }
  return { headers, body };
}

const connectionHeaders: ReadonlySet<string> = new Set([
  "host",
  "connection",
  "content-length",
  "expect",
  "http2-settings",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Text, what model calls send, takes the short way; everything else that `fetch` knows is read by `Response`. */
async function bytesOf(body: NonNullable<RequestInit["body"]>, headers: Record<string, string>): Promise<Uint8Array> {
  if (typeof body === "string") {
    headers["content-type"] ??= "text/plain;charset=UTF-8";
    return encoder.encode(body);
  }
  if (body instanceof Uint8Array) return body;
  const read = new Response(body);
  const type = read.headers.get("content-type");
  if (type !== null) headers["content-type"] ??= type;
  return new Uint8Array(await read.arrayBuffer());
}
const encoder = new TextEncoder();

/** One attempt's record, written once whichever way it ends. */
class Attempt {
  readonly method: string;
  readonly #host: string;
  readonly #context: EgressContext;
  readonly #at = new Date().toISOString();
  #record: ((event: EgressRecord) => void) | undefined;

  constructor(input: string | URL, init: RequestInit, context: EgressContext, record: (event: EgressRecord) => void) {
    this.method = (init.method ?? "GET").toUpperCase();
    this.#host = URL.parse(String(input))?.host ?? "";
    this.#context = context;
    this.#record = record;
  }

  end(end: { bytesSent: number; bytesReceived: number; status: number | null; error?: BenchtopError }): void {
    const record = this.#record;
    if (!record) return;
    this.#record = undefined;
    const { purpose, workspaceId, providerId, modelId, runId, workbenchId, scopeHash, fileCount, call } = this.#context;
    const errorCode = end.error?.code ?? null;
    record({
      at: this.#at,
      purpose,
      outcome: outcomeOf(errorCode, end.status),
      method: this.method,
      host: this.#host,
      workspaceId,
      providerId,
      modelId: modelId ?? null,
      runId: runId ?? null,
      workbenchId: workbenchId ?? null,
      scopeHash: scopeHash ?? null,
      fileCount: fileCount ?? null,
      bytesSent: end.bytesSent,
      bytesReceived: end.bytesReceived,
      status: end.status,
      errorCode,
      ...(call !== undefined && { call }),
    });
  }
}

function outcomeOf(errorCode: ErrorCode | null, status: number | null): EgressRecord["outcome"] {
  switch (errorCode) {
    case null:
      return "sent";
    case "EGRESS_BLOCKED_BY_POLICY":
    case "EGRESS_CONSENT_REQUIRED":
    case "VALIDATION_FAILED":
    case "CONTEXT_EXHAUSTED":
      return "blocked";
    case "USER_CANCELED":
      return status === null ? "failed" : "sent";
    default:
      return "failed";
  }
}

/** Errors of ours say whose request it was; what a caller's signal carries is thrown as it is, as `fetch` does. */
function placed(thrown: unknown, context: EgressContext): unknown {
  if (!BenchtopError.is(thrown)) return thrown;
  return thrown.at({
    providerId: context.providerId,
    ...(context.modelId !== undefined && { modelId: context.modelId }),
    ...(context.runId !== undefined && { runId: context.runId }),
    ...(context.workbenchId !== undefined && { workbenchId: context.workbenchId }),
  });
}
