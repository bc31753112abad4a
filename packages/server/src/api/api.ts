import { isDeepStrictEqual } from "node:util";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Identity, OperationId } from "@benchtop/operations";
import { BenchtopError, newId } from "@benchtop/protocol";
import type { ConsoleFiles } from "../console/console-files.ts";
import type { Identities } from "../identity/identities.ts";
import { checkAddress, isSecure, type OwnAddresses } from "../identity/origin.ts";
import type { Log } from "../log/log.ts";
import { writeReport } from "../log/reports.ts";
import { commonHeaders, errorBody, sendDownload, sendFailure, sendJson } from "./answer.ts";
import { hasBody, readUpload, type BodyLimits } from "./body.ts";
import { sendEventStream } from "./event-stream.ts";
import type { Download, EventSource, Handlers, RequestContext } from "./handler.ts";
import type { IdempotencyKeys, StoredAnswer } from "./idempotency.ts";
import { gatherInput, parseInput } from "./input.ts";
import { phaseOf } from "./phase.ts";
import { Refusal } from "./refusal.ts";
import { isApiPath, matchRoute, methodsOf, type Match } from "./routes.ts";

export interface ApiParts {
  readonly home: string;
  readonly handlers: Handlers;
  readonly identities: Identities;
  readonly idempotencyKeys: IdempotencyKeys;
  readonly console: ConsoleFiles;
  readonly log: Log;
  readonly limits: BodyLimits;
  readonly addresses: () => OwnAddresses;
  /** True once the daemon stops: new requests are turned away. */
  readonly stopping: () => boolean;
  /** Refuse an answer that does not match its schema, instead of logging it. */
  readonly checkOutputs: boolean;
}

/** One HTTP request from its first line to its log line. Never rejects. */
export async function serveRequest(parts: ApiParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const started = performance.now();
  const requestId = newId("call").replace("call_", "req_");
  const seen: { operation?: OperationId; code?: string } = {};
  response.setHeader("X-Request-Id", requestId);
  for (const [name, value] of Object.entries(commonHeaders)) response.setHeader(name, value);
  try {
    if (parts.stopping()) throw stopping();
    checkAddress(request, parts.addresses());
    const { path, query } = readTarget(request);
    if (request.method === "OPTIONS") sendOptions(response, path);
    else if (path === "/openapi.json") await sendOpenApi(request, response);
    else if (!isApiPath(path)) await parts.console.serve(request, response, path);
    else {
      const match = matchRoute(request.method ?? "", path);
      seen.operation = match.id;
      await serveOperation(parts, { request, response, match, query, requestId });
    }
  } catch (thrown) {
    const failure = await toFailure(parts, thrown, { request_id: requestId, operation: seen.operation });
    seen.code = (failure instanceof Refusal ? failure.error : failure).code;
    sendFailure(request, response, failure);
  } finally {
    parts.log.info("request", {
      id: requestId,
      operation: seen.operation,
      method: request.method,
      status: response.statusCode,
      code: seen.code,
      ms: Math.round(performance.now() - started),
    });
  }
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly match: Match;
  readonly query: URLSearchParams;
  readonly requestId: string;
}

/** Identity, permission, input, idempotency, handler, answer: the way of every operation. */
async function serveOperation(parts: ApiParts, exchange: Exchange): Promise<void> {
  const { request, response, match, query } = exchange;
  const { operation } = match;
  const identity = await identify(parts, exchange);
  const fields = await gatherInput(request, match, query, parts.limits);
  const input = parseInput(match, fields);
  const context = createContext(parts, exchange, identity);
  const handler = parts.handlers[match.id] as unknown as (
    input: Record<string, unknown>,
    context: RequestContext,
  ) => Promise<unknown>;

  if (operation.transfer === "stream") {
    await sendEventStream(request, response, (await handler(input, context)) as EventSource, context.signal);
    return;
  }
  if (operation.transfer === "download") {
    await sendDownload(request, response, (await handler(input, context)) as Download);
    return;
  }
  const execute = async (): Promise<StoredAnswer> => {
    const output = checkOutput(parts, match, await handler(input, context));
    return { status: operation.status ?? 200, body: JSON.stringify(output) };
  };
  const key = idempotencyKey(request, match);
  if (key === undefined) {
    const { status, body } = await execute();
    sendJson(response, status, body);
    return;
  }
  const keyed = { userId: identity.userId, key, operation: match.id, fields };
  const answer = await parts.idempotencyKeys.once(keyed, async () => {
    try {
      return { ...(await execute()), retryable: false };
    } catch (thrown) {
      const failure = await toFailure(parts, thrown, { request_id: exchange.requestId, operation: match.id });
      const error = failure instanceof Refusal ? failure.error : failure;
      return {
        status: failure.status,
        body: errorBody(error),
        retryable: error.info.retryable || failure.status >= 500,
      };
    }
  });
  if (answer.replayed) response.setHeader("Idempotency-Replayed", "true");
  sendJson(response, answer.status, answer.body);
}

const nobody: Identity = {
  userId: "anonymous",
  displayName: "anonymous",
  workspaceId: "default",
  permissions: [],
  via: "token",
};

async function identify(parts: ApiParts, { request, match }: Exchange): Promise<Identity> {
  const { permission } = match.operation;
  if (permission === "public") return nobody;
  const identity = await parts.identities.identify(request);
  if (identity.permissions.includes(permission)) return identity;
  throw new BenchtopError("PERMISSION_DENIED", `This needs the permission ${permission}.`, {
    phase: phaseOf(match.id),
    detail: { permission },
  });
}

function createContext(parts: ApiParts, exchange: Exchange, identity: Identity): RequestContext {
  const { request, response, match, requestId } = exchange;
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const remoteAddress = request.socket.remoteAddress ?? "";
  const secure = isSecure(request, parts.addresses());
  const lastEventId = request.headers["last-event-id"];
  return {
    requestId,
    identity,
    remoteAddress,
    signal: gone.signal,
    body: match.operation.transfer === "upload" && hasBody(request) ? readUpload(request, parts.limits) : nothing(),
    lastEventId: typeof lastEventId === "string" ? lastEventId : undefined,
    browser: {
      async signIn(token) {
        const { identity: signedIn, cookie } = await parts.identities.signIn(token, remoteAddress, secure);
        response.setHeader("Set-Cookie", cookie);
        return signedIn;
      },
      async signOut() {
        response.setHeader("Set-Cookie", await parts.identities.signOut(request, secure));
      },
    },
  };
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // An upload without a body is an empty file.
}

function idempotencyKey(request: IncomingMessage, { operation }: Match): string | undefined {
  const key = request.headers["idempotency-key"];
  const applies = operation.method !== "GET" && operation.permission !== "public" && operation.transfer !== "upload";
  if (key === undefined || !applies) return undefined;
  if (typeof key === "string" && /^[\x21-\x7e]{1,200}$/.test(key)) return key;
  throw new BenchtopError("VALIDATION_FAILED", "An Idempotency-Key is 1 to 200 visible ASCII characters.", {
    phase: "settings",
  });
}

/** The answer as its schema has it; fields that the schema does not name never leave. */
function checkOutput(parts: ApiParts, match: Match, output: unknown): unknown {
  const parsed = match.operation.output.safeParse(output);
  if (parsed.success) {
    if (!parts.checkOutputs || isDeepStrictEqual(parsed.data, JSON.parse(JSON.stringify(output)))) return parsed.data;
    throw new TypeError(`The answer of ${match.id} holds fields that its schema does not name.`);
  }
  const wrong = parsed.error.issues.map((issue) => `${issue.path.join(".")} (${issue.code})`).join(", ");
  if (parts.checkOutputs) throw new TypeError(`The answer of ${match.id} does not match its schema: ${wrong}`);
  parts.log.error("output-mismatch", { operation: match.id, fields: wrong.slice(0, 500) });
  return output;
}

/** Anything thrown, as what the caller is told. What nobody expected leaves a report behind. */
async function toFailure(
  parts: ApiParts,
  thrown: unknown,
  context: Readonly<Record<string, string | undefined>>,
): Promise<BenchtopError | Refusal> {
  const refusal = refusalIn(thrown);
  if (refusal !== undefined) return refusal;
  const error = BenchtopError.from(thrown);
  if (error.code !== "INTERNAL" || error.info.detail_ref !== undefined) return error;
  try {
    const detailRef = await writeReport(parts.home, error.cause ?? thrown, context);
    parts.log.error("unexpected", { ...context, report: detailRef });
    return new BenchtopError("INTERNAL", `${error.message} A report was kept: ${detailRef}.`, { detailRef });
  } catch (cause) {
    parts.log.error("report-failed", { ...context, code: (cause as NodeJS.ErrnoException).code });
    return error;
  }
}

/** A refusal of the body reaches us wrapped by whatever was reading the body. */
function refusalIn(thrown: unknown): Refusal | undefined {
  for (let cause = thrown; cause instanceof Error; cause = cause.cause) if (cause instanceof Refusal) return cause;
  return undefined;
}

function readTarget(request: IncomingMessage): { path: string; query: URLSearchParams } {
  const target = request.url ?? "";
  if (!target.startsWith("/")) {
    throw new Refusal(400, "VALIDATION_FAILED", "The request line must name a path.");
  }
  const question = target.indexOf("?");
  return question === -1
    ? { path: target, query: new URLSearchParams() }
    : { path: target.slice(0, question), query: new URLSearchParams(target.slice(question + 1)) };
}

function sendOptions(response: ServerResponse, path: string): void {
  response.writeHead(204, { Allow: methodsOf(path) || "GET, HEAD, OPTIONS" });
  response.end();
}

async function sendOpenApi(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    throw new Refusal(405, "VALIDATION_FAILED", "This address answers GET.", { headers: { allow: "GET, HEAD" } });
  }
  // Loaded when somebody asks: most daemons are never asked.
  const { openApiText } = await import("./openapi.ts");
  sendJson(response, 200, openApiText());
}

function stopping(): Refusal {
  return new Refusal(503, "NETWORK_UNAVAILABLE", "The daemon is stopping.", {
    retryable: true,
    headers: { Connection: "close" },
  });
}
