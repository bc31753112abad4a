import * as definitions from "@benchtop/operations";
import type { Operation } from "@benchtop/operations";
import { errorInfoSchema, errorRules, Json, RunEvent, type ErrorCode } from "@benchtop/protocol";
import { z } from "zod";
import type { Entry } from "../api/registry.ts";

type Schema = Record<string, unknown>;

const all = Object.values(definitions.operations) as readonly Operation[];

/** OpenAPI 3.1 of operations, made from the same definitions that the requests are checked with. */
export function openApiDocument(operations: readonly Operation[] = all): Schema {
  const schemas = convertSchemas(operations);
  const paths: Record<string, Schema> = {};
  for (const operation of operations) {
    const item = (paths[operation.path] ??= {});
    item[operation.method.toLowerCase()] = describeOperation(operation, schemas);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Benchtop",
      version: definitions.apiVersion,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      description: introduction,
    },
    servers: [{ url: "/", description: "The daemon that this description comes from" }],
    security: [{ token: [] }, { signIn: [] }],
    tags: [...new Set(operations.map(({ id }) => tagOf(id)))].map((name) => ({ name, description: describeTag(name) })),
    paths,
    components: {
      schemas: usedBy(paths, { ...schemas.components, Failure: failureSchema }),
      securitySchemes: {
        token: {
          type: "http",
          scheme: "bearer",
          description: "An API key or service token (`benchtop keys create`), or `$BENCHTOP_HOME/bootstrap-token`.",
        },
        signIn: {
          type: "apiKey",
          in: "cookie",
          name: "benchtop_session",
          description: "Set by signIn.create, for the console. Changes need an `Origin` that is the daemon's own.",
        },
      },
    },
  };
}

const texts = new WeakMap<readonly Entry[], string>();

/** The document of everything that a daemon can do, its extensions included. */
export function openApiText(entries: readonly Entry[]): string {
  const text = texts.get(entries) ?? JSON.stringify(openApiDocument(entries.map(({ operation }) => operation)));
  texts.set(entries, text);
  return text;
}

const introduction = `The API of a Benchtop daemon.

- **Identity**: \`Authorization: Bearer TOKEN\`. Each operation names the permission that it needs (\`x-permission\`).
- **Workspaces**: a request sees what is in its own workspace. An identity with several names one with \`Benchtop-Workspace\`.
- **Failures** are \`{ error: { message, …ErrorInfo } }\`: branch on \`error_code\`, never on the message.
- **Again without harm**: changes accept \`Idempotency-Key\`.
- **Lists** are paged: pass \`nextCursor\` back as \`cursor\`.
- **Too many requests** are 429 \`RATE_LIMITED\` with \`Retry-After\`.

The same operations exist over JSON-RPC 2.0 and gRPC under the names of \`x-rpc\`.`;

/** What each capability is, by the first part of its operations' ids. */
const tags: Readonly<Record<string, string>> = {
  system: "Whether the daemon lives, can take work, and what it is doing",
  signIn: "Exchange a token, a link or an identity provider's word for a browser session",
  signIns: "Browsers that are signed in as you",
  identity: "Who a request is made by, and what they may do",
  workspaces: "Organisations with their own members, workbenches, runs, providers and keys",
  members: "Who works in a workspace, in which role",
  invitations: "Links that make somebody a member",
  keys: "API keys and service tokens: scoped, expiring, revocable, shown once",
  audit: "What became of sign-ins, keys, members and workspaces",
  providers: "Where models are asked, and with which key",
  models: "Models that can be used now",
  runs: "Everything that executes: start, follow, abort, replay, fork, undo",
  workbenches: "Folders of approved files that agents may work on",
  files: "Files of a workbench, and bytes on their way into it",
  outsideChanges: "What another program changed behind Benchtop's back",
  draft: "What an agent changed, before it is real",
  review: "The differences between a Draft and what is published",
  checkpoints: "Snapshots of published files that can be brought back",
  contextItems: "What the agents of a workbench are always told",
  failures: "What went wrong, without content",
  workshop: "Conversations with an agent over a workbench",
  egress: "What was sent where, and what may be",
  egressExceptions: "Hosts of the local network that the operator approved",
  conversations: "Runs that share history",
  memory: "What the agents of a workbench remember",
  evals: "Suites of cases: ask models, judge the answers, compare",
  localModels: "Models that are installed on this machine, and how new ones are made",
  modelDownloads: "Models on their way to this machine",
  modelRuntimes: "Models that run on this machine",
  embeddings: "Texts as vectors",
};

function describeTag(name: string): string {
  return tags[name] ?? "Operations of the program that this daemon is part of";
}

/** Components that something refers to, by way of others too. */
function usedBy(paths: Schema, components: Readonly<Record<string, Schema>>): Record<string, Schema> {
  const used = new Set<string>();
  const visit = (schema: unknown): void => {
    for (const [, name = ""] of JSON.stringify(schema).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (used.has(name)) continue;
      used.add(name);
      visit(components[name]);
    }
  };
  visit(paths);
  return Object.fromEntries(Object.entries(components).filter(([name]) => used.has(name)));
}

const failureSchema: Schema = {
  type: "object",
  examples: [
    {
      error: {
        message: "This workbench has a Draft.",
        error_code: "DRAFT_EXISTS",
        phase: "workbench",
        retryable: false,
        actions: ["review_draft", "discard_draft"],
        workbench_id: "wb_01kaz0h6vw8m3n5q7r9t1x2y4z",
      },
    },
  ],
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

const anyJson: Schema = { description: "Any JSON value" };

interface Schemas {
  /** By component name. */
  readonly components: Readonly<Record<string, Schema>>;
  readonly inputs: Readonly<Record<string, Schema>>;
  readonly outputs: Readonly<Record<string, Schema>>;
}

/** Converts every schema at once, so that those with a name become components and others refer to them. */
function convertSchemas(operations: readonly Operation[]): Schemas {
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
    // A schema of any JSON value that says so by containing itself is more than generators of types can follow.
    components: { ...Object.fromEntries(converted.filter(([name]) => names.has(name))), Json: anyJson },
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

const workspaceParameter: Schema = {
  name: "Benchtop-Workspace",
  in: "header",
  required: false,
  schema: { type: "string" },
  description: "The id of the workspace to work in, for identities that have several; their own unless told.",
};

const resumeParameter: Schema = {
  name: "Last-Event-ID",
  in: "header",
  required: false,
  schema: { type: "string" },
  description: "The `seq` of the last event that was read; the stream goes on after it.",
};

const idempotencyParameter: Schema = {
  name: "Idempotency-Key",
  in: "header",
  required: false,
  schema: { type: "string", minLength: 1, maxLength: 200 },
  description: "The same key and request within 24 hours get the first answer again.",
};

function headerParameters({ method, permission, transfer }: Operation): Schema[] {
  if (permission === "public") return [];
  const isRepeatable = method !== "GET" && transfer === undefined;
  return [
    workspaceParameter,
    ...(transfer === "stream" ? [resumeParameter] : []),
    ...(isRepeatable ? [idempotencyParameter] : []),
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

const anyOperation: readonly ErrorCode[] = ["VALIDATION_FAILED", "RATE_LIMITED", "INTERNAL"];
const anyIdentity: readonly ErrorCode[] = ["AUTH_REQUIRED", "PERMISSION_DENIED"];

/** Failures grouped by status; each names its codes. `default` is what can befall any request. */
function failures(operation: Operation): Record<string, Schema> {
  const codes = new Set<ErrorCode>([
    ...anyOperation,
    ...(operation.permission === "public" ? [] : anyIdentity),
    ...operation.errors,
  ]);
  const byStatus = Map.groupBy(codes, (code) => String(errorRules[code].status));
  return {
    ...Object.fromEntries([...byStatus].map(([status, group]) => [status, failure(group.join(", "), status)])),
    default: failure("Any other failure: a body that is too large or of another kind, a daemon that stops"),
  };
}

function failure(description: string, status?: string): Schema {
  return {
    description,
    ...(status === "429" && {
      headers: { "Retry-After": { description: "Seconds to wait", schema: { type: "integer", minimum: 0 } } },
    }),
    content: { "application/json": { schema: { $ref: "#/components/schemas/Failure" } } },
  };
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
