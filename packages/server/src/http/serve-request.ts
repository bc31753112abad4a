import type { IncomingMessage, ServerResponse } from "node:http";
import { newId } from "@benchtop/protocol";
import { errorOf, toFailure } from "../api/failure.ts";
import { Refusal, stopping } from "../api/refusal.ts";
import type { ConsoleFiles } from "../console/console-files.ts";
import { isGrpcPath } from "../grpc/grpc.ts";
import { checkAddress, isPublicHttps } from "../identity/origin.ts";
import { serveRest, type RestParts } from "../rest/rest.ts";
import { isApiPath, type Routes } from "../rest/routes.ts";
import { commonHeaders, sendFailure, sendJson } from "./answer.ts";

export interface HttpParts extends RestParts {
  readonly routes: Routes;
  /** What answers below a path of its own (`/rpc`, `/mcp`), beside REST and the console. */
  readonly mounts: ReadonlyMap<string, Mount>;
  readonly grpc: Mount;
  readonly console: ConsoleFiles;
  readonly openApi: () => Promise<string>;
}

/** Serves every request at one path. Throws a failure, which is answered in the envelope of REST. */
export type Mount = (request: IncomingMessage, response: ServerResponse, context: MountContext) => Promise<void>;

export interface MountContext {
  readonly requestId: string;
  readonly query: URLSearchParams;
}

/** One HTTP request from its first line to its log line. Never rejects. */
export async function serveRequest(
  parts: HttpParts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const started = performance.now();
  const requestId = newId("request");
  let code: string | undefined;
  response.setHeader("X-Request-Id", requestId);
  for (const [name, value] of Object.entries(commonHeaders)) response.setHeader(name, value);
  try {
    if (parts.stopping()) throw stopping();
    checkAddress(request, parts.addresses());
    if (isPublicHttps(request, parts.addresses())) response.setHeader("Strict-Transport-Security", "max-age=31536000");
    await route(parts, request, response, requestId);
  } catch (thrown) {
    const failure = await toFailure(parts, thrown, { request_id: requestId });
    code = errorOf(failure).code;
    sendFailure(request, response, failure);
  } finally {
    parts.log.info("request", {
      id: requestId,
      method: request.method,
      status: response.statusCode,
      code,
      ms: Math.round(performance.now() - started),
    });
  }
}

async function route(
  parts: HttpParts,
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
): Promise<void> {
  const { path, query } = readTarget(request);
  const mount = isGrpcPath(path) ? parts.grpc : parts.mounts.get(path);
  if (request.method === "OPTIONS") return sendOptions(parts, response, path);
  if (mount !== undefined) return await mount(request, response, { requestId, query });
  if (path === "/openapi.json") return await sendOpenApi(parts, request, response);
  if (!isApiPath(path)) return await parts.console.serve(request, response, path);
  const match = parts.routes.match(request.method ?? "", path);
  await serveRest(parts, { request, response, match, query, requestId });
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

function sendOptions({ routes }: HttpParts, response: ServerResponse, path: string): void {
  response.writeHead(204, { Allow: routes.methodsOf(path) || "GET, HEAD, OPTIONS" });
  response.end();
}

async function sendOpenApi(parts: HttpParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    throw new Refusal(405, "VALIDATION_FAILED", "This address answers GET.", { headers: { allow: "GET, HEAD" } });
  }
  sendJson(response, 200, await parts.openApi());
}
