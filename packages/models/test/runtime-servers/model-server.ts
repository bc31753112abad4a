import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import type { Json } from "@benchtop/protocol";

export type Body = { readonly [field: string]: Json };

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Body;
}

/** What a server says to one request: JSON, text, or a stream of pieces. */
export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly text?: string;
  readonly stream?: AsyncIterable<string>;
}

/** What the next answer to a question does instead of answering. */
export type Fault = "loading" | "dies" | "garbage" | "impostor" | "page";

/** A server of models on 127.0.0.1. It speaks a real protocol; what its models say is decided by `brain.ts`. */
export abstract class ModelServer {
  readonly received: Received[] = [];
  /** Answers on their way. */
  busy = 0;
  /** Bytes of each network chunk of a stream; small, so that lines and characters are cut anywhere. */
  chunkBytes = 7;
  #fault: Fault | undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  protected abstract reply(request: Received): Reply | Promise<Reply>;

  async listen(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  /** Without a path. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  misbehave(fault: Fault): void {
    this.#fault = fault;
  }

  /** The fault of this answer, once. */
  protected takeFault(): Fault | undefined {
    const fault = this.#fault;
    this.#fault = undefined;
    return fault;
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const received = await receive(request);
    this.received.push(received);
    const { status = 200, headers, json, text, stream } = await this.reply(received);
    if (!stream) {
      const type = json === undefined ? "text/plain" : "application/json";
      response.writeHead(status, { "content-type": type, ...headers });
      response.end(json === undefined ? text : JSON.stringify(json));
      return;
    }
    response.writeHead(status, headers);
    response.flushHeaders();
    this.busy += 1;
    try {
      for await (const piece of stream) await this.#write(response, Buffer.from(piece));
      response.end();
    } catch {
      // The connection breaks in the middle of an answer.
      response.destroy();
    } finally {
      this.busy -= 1;
    }
  }

  async #write(response: ServerResponse, bytes: Buffer): Promise<void> {
    for (let start = 0; start < bytes.length; start += this.chunkBytes) {
      if (response.destroyed) throw new Error("The other side is gone.");
      response.write(bytes.subarray(start, start + this.chunkBytes));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** A pause between two words, in which the other side may leave. */
export async function betweenWords(): Promise<void> {
  await wait(1);
}

async function receive(request: IncomingMessage): Promise<Received> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  const { method = "GET", url = "/", headers } = request;
  return { method, path: url, headers, body: text === "" ? {} : (JSON.parse(text) as Body) };
}

/** Text of a field that may be anything. */
export function textIn(value: Json | undefined): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? "");
}
