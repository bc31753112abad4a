import { once } from "node:events";
import { WebSocket, type ClientOptions } from "ws";

export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data: { readonly error_code: string; readonly detail?: Record<string, unknown>; readonly phase: string };
}

export interface RpcAnswer {
  readonly jsonrpc: "2.0";
  readonly id: string | number | null;
  readonly result?: unknown;
  readonly error?: RpcError;
}

export interface Notification {
  readonly method: string;
  readonly params: Record<string, unknown>;
}

interface StreamedEvent {
  readonly seq: number;
  readonly type: string;
}

/** The other end of a WebSocket at `/rpc`, as the library `ws` has it. */
export class RpcPeer implements AsyncDisposable {
  readonly socket: WebSocket;
  readonly notifications: Notification[] = [];
  /** Answers that belong to no call of `call`. */
  readonly others: RpcAnswer[] = [];
  readonly #waiting = new Map<unknown, { resolve(answer: RpcAnswer): void; reject(error: Error): void }>();
  readonly #watchers = new Set<() => void>();
  #nextId = 1;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.setMaxListeners(0);
    socket.on("close", (code) => {
      for (const waiting of this.#waiting.values()) waiting.reject(new Error(`The socket closed (${code}).`));
    });
    socket.on("message", (data: Buffer) => this.#receive(JSON.parse(data.toString()) as RpcAnswer & Notification));
  }

  static async open(daemon: { url: string; token: string }, options: ClientOptions = {}): Promise<RpcPeer> {
    const headers = { authorization: `Bearer ${daemon.token}`, ...options.headers };
    const socket = new WebSocket(`${daemon.url.replace(/^http/, "ws")}/rpc`, { ...options, headers });
    const peer = new RpcPeer(socket);
    await once(socket, "open");
    return peer;
  }

  send(message: unknown): void {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** The whole answer, an error too. */
  ask(method: string, params: Record<string, unknown> = {}, id: string | number = this.#nextId++): Promise<RpcAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.send({ jsonrpc: "2.0", id, method, params });
    });
  }

  /** The result. Rejects with the error's message. */
  async call<Result = Record<string, unknown>>(method: string, params?: Record<string, unknown>): Promise<Result> {
    const { result, error } = await this.ask(method, params);
    if (error !== undefined) throw new Error(`${error.data.error_code}: ${error.message}`);
    return result as Result;
  }

  async subscribe(method: string, params: Record<string, unknown>): Promise<string> {
    return (await this.call<{ subscription_id: string }>(method, params)).subscription_id;
  }

  eventsOf(subscriptionId: string): StreamedEvent[] {
    return this.notifications.flatMap(({ method, params }) =>
      method === "$/events" && params["subscription_id"] === subscriptionId
        ? (params["events"] as StreamedEvent[])
        : [],
    );
  }

  endOf(subscriptionId: string): Record<string, unknown> | undefined {
    return this.notifications.find(
      ({ method, params }) => method === "$/end" && params["subscription_id"] === subscriptionId,
    )?.params;
  }

  /** Resolves once something is so; looks at every message. */
  until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!isSo()) return;
        this.#watchers.delete(look);
        resolve();
      };
      this.#watchers.add(look);
      this.socket.once("close", (code) => {
        look();
        if (this.#watchers.has(look)) reject(new Error(`The socket closed (${code}).`));
      });
      look();
    });
  }

  async end(subscriptionId: string): Promise<Record<string, unknown>> {
    await this.until(() => this.endOf(subscriptionId) !== undefined);
    return this.endOf(subscriptionId)!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.readyState === WebSocket.CLOSED) return;
    const closed = once(this.socket, "close");
    this.socket.terminate();
    await closed;
  }

  #receive(message: RpcAnswer & Notification): void {
    if (message.method !== undefined) this.notifications.push(message);
    else {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (waiting === undefined) this.others.push(message);
      else waiting.resolve(message);
    }
    for (const watch of this.#watchers) watch();
  }
}
