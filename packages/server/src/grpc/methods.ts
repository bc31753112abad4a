import {
  create,
  type DescMethod,
  type DescMethodClientStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type FileRegistry,
  type Message,
} from "@bufbuild/protobuf";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import type { Answer } from "../api/call-operation.ts";
import type { Entry } from "../api/registry.ts";
import { Refusal } from "../api/refusal.ts";
import type { BodyLimits } from "../http/body.ts";
import { beginCall, finishCall, type CallsParts, type Sent } from "./call.ts";
import type { Codec, Codecs } from "./codec.ts";
import { serviceNamed } from "./descriptors.ts";
import { packageName, type Method, type Service } from "./services.ts";

export interface MethodsParts extends CallsParts {
  readonly registry: { byId(id: string): Entry | undefined };
  readonly limits: BodyLimits;
}

export interface Methods {
  addTo(router: ConnectRouter): void;
  /** Lets a call through whose caller may make it; throws for others. Undefined for methods that are not operations. */
  gateOf(method: DescMethod): ((context: HandlerContext) => Promise<void>) | undefined;
}

/** The operations as methods of gRPC. `guard` turns what is thrown into a status. */
export function operationMethods(
  parts: MethodsParts,
  { services, descriptors, codecs }: { services: readonly Service[]; descriptors: FileRegistry; codecs: Codecs },
  guard: Guard,
): Methods {
  const gates = new Map<DescMethod, (context: HandlerContext) => Promise<void>>();
  const methods = services.flatMap((service) => {
    const described = serviceNamed(descriptors, `${packageName}.${service.name}`);
    return service.methods.map((method) => {
      const { id, rpc } = method.operation;
      const descriptor = described.methods.find(({ name }) => name === rpc);
      const entry = parts.registry.byId(id);
      if (descriptor === undefined || entry === undefined) throw new Error(`The descriptors do not know ${rpc}.`);
      gates.set(descriptor, (context) => beginCall(parts, entry, context));
      return { method, descriptor };
    });
  });
  return {
    addTo(router) {
      for (const { method, descriptor } of methods) {
        const request = codecs.of(method.request);
        const response = codecs.of(method.response);
        implement(router, { method, descriptor, request, response, limits: parts.limits }, guard);
      }
    },
    gateOf: (method) => gates.get(method),
  };
}

export interface Guard {
  /** The value, or a `ConnectError`. */
  value<T>(context: HandlerContext, make: () => Promise<T>): Promise<T>;
  /** The items, or a `ConnectError` in their place. */
  stream<T>(context: HandlerContext, make: () => AsyncIterable<T>): AsyncIterable<T>;
}

interface Implemented {
  readonly method: Method;
  readonly descriptor: DescMethod;
  readonly request: Codec;
  readonly response: Codec;
  readonly limits: BodyLimits;
}

function implement(router: ConnectRouter, parts: Implemented, guard: Guard): void {
  const { method, descriptor, request, limits } = parts;
  switch (method.operation.transfer) {
    case undefined:
      router.rpc(descriptor as DescMethodUnary, (message, context) =>
        guard.value(context, async () =>
          messageOf(parts, await finishCall(context, { fields: request.decode(message) })),
        ),
      );
      return;
    case "upload":
      router.rpc(descriptor as DescMethodClientStreaming, (messages, context) =>
        guard.value(context, async () =>
          messageOf(parts, await finishCall(context, await receiveUpload(messages, request, limits))),
        ),
      );
      return;
    case "stream":
    case "download":
      router.rpc(descriptor as DescMethodServerStreaming, (message, context) =>
        guard.stream(context, async function* () {
          yield* messagesOf(parts, await finishCall(context, { fields: request.decode(message) }));
        }),
      );
  }
}

/** The answer, below the name of its message where it has one. */
function wrap({ wrapped, response }: Method, output: unknown): unknown {
  return wrapped ? { [response.fields[0]?.key ?? ""]: output } : output;
}

function messageOf({ method, response }: Implemented, answer: Answer): Message {
  if (answer.kind !== "value") throw new TypeError(`${method.operation.id} answers with ${answer.kind}.`);
  return response.encode(wrap(method, answer.output));
}

async function* messagesOf({ method, descriptor, response }: Implemented, answer: Answer): AsyncGenerator<Message> {
  switch (answer.kind) {
    case "value":
      throw new TypeError(`${method.operation.id} answers with a value.`);
    case "events":
      for await (const batch of answer.source.events ?? []) {
        for (const { body } of batch) yield response.encode(wrap(method, JSON.parse(body)));
      }
      return;
    case "download": {
      const { content, ...file } = answer.download;
      yield response.encode({ file });
      for await (const bytes of content) {
        for (const chunk of inChunks(bytes)) yield create(descriptor.output, { part: { case: "chunk", value: chunk } });
      }
    }
  }
}

const chunkBytes = 65_536;

function* inChunks(bytes: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += chunkBytes) yield bytes.subarray(start, start + chunkBytes);
}

interface UploadPart {
  readonly part: { readonly case?: string; readonly value?: Uint8Array };
}

/** The first message holds the fields, where there are any; every other one holds bytes. */
async function receiveUpload(messages: AsyncIterable<Message>, codec: Codec, limits: BodyLimits): Promise<Sent> {
  const iterator = messages[Symbol.asyncIterator]();
  const first = await iterator.next();
  const { input = {} } = first.done === true ? {} : codec.decode(first.value);
  async function* chunks(): AsyncGenerator<Uint8Array> {
    let bytes = 0;
    for (let next = first; next.done !== true; next = await iterator.next()) {
      const { part } = next.value as unknown as UploadPart;
      if (part.case !== "chunk" || part.value === undefined) {
        if (next === first) continue;
        throw new Refusal(
          400,
          "VALIDATION_FAILED",
          "Only the first message of an upload may hold something but bytes.",
        );
      }
      bytes += part.value.length;
      if (bytes > limits.maxUploadBytes) {
        throw new Refusal(
          413,
          "VALIDATION_FAILED",
          `The upload is too large: ${limits.maxUploadBytes} bytes at most.`,
          {
            detail: { max_bytes: limits.maxUploadBytes },
          },
        );
      }
      yield part.value;
    }
  }
  return { fields: input as Sent["fields"], body: chunks };
}
