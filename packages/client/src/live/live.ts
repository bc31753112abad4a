import {
  casingOf,
  operations,
  type InputOf,
  type Operation,
  type Operations,
  type OutputOf,
} from "@benchtop/operations";
import { BenchtopError, type RunEvent } from "@benchtop/protocol";
import type { CallableId } from "../client.ts";
import { ended, followRun, type FollowOptions } from "../follow.ts";
import { attempts, Requests, unreachable, type CallOptions, type RequestOptions } from "../request.ts";
import { Session, type Sink } from "./session.ts";

export interface LiveOptions extends RequestOptions {
  /** In place of the runtime's own. With a `token` it must take headers, as that of Node does. */
  readonly WebSocket?: typeof globalThis.WebSocket;
}

export interface LiveCallOptions extends CallOptions {
  /** Told how far a long change has come: a publish or a restore that is waited for. */
  readonly onProgress?: (progress: CallProgress) => void;
}

export interface CallProgress {
  readonly runId: string;
  readonly phase: string;
  readonly done?: number;
  readonly total?: number;
}

/**
 * The API of one daemon over one WebSocket, however many runs are followed and calls made at once: in a browser, which
 * opens six connections to a server at most, and in Node. It is opened when it is first needed and again after it was
 * lost, and stays open until `close`. Failures are those of `Client`.
 */
export interface LiveClient extends Disposable {
  readonly url: string;
  /**
   * Calls an operation. A call that was cut off is made again (a few times, within seconds); changes carry a key, so that
   * none is executed twice. An aborted signal rejects with `USER_CANCELED`; a change that has begun runs to its end.
   */
  call<Id extends CallableId>(
    id: Id,
    input: InputOf<Operations[Id]>,
    options?: LiveCallOptions,
  ): Promise<OutputOf<Operations[Id]>>;
  /**
   * The events of a run, with the contract of `Client.follow`: each once, in order, across lost connections. A reader that
   * takes its time holds its own run back and no other: what it has not taken is never more than some hundreds of events.
   */
  follow(runId: string, options?: FollowOptions): AsyncIterable<RunEvent>;
  /** Ends the connection, and with it whatever goes on over it (`USER_CANCELED`). A later call opens it again. */
  close(): void;
}

/** Nothing is sent until the first call. In a browser leave the token out: the cookie of the sign-in vouches for it. */
export function connect(options: LiveOptions): LiveClient {
  const line = new Line(options);
  return {
    url: line.url,
    async call<Id extends CallableId>(id: Id, input: InputOf<Operations[Id]>, callOptions: LiveCallOptions = {}) {
      return (await line.call(operations[id], input, callOptions)) as OutputOf<Operations[Id]>;
    },
    follow: (runId, followOptions = {}) =>
      followRun((after, signal) => line.follow(runId, after, signal), followOptions),
    close: () => line.close(),
    [Symbol.dispose]: () => line.close(),
  };
}

/** Events of one run that may be under way or untaken; half of them are asked for again at a time. */
const windowEvents = 500;

/** The connection, whether there is one at the moment or not. */
class Line {
  readonly #requests: Requests;
  readonly #options: LiveOptions;
  #session: Session | undefined;
  #opening: Promise<Session> | undefined;
  /** How often it was closed. */
  #closed = 0;

  constructor(options: LiveOptions) {
    this.#requests = new Requests(options);
    this.#options = options;
  }

  get url(): string {
    return this.#requests.url;
  }

  async call(
    operation: Operation,
    input: Readonly<Record<string, unknown>>,
    options: LiveCallOptions,
  ): Promise<unknown> {
    const { signal, retry = true, idempotencyKey, onProgress } = options;
    const isPublic = operation.permission === "public";
    const isChange = operation.method !== "GET" && !isPublic;
    const params = {
      ...(casingOf(operation.input).toSnake(input) as Record<string, unknown>),
      ...(isChange && { idempotency_key: idempotencyKey ?? globalThis.crypto.randomUUID() }),
    };
    const result = await attempts(retry && !isPublic, signal, async () => {
      const session = await this.#open();
      return await session.request(operation.rpc, params, { signal, onProgress: onProgress && telling(onProgress) });
    });
    return casingOf(operation.output).toCamel(result);
  }

  /** One subscription, until it or its connection ends. */
  async *follow(runId: string, after: number, signal: AbortSignal | undefined): AsyncGenerator<readonly RunEvent[]> {
    const { rpc, output } = operations["runs.events"];
    const { toCamel } = casingOf(output);
    const session = await this.#open();
    const arriving = new Arriving();
    const params = { run_id: runId, window: windowEvents, ...(after >= 0 && { after }) };
    const { subscription_id: name } = (await session.request(rpc, params, { signal, sink: arriving })) as {
      subscription_id: string;
    };
    const stop = (): void => arriving.end(undefined);
    signal?.addEventListener("abort", stop);
    let taken = 0;
    try {
      yield [];
      for (;;) {
        const batch = await arriving.next();
        if (batch === undefined) break;
        yield batch.map((event) => toCamel(event) as RunEvent);
        taken += batch.length;
        if (taken < windowEvents / 2) continue;
        session.notify("$/credit", { subscription_id: name, events: taken });
        taken = 0;
      }
      yield ended;
    } finally {
      signal?.removeEventListener("abort", stop);
      session.unsubscribe(name);
    }
  }

  close(): void {
    this.#closed++;
    this.#session?.close();
    this.#session = undefined;
  }

  #open(): Promise<Session> {
    if (this.#session !== undefined && this.#session.ended === undefined) return Promise.resolve(this.#session);
    this.#opening ??= this.#connect().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #connect(): Promise<Session> {
    const closed = this.#closed;
    const socket = this.#newSocket();
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.addEventListener("open", () => resolve(true));
      socket.addEventListener("close", () => resolve(false));
      socket.addEventListener("error", () => resolve(false));
    });
    if (!isOpen) throw await this.#whyRefused();
    const session = new Session(socket, this.url);
    if (closed === this.#closed) this.#session = session;
    else session.close();
    return session;
  }

  #newSocket(): WebSocket {
    const headers = this.#requests.headers();
    const url = `${this.url.replace(/^http/, "ws")}/rpc`;
    const WebSocket = (this.#options.WebSocket ?? globalThis.WebSocket) as unknown as new (
      url: string,
      options?: { readonly headers: Readonly<Record<string, string>> },
    ) => WebSocket;
    try {
      return Object.keys(headers).length === 0 ? new WebSocket(url) : new WebSocket(url, { headers });
    } catch (cause) {
      throw new BenchtopError(
        "VALIDATION_FAILED",
        "This runtime cannot send a token with a WebSocket. In a browser, sign in and leave the token out.",
        { phase: "settings", cause },
      );
    }
  }

  /** A WebSocket that was refused does not say why; a request of the same caller does. */
  async #whyRefused(): Promise<BenchtopError> {
    try {
      await this.#requests.send(operations["identity.whoami"], {}, { retry: false });
    } catch (thrown) {
      return BenchtopError.from(thrown);
    }
    return unreachable(this.url, new Error("It answers requests, but opened no WebSocket."));
  }
}

/** Events that have come and are not taken yet. */
class Arriving implements Sink {
  #batches: unknown[][] = [];
  #isOver = false;
  #failure: BenchtopError | undefined;
  #onChange: (() => void) | undefined;

  events(events: readonly unknown[]): void {
    this.#batches.push([...events]);
    this.#onChange?.();
  }

  end(failure: BenchtopError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#failure = failure;
    this.#onChange?.();
  }

  /** Undefined at the end of the run. Rejects where the stream was cut off. */
  async next(): Promise<unknown[] | undefined> {
    while (this.#batches.length === 0 && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#onChange = resolve;
      });
    }
    const batch = this.#batches.shift();
    if (batch === undefined && this.#failure !== undefined) throw this.#failure;
    return batch;
  }
}

function telling(onProgress: (progress: CallProgress) => void): (params: Readonly<Record<string, unknown>>) => void {
  return ({ run_id: runId, phase, done, total }) =>
    onProgress({
      runId: String(runId),
      phase: String(phase),
      ...(typeof done === "number" && { done }),
      ...(typeof total === "number" && { total }),
    });
}
