import type { Identity, OperationId, Operations, OutputOf, ParsedInputOf } from "@benchtop/operations";
import type { Proof } from "../identity/proof.ts";

/** What a handler knows of the request beside its parsed input. */
export interface RequestContext {
  readonly requestId: string;
  readonly identity: Identity;
  /** What the caller showed; the sign-in operations read it. */
  readonly proof: Proof;
  /** Aborts when the caller goes away. Changes run to their end all the same; streams and downloads stop. */
  readonly signal: AbortSignal;
  /** The bytes, of `upload` operations only. */
  readonly body: AsyncIterable<Uint8Array>;
  /** `Last-Event-ID`, of `stream` operations only. */
  readonly lastEventId: string | undefined;
  /** Told how far a long change has come; undefined where nobody listens. Never throws. */
  readonly progress: ((progress: Progress) => void) | undefined;
  /** The `sign-in` operations' way to the browser's cookie. */
  readonly browser: BrowserSession;
}

/** Where a long change is: a phase, and work done and to do in it where that is known. */
export interface Progress {
  readonly runId: string;
  readonly phase: string;
  readonly done?: number;
  readonly total?: number;
}

/** The cookies of the browser that asks. */
export interface BrowserSession {
  /** Whether it reached us by TLS; its cookies are then marked `Secure`. */
  readonly secure: boolean;
  /** `http(s)://host[:port]` of ours that it asked for; undefined on transports without browsers. */
  readonly origin?: string;
  cookie(name: string): string | undefined;
  /** A `Set-Cookie` line. Throws `VALIDATION_FAILED` on transports without cookies. */
  setCookie(line: string): void;
}

/** Events as the journal holds them: `body` is the event's JSON text, passed on as it is. */
export interface EventSource {
  /** In batches, until the terminal event; null when the cursor is at the end of a run that has ended. */
  readonly events: AsyncIterable<readonly StoredEvent[]> | null;
  /** Events with `seq` greater than this are asked for. */
  readonly after: number;
  /**
   * The same from another cursor on, `limit` events at most: whoever is held back lets go of the source and comes back,
   * so that a reader that stands still costs its cursor and nothing else.
   */
  read(options: { readonly after: number; readonly limit: number }): AsyncIterable<readonly StoredEvent[]>;
}
export interface StoredEvent {
  readonly seq: number;
  readonly body: string;
  readonly event: { readonly type: string };
}

/** A file's bytes. The answer never lets a browser run them. */
export interface Download {
  readonly fileName: string;
  readonly mediaType: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly content: AsyncIterable<Uint8Array>;
}

type Answer<Id extends OperationId> = Operations[Id] extends { readonly transfer: "stream" }
  ? EventSource
  : Operations[Id] extends { readonly transfer: "download" }
    ? Download
    : OutputOf<Operations[Id]>;

export type Handler<Id extends OperationId> = (
  input: ParsedInputOf<Operations[Id]>,
  context: RequestContext,
) => Promise<Answer<Id>>;

/** One handler for each operation; a missing or a wrong one does not compile. */
export type Handlers = { readonly [Id in OperationId]: Handler<Id> };

/** The part of the table that one capability provides. */
export type HandlersOf<Part> = { readonly [Id in keyof Part & OperationId]: Handler<Id> };
