/** A part of a JSON Schema, as far as the form reads it. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly $ref?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxItems?: number;
}

export interface Field {
  readonly name: string;
  readonly place: "path" | "query" | "body";
  readonly required: boolean;
  readonly schema: Schema;
}

/** One operation, as the OpenAPI document tells of it. */
export interface ApiOperation {
  readonly id: string;
  readonly group: string;
  readonly method: string;
  readonly path: string;
  readonly summary: string;
  readonly permission: string;
  /** Its name over JSON-RPC and gRPC. */
  readonly rpc: string;
  readonly transfer: "json" | "stream" | "download" | "upload";
  readonly fields: readonly Field[];
  /** Status and codes of each failure, in the order of the statuses. */
  readonly failures: readonly { readonly status: string; readonly codes: string }[];
}

export interface ApiDocument {
  readonly operations: readonly ApiOperation[];
  readonly schemas: Readonly<Record<string, Schema>>;
}

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}
interface OpenApiOperation {
  readonly operationId: string;
  readonly tags?: readonly string[];
  readonly summary?: string;
  readonly "x-permission"?: string;
  readonly "x-rpc"?: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly schema?: Schema;
  }[];
  readonly requestBody?: { readonly content?: Readonly<Record<string, { readonly schema?: Schema }>> };
  readonly responses: Readonly<
    Record<string, { readonly description?: string; readonly content?: Readonly<Record<string, unknown>> }>
  >;
}

/** Reads our own daemon's document; another shape than OpenAPI's throws. */
export function readDocument(document: unknown): ApiDocument {
  const { paths, components } = document as OpenApi;
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => readOperation(path, method.toUpperCase(), operation)),
  );
  return { operations, schemas: components.schemas };
}

function readOperation(path: string, method: string, operation: OpenApiOperation): ApiOperation {
  const bodies = operation.requestBody?.content ?? {};
  const body = bodies["application/json"]?.schema;
  const inAddress = (operation.parameters ?? []).flatMap(
    ({ name, in: place, required = false, schema = {} }): Field[] =>
      place === "path" || place === "query" ? [{ name, place, required, schema: fromText(schema) }] : [],
  );
  const inBody = Object.entries(body?.properties ?? {}).map(([name, schema]): Field => ({
    name,
    place: "body",
    required: body?.required?.includes(name) ?? false,
    schema,
  }));
  const id = operation.operationId;
  return {
    id,
    group: operation.tags?.[0] ?? id.slice(0, Math.max(0, id.indexOf("."))),
    method,
    path,
    summary: operation.summary ?? "",
    permission: operation["x-permission"] ?? "public",
    rpc: operation["x-rpc"] ?? id,
    transfer: transferOf(operation, bodies),
    fields: [...inAddress, ...inBody].sort((one, other) => Number(other.required) - Number(one.required)),
    failures: Object.entries(operation.responses)
      .filter(([status]) => Number(status) >= 400)
      .map(([status, { description = "" }]) => ({ status, codes: description })),
  };
}

/** What is read from an address arrives as text, whatever it becomes. */
function fromText(schema: Schema): Schema {
  if (Array.isArray(schema.type)) return schema.type.includes("boolean") ? { type: "boolean" } : { type: "string" };
  const told = schema.type ?? schema.enum ?? schema.$ref;
  return told === undefined ? { ...schema, type: "string" } : schema;
}

function transferOf(operation: OpenApiOperation, bodies: Readonly<Record<string, unknown>>): ApiOperation["transfer"] {
  if ("application/octet-stream" in bodies) return "upload";
  const [, success] = Object.entries(operation.responses).find(([status]) => status.startsWith("2")) ?? [];
  if (success?.content?.["text/event-stream"] !== undefined) return "stream";
  return success?.content?.["application/octet-stream"] === undefined ? "json" : "download";
}
