import {
  toBinary,
  type DescFile,
  type DescMethodBiDiStreaming,
  type DescService,
  type FileRegistry,
  type Message,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectRouter } from "@connectrpc/connect";
import { serviceNamed } from "./descriptors.ts";

/** One question, as a `oneof` of `ServerReflectionRequest`. */
interface Question {
  readonly messageRequest: { readonly case?: string; readonly value?: string };
}

/** `grpc.reflection`: what services there are and how their messages look, for tools like grpcurl. */
export function addReflection(router: ConnectRouter, descriptors: FileRegistry): readonly DescService[] {
  const services = ["v1", "v1alpha"].map((version) =>
    serviceNamed(descriptors, `grpc.reflection.${version}.ServerReflection`),
  );
  for (const service of services) {
    const [method] = service.methods;
    if (method === undefined) throw new Error(`${service.typeName} has no method.`);
    router.rpc(method as DescMethodBiDiStreaming, async function* (questions) {
      for await (const question of questions) {
        const { messageRequest } = question as Message & Question;
        yield { originalRequest: question, messageResponse: answer(descriptors, messageRequest) };
      }
    });
  }
  return services;
}

function answer(descriptors: FileRegistry, { case: kind, value = "" }: Question["messageRequest"]): object {
  switch (kind) {
    case "listServices":
      return { case: "listServicesResponse", value: { service: serviceNames(descriptors).map((name) => ({ name })) } };
    case "fileByFilename":
      return files(descriptors.getFile(value));
    case "fileContainingSymbol":
      return files(fileOf(descriptors, value));
    case "allExtensionNumbersOfType":
      return { case: "allExtensionNumbersResponse", value: { baseTypeName: value, extensionNumber: [] } };
    case "fileContainingExtension":
      return notFound();
    default:
      return { case: "errorResponse", value: { errorCode: Code.Unimplemented, errorMessage: "Not a known question." } };
  }
}

function serviceNames(descriptors: FileRegistry): string[] {
  return [...descriptors].flatMap((each) => (each.kind === "service" ? [each.typeName] : [])).toSorted();
}

/** The file that holds a message, an enum, a service or one of its methods. */
function fileOf(descriptors: FileRegistry, symbol: string): DescFile | undefined {
  const own = descriptors.get(symbol) ?? descriptors.getService(symbol.slice(0, symbol.lastIndexOf(".")));
  return own?.file;
}

/** A file and all that it imports, so that the caller need not ask for each. */
function files(file: DescFile | undefined): object {
  if (file === undefined) return notFound();
  const all = new Set<DescFile>();
  const add = (each: DescFile): void => {
    if (all.has(each)) return;
    all.add(each);
    each.dependencies.forEach(add);
  };
  add(file);
  const fileDescriptorProto = [...all].map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function notFound(): object {
  return { case: "errorResponse", value: { errorCode: Code.NotFound, errorMessage: "There is nothing of this name." } };
}
