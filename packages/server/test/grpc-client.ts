import { create, type DescMessage, type DescMethod, type Message } from "@bufbuild/protobuf";
import { ConnectError, Code, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { Codecs, type Codec } from "../src/grpc/codec.ts";
import { messageNamed, readDescriptors, serviceNamed } from "../src/grpc/descriptors.ts";
import { defineServices, packageName, type Method } from "../src/grpc/services.ts";

export type GrpcProtocol = "grpc" | "grpc-web" | "connect" | "connect-json";

export interface GrpcCall {
  /** Metadata: `authorization`, `benchtop-workspace`, … */
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  /** The bytes of an upload. */
  readonly body?: readonly Uint8Array[];
}

/** How a call ended. `output` is as the operation's schema has it; of a stream all that came, of a download its bytes. */
export type GrpcAnswer =
  | { readonly ok: true; readonly output: unknown; readonly headers: Headers }
  | {
      readonly ok: false;
      /** `not_found` and its like. */
      readonly status: string;
      readonly message: string;
      /** `benchtop.v1.ErrorInfo`, where the daemon sent one. */
      readonly info: Record<string, unknown> | undefined;
      readonly metadata: Headers;
    };

export interface GrpcClient {
  /** Calls an operation by its id, with its input as TypeScript has it. */
  call(id: string, input: unknown, call?: GrpcCall): Promise<GrpcAnswer>;
  /** What a stream sends, as it comes. */
  stream(id: string, input: unknown, call?: GrpcCall): AsyncIterable<unknown>;
}

/** Connect's own clients on a daemon, for every operation. */
export async function grpcClient(url: string, protocol: GrpcProtocol = "grpc"): Promise<GrpcClient> {
  const descriptors = await readDescriptors();
  const codecs = new Codecs(descriptors);
  const { services, errorInfo } = defineServices();
  const transport = transportOf(url, protocol);
  const methods = new Map(
    services.flatMap((service) => {
      const described = serviceNamed(descriptors, `${packageName}.${service.name}`);
      return service.methods.map((method) => {
        const descriptor = described.methods.find(({ name }) => name === method.operation.rpc);
        if (descriptor === undefined) throw new Error(`There is no ${method.operation.rpc}.`);
        return [method.operation.id, { method, descriptor }] as const;
      });
    }),
  );
  const find = (id: string): { method: Method; descriptor: DescMethod } => {
    const found = methods.get(id);
    if (found === undefined) throw new Error(`There is no operation ${id}.`);
    return found;
  };

  async function* stream(id: string, input: unknown, call: GrpcCall = {}): AsyncIterable<unknown> {
    const { method, descriptor } = find(id);
    const { signal, timeoutMs, headers = {} } = call;
    const sent = requests(method, descriptor.input, codecs.of(method.request), input, call.body);
    const answer = await transport.stream(descriptor as never, signal, timeoutMs, headers, sent as never);
    const codec = codecs.of(method.response);
    for await (const message of answer.message as AsyncIterable<Message>) yield read(method, codec, message);
  }

  const call = async (id: string, input: unknown, options: GrpcCall = {}): Promise<GrpcAnswer> => {
    const { method, descriptor } = find(id);
    try {
      if (descriptor.methodKind === "unary") {
        const { signal, timeoutMs, headers = {} } = options;
        const message = codecs.of(method.request).encode(input);
        const answer = await transport.unary(descriptor as never, signal, timeoutMs, headers, message);
        return { ok: true, output: read(method, codecs.of(method.response), answer.message), headers: answer.header };
      }
      const items: unknown[] = [];
      for await (const item of stream(id, input, options)) items.push(item);
      return {
        ok: true,
        output: descriptor.methodKind === "client_streaming" ? items[0] : items,
        headers: new Headers(),
      };
    } catch (thrown) {
      const error = ConnectError.from(thrown);
      const [detail] = error.findDetails(messageNamed(descriptors, "ErrorInfo"));
      return {
        ok: false,
        status: Code[error.code].replaceAll(/(?<!^)([A-Z])/g, "_$1").toLowerCase(),
        message: error.rawMessage,
        info: detail && codecs.of(errorInfo).decode(detail),
        metadata: error.metadata,
      };
    }
  };
  return { call, stream };
}

function transportOf(baseUrl: string, protocol: GrpcProtocol): Transport {
  switch (protocol) {
    case "grpc":
      return createGrpcTransport({ baseUrl });
    case "grpc-web":
      return createGrpcWebTransport({ baseUrl, httpVersion: "1.1" });
    case "connect":
      return createConnectTransport({ baseUrl, httpVersion: "2", useBinaryFormat: true });
    default:
      return createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false });
  }
}

async function* requests(
  method: Method,
  descriptor: DescMessage,
  codec: Codec,
  input: unknown,
  body: readonly Uint8Array[] = [],
): AsyncGenerator<Message> {
  if (method.operation.transfer !== "upload") {
    yield codec.encode(input);
    return;
  }
  yield codec.encode({ input });
  for (const value of body) yield create(descriptor, { part: { case: "chunk", value } });
}

/** An answer without what proto wraps it in; of a download, its bytes. */
function read({ wrapped, operation, response }: Method, codec: Codec, message: Message): unknown {
  if (operation.transfer === "download") {
    const { part } = message as unknown as { part: { case: string; value: unknown } };
    return part.case === "chunk" ? part.value : codec.decode(message)["file"];
  }
  const output = codec.decode(message);
  return wrapped ? output[response.fields[0]?.key ?? ""] : output;
}
