import type { IncomingMessage, ServerResponse } from "node:http";
import { createContextKey, type HandlerContext } from "@connectrpc/connect";
import { BenchtopError } from "@benchtop/protocol";
import { callOperation, type Answer, type CallParts } from "../api/call-operation.ts";
import type { BrowserSession } from "../api/handler.ts";
import type { Entry } from "../api/registry.ts";
import { isSecure, type OwnAddresses } from "../identity/origin.ts";
import { cookieOf, proofOf } from "../identity/proof.ts";

/** The HTTP exchange that a call came with. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
}

export const exchangeKey = createContextKey<Exchange | undefined>(undefined);
const callKey = createContextKey<PendingCall | undefined>(undefined);

/** What a caller sends: the fields, and for an upload its bytes. */
export interface Sent {
  readonly fields: Record<string, unknown>;
  readonly body?: () => AsyncIterable<Uint8Array>;
}

/** A call whose caller is known and allowed, and whose message is still on its way. */
interface PendingCall {
  readonly sent: (message: Sent) => void;
  readonly answer: Promise<Answer>;
}

export interface CallsParts extends CallParts {
  readonly addresses: () => OwnAddresses;
}

/**
 * Begins a call before anything of its message is read: resolves once the caller is identified and allowed, and throws
 * otherwise, so that nobody else makes us hold a message of theirs.
 */
export async function beginCall(parts: CallsParts, entry: Entry, context: HandlerContext): Promise<void> {
  const exchange = exchangeOf(context);
  const allowed = Promise.withResolvers<void>();
  const message = Promise.withResolvers<Sent>();
  // A message that is no message never gets to the handler; its call must not wait for ever.
  const abandon = (): void =>
    message.reject(
      new BenchtopError("VALIDATION_FAILED", "The request ended before its message was whole and well-formed.", {
        phase: "settings",
      }),
    );
  context.signal.addEventListener("abort", abandon, { once: true });
  let body: Sent["body"];
  const answer = callOperation(parts, {
    entry,
    transport: "grpc",
    requestId: exchange.requestId,
    proof: proofOf(exchange.request, parts.addresses()),
    signal: context.signal,
    fields: async () => {
      allowed.resolve();
      const sent = await message.promise;
      ({ body } = sent);
      return sent.fields;
    },
    body: () => body?.() ?? nothing(),
    idempotencyKey: context.requestHeader.get("idempotency-key") ?? undefined,
    onReplayed: () => context.responseHeader.set("idempotency-replayed", "true"),
    browser: browserOf(parts, exchange, context),
  });
  answer.catch(() => undefined);
  message.promise.catch(() => undefined);
  await Promise.race([allowed.promise, answer]);
  const sent = (whole: Sent): void => {
    context.signal.removeEventListener("abort", abandon);
    message.resolve(whole);
  };
  context.values.set(callKey, { answer, sent });
}

/** Goes on with a call that was begun. Throws what `callOperation` throws. */
export async function finishCall(context: HandlerContext, sent: Sent): Promise<Answer> {
  const call = context.values.get(callKey);
  if (call === undefined) throw new Error("The call was not begun.");
  call.sent(sent);
  return await call.answer;
}

export function exchangeOf(context: HandlerContext): Exchange {
  const exchange = context.values.get(exchangeKey);
  if (exchange === undefined) throw new Error("The call came without its HTTP exchange.");
  return exchange;
}

function browserOf(parts: CallsParts, { request }: Exchange, context: HandlerContext): BrowserSession {
  return {
    secure: isSecure(request, parts.addresses()),
    cookie: (name) => cookieOf(request.headers.cookie, name),
    setCookie: (line) => context.responseHeader.append("Set-Cookie", line),
  };
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // An upload without bytes is an empty file.
}
