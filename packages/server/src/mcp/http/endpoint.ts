import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Identity } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol";
import {
  createMcpHandler,
  createRequestStateCodec,
  isInitializeRequest,
  isLegacyRequest,
  type AuthInfo,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { parseJson } from "../../api/json-text.ts";
import { Refusal } from "../../api/refusal.ts";
import { readJsonBytes, type BodyLimits } from "../../http/body.ts";
import type { OwnAddresses } from "../../identity/origin.ts";
import { proofOf, type Proof } from "../../identity/proof.ts";
import { createCaller, ownerOf, type Caller, type CallerParts } from "../../api/caller.ts";
import { createMcpServer, type McpServerParts } from "../create-server.ts";
import type { McpFeature } from "../feature.ts";
import { benchtopPrompts } from "../prompts/prompts.ts";
import { benchtopResources } from "../resources/resources.ts";
import { SharedWatches } from "../resources/subscriptions.ts";
import { operationTools } from "../tools/operation-tools.ts";
import { agentTool } from "../tools/run-agent.ts";
import { Sessions, type Session } from "./sessions.ts";
import { isEventStream, protocolError, sendWebResponse, toWebRequest } from "./web.ts";

export interface EndpointParts extends CallerParts {
  readonly limits: BodyLimits;
  readonly addresses: () => OwnAddresses;
  /** What the program that embeds the daemon offers beside its own. */
  readonly features: readonly McpFeature[];
}

/** Requests and streams of one owner at a time. */
const maxAtOnce = 100;
/** Streams of the newer protocol that watch something, of all owners. */
const maxListening = 256;
const confirmationSeconds = 600;

/**
 * MCP over HTTP: the newer protocol (2026-07-28), where each request stands for itself, and the older, where a client is greeted
 * and has a session. Whoever asks is identified with every request; what a session or a confirmation is worth to another is
 * nothing.
 */
export class McpEndpoint {
  readonly #parts: EndpointParts;
  readonly #sessions = new Sessions();
  readonly #serverParts: McpServerParts;
  readonly #newer: ReturnType<typeof createMcpHandler>;
  readonly #watches: SharedWatches;
  readonly #atOnce = new Map<string, number>();

  constructor(parts: EndpointParts) {
    this.#parts = parts;
    const { features, ...rest } = parts;
    this.#serverParts = {
      ...rest,
      features: [operationTools(parts.registry), agentTool, benchtopResources, benchtopPrompts, ...features],
      requestState: createRequestStateCodec({
        key: randomBytes(32),
        ttlSeconds: confirmationSeconds,
        bind: (context) => `${context.mcpReq.method}\n${callerIn(context).owner}`,
      }),
      once: onlyOnce(),
      callerOf: callerIn,
    };
    this.#newer = createMcpHandler(() => createMcpServer(this.#serverParts), {
      legacy: "reject",
      maxSubscriptions: maxListening,
    });
    this.#watches = new SharedWatches(this.#serverParts.features, (uri) => this.#newer.notify.resourceUpdated(uri));
  }

  /** Throws what REST would throw for a caller who is nobody, or asks too often. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const proof = proofOf(request, this.#parts.addresses());
    const identity = await this.#identify(proof);
    const owner = ownerOf(identity);
    this.#parts.rateLimits.take(identity.keyId ?? identity.userId, "identity");
    this.#enter(owner);
    try {
      await this.#answer(request, response, createCaller(this.#parts, identity, proof, "mcp"));
    } finally {
      this.#leave(owner);
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#newer.close(), this.#sessions.close()]);
  }

  async #identify(proof: Proof): Promise<Identity> {
    try {
      return await this.#parts.identities.identify(proof);
    } catch (thrown) {
      throw withChallenge(thrown, proof.authorization !== undefined);
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse, caller: Caller): Promise<void> {
    const webRequest = toWebRequest(request, response);
    let body: unknown;
    if (request.method === "POST") {
      const bytes = await readJsonBytes(request, this.#parts.limits);
      const parsed = parseBody(bytes);
      if (parsed instanceof Response) return await sendWebResponse(response, parsed);
      body = parsed.body;
    }
    const options = { authInfo: authInfoOf(caller), ...(body !== undefined && { parsedBody: body }) };
    if (await isLegacyRequest(webRequest, body)) return await this.#serveOlder(webRequest, response, body, caller);
    const refusal = await this.#watchFor(body, caller, webRequest.signal);
    const answer = refusal ?? (await this.#newer.fetch(webRequest, options));
    await this.#send(response, answer, caller);
  }

  async #serveOlder(request: Request, response: ServerResponse, body: unknown, caller: Caller): Promise<void> {
    const session = await this.#sessionOf(request, body, caller);
    if (session instanceof Response) return await sendWebResponse(response, session);
    session.busy++;
    try {
      const answer = await session.transport.handleRequest(request, {
        authInfo: authInfoOf(caller),
        ...(body !== undefined && { parsedBody: body }),
      });
      // A greeting that failed leaves no session behind.
      if (session.transport.sessionId === undefined) await session.server.close();
      await this.#send(response, answer, caller, session);
    } finally {
      session.busy--;
      session.usedAt = Date.now();
    }
  }

  async #sessionOf(request: Request, body: unknown, caller: Caller): Promise<Session | Response> {
    const id = request.headers.get("mcp-session-id");
    if (isInitializeRequest(body)) {
      return await this.#sessions.open(caller.owner, () => createMcpServer(this.#serverParts));
    }
    if (id === null) return protocolError(400, -32_000, "Bad Request: Mcp-Session-Id header is required");
    return this.#sessions.find(id, caller.owner) ?? protocolError(404, -32_001, "Session not found");
  }

  /** Streams last; whoever has lost their key, role or browser session meanwhile reads no further. */
  async #send(response: ServerResponse, answer: Response, { identity }: Caller, session?: Session): Promise<void> {
    if (!isEventStream(answer)) return await sendWebResponse(response, answer);
    const watch = this.#parts.identities.watch(identity, "self");
    watch.signal.addEventListener("abort", () => {
      response.destroy();
      void session?.server.close();
    });
    try {
      await sendWebResponse(response, answer);
    } finally {
      watch.end();
    }
  }

  /** The newer protocol watches by a request that stays open; what it may not see it is told before that begins. */
  async #watchFor(body: unknown, caller: Caller, signal: AbortSignal): Promise<Response | undefined> {
    const message = body as {
      method?: unknown;
      id?: unknown;
      params?: { notifications?: { resourceSubscriptions?: unknown } };
    };
    if (message?.method !== "subscriptions/listen") return undefined;
    const uris = message.params?.notifications?.resourceSubscriptions;
    if (!Array.isArray(uris)) return undefined;
    if (uris.length > 64) return protocolError(400, -32_602, "64 resources can be watched at most.");
    try {
      for (const uri of uris) await this.#watches.join(String(uri), caller, signal);
      return undefined;
    } catch (thrown) {
      if (!BenchtopError.is(thrown)) throw thrown;
      return protocolError(400, -32_602, "One of these resources is not there, or cannot be watched.");
    }
  }

  #enter(owner: string): void {
    const count = this.#atOnce.get(owner) ?? 0;
    if (count >= maxAtOnce) {
      throw new Refusal(429, "RATE_LIMITED", `At most ${maxAtOnce} MCP requests and streams at once.`, {
        detail: { limit: maxAtOnce },
      });
    }
    this.#atOnce.set(owner, count + 1);
  }

  #leave(owner: string): void {
    const count = (this.#atOnce.get(owner) ?? 1) - 1;
    if (count === 0) this.#atOnce.delete(owner);
    else this.#atOnce.set(owner, count);
  }
}

function authInfoOf(caller: Caller): AuthInfo {
  return { token: "", clientId: caller.owner, scopes: [...caller.identity.permissions], extra: { caller } };
}

function callerIn({ http }: ServerContext): Caller {
  const caller = http?.authInfo?.extra?.["caller"];
  if (caller === undefined) throw new TypeError("An MCP request reached a handler without a caller.");
  return caller as Caller;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function parseBody(bytes: Uint8Array): { readonly body: unknown } | Response {
  try {
    return { body: parseJson(utf8.decode(bytes)) };
  } catch {
    return protocolError(400, -32_700, "Parse error: the body is not JSON in UTF-8, or nested too deeply.");
  }
}

/** RFC 6750: a wrong token is told so, and who showed none is told what to show. There is no authorization server to name. */
function withChallenge(thrown: unknown, hasToken: boolean): unknown {
  if (!BenchtopError.is(thrown) || thrown.code !== "AUTH_REQUIRED") return thrown;
  return new Refusal(401, "AUTH_REQUIRED", thrown.message, {
    headers: { "WWW-Authenticate": `Bearer realm="benchtop"${hasToken ? ', error="invalid_token"' : ""}` },
  });
}

/** Which confirmations were used; each is forgotten once it would be too old anyway. */
function onlyOnce(): (nonce: string) => boolean {
  const used = new Map<string, number>();
  return (nonce) => {
    const now = Date.now();
    for (const [old, at] of used) {
      if (now - at < confirmationSeconds * 1000) break;
      used.delete(old);
    }
    if (used.has(nonce)) return false;
    used.set(nonce, now);
    return true;
  };
}
