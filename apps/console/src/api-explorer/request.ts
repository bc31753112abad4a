import { casingOf, operations, type Operation } from "@benchtop/operations";
import type { Json } from "@benchtop/protocol";
import type { ApiOperation } from "./document.ts";

/** What was filled in, by field; a field that is not there is left out. */
export type Input = Readonly<Record<string, Json>>;

export interface ApiRequest {
  readonly method: string;
  /** Below the origin, with its query. */
  readonly address: string;
  readonly body: string | undefined;
}

/** The HTTP request of an operation. A field of the path that is missing stays in braces. */
export function requestOf(operation: ApiOperation, input: Input): ApiRequest {
  const query = new URLSearchParams();
  const body: Record<string, Json> = {};
  let path = operation.path;
  for (const { name, place } of operation.fields) {
    const value = input[name];
    if (value === undefined) continue;
    if (place === "path") path = path.replace(`{${name}}`, encodeURIComponent(text(value)));
    else if (place === "query") query.set(name, text(value));
    else body[name] = value;
  }
  const hasBody = operation.fields.some(({ place }) => place === "body");
  return {
    method: operation.method,
    address: query.size === 0 ? path : `${path}?${query.toString()}`,
    body: hasBody ? JSON.stringify(body) : undefined,
  };
}

/** What still has to be filled in. */
export function missingFields(operation: ApiOperation, input: Input): readonly string[] {
  return operation.fields
    .filter(({ name, required, place }) => {
      const value = input[name];
      return required && (value === undefined || (place === "path" && value === ""));
    })
    .map(({ name }) => name);
}

export function isChange(operation: ApiOperation): boolean {
  return operation.method !== "GET";
}

export interface Origin {
  readonly url: string;
  /** Named where a token would work in another workspace by itself. */
  readonly workspace: string | undefined;
}

export function asCurl(operation: ApiOperation, input: Input, origin: Origin): string {
  const { method, address, body } = requestOf(operation, input);
  const headers = [
    ...(operation.permission === "public" ? [] : [`-H "Authorization: Bearer $BENCHTOP_TOKEN"`]),
    ...(origin.workspace === undefined ? [] : [`-H ${quote(`Benchtop-Workspace: ${origin.workspace}`)}`]),
    ...(body === undefined ? [] : [`-H 'Content-Type: application/json'`]),
    ...(operation.transfer === "upload" ? [`-H 'Content-Type: application/octet-stream'`, "--data-binary @FILE"] : []),
    ...(operation.transfer === "download" ? ["-O -J"] : []),
    ...(body === undefined ? [] : [`-d ${quote(body)}`]),
  ];
  const first = [
    "curl",
    ...(operation.transfer === "stream" ? ["-N"] : []),
    ...(method === "GET" ? [] : ["-X", method]),
    quote(`${origin.url}${address}`),
  ].join(" ");
  return [first, ...headers].join(" \\\n  ");
}

export function asTypeScript(operation: ApiOperation, input: Input, origin: Origin): string {
  const workspace = origin.workspace === undefined ? "" : `, workspace: ${JSON.stringify(origin.workspace)}`;
  const lines = [
    `import { createClient } from "@benchtop/client";`,
    "",
    `const client = createClient({ url: ${JSON.stringify(origin.url)}, token: process.env.BENCHTOP_TOKEN${workspace} });`,
  ];
  return [...lines, ...callOf(operation, input)].join("\n");
}

function callOf(operation: ApiOperation, given: Input): readonly string[] {
  const input = literal(given);
  switch (operation.transfer) {
    case "stream":
      return [`for await (const event of client.follow(${literal(given["runId"] ?? "RUN_ID")})) console.log(event);`];
    case "upload":
      return ["const { sha256 } = await client.upload(bytes);"];
    case "download":
      return [
        `const file = await client.downloadFrom(${JSON.stringify(operation.id)}, ${input});`,
        "await writeFile(name, file.body);",
      ];
    default:
      return [`const answer = await client.call(${JSON.stringify(operation.id)}, ${input});`];
  }
}

/** The message of JSON-RPC 2.0, whose names are in snake_case; undefined for bytes, which travel over HTTP alone. */
export function asJsonRpc(operation: ApiOperation, input: Input): string | undefined {
  if (operation.transfer === "upload" || operation.transfer === "download") return undefined;
  const known: Operation | undefined = Object.hasOwn(operations, operation.id)
    ? operations[operation.id as keyof typeof operations]
    : undefined;
  const params = known === undefined ? input : casingOf(known.input).toSnake(input);
  return JSON.stringify({ jsonrpc: "2.0", id: 1, method: operation.rpc, params }, null, 2);
}

function text(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** One word of a POSIX shell. */
function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** An object as a program writes it, names without quotes where they need none. */
function literal(value: Json, indent = ""): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const inner = `${indent}  `;
  const parts = Array.isArray(value)
    ? value.map((item) => literal(item, inner))
    : Object.entries(value).map(([name, item]) => `${propertyName(name)}: ${literal(item, inner)}`);
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  if (parts.length === 0) return `${open}${close}`;
  const flat = `${open}${open === "{" ? " " : ""}${parts.join(", ")}${open === "{" ? " " : ""}${close}`;
  return flat.length <= 72 && !flat.includes("\n")
    ? flat
    : `${open}\n${parts.map((part) => `${inner}${part},`).join("\n")}\n${indent}${close}`;
}

function propertyName(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}
