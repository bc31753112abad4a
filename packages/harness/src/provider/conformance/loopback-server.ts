import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import type { Json } from "@benchtop/protocol";

/** What a provider says to one request, byte by byte if need be. */
export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Written one after the other, each as a network chunk of its own as far as the kernel lets it. */
  readonly chunks?: Iterable<string | Uint8Array>;
  /** How it ends: properly, by breaking the connection, or never. */
  readonly ending?: "end" | "break" | "hang";
}

export interface ReceivedRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: { readonly [member: string]: Json };
}

/** A real HTTP server on 127.0.0.1 that answers as it is told; for tests, benchmarks and examples without a network. */
export class LoopbackServer {
  readonly requests: ReceivedRequest[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #reply: (request: ReceivedRequest) => Reply | Promise<Reply>;
  /** Told of each request whose connection the other side closed before the reply had ended. */
  readonly #abandoned: (() => void)[] = [];
  #abandonedCount = 0;

  constructor(reply: (request: ReceivedRequest) => Reply | Promise<Reply>) {
    this.#reply = reply;
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  static async start(reply: (request: ReceivedRequest) => Reply | Promise<Reply>): Promise<LoopbackServer> {
    const server = new LoopbackServer(reply);
    server.#server.listen(0, "127.0.0.1");
    await once(server.#server, "listening");
    return server;
  }

  /** The base URL to give to an adapter. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  /** Resolves once a client has closed its connection in the middle of a reply. */
  async abandoned(): Promise<void> {
    if (this.#abandonedCount > 0) return;
    await new Promise<void>((resolve) => this.#abandoned.push(resolve));
  }

  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const closed = once(response, "close").catch(() => {});
    response.on("close", () => {
      if (response.writableFinished || response.errored) return;
      this.#abandonedCount += 1;
      for (const resolve of this.#abandoned.splice(0)) resolve();
    });
    const received = await receive(request);
    this.requests.push(received);
    const { status = 200, headers, chunks = [], ending = "end" } = await this.#reply(received);
    response.writeHead(status, { "content-type": "text/event-stream; charset=utf-8", ...headers });
    response.flushHeaders();
    for (const chunk of chunks) {
      if (response.destroyed) return;
      if (!response.write(chunk)) await Promise.race([drained(response), closed]);
      await setImmediate();
    }
    if (ending === "end") response.end();
    if (ending === "break") response.destroy(new Error("broken on purpose"));
  }
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => response.once("drain", () => resolve()));
}

async function receive(request: IncomingMessage): Promise<ReceivedRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return {
    path: request.url ?? "",
    headers: request.headers,
    body: text === "" ? {} : (JSON.parse(text) as { [member: string]: Json }),
  };
}
