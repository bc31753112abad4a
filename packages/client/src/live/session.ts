import { BenchtopError, type ErrorInfo } from "@benchtop/protocol";
import { canceled, errorOf, unreachable } from "../request.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Where the events of a subscription go. Nothing comes after `end`. */
export interface Sink {
  events(events: readonly unknown[]): void;
  /** `undefined`: the stream is complete, and nothing comes any more, ever. */
  end(failure: BenchtopError | undefined): void;
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: BenchtopError): void;
  readonly sink?: Sink | undefined;
  readonly onProgress?: ((progress: Fields) => void) | undefined;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Fields;
  readonly result?: unknown;
  readonly error?: { readonly message?: unknown; readonly data?: Partial<ErrorInfo> };
}

/** Silence of this long is asked about; twice as long is a dead connection. */
const silenceMs = 20_000;

/** One WebSocket, from its opening to its end. Everything that waits for it fails when it ends. */
export class Session {
  readonly #socket: WebSocket;
  readonly #url: string;
  readonly #pending = new Map<number, Pending>();
  readonly #sinks = new Map<string, Sink>();
  readonly #watchdog: ReturnType<typeof setInterval>;
  #nextId = 1;
  #heard = true;
  #asked = false;
  /** Set when the connection is over. */
  ended: BenchtopError | undefined;

  constructor(socket: WebSocket, url: string) {
    this.#socket = socket;
    this.#url = url;
    socket.addEventListener("message", ({ data }) => this.#receive(String(data)));
    socket.addEventListener("close", ({ code, reason }) => this.#end(this.#lost(`${code} ${reason}`)));
    this.#watchdog = setInterval(() => this.#watch(), silenceMs);
  }

  /** The result of a call. Rejects with what the daemon says, and `daemon_unreachable` when the connection ends before. */
  request(
    method: string,
    params: Fields,
    options: {
      readonly signal?: AbortSignal | undefined;
      readonly sink?: Sink;
      readonly onProgress?: ((progress: Fields) => void) | undefined;
    } = {},
  ): Promise<unknown> {
    if (this.ended !== undefined) return Promise.reject(this.ended);
    const { signal, sink, onProgress } = options;
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const cancel = (): void => {
        this.notify("$/cancel", { id });
        // The answer, if one comes, is nobody's; a stream that it opens is closed at once.
        this.#pending.set(id, { resolve: () => undefined, reject: () => undefined, sink: sink && nobody });
        reject(BenchtopError.from(canceled()));
      };
      const settled = (): void => signal?.removeEventListener("abort", cancel);
      if (signal?.aborted === true) return reject(BenchtopError.from(canceled()));
      signal?.addEventListener("abort", cancel);
      this.#pending.set(id, {
        resolve: (result) => (settled(), resolve(result)),
        reject: (error) => (settled(), reject(error)),
        sink,
        onProgress,
      });
      this.#send({ jsonrpc: "2.0", id, method, params });
    });
  }

  notify(method: string, params: Fields): void {
    if (this.ended === undefined) this.#send({ jsonrpc: "2.0", method, params });
  }

  /** Nobody wants the stream any more. */
  unsubscribe(subscriptionId: string): void {
    if (this.#sinks.delete(subscriptionId)) this.notify("$/cancel", { subscription_id: subscriptionId });
  }

  /** Ends everything at once, with `USER_CANCELED`. */
  close(): void {
    this.#socket.close(1000);
    this.#end(BenchtopError.from(canceled()));
  }

  #send(message: Fields): void {
    this.#socket.send(JSON.stringify(message));
  }

  #receive(text: string): void {
    this.#heard = true;
    const message = JSON.parse(text) as Message;
    if (message.method !== undefined) this.#notified(message.method, message.params ?? {});
    else if (message.id !== undefined) this.#answered(message.id, message);
  }

  #notified(method: string, params: Fields): void {
    if (method === "$/progress") return this.#pending.get(Number(params["id"]))?.onProgress?.(params);
    const name = String(params["subscription_id"]);
    const sink = this.#sinks.get(name);
    if (method === "$/events") sink?.events(params["events"] as readonly unknown[]);
    if (method !== "$/end") return;
    this.#sinks.delete(name);
    const { reason, error } = params as { reason?: string; error?: Message["error"] };
    if (reason === "completed") sink?.end(undefined);
    else sink?.end((error && errorOf(error.message, error.data)) ?? unreachable(this.#url, reason));
  }

  #answered(id: number, { result, error }: Message): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (pending === undefined) return;
    if (error !== undefined) return pending.reject(errorOf(error.message, error.data) ?? unreachable(this.#url, error));
    if (pending.sink !== undefined) {
      const { subscription_id: name } = result as { subscription_id: string };
      this.#sinks.set(name, pending.sink);
      if (pending.sink === nobody) this.unsubscribe(name);
    }
    pending.resolve(result);
  }

  /** A browser does not show pings, so that a connection that died without a word is found by asking. */
  #watch(): void {
    if (this.#heard) this.#asked = false;
    else if (this.#asked) {
      this.#socket.close(4000);
      return this.#end(this.#lost("silence"));
    } else {
      this.#asked = true;
      this.request("$/ping", {}).catch(() => undefined);
    }
    this.#heard = false;
  }

  #lost(why: string): BenchtopError {
    return unreachable(this.#url, new Error(`The WebSocket ended (${why.trim()}).`));
  }

  #end(why: BenchtopError): void {
    if (this.ended !== undefined) return;
    clearInterval(this.#watchdog);
    this.ended = why;
    for (const pending of this.#pending.values()) pending.reject(why);
    for (const sink of this.#sinks.values()) sink.end(why);
    this.#pending.clear();
    this.#sinks.clear();
  }
}

/** For what nobody waits for any more. */
const nobody: Sink = { events: () => undefined, end: () => undefined };
