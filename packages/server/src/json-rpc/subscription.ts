import { casingOf, type Operation } from "@benchtop/operations";
import type { BenchtopError } from "@benchtop/protocol";
import type { EventSource, StoredEvent } from "../api/handler.ts";
import { errorObject, faultCodes, notificationText } from "./envelope.ts";
import type { Outbox } from "./outbox.ts";

/** Events that a stream sends before its reader says that it has taken some, unless the call asks for another window. */
export const defaultWindow = 1000;
export const maxWindow = 100_000;

/** How a stream ended; `completed` means that nothing comes any more, ever. */
type End =
  | { readonly reason: "completed" | "canceled" | "stopping" }
  | { readonly reason: "failed"; readonly error: BenchtopError };

/** Text of one notification, about. */
const messageText = 256 * 1024;

/**
 * One stream on a connection with others. It sends as long as its reader has given credit and the connection takes more;
 * else it lets go of the journal and keeps its cursor, so that a stream which stands still holds nothing else and holds up
 * nobody.
 */
export class Subscription {
  readonly id: string;
  readonly operation: Operation;
  readonly #source: EventSource;
  readonly #outbox: Outbox;
  readonly #abort: AbortController;
  #credit: number;
  #onCredit: (() => void) | undefined;

  /** `window`: events to begin with; null where the connection alone holds the stream back. */
  constructor(parts: {
    readonly id: string;
    readonly operation: Operation;
    readonly source: EventSource;
    readonly outbox: Outbox;
    readonly window: number | null;
    /** Ends the source; aborted when the stream is canceled, and with the connection. */
    readonly abort: AbortController;
  }) {
    this.id = parts.id;
    this.operation = parts.operation;
    this.#source = parts.source;
    this.#outbox = parts.outbox;
    this.#credit = parts.window ?? Infinity;
    this.#abort = parts.abort;
    this.#abort.signal.addEventListener("abort", () => this.#onCredit?.());
  }

  /** The reader has taken so many more. */
  grant(events: number): void {
    this.#credit += events;
    this.#onCredit?.();
  }

  cancel(): void {
    this.#abort.abort();
  }

  /** Sends until the source ends, then says how it ended. Never rejects. */
  async run(describe: (thrown: unknown) => Promise<BenchtopError>, isStopping: () => boolean): Promise<void> {
    let end: End;
    try {
      const isOver = this.#source.events === null || (await this.#sendAll());
      const isCut = isStopping() && !this.#sawLast && this.#source.events !== null;
      end = { reason: isCut ? "stopping" : isOver ? "completed" : "canceled" };
    } catch (thrown) {
      end = { reason: "failed", error: await describe(thrown) };
    }
    await this.#outbox.send(
      notificationText("$/end", {
        subscription_id: this.id,
        reason: end.reason,
        ...(end.reason === "failed" && { error: errorObject(faultCodes.operationFailed, end.error) }),
      }),
    );
  }

  #sawLast = false;

  /** True when the source has ended, false when the stream was canceled. */
  async #sendAll(): Promise<boolean> {
    const { signal } = this.#abort;
    let after = this.#source.after;
    for (;;) {
      if (this.#credit <= 0) await this.#moreCredit();
      if (this.#outbox.isFull) await this.#outbox.room(signal);
      if (signal.aborted) return false;
      const limit = this.#credit;
      let sent = 0;
      let heldBack = false;
      for await (const page of this.#source.read({ after, limit })) {
        if (signal.aborted) return false;
        // The page is dropped and read again, rather than kept by everybody who waits.
        heldBack = this.#outbox.isFull;
        if (heldBack) break;
        this.#send(page);
        sent += page.length;
        this.#credit -= page.length;
        after = page.at(-1)?.seq ?? after;
      }
      if (signal.aborted) return false;
      if (!heldBack && (sent < limit || this.#sawLast)) return true;
    }
  }

  #send(page: readonly StoredEvent[]): void {
    let text = "";
    for (const event of page) {
      const one = textOf(this.operation, event);
      if (text !== "" && text.length + one.length > messageText) {
        void this.#outbox.send(this.#message(text));
        text = "";
      }
      text += text === "" ? one : `,${one}`;
    }
    if (text !== "") void this.#outbox.send(this.#message(text));
    const last = page.at(-1)?.event.type;
    this.#sawLast = last === "Completed" || last === "Error";
  }

  #message(events: string): string {
    return `{"jsonrpc":"2.0","method":"$/events","params":{"subscription_id":"${this.id}","events":[${events}]}}`;
  }

  #moreCredit(): Promise<void> {
    return new Promise((resolve) => {
      this.#onCredit = () => {
        if (this.#credit <= 0 && !this.#abort.signal.aborted) return;
        this.#onCredit = undefined;
        resolve();
      };
      this.#onCredit();
    });
  }
}

/** However many follow a run, each event is spelled out once. */
const spelled = new WeakMap<StoredEvent, string>();

function textOf(operation: Operation, event: StoredEvent): string {
  let text = spelled.get(event);
  if (text === undefined) {
    text = JSON.stringify(casingOf(operation.output).toSnake(JSON.parse(event.body)));
    spelled.set(event, text);
  }
  return text;
}
