import * as definitions from "@benchtop/operations";
import type { Operation } from "@benchtop/operations";
import { errorInfoSchema, errorRules, Json, RunEvent, type ErrorCode } from "@benchtop/protocol";
import { z } from "zod";

type Schema = Record<string, unknown>;

/** OpenAPI 3.1 of every operation, made from the same definitions that the requests are checked with. */
export function openApiDocument(): Schema {
  const schemas = convertSchemas();
  const paths: Record<string, Schema> = {};
  for (const operation of Object.values(definitions.operations) as Operation[]) {
    const item = (paths[operation.path] ??= {});
    item[operation.method.toLowerCase()] = describeOperation(operation, schemas);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Benchtop",
      version: "1",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      description:
        "The API of a Benchtop daemon. Failures are `{ error: { message, …ErrorInfo } }`: branch on `error_code`, never on the message. Mutations accept `Idempotency-Key`. Lists are paged by `cursor`.",
    },
    security: [{ token: [] }, { signIn: [] }],
    tags: [...new Set(Object.keys(definitions.operations).map(tagOf))].map((name) => ({ name })),
    paths,
    components: {
      schemas: { ...schemas.components, Failure: failureSchema },
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "`$BENCHTOP_HOME/bootstrap-token`" },
        signIn: { type: "apiKey", in: "cookie", name: "benchtop_session", description: "Set by signIn.create" },
      },
    },
  };
}

let text: string | undefined;

export function openApiText(): string {
  return (text ??= JSON.stringify(openApiDocument()));
}

const failureSchema: Schema = {
  type: "object",
  required: ["error"],
  properties: {
    error: {
      allOf: [
        { type: "object", required: ["message"], properties: { message: { type: "string" } } },
        { $ref: "#/components/schemas/ErrorInfo" },
      ],
    },
  },
};

interface Schemas {
  /** By component name. */
  readonly components: Readonly<Record<string, Schema>>;
  readonly inputs: Readonly<Record<string, Schema>>;
  readonly outputs: Readonly<Record<string, Schema>>;
}

/** Converts every schema at once, so that those with a name become components and others refer to them. */
function convertSchemas(): Schemas {
  const operations = Object.values(definitions.operations) as Operation[];
  const output = z.registry<{ id?: string }>();
  for (const [name, schema] of Object.entries({ ...definitions, RunEvent, Json, ErrorInfo: errorInfoSchema })) {
    if (schema instanceof z.ZodObject || schema instanceof z.ZodDiscriminatedUnion || schema === Json) {
      output.add(schema, { id: name });
    }
  }
  const names = new Set(output._idmap.keys());
  // Free-form JSON contains itself, so it has to be a component where it is part of an input, too.
  const input = z.registry<{ id?: string }>();
  input.add(Json, { id: "Json" });
  for (const operation of operations) {
    if (!input.has(operation.input)) input.add(operation.input, { id: operation.id });
    if (!output.has(operation.output)) output.add(operation.output, { id: operation.id });
  }
  const asked = z.toJSONSchema(input, { io: "input", unrepresentable: "any", uri }).schemas;
  const { schemas } = z.toJSONSchema(output, { io: "output", unrepresentable: "any", uri });
  const converted = Object.entries(schemas).map(([name, schema]) => [name, plain(schema)] as const);
  return {
    components: Object.fromEntries(converted.filter(([name]) => names.has(name))),
    inputs: Object.fromEntries(
      operations.map((operation) => [operation.id, plain(asked[input.get(operation.input)?.id ?? operation.id] ?? {})]),
    ),
    outputs: Object.fromEntries(
      operations.map((operation) => {
        const id = output.get(operation.output)?.id ?? operation.id;
        return [operation.id, names.has(id) ? { $ref: `#/components/schemas/${id}` } : plain(schemas[id] ?? {})];
      }),
    ),
  };
}

function uri(id: string): string {
  return `#/components/schemas/${id}`;
}

function plain(schema: object): Schema {
  const { $schema: _, $id: __, ...rest } = schema as Schema;
  return rest;
}

function describeOperation(operation: Operation, schemas: Schemas): Schema {
  const { properties = {}, required = [] } = schemas.inputs[operation.id] as {
    properties?: Record<string, Schema>;
    required?: string[];
  };
  const inPath = [...operation.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "");
  const inQuery = operation.method === "GET" || operation.method === "DELETE" || operation.transfer === "upload";
  const rest = Object.keys(properties).filter((name) => !inPath.includes(name));
  const parameters = [
    ...inPath.map((name) => ({ name, in: "path", required: true, schema: properties[name] ?? {} })),
    ...(inQuery ? rest : []).map((name) => ({
      name,
      in: "query",
      required: required.includes(name),
      schema: properties[name] ?? {},
    })),
    ...headerParameters(operation),
  ];
  const body = inQuery ? undefined : pick(properties, required, rest);
  return {
    operationId: operation.id,
    tags: [tagOf(operation.id)],
    summary: operation.summary,
    "x-permission": operation.permission,
    "x-rpc": operation.rpc,
    ...(operation.permission === "public" && { security: [] }),
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined &&
      rest.length > 0 && {
        requestBody: {
          required: rest.some((name) => required.includes(name)),
          content: { "application/json": { schema: body } },
        },
      }),
    ...(operation.transfer === "upload" && {
      requestBody: { required: true, content: { "application/octet-stream": { schema: {} } } },
    }),
    responses: {
      [String(operation.status ?? 200)]: success(operation, schemas.outputs[operation.id] ?? {}),
      ...failures(operation),
    },
  };
}

function headerParameters(operation: Operation): Schema[] {
  if (operation.transfer === "stream") {
    return [
      {
        name: "Last-Event-ID",
        in: "header",
        required: false,
        schema: { type: "string" },
        description: "The `seq` of the last event that was read; the stream goes on after it.",
      },
    ];
  }
  if (operation.method === "GET" || operation.permission === "public" || operation.transfer === "upload") return [];
  return [
    {
      name: "Idempotency-Key",
      in: "header",
      required: false,
      schema: { type: "string", minLength: 1, maxLength: 200 },
      description: "The same key and request within 24 hours get the first answer again.",
    },
  ];
}

function success(operation: Operation, schema: Schema): Schema {
  if (operation.transfer === "download") {
    return {
      description: "The file's bytes",
      content: { "application/octet-stream": { schema: { type: "string", format: "binary" } } },
    };
  }
  return operation.transfer === "stream"
    ? {
        description: "Server-sent events: `id` is the event's `seq`, `data` one event",
        content: {
          "text/event-stream": {
            schema: { type: "string", contentMediaType: "application/json", contentSchema: schema },
          },
        },
      }
    : { description: operation.summary, content: { "application/json": { schema } } };
}

const anyOperation: readonly ErrorCode[] = ["VALIDATION_FAILED", "INTERNAL"];
const anyIdentity: readonly ErrorCode[] = ["AUTH_REQUIRED", "PERMISSION_DENIED"];

/** Failures grouped by status; each names its codes. */
function failures(operation: Operation): Record<string, Schema> {
  const codes = new Set<ErrorCode>([
    ...anyOperation,
    ...(operation.permission === "public" ? [] : anyIdentity),
    ...operation.errors,
  ]);
  const byStatus = Map.groupBy(codes, (code) => String(errorRules[code].status));
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      status,
      {
        description: group.join(", "),
        content: { "application/json": { schema: { $ref: "#/components/schemas/Failure" } } },
      },
    ]),
  );
}

function pick(properties: Record<string, Schema>, required: readonly string[], names: readonly string[]): Schema {
  const kept = required.filter((name) => names.includes(name));
  return {
    type: "object",
    properties: Object.fromEntries(names.map((name) => [name, properties[name] ?? {}])),
    ...(kept.length > 0 && { required: kept }),
  };
}

function tagOf(id: string): string {
  return id.slice(0, id.indexOf("."));
}
