import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Dialect } from "../../src/provider/conformance/dialect.ts";
import { anthropicMessagesDialect, openaiChatDialect, openaiResponsesDialect } from "../../src/provider/conformance.ts";
import { answerOf } from "./answers.ts";
import { faultNames, faults, honest, type Exchange, type FaultName } from "./faults.ts";
import { Random } from "./random.ts";

export const dialects = {
  chat: openaiChatDialect,
  responses: openaiResponsesDialect,
  messages: anthropicMessagesDialect,
} as const satisfies Record<string, Dialect>;
export type DialectName = keyof typeof dialects;
export const dialectNames = Object.keys(dialects) as DialectName[];

/** How a server behaves towards one base URL. */
export interface Conduct {
  readonly seed: number;
  readonly dialect: DialectName;
  /** Probability that a request meets a fault. */
  readonly faulty: number;
  /** The faults it chooses from; all when absent. */
  readonly among?: readonly FaultName[];
  /** Tells candidates of one run apart. */
  readonly place?: number;
}

/**
 * A provider that misbehaves, over real sockets. What it does to a request follows from the conduct in the request's path
 * alone: from the seed and how many requests came before, for its faults; from the seed and how long the conversation is, for its
 * answers. So an honest server asked the same says the same.
 */
export class FaultServer {
  /** How often each fault was met. */
  readonly met = new Map<FaultName | "honest", number>();
  /** Requests that only a client makes that followed a redirect. */
  trapped = 0;
  /** Bytes sent to clients, all together. */
  bytesSent = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #asked = new Map<string, number>();
  #open = 0;

  constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.bytesSent += socket.bytesWritten;
        this.#sockets.delete(socket);
      });
    });
  }

  static async start(): Promise<FaultServer> {
    const server = new FaultServer();
    server.#server.listen(0, "127.0.0.1");
    await once(server.#server, "listening");
    return server;
  }

  /** Where a provider of such a conduct is. */
  urlOf({ seed, dialect, faulty, among, place = 0 }: Conduct): string {
    const named = among?.map((name) => faultNames.indexOf(name)).join(",") ?? "";
    return `${this.#origin}/${dialect}/${seed}/${place}/${faulty}/${named === "" ? "all" : named}`;
  }

  /** Requests whose answer neither ended nor lost its connection. */
  get openExchanges(): number {
    return this.#open;
  }

  get openSockets(): number {
    return this.#sockets.size;
  }

  /** Closes the connections that wait for their next request, or their first, as any server does after a while. */
  closeIdle(): void {
    this.#server.closeIdleConnections();
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  get #origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#open += 1;
    response.once("close", () => (this.#open -= 1));
    response.on("error", () => {});
    const body = await bodyOf(request);
    const [, dialectName = "", seedText, place, faultyText, named = "all"] = (request.url ?? "").split("/");
    const dialect = dialects[dialectName as DialectName];
    if (!dialect || body === undefined) {
      this.trapped += request.url === "/trap" ? 1 : 0;
      response.writeHead(404).end();
      return;
    }
    const seed = Number(seedText);
    const key = `${place}/${seed}`;
    const count = this.#asked.get(key) ?? 0;
    this.#asked.set(key, count + 1);
    const turns = dialect.conversationOf(body).length;
    const random = Random.of(seed, `request ${place} ${count}`);
    const exchange: Exchange = {
      random,
      dialect,
      answer: answerOf(Random.of(seed, `answer ${turns}`), turns, `call_${turns}`),
      response,
      trap: `${this.#origin}/trap`,
    };
    const among =
      named === "all" ? faultNames : named.split(",").map((index) => faultNames[Number(index)] as FaultName);
    const name = random.chance(Number(faultyText)) ? random.pick(among) : "honest";
    this.met.set(name, (this.met.get(name) ?? 0) + 1);
    await (name === "honest" ? honest(exchange) : faults[name](exchange));
  }
}

/** The request, or nothing when its connection broke. */
async function bodyOf(request: IncomingMessage): Promise<{ readonly [member: string]: unknown } | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
    return JSON.parse(Buffer.concat(chunks).toString()) as { readonly [member: string]: unknown };
  } catch {
    return undefined;
  }
}
