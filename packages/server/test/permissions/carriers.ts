import { casingOf, operations, type Operation } from "@benchtop/operations";
import { WebSocket } from "ws";
import { pascalCase } from "../../src/grpc/message.ts";
import { offerOf } from "../../src/mcp/tools/offers.ts";
import { toolNameOf } from "../../src/mcp/tools/tool-schemas.ts";
import { grpcClient, type GrpcProtocol } from "../grpc-client.ts";
import {
  call as callTool,
  connect,
  failureIn,
  type McpClient,
  type PersonAnswer,
  type ToolOutcome,
} from "../mcp/clients.ts";
import type { TestDaemon } from "../test-daemon.ts";

/** What a caller shows. Absent means that it shows nothing. */
export interface Credentials {
  readonly token?: string;
  /** The value of the sign-in's cookie. */
  readonly cookie?: string;
  readonly workspace?: string;
}

export type Outcome =
  | { readonly ok: true; readonly text: string }
  /** `code`: of the taxonomy, or what a carrier says in its stead. */
  | { readonly ok: false; readonly code: string };

/** One way in which the operations of a daemon are reached. */
export interface Carrier extends AsyncDisposable {
  readonly name: string;
  /** Whether a browser's cookie is worth anything on it; its callers are programs otherwise. */
  readonly cookies: boolean;
  /** Whether this way offers the operation at all. */
  offers(operation: Operation): boolean;
  call(operation: Operation, input: Record<string, unknown>, credentials: Credentials): Promise<Outcome>;
}

export function headersOf({ token, cookie, workspace }: Credentials): Record<string, string> {
  return {
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(cookie !== undefined && { cookie: `benchtop_session=${cookie}` }),
    ...(workspace !== undefined && { "benchtop-workspace": workspace }),
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** Parts of addresses are text; what is not is sent as somebody careless would. */
function inAddress(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}

export function restCarrier(daemon: TestDaemon): Carrier {
  return {
    name: "REST",
    cookies: true,
    offers: () => true,
    async call(operation, input, credentials) {
      const gone = new AbortController();
      const { method, transfer } = operation;
      const rest: Record<string, unknown> = { ...input };
      const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
        const value = inAddress(rest[name]);
        delete rest[name];
        return encodeURIComponent(value.toWellFormed());
      });
      const inQuery = method === "GET" || method === "DELETE" || transfer === "upload";
      const query = new URLSearchParams(
        Object.entries(rest).map(([name, value]): [string, string] => [name, inAddress(value)]),
      );
      const response = await globalThis.fetch(
        `${daemon.url}${path}${inQuery && query.size > 0 ? `?${query.toString()}` : ""}`,
        {
          method,
          signal: gone.signal,
          headers: {
            ...headersOf(credentials),
            ...(credentials.cookie !== undefined && { origin: daemon.url }),
            ...(!inQuery && { "content-type": "application/json" }),
          },
          ...(transfer === "upload" && { body: "bytes" }),
          ...(!inQuery && { body: JSON.stringify(rest) }),
        },
      );
      if (response.ok && transfer === "stream") {
        gone.abort();
        return { ok: true, text: "" };
      }
      const text = await response.text();
      if (response.ok) return { ok: true, text };
      return { ok: false, code: (JSON.parse(text) as { error: { error_code: string } }).error.error_code };
    },
    async [Symbol.asyncDispose]() {},
  };
}

interface RpcAnswer {
  readonly result?: unknown;
  readonly error?: { readonly data?: { readonly error_code: string }; readonly code: number };
}

function rpcRequest(operation: Operation, input: Record<string, unknown>): string {
  const bytes = operation.transfer === "upload" ? { content: "Ynl0ZXM=" } : {};
  const params = { ...(casingOf(operation.input).toSnake(input) as object), ...bytes };
  return JSON.stringify({ jsonrpc: "2.0", id: 1, method: operation.rpc, params });
}

function rpcOutcome(text: string): Outcome {
  const { error, result } = JSON.parse(text) as RpcAnswer;
  if (error === undefined) return { ok: true, text: JSON.stringify(result) };
  return { ok: false, code: error.data?.error_code ?? String(error.code) };
}

/** A failure that a carrier has to answer with HTTP, before there is anything of its own. */
function envelopeOutcome(text: string): Outcome {
  return { ok: false, code: (JSON.parse(text) as { error: { error_code: string } }).error.error_code };
}

export function rpcPostCarrier(daemon: TestDaemon): Carrier {
  return {
    name: "JSON-RPC by POST",
    cookies: true,
    // One answer is all that a POST has.
    offers: ({ transfer }) => transfer !== "stream",
    async call(operation, input, credentials) {
      const response = await globalThis.fetch(`${daemon.url}/rpc`, {
        method: "POST",
        headers: {
          ...headersOf(credentials),
          "content-type": "application/json",
          ...(credentials.cookie !== undefined && { origin: daemon.url }),
        },
        body: rpcRequest(operation, input),
      });
      const text = await response.text();
      return text.startsWith('{"error"') ? envelopeOutcome(text) : rpcOutcome(text);
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** A connection for each identity, as a program would have; whoever is refused one gets an HTTP answer. */
export function rpcWebSocketCarrier(daemon: TestDaemon): Carrier {
  const open = new Map<string, WebSocket>();
  const connect = async (credentials: Credentials): Promise<WebSocket | Outcome> => {
    const key = JSON.stringify(credentials);
    const known = open.get(key);
    if (known?.readyState === WebSocket.OPEN) return known;
    const socket = new WebSocket(`${daemon.url.replace("http", "ws")}/rpc`, {
      headers: { ...headersOf(credentials), ...(credentials.cookie !== undefined && { origin: daemon.url }) },
    });
    const refused = await new Promise<Outcome | undefined>((resolve, reject) => {
      socket.once("open", () => resolve(undefined));
      socket.once("error", reject);
      socket.once("unexpected-response", (_, response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += chunk.toString()));
        response.on("end", () => resolve(envelopeOutcome(text)));
      });
    });
    if (refused !== undefined) return refused;
    open.set(key, socket);
    return socket;
  };
  return {
    name: "JSON-RPC by WebSocket",
    cookies: true,
    offers: () => true,
    async call(operation, input, credentials) {
      const socket = await connect(credentials);
      if ("ok" in socket) return socket;
      const answered = new Promise<string | undefined>((resolve) => {
        const end = (text: string | undefined): void => {
          socket.off("message", hear).off("close", closed);
          resolve(text);
        };
        const closed = (): void => end(undefined);
        const hear = (data: unknown): void => {
          const text = String(data);
          // What is too deep or too much to be a request has no id to answer to.
          if (/"id":(1|null)\b/.test(text)) end(text);
        };
        socket.on("message", hear).on("close", closed);
      });
      socket.send(rpcRequest(operation, input));
      const text = await answered;
      return text === undefined ? { ok: false, code: "CLOSED" } : rpcOutcome(text);
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open.values()) socket.terminate();
    },
  };
}

/** gRPC by Connect's own clients; `connect-json` is what a browser or a script speaks. */
export async function grpcCarrier(daemon: TestDaemon, protocol: GrpcProtocol): Promise<Carrier> {
  const client = await grpcClient(daemon.url, protocol);
  return {
    name: { grpc: "gRPC", "grpc-web": "gRPC-Web", connect: "Connect", "connect-json": "Connect in JSON" }[protocol],
    cookies: true,
    // The service is fixed in its .proto files: what an embedding program adds is not in them.
    offers: ({ id }) => Object.hasOwn(operations, id),
    async call(operation, input, credentials) {
      const gone = new AbortController();
      const body = [Buffer.from("bytes")];
      const headers = {
        ...headersOf(credentials),
        ...(credentials.cookie !== undefined && { origin: daemon.url }),
      };
      if (operation.transfer === "stream") setTimeout(() => gone.abort(), 2000);
      const answer = await client.call(operation.id, input, { headers, body, signal: gone.signal });
      if (answer.ok) return { ok: true, text: JSON.stringify(answer.output) };
      return { ok: false, code: textOf(answer.info?.["error_code"]) ?? answer.status };
    },
    async [Symbol.asyncDispose]() {},
  };
}

const person = (): PersonAnswer => ({ action: "accept", content: { confirm: true } });

/** MCP by the official client, with a person beside it who agrees to everything: only permissions are in the way. */
export function mcpCarrier(daemon: TestDaemon): Carrier {
  const open = new Map<string, McpClient>();
  const connected = async ({ token, workspace }: Credentials): Promise<McpClient | Outcome> => {
    const key = JSON.stringify({ token, workspace });
    const known = open.get(key);
    if (known !== undefined) return known;
    if (token === undefined) return await refusalOf(daemon, {});
    try {
      const client = await connect("MCP 2025-11-25", daemon, {
        token,
        ...(workspace !== undefined && { workspace }),
        person,
      });
      open.set(key, client);
      return client;
    } catch {
      return await refusalOf(daemon, { token, ...(workspace !== undefined && { workspace }) });
    }
  };
  return {
    name: "MCP",
    cookies: false,
    offers: (operation) => offerOf(operation).kind !== "none",
    async call(operation, input, credentials) {
      const client = await connected(credentials);
      if ("ok" in client) return client;
      let result: ToolOutcome;
      try {
        result = await callTool(client, toolNameOf(operation.id), input);
      } catch (thrown) {
        // What is no call at all is refused by the protocol, before there is a tool to answer.
        const isDefect = !(thrown instanceof Error) || /-32603|internal error/i.test(thrown.message);
        return { ok: false, code: isDefect ? "INTERNAL" : "VALIDATION_FAILED" };
      }
      if (result.isError !== true) return { ok: true, text: JSON.stringify(result.content) };
      return { ok: false, code: textOf(failureIn(result)?.["error_code"]) ?? JSON.stringify(result.content) };
    },
    async [Symbol.asyncDispose]() {
      for (const client of open.values()) await client[Symbol.asyncDispose]();
    },
  };
}

/** What the endpoint says to somebody whom it lets begin nothing. */
async function refusalOf(daemon: TestDaemon, credentials: Credentials): Promise<Outcome> {
  const response = await globalThis.fetch(`${daemon.url}/mcp`, {
    method: "POST",
    headers: {
      ...headersOf(credentials),
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" }),
  });
  return envelopeOutcome(await response.text());
}

/**
 * Connect by hand: JSON that no client of ours would write. The code of a failure is inside a protobuf message there, so that
 * only what is nobody's fault but the daemon's is told from the rest, by its words.
 */
export function connectByHandCarrier(daemon: TestDaemon): Carrier {
  return {
    name: "Connect by hand",
    cookies: true,
    offers: ({ id, transfer }) => transfer === undefined && Object.hasOwn(operations, id),
    async call(operation, input, credentials) {
      const service = `${pascalCase(operation.id.slice(0, operation.id.indexOf(".")))}Service`;
      const response = await globalThis.fetch(`${daemon.url}/benchtop.v1.${service}/${operation.rpc}`, {
        method: "POST",
        headers: { ...headersOf(credentials), "content-type": "application/json" },
        body: JSON.stringify(input),
      });
      const text = await response.text();
      if (response.ok) return { ok: true, text };
      const { message = "" } = JSON.parse(text) as { message?: string };
      return { ok: false, code: /inside Benchtop|internal error/i.test(message) ? "INTERNAL" : "VALIDATION_FAILED" };
    },
    async [Symbol.asyncDispose]() {},
  };
}
