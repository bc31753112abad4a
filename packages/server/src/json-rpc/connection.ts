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
  type Message,
  type Request,
} from "./envelope.ts";
import type { Proof } from "../identity/proof.ts";
import { Batch } from "./batch.ts";
import type { Load } from "./load.ts";
import { Outbox } from "./outbox.ts";
import { Slots } from "./slots.ts";
import { defaultWindow, maxWindow, Subscription } from "./subscription.ts";

export interface ConnectionLimits {
  /** Calls that are carried out at once; so many again, ten times over, may wait. */
  readonly maxCalls: number;
  /** Streams that are open at once. */
  readonly maxSubscriptions: number;
  /** Messages in a row that are no JSON-RPC at all. */
  readonly maxFaults: number;
}

/** What one message comes to: the answer, if it has one, and what begins once the answer is on its way. */
interface Served {
  readonly answer: string | undefined;
  /** To be called when the answer has left. */
  readonly left?: () => void;
  readonly start?: (() => void) | undefined;
}

/** JSON-RPC on one WebSocket: calls in any order, and streams beside them. Ends with the socket. */
export class Connection {
  readonly #parts: RpcParts;
  readonly #proof: Proof;
  readonly #socket: WebSocket;
  readonly #limits: ConnectionLimits;
  readonly #load: Load;
  readonly #outbox: Outbox;
  /** What is going on; all of it is aborted when the peer goes away. */
  readonly #going = new Set<AbortController>();
  readonly #pending = new Map<Id, AbortController>();
  readonly #subscriptions = new Map<string, { readonly subscription: Subscription; readonly ended: Promise<void> }>();
  readonly #slots: Slots;
  #opening = 0;
  #faults = 0;
  #nextSubscription = 1;

  constructor(parts: RpcParts, socket: WebSocket, proof: Proof, limits: ConnectionLimits, load: Load) {
    this.#parts = parts;
    this.#proof = proof;
    this.#socket = socket;
    this.#limits = limits;
    this.#load = load;
    this.#outbox = new Outbox(socket, 2 * parts.limits.maxJsonBytes);
    this.#slots = new Slots(limits.maxCalls, 10 * limits.maxCalls);
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
    const { sent, left } = await this.#answer(parseMessage(text));
    // A call is over when its answer has left, so that a peer who does not read cannot ask for ever more.
    await sent;
    for (const isLeft of left) isLeft();
    held.served();
  }

  async #answer(message: Message): Promise<{ sent: Promise<void> | undefined; left: readonly (() => void)[] }> {
    if (message.kind === "batch" || !isFault(message.item)) this.#faults = 0;
    else if (++this.#faults > this.#limits.maxFaults) this.#socket.close(1008, "This is not JSON-RPC.");
    const served =
      message.kind === "single"
        ? [await this.#serve(message.item, undefined)]
        : await new Batch().run(message.items, (item, batch) => this.#serve(item, batch));
    const answers = served.flatMap(({ answer }) => (answer === undefined ? [] : [answer]));
    const text = message.kind === "single" ? answers[0] : `[${answers.join(",")}]`;
    const sent = answers.length === 0 || text === undefined ? undefined : this.#outbox.send(text);
    for (const { start } of served) start?.();
    return { sent, left: served.flatMap(({ left }) => (left === undefined ? [] : [left])) };
  }

  async #serve(item: Request | Fault, batch: Batch | undefined): Promise<Served> {
    if (isFault(item)) return { answer: faultText(item) };
    if (item.method.startsWith("$/")) return answered(item, this.#control(item));
    if (item.id != null && this.#pending.has(item.id)) {
      return { answer: faultText(invalidRequest(null, "Another call with this id is not answered yet.")) };
    }
    const slot = this.#slots.take();
    if (slot === undefined) return answered(item, tooMany("calls", 11 * this.#limits.maxCalls));
    const operation = this.#parts.registry.byRpc(item.method)?.operation;
    const isRead = operation?.method === "GET" && operation.transfer !== "stream";
    const abort = this.#begin(item.id);
    await slot;
    const handedOver = isRead
      ? await this.#load.turn(this.#outbox, operation.transfer === "download", abort.signal)
      : undefined;
    const refusal = isRead ? batch?.refusal : undefined;
    const served = await this.#carryOut(item, operation, abort, batch !== undefined, refusal);
    const left = (): void => this.#slots.give();
    if (batch === undefined) return { ...served, start: served.start ?? handedOver, left };
    // The answers of a batch leave together: were each to keep its slot till then, two batches could wait for each other.
    left();
    handedOver?.();
    return served;
  }

  async #carryOut(
    request: Request,
    operation: Operation | undefined,
    abort: AbortController,
    inBatch: boolean,
    refusal: Outcome | undefined,
  ): Promise<Served> {
    let opened: Subscription | undefined;
    try {
      // It was canceled while it waited, so nothing of it is done.
      if (abort.signal.aborted) return answered(request, canceled());
      if (refusal !== undefined) return answered(request, refusal);
      if (operation?.transfer !== "stream")
        return answered(request, await this.#call(request, operation, abort, inBatch));
      const outcome = await this.#open(request, abort, inBatch);
      if (!(outcome instanceof Subscription)) return answered(request, outcome);
      opened = outcome;
      const { id } = opened;
      return {
        answer: resultText(request.id ?? null, { subscription_id: id }),
        start: () => this.#follow(outcome, abort),
      };
    } finally {
      if (request.id != null) this.#pending.delete(request.id);
      if (opened === undefined) this.#going.delete(abort);
    }
  }

  #call(
    request: Request,
    operation: Operation | undefined,
    abort: AbortController,
    inBatch: boolean,
  ): Promise<Outcome> {
    const call = callMethod(this.#parts, request, {
      proof: this.#proof,
      signal: abort.signal,
      canStream: true,
      inBatch,
      progress: this.#progressOf(request.id),
    });
    // A change runs to its end, and is answered with how it ended.
    return operation?.method === "GET" ? unlessAborted(call, abort.signal) : call;
  }

  async #open(request: Request, abort: AbortController, inBatch: boolean): Promise<Subscription | Outcome | Fault> {
    // Nobody would know what a stream is called that a notification opened.
    if (request.id === undefined) return failed(new BenchtopError("VALIDATION_FAILED", "A stream needs an answer."));
    const { window = defaultWindow } = request.params;
    if (window !== null && !(Number.isSafeInteger(window) && Number(window) >= 1 && Number(window) <= maxWindow)) {
      return invalidParams(request.id, `window is 1 to ${maxWindow} events, or null.`, ["window"]);
    }
    const open = this.#subscriptions.size + this.#opening;
    if (open >= this.#limits.maxSubscriptions) return tooMany("streams", open);
    const { maxSubscriptions, subscriptions } = this.#load;
    if (subscriptions >= maxSubscriptions) return tooMany("streams", maxSubscriptions);
    this.#load.subscriptions++;
    this.#opening++;
    const context = { proof: this.#proof, signal: abort.signal, canStream: true, inBatch };
    const outcome = await unlessAborted(callMethod(this.#parts, request, context), abort.signal);
    if (outcome.kind === "stream") {
      const id = `s${this.#nextSubscription++}`;
      const { operation, source } = outcome;
      return new Subscription({ id, operation, source, outbox: this.#outbox, window: window as number | null, abort });
    }
    this.#opening--;
    this.#load.subscriptions--;
    return outcome;
  }

  #follow(subscription: Subscription, abort: AbortController): void {
    this.#opening--;
    const describe = async (thrown: unknown): Promise<BenchtopError> =>
      errorOf(await toFailure(this.#parts, thrown, { operation: subscription.operation.id }));
    const ended = subscription.run(describe, this.#parts.stopping).finally(() => {
      this.#subscriptions.delete(subscription.id);
      this.#load.subscriptions--;
      this.#going.delete(abort);
      // Whatever else was open for it goes, too.
      abort.abort();
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

  #progressOf(id: Id | undefined) {
    if (id == null) return undefined;
    return ({ runId, ...rest }: { readonly runId: string; readonly phase: string }): void => {
      if (!this.#pending.has(id)) return;
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
      detail: { limit, ...(what === "calls" && { retry_after_ms: 100 }) },
    }),
  );
}

function canceled(): Outcome {
  return failed(new BenchtopError("USER_CANCELED", "Canceled.", { phase: "settings" }));
}

/** The outcome, or that nobody waits for it any more. */
function unlessAborted(call: Promise<Outcome>, signal: AbortSignal): Promise<Outcome> {
  return new Promise((resolve) => {
    const stop = (): void => resolve(canceled());
    signal.addEventListener("abort", stop);
    void call.then(resolve).finally(() => signal.removeEventListener("abort", stop));
    if (signal.aborted) stop();
  });
}
