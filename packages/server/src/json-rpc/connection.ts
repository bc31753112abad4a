import type { Operation } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol";
import type { WebSocket } from "ws";
import { errorOf, toFailure } from "../api/failure.ts";
import { callMethod, failed, noSuchMethod, type Outcome, type RpcParts } from "./call-method.ts";
import {
  faultText,
  invalidParams,
  invalidRequest,
  isFault,
  notificationText,
  parseMessage,
  resultText,
  type Fault,
  type Id,
  type Request,
} from "./envelope.ts";
import type { Proof } from "../identity/proof.ts";
import { Outbox } from "./outbox.ts";
import { defaultWindow, maxWindow, Subscription } from "./subscription.ts";

export interface ConnectionLimits {
  /** Calls that are being carried out at once. */
  readonly maxCalls: number;
  /** Streams that are open at once. */
  readonly maxSubscriptions: number;
  /** Messages in a row that are no JSON-RPC at all. */
  readonly maxFaults: number;
}

/** What all connections of one identity share. */
export interface Shared {
  subscriptions: number;
  readonly maxSubscriptions: number;
}

/** What one message comes to: the answer, if it has one, and what begins once the answer is on its way. */
interface Served {
  readonly answer: string | undefined;
  /** Whether it counts as a call until its answer has left. */
  readonly counted?: boolean;
  readonly start?: () => void;
}

/** JSON-RPC on one WebSocket: calls in any order, and streams beside them. Ends with the socket. */
export class Connection {
  readonly #parts: RpcParts;
  readonly #proof: Proof;
  readonly #socket: WebSocket;
  readonly #limits: ConnectionLimits;
  readonly #shared: Shared;
  readonly #outbox: Outbox;
  /** What is going on; all of it is aborted when the peer goes away. */
  readonly #going = new Set<AbortController>();
  readonly #pending = new Map<Id, AbortController>();
  readonly #subscriptions = new Map<string, { readonly subscription: Subscription; readonly ended: Promise<void> }>();
  #calls = 0;
  #opening = 0;
  #faults = 0;
  #nextSubscription = 1;

  constructor(parts: RpcParts, socket: WebSocket, proof: Proof, limits: ConnectionLimits, shared: Shared) {
    this.#parts = parts;
    this.#proof = proof;
    this.#socket = socket;
    this.#limits = limits;
    this.#shared = shared;
    this.#outbox = new Outbox(socket, 2 * parts.limits.maxJsonBytes);
    socket.on("message", (data: Buffer, isBinary: boolean) => {
      if (isBinary) socket.close(1003, "JSON text is expected.");
      else void this.#receive(data.toString());
    });
    // What is wrong on the wire ends the connection, which is all there is to do about it.
    socket.on("error", () => undefined);
    socket.once("close", () => {
      for (const abort of this.#going) abort.abort();
    });
  }

  /** Ends every stream, and resolves when their readers have been told. */
  async endStreams(): Promise<void> {
    const open = [...this.#subscriptions.values()];
    for (const { subscription } of open) subscription.cancel();
    await Promise.all(open.map(({ ended }) => ended));
  }

  async #receive(text: string): Promise<void> {
    const held = this.#outbox.hold(text);
    const message = parseMessage(text);
    const items = message.kind === "single" ? [message.item] : message.items;
    if (message.kind === "batch" || !isFault(message.item)) this.#faults = 0;
    else if (++this.#faults > this.#limits.maxFaults) this.#socket.close(1008, "This is not JSON-RPC.");
    const served = await Promise.all(items.map((item) => this.#serve(item, message.kind === "batch")));
    const answers = served.flatMap(({ answer }) => (answer === undefined ? [] : [answer]));
    const sent =
      answers.length > 0 && this.#outbox.send(message.kind === "single" ? answers[0]! : `[${answers.join(",")}]`);
    for (const { start } of served) start?.();
    // A call is over when its answer has left, so that a peer who does not read cannot ask for ever more.
    await sent;
    this.#calls -= served.filter(({ counted }) => counted).length;
    held.served();
  }

  async #serve(item: Request | Fault, inBatch: boolean): Promise<Served> {
    if (isFault(item)) return { answer: faultText(item) };
    if (item.method.startsWith("$/")) return answered(item, this.#control(item));
    if (item.id != null && this.#pending.has(item.id)) {
      return { answer: faultText(invalidRequest(null, "Another call with this id is not answered yet.")) };
    }
    if (this.#calls >= this.#limits.maxCalls) return answered(item, tooMany("calls", this.#limits.maxCalls));
    this.#calls++;
    const operation = this.#parts.registry.byRpc(item.method)?.operation;
    const serve =
      operation?.transfer === "stream" ? this.#subscribe(item, inBatch) : this.#call(item, operation, inBatch);
    return { ...(await serve), counted: true };
  }

  async #call(request: Request, operation: Operation | undefined, inBatch: boolean): Promise<Served> {
    const abort = this.#begin(request.id);
    try {
      const call = callMethod(this.#parts, request, {
        proof: this.#proof,
        signal: abort.signal,
        canStream: true,
        inBatch,
        progress: this.#progressOf(request.id, abort.signal),
      });
      // A change runs to its end, and is answered with how it ended.
      return answered(request, await (operation?.method === "GET" ? unlessAborted(call, abort.signal) : call));
    } finally {
      this.#end(request.id);
      this.#going.delete(abort);
    }
  }

  async #subscribe(request: Request, inBatch: boolean): Promise<Served> {
    // Nobody would know what a stream is called that a notification opened.
    if (request.id === undefined) return { answer: undefined };
    const { window = defaultWindow } = request.params;
    if (window !== null && !(Number.isSafeInteger(window) && Number(window) >= 1 && Number(window) <= maxWindow)) {
      return answered(request, invalidParams(request.id, `window is 1 to ${maxWindow} events, or null.`, ["window"]));
    }
    const open = this.#subscriptions.size + this.#opening;
    if (open >= this.#limits.maxSubscriptions) return answered(request, tooMany("streams", open));
    const { maxSubscriptions, subscriptions } = this.#shared;
    if (subscriptions >= maxSubscriptions) return answered(request, tooMany("streams", maxSubscriptions));
    this.#shared.subscriptions++;
    this.#opening++;
    const abort = this.#begin(request.id);
    let opened = false;
    try {
      const context = { proof: this.#proof, signal: abort.signal, canStream: true, inBatch };
      const outcome = await unlessAborted(callMethod(this.#parts, request, context), abort.signal);
      if (outcome.kind !== "stream") return answered(request, outcome);
      opened = true;
      const { operation, source } = outcome;
      const id = `s${this.#nextSubscription++}`;
      const outbox = this.#outbox;
      const subscription = new Subscription({ id, operation, source, outbox, window: window as number | null, abort });
      return {
        answer: resultText(request.id, { subscription_id: id }),
        start: () => this.#follow(subscription, abort),
      };
    } finally {
      this.#end(request.id);
      if (!opened) {
        this.#opening--;
        this.#shared.subscriptions--;
        this.#going.delete(abort);
      }
    }
  }

  #follow(subscription: Subscription, abort: AbortController): void {
    this.#opening--;
    const describe = async (thrown: unknown): Promise<BenchtopError> =>
      errorOf(await toFailure(this.#parts, thrown, { operation: subscription.operation.id }));
    const ended = subscription.run(describe, this.#parts.stopping).finally(() => {
      this.#subscriptions.delete(subscription.id);
      this.#shared.subscriptions--;
      this.#going.delete(abort);
    });
    this.#subscriptions.set(subscription.id, { subscription, ended });
  }

  /** The connection's own methods; they touch nothing that this connection did not open itself. */
  #control({ id, method, params }: Request): Outcome | Fault {
    switch (method) {
      case "$/ping":
        return { kind: "result", result: {} };
      case "$/cancel":
        return this.#cancel(id ?? null, params);
      case "$/credit": {
        const { subscription_id: name, events } = params;
        if (!Number.isSafeInteger(events) || Number(events) < 1 || Number(events) > maxWindow) {
          return invalidParams(id ?? null, `events is 1 to ${maxWindow}.`, ["events"]);
        }
        const open = typeof name === "string" ? this.#subscriptions.get(name) : undefined;
        open?.subscription.grant(Number(events));
        return { kind: "result", result: { granted: open !== undefined } };
      }
      default:
        return noSuchMethod();
    }
  }

  #cancel(id: Id, { id: callId, subscription_id: name }: Request["params"]): Outcome | Fault {
    if ((callId === undefined) === (name === undefined)) {
      return invalidParams(id, "Name a call by its id, or a stream by its subscription_id.", ["id", "subscription_id"]);
    }
    const subscription = typeof name === "string" ? this.#subscriptions.get(name)?.subscription : undefined;
    const call = callId === undefined ? undefined : this.#pending.get(callId as Id);
    subscription?.cancel();
    call?.abort();
    return { kind: "result", result: { canceled: subscription !== undefined || call !== undefined } };
  }

  #begin(id: Id | undefined): AbortController {
    const abort = new AbortController();
    if (this.#socket.readyState !== this.#socket.OPEN) abort.abort();
    this.#going.add(abort);
    if (id != null) this.#pending.set(id, abort);
    return abort;
  }

  #end(id: Id | undefined): void {
    if (id != null) this.#pending.delete(id);
  }

  #progressOf(id: Id | undefined, signal: AbortSignal) {
    if (id == null) return undefined;
    return ({ runId, ...rest }: { readonly runId: string; readonly phase: string }): void => {
      if (signal.aborted || !this.#pending.has(id)) return;
      void this.#outbox.send(notificationText("$/progress", { id, run_id: runId, ...rest }));
    };
  }
}

function answered({ id }: Request, outcome: Outcome | Fault): Served {
  if (id === undefined) return { answer: undefined };
  if (!("kind" in outcome)) return { answer: faultText(outcome) };
  if (outcome.kind === "error") return { answer: faultText({ id, code: outcome.code, error: outcome.error }) };
  return { answer: resultText(id, outcome.kind === "result" ? outcome.result : {}) };
}

function tooMany(what: string, limit: number): Outcome {
  return failed(
    new BenchtopError("RATE_LIMITED", `There are ${limit} ${what} on this connection already.`, {
      phase: "settings",
      detail: { limit },
    }),
  );
}

/** The outcome, or that nobody waits for it any more. */
function unlessAborted(call: Promise<Outcome>, signal: AbortSignal): Promise<Outcome> {
  return new Promise((resolve) => {
    const stop = (): void => resolve(failed(new BenchtopError("USER_CANCELED", "Canceled.", { phase: "settings" })));
    signal.addEventListener("abort", stop);
    void call.then(resolve).finally(() => signal.removeEventListener("abort", stop));
    if (signal.aborted) stop();
  });
}
