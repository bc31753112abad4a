import * as definitions from "@benchtop/operations";
import type { Operation } from "@benchtop/operations";
import * as protocol from "@benchtop/protocol";
import { z } from "zod";
import { MessageReader } from "./from-zod.ts";
import { pascalCase, snakeCase, type Field, type Message, type Scalar } from "./message.ts";

export const packageName = "benchtop.v1";

export interface Service {
  /** `RunsService` */
  readonly name: string;
  /** `runs` */
  readonly capability: string;
  readonly methods: readonly Method[];
}

export interface Method {
  readonly operation: Operation;
  readonly request: Message;
  readonly response: Message;
  /** Set where the answer is a thing that has a message of its own: the response then holds it in this field. */
  readonly wrapped: boolean;
}

export interface ServiceDefinitions {
  readonly services: readonly Service[];
  /** Messages that several operations share: those of the protocol, and those of the operations. */
  readonly protocol: readonly Message[];
  readonly resources: readonly Message[];
  readonly errorInfo: Message;
}

/** Every operation as gRPC has it. */
export function defineServices(): ServiceDefinitions {
  const protocolNames = namesOf(protocol);
  const names = new Map([...namesOf(definitions), ...protocolNames]);
  const reader = new MessageReader(names);
  const all = Object.values(definitions.operations) as Operation[];
  const byCapability = Map.groupBy(all, ({ id }) => id.slice(0, id.indexOf(".")));
  const services = [...byCapability].map(([capability, operations]) => ({
    name: `${pascalCase(capability)}Service`,
    capability,
    methods: operations.map((operation) => methodOf(operation, reader)),
  }));
  const errorInfo = reader.object(protocol.errorInfoSchema, "ErrorInfo");
  const ofProtocol = new Set(protocolNames.values());
  return {
    services,
    protocol: [...reader.named.filter(({ name }) => ofProtocol.has(name)), errorInfo],
    resources: reader.named.filter(({ name }) => !ofProtocol.has(name)),
    errorInfo,
  };
}

function methodOf(operation: Operation, reader: MessageReader): Method {
  const { rpc, input, output, transfer } = operation;
  const requestName = `${rpc}Request`;
  const responseName = `${rpc}Response`;
  const request = transfer === "upload" ? uploadOf(reader, input, requestName) : reader.object(input, requestName);
  if (transfer === "download") return { operation, request, response: downloadOf(responseName), wrapped: false };
  const name = reader.nameOf(output);
  if (name === undefined) return { operation, request, response: reader.object(output, responseName), wrapped: false };
  const response = reader.object(z.object({ [uncapitalised(name)]: output }), responseName);
  return { operation, request, response, wrapped: true };
}

/** The fields first, in one message, then the bytes. */
function uploadOf(reader: MessageReader, input: z.ZodType, name: string): Message {
  const message = reader.object(input, `${name}.Input`);
  return {
    name,
    fields: [],
    choice: {
      name: "part",
      variants: [
        { literal: "input", name: "input", message },
        { literal: "chunk", name: "chunk" },
      ],
    },
  };
}

/** What the file is, in one message, then its bytes. */
function downloadOf(name: string): Message {
  const message: Message = {
    name: `${name}.File`,
    fields: [
      scalarField("fileName", "string"),
      scalarField("mediaType", "string"),
      scalarField("sha256", "string"),
      scalarField("bytes", "int64"),
    ],
  };
  return {
    name,
    fields: [],
    choice: {
      name: "part",
      variants: [
        { literal: "file", name: "file", message },
        { literal: "chunk", name: "chunk" },
      ],
    },
  };
}

function scalarField(key: string, scalar: Scalar): Field {
  return { key, name: snakeCase(key), shape: { kind: "scalar", scalar }, optional: false, absent: undefined };
}

/** Exported schemas of objects, by which the messages are named. */
function namesOf(exported: Readonly<Record<string, unknown>>): Map<z.ZodType, string> {
  const names = new Map<z.ZodType, string>();
  for (const [name, schema] of Object.entries(exported)) {
    const isMessage =
      schema instanceof z.ZodObject || schema instanceof z.ZodDiscriminatedUnion || schema instanceof z.ZodIntersection;
    if (isMessage && schema !== definitions.Empty && !names.has(schema)) names.set(schema, name);
  }
  return names;
}

function uncapitalised(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}
