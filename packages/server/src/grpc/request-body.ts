import { fromBinary, fromJsonString, type DescMethod, type Registry } from "@bufbuild/protobuf";
import { Refusal } from "../api/refusal.ts";
import type { BodyLimits } from "../http/body.ts";

/** Free-form JSON may be nested so deep that each of its levels takes up to three of protobuf's. */
export const recursionLimit = 300;

interface Asked {
  readonly method: DescMethod;
  readonly contentType: string;
  readonly limits: BodyLimits;
  readonly registry: Registry;
}

/**
 * The bytes of a request, as long as they come in time and are not too many. A message is passed on once it is whole and
 * can be read: the runtime would call what it cannot read a failure of the server. Throws a `Refusal`.
 */
export async function* readRequest(body: AsyncIterable<Uint8Array>, asked: Asked): AsyncGenerator<Uint8Array> {
  const { methodKind } = asked.method;
  const isStream = methodKind === "client_streaming" || methodKind === "bidi_streaming";
  if (isStream) yield* eachMessage(body, asked);
  else yield await oneMessage(body, asked);
}

/** The messages of a stream, each in its envelope, as they become whole. */
async function* eachMessage(body: AsyncIterable<Uint8Array>, asked: Asked): AsyncGenerator<Uint8Array> {
  const { uploadIdleMs, maxJsonBytes } = asked.limits;
  let chunks: Uint8Array[] = [];
  let bytes = 0;
  let needed = envelopeBytes;
  for await (const chunk of each(body, () => uploadIdleMs)) {
    chunks.push(chunk);
    bytes += chunk.length;
    while (bytes >= needed) {
      const all = Buffer.concat(chunks);
      needed = envelopeBytes + all.readUInt32BE(1);
      if (needed > maxJsonBytes + envelopeBytes) throw tooLarge(maxJsonBytes);
      chunks = [all];
      if (bytes < needed) break;
      const whole = all.subarray(0, needed);
      check(whole, asked);
      yield whole;
      chunks = [all.subarray(needed)];
      bytes -= needed;
      needed = envelopeBytes;
    }
  }
  // The runtime says that the last one is not whole.
  if (bytes > 0) yield Buffer.concat(chunks);
}

async function oneMessage(body: AsyncIterable<Uint8Array>, asked: Asked): Promise<Uint8Array> {
  const { jsonTimeoutMs, maxJsonBytes } = asked.limits;
  const deadline = performance.now() + jsonTimeoutMs;
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of each(body, () => deadline - performance.now())) {
    bytes += chunk.length;
    if (bytes > maxJsonBytes + envelopeBytes) throw tooLarge(maxJsonBytes);
    chunks.push(chunk);
  }
  const whole = Buffer.concat(chunks);
  check(whole, asked);
  return whole;
}

function tooLarge(maxBytes: number): Refusal {
  return new Refusal(413, "VALIDATION_FAILED", `The message is too large: ${maxBytes} bytes at most.`, {
    detail: { max_bytes: maxBytes },
  });
}

async function* each(body: AsyncIterable<Uint8Array>, millisecondsLeft: () => number): AsyncGenerator<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]();
  for (;;) {
    const next = await within(iterator.next(), millisecondsLeft());
    if (next.done === true) return;
    yield next.value;
  }
}

async function within<T>(promise: Promise<T>, milliseconds: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Refusal(408, "VALIDATION_FAILED", "The request arrived too slowly.", { retryable: true })),
    Math.max(0, milliseconds),
  );
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Before each message of gRPC: one byte of flags, four of length. */
const envelopeBytes = 5;

/** What is no message of this method is refused; a wrong length the runtime refuses itself. */
function check(whole: Buffer, { method, contentType, registry }: Asked): void {
  const isEnveloped = contentType.startsWith("application/grpc") || contentType.startsWith("application/connect+");
  if (isEnveloped && whole.length < envelopeBytes) return;
  if (isEnveloped && whole[0] !== 0) {
    throw new Refusal(
      400,
      "VALIDATION_FAILED",
      "The message has flags that are not accepted: it must not be compressed.",
    );
  }
  const message = isEnveloped ? whole.subarray(envelopeBytes) : whole;
  const isJson = /[/+]json\b/.test(contentType);
  try {
    if (isJson) {
      fromJsonString(method.input, message.toString("utf8"), { recursionLimit, registry, ignoreUnknownFields: true });
    } else {
      fromBinary(method.input, message, { recursionLimit });
    }
  } catch {
    // What the parser says may quote the message, so it is not passed on.
    throw new Refusal(400, "VALIDATION_FAILED", `The request is no ${method.input.typeName}.`);
  }
}
