import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import { nextMove, type Move } from "./model-server/agent.ts";
import { parseChat, parseResponses, type ModelRequest } from "./model-server/conversation.ts";
import { messagesReply, messagesStream, parseMessages } from "./model-server/messages.ts";
import { behaviourOf, type Behaviour, knownModels } from "./model-server/behaviours.ts";
import { chatReply, chatStream, responsesReply, responsesStream } from "./model-server/wire.ts";

/**
 * A loopback server that speaks the protocols of OpenAI and Anthropic, for tests and for trying Benchtop without a network:
 * `POST /v1/responses`, `POST /v1/chat/completions`, `POST /v1/messages` (streaming and not) and `GET /v1/models`.
 *
 * Behind it is no model but a small file-aware agent (`model-server/agent.ts`): it lists and reads files with the tools
 * the request offers, computes what the task asks for from what it read, writes it, and answers. How the server behaves
 * is chosen by the model's name (`model-server/behaviours.ts`: `slow`, `rate-limited`, `disconnects`, …) or by `behave()`.
 *
 * As a script: `node test/model-server.ts --port 0 [--api-key KEY] [--delay MS]` prints its base URL on one line.
 */
export async function startModelServer(options: ModelServerOptions = {}): Promise<ModelServer> {
  const state: State = {
    options,
    models: options.models ?? knownModels,
    requests: [],
    rateLimited: new Set(),
    behaviour: undefined,
    connections: 0,
  };
  const listener = (request: IncomingMessage, response: ServerResponse) => void serve(state, request, response);
  const server: Server = options.tls ? createTlsServer(options.tls, listener) : createServer(listener);
  server.on("connection", () => state.connections++);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, options.host ?? "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  const origin = `${options.tls ? "https" : "http"}://${options.urlHost ?? options.host ?? "127.0.0.1"}:${port}`;
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return {
    url: `${origin}/v1`,
    origin,
    port,
    requests: state.requests,
    get connections() {
      return state.connections;
    },
    behave(behaviour) {
      state.behaviour = behaviour;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

export interface ModelServerOptions {
  /** 0 (any free port) unless told. */
  readonly port?: number;
  readonly host?: string;
  /** The host name in `url`, where the certificate names another than `host`. */
  readonly urlHost?: string;
  /** Requests must carry `Authorization: Bearer KEY`, or `x-api-key: KEY`; otherwise 401. Without it any key or none will do. */
  readonly apiKey?: string;
  /** Names that exist; others are 404. */
  readonly models?: readonly string[];
  /** Pause before each streamed token. */
  readonly tokenDelayMs?: number;
  readonly tls?: { readonly key: string; readonly cert: string };
}

export interface ModelServer {
  /** The base URL for `providers add --base-url`, `/v1` included. */
  readonly url: string;
  readonly origin: string;
  readonly port: number;
  /** Every request that arrived, oldest first: "nothing was sent" is an empty list and `connections` of 0. */
  readonly requests: readonly RecordedRequest[];
  readonly connections: number;
  /** What all model calls do from now on, whatever the model's name; `undefined` goes back to the names. */
  behave(behaviour: Behaviour | undefined): void;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface RecordedRequest {
  readonly at: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The model asked for; empty when the request names none. */
  readonly model: string;
  /** `canceled`: the client went away before the answer was complete. */
  outcome: "open" | "answered" | "canceled" | "cut";
}

interface State {
  readonly options: ModelServerOptions;
  readonly models: readonly string[];
  readonly requests: RecordedRequest[];
  /** Conversations that were refused once already. */
  readonly rateLimited: Set<string>;
  behaviour: Behaviour | undefined;
  connections: number;
}

async function serve(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await bodyOf(request);
  const record = recordOf(request, body);
  state.requests.push(record);
  response.on("close", () => {
    if (record.outcome === "open") record.outcome = response.writableFinished ? "answered" : "canceled";
  });
  try {
    await answer(state, record, response);
  } catch (error) {
    if (!response.headersSent) refuse(response, 400, "invalid_request_error", String(error));
    else response.destroy();
  }
}

async function answer(state: State, record: RecordedRequest, response: ServerResponse): Promise<void> {
  const { apiKey } = state.options;
  const given = record.headers["x-api-key"] ?? /^Bearer (.*)$/.exec(record.headers["authorization"] ?? "")?.[1];
  if (apiKey !== undefined && given !== apiKey) {
    return refuse(response, 401, "invalid_api_key", "Incorrect API key provided.");
  }
  if (record.method === "GET" && record.path === "/v1/models") {
    const data = state.models.map((id) => ({ id, object: "model", created: 1_790_000_000, owned_by: "loopback" }));
    return send(response, 200, { object: "list", data });
  }
  const protocol = protocols[record.path];
  if (record.method !== "POST" || !protocol) {
    return refuse(response, 404, "not_found", `No such route: ${record.method} ${record.path}`);
  }
  const asked = protocol.parse(record.body);
  if (!state.models.includes(asked.model)) {
    return refuse(response, 404, "model_not_found", `The model '${asked.model}' does not exist.`);
  }
  const behaviour = state.behaviour ?? behaviourOf(asked.model);
  if (refused(state, behaviour, record, response)) return;
  await reply(state, asked, protocol, behaviour, record, response);
}

interface Protocol {
  parse(body: string): ModelRequest;
  reply(asked: ModelRequest, move: Move): unknown;
  stream(asked: ModelRequest, move: Move): Iterable<string>;
}

const protocols: Readonly<Record<string, Protocol | undefined>> = {
  "/v1/chat/completions": { parse: parseChat, reply: chatReply, stream: chatStream },
  "/v1/responses": { parse: parseResponses, reply: responsesReply, stream: responsesStream },
  "/v1/messages": { parse: parseMessages, reply: messagesReply, stream: messagesStream },
};

/** Answers with an error where the behaviour says so; true when it did. */
function refused(state: State, behaviour: Behaviour, record: RecordedRequest, response: ServerResponse): boolean {
  if (behaviour.status === undefined) return false;
  if (behaviour.once === true) {
    if (state.rateLimited.has(record.body)) return false;
    state.rateLimited.add(record.body);
  }
  if (behaviour.retryAfterSeconds !== undefined) response.setHeader("retry-after", String(behaviour.retryAfterSeconds));
  refuse(response, behaviour.status, behaviour.code ?? "server_error", behaviour.message ?? "The server had an error.");
  return true;
}

async function reply(
  state: State,
  asked: ModelRequest,
  protocol: Protocol,
  behaviour: Behaviour,
  record: RecordedRequest,
  response: ServerResponse,
): Promise<void> {
  const move = nextMove(asked, behaviour);
  if (behaviour.firstTokenDelayMs !== undefined) await pause(behaviour.firstTokenDelayMs, response);
  if (!asked.stream) return send(response, 200, protocol.reply(asked, move));

  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  const delay = behaviour.tokenDelayMs ?? state.options.tokenDelayMs ?? 0;
  let frames = 0;
  for (const frame of protocol.stream(asked, move)) {
    if (response.destroyed) return;
    if (behaviour.disconnectAfterFrames !== undefined && frames++ >= behaviour.disconnectAfterFrames) {
      record.outcome = "cut";
      response.destroy();
      return;
    }
    if (!response.write(frame)) await drained(response);
    if (delay > 0) await pause(delay, response);
  }
  response.end();
}

function recordOf(request: IncomingMessage, body: string): RecordedRequest {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) headers[name] = String(value);
  const model = /"model"\s*:\s*"([^"]*)"/.exec(body)?.[1] ?? "";
  return {
    at: new Date().toISOString(),
    method: request.method ?? "",
    path: (request.url ?? "").replace(/\?.*$/, ""),
    headers,
    body,
    model,
    outcome: "open",
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function send(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

/** An error in the shape that OpenAI gives. */
function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  send(response, status, { error: { message, type: status >= 500 ? "server_error" : "invalid_request_error", code } });
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      response.off("drain", end);
      response.off("close", end);
      resolve();
    };
    response.once("drain", end);
    response.once("close", end);
  });
}

/** Ends early when the client goes away. */
function pause(milliseconds: number, response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      response.off("close", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    response.once("close", end);
  });
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "0" },
      "api-key": { type: "string" },
      delay: { type: "string", default: "0" },
    },
  });
  const server = await startModelServer({
    port: Number(values.port),
    tokenDelayMs: Number(values.delay),
    ...(values["api-key"] !== undefined && { apiKey: values["api-key"] }),
  });
  console.log(server.url);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void server.close());
}
