import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import type { DescMethod } from "@bufbuild/protobuf";
import { ConnectError, createConnectRouter, createContextValues, type HandlerContext } from "@connectrpc/connect";
import type { UniversalServerRequest, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import { toFailure } from "../api/failure.ts";
import { Refusal, stopping } from "../api/refusal.ts";
import { proofOf } from "../identity/proof.ts";
import { exchangeKey, exchangeOf, type Exchange } from "./call.ts";
import { Codecs } from "./codec.ts";
import { messageNamed, readDescriptors } from "./descriptors.ts";
import { addHealth } from "./health.ts";
import { operationMethods, type Guard, type MethodsParts } from "./methods.ts";
import { addReflection } from "./reflection.ts";
import { readRequest, recursionLimit } from "./request-body.ts";
import { defineServices, packageName } from "./services.ts";
import { toConnectError } from "./status.ts";

export interface GrpcParts extends MethodsParts {
  readonly isReady: () => Promise<boolean>;
  /** Aborts when the daemon begins to stop. */
  readonly stoppingSignal: AbortSignal;
}

export type ServeGrpc = (exchange: Exchange) => Promise<void>;

/**
 * Serves gRPC, gRPC-Web and Connect. Request messages are not decompressed, so that none can unfold into a large one; the
 * caller of an operation is known and allowed before its message is read.
 */
export async function createServeGrpc(parts: GrpcParts): Promise<ServeGrpc> {
  const descriptors = await readDescriptors();
  const definitions = defineServices();
  const codecs = new Codecs(descriptors);
  const errorInfo = { descriptor: messageNamed(descriptors, "ErrorInfo"), codec: codecs.of(definitions.errorInfo) };

  const toStatus = async (thrown: unknown, context: HandlerContext): Promise<ConnectError> => {
    if (thrown instanceof ConnectError) return thrown;
    const { requestId } = exchangeOf(context);
    return toConnectError(
      await toFailure(parts, thrown, { request_id: requestId, operation: context.method.name }),
      errorInfo,
    );
  };
  const guard: Guard = {
    async value(context, make) {
      try {
        return await orEnd(make(), context.signal);
      } catch (thrown) {
        throw await toStatus(thrown, context);
      }
    },
    async *stream(context, make) {
      try {
        yield* make();
        // A source that ends because the time is over has not come to its end.
        context.signal.throwIfAborted();
      } catch (thrown) {
        throw await toStatus(thrown, context);
      }
    },
  };

  const methods = operationMethods(parts, { services: definitions.services, descriptors, codecs }, guard);
  const { limits } = parts;
  const router = createConnectRouter({
    acceptCompression: [],
    readMaxBytes: limits.maxJsonBytes,
    binaryOptions: { recursionLimit },
    jsonOptions: { recursionLimit },
    requestGate: (context) => guard.value(context, async () => await gate(context)),
  });
  methods.addTo(router);
  const health = addHealth(router, descriptors, {
    isReady: parts.isReady,
    stopping: parts.stoppingSignal,
    services: new Set(definitions.services.map(({ name }) => `${packageName}.${name}`)),
  });
  addReflection(router, descriptors);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  async function gate(context: HandlerContext): Promise<void> {
    const begin = methods.gateOf(context.method);
    if (begin !== undefined) return await begin(context);
    const proof = proofOf(exchangeOf(context).request, parts.addresses());
    if (context.service === health) return parts.rateLimits.take(proof.address, "address");
    if (parts.stopping()) throw stopping();
    const identity = await parts.identities.identify(proof);
    parts.rateLimits.take(identity.keyId ?? identity.userId, "identity");
  }

  async function* received({ body, header }: UniversalServerRequest, method: DescMethod): AsyncGenerator<Uint8Array> {
    const asked = { method, contentType: header.get("content-type") ?? "", limits, registry: descriptors };
    try {
      yield* readRequest(body as AsyncIterable<Uint8Array>, asked);
    } catch (thrown) {
      throw thrown instanceof Refusal ? toConnectError(thrown, errorInfo) : thrown;
    }
  }

  return async (exchange) => {
    const { request, response } = exchange;
    const handler = handlers.get(pathOf(request));
    if (handler === undefined) throw new Refusal(404, "NOT_FOUND", "There is no such method.");
    const closed = once(response, "close");
    closed.catch(() => undefined);
    const values = createContextValues().set(exchangeKey, exchange);
    const universal = universalRequestFromNodeRequest(request, response, undefined, values);
    const answered = handler({ ...universal, body: received(universal, handler.method) });
    try {
      await Promise.race([universalResponseToNodeResponse(readable(await answered), response), closed]);
      await closed;
    } catch {
      // Only writing can fail here, and it fails because the caller is gone; what a method throws is a status already.
      response.destroy();
    }
  };
}

/** What was begun goes on when the caller is gone or its time is over; only nobody waits for it any more. */
async function orEnd<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const ended = Promise.withResolvers<never>();
  const end = (): void => ended.reject(signal.reason);
  signal.addEventListener("abort", end, { once: true });
  try {
    return await Promise.race([promise, ended.promise]);
  } finally {
    signal.removeEventListener("abort", end);
    promise.catch(() => undefined);
  }
}

/**
 * Writes the message of a failure as the specification of gRPC has it, which escapes what is not printable ASCII and no more.
 * The runtime escapes colons and commas as well, and not every client turns those back.
 */
function readable(answer: UniversalServerResponse): UniversalServerResponse {
  const { body, trailer } = answer;
  if (body === undefined || trailer === undefined) return answer;
  const rewritten = async function* (): AsyncGenerator<Uint8Array> {
    yield* body;
    const message = trailer.get("grpc-message");
    if (message !== null)
      trailer.set("grpc-message", decodeURIComponent(message).replaceAll(/[^ -$&-~]+/g, encodeURIComponent));
  };
  return { ...answer, body: rewritten() };
}

function pathOf({ url = "" }: IncomingMessage): string {
  const question = url.indexOf("?");
  return question === -1 ? url : url.slice(0, question);
}
