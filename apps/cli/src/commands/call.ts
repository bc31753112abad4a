import { openAsBlob } from "node:fs";
import { open, readFile, rename, unlink } from "node:fs/promises";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import type { Command } from "commander";
import type { Client, DownloadedFile, DownloadId } from "@benchtop/client";
import type { InputOf, Operation, OperationId, Operations } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol/errors";
import type { Invocation } from "../invocation.ts";
import { formatBytes } from "../output/format.ts";
import { printTable } from "../output/table.ts";
import { addCommand } from "./command.ts";

export function addCallCommand(program: Command, invocation: Invocation): void {
  addCommand(program, "call [operation]", "Call any operation of the API. Without one, list them all.", [
    "benchtop call",
    "benchtop call keys.create --describe              # what it takes and answers, as JSON Schema",
    "benchtop call workbenches.list --input '{\"limit\": 5}'",
    'benchtop call runs.events --input \'{"runId": "run_01k…"}\'    # one event a line',
    "benchtop call files.upload --file data.csv",
    'benchtop call files.read --input \'{"workbenchId": "budget", "path": "a.png"}\' --output a.png',
    'echo \'{"name": "budget"}\' | benchtop call workbenches.create --input -',
  ])
    .option("--input <json>", "its input as JSON; @FILE reads a file, - standard input", "{}")
    .option("--file <path>", "the body of an upload; - reads standard input")
    .option("--output <path>", "where to put what is downloaded; standard output unless told")
    .option("--idempotency-key <key>", "the same key and input within 24 hours are carried out once")
    .option("--describe", "print what the operation is, takes and answers, and call nothing")
    .action((name: string | undefined, options: CallOptions) =>
      name === undefined ? listOperations(invocation) : callNamed(invocation, name, options),
    );
}

interface CallOptions {
  readonly input: string;
  readonly file?: string;
  readonly output?: string;
  readonly idempotencyKey?: string;
  readonly describe?: boolean;
}

async function listOperations(invocation: Invocation): Promise<void> {
  const { operations } = await import("@benchtop/operations");
  const all = Object.values(operations);
  if (invocation.json) {
    return invocation.printJson(
      all.map(({ id, rpc, method, path, permission, summary }) => ({ id, rpc, method, path, permission, summary })),
    );
  }
  printTable(invocation.terminal, all, [
    { title: "OPERATION", value: ({ id }) => id },
    { title: "ROUTE", value: ({ method, path }) => `${method} ${path}` },
    { title: "PERMISSION", value: ({ permission }) => permission },
    { title: "WHAT", value: ({ summary }) => summary },
  ]);
}

/** The answer is JSON whether `--json` is given or not. */
async function callNamed(invocation: Invocation, name: string, options: CallOptions): Promise<void> {
  const { operations } = await import("@benchtop/operations");
  const id = operationCalled(operations, name);
  if (options.describe === true) return await describe(invocation, operations[id]);
  const input = await readInput(options.input);
  const parsed = operations[id].input.safeParse(input);
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "input"}: ${message}`);
    throw invalid(`${id} does not take this input. ${issues.join("; ")}. \`benchtop call ${id} --describe\` shows it.`);
  }
  const call: Call = { invocation, client: await invocation.client(), input, options };
  await (isTransfer(id) ? transfers[id](call) : callForJson(call, id));
}

interface Call {
  readonly invocation: Invocation;
  readonly client: Client;
  /** Checked against the operation's own schema. */
  readonly input: Readonly<Record<string, unknown>>;
  readonly options: CallOptions;
}

type JsonId = Parameters<Client["call"]>[0];
type AnyCall = (id: JsonId, input: Readonly<Record<string, unknown>>, options: object) => Promise<unknown>;

async function callForJson({ invocation, client, input, options }: Call, id: JsonId): Promise<void> {
  const { idempotencyKey } = options;
  const callAny: AnyCall = (name, given, more) => client.call(name, given, more);
  invocation.printJson(await callAny(id, input, idempotencyKey === undefined ? {} : { idempotencyKey }));
}

/** Operations whose answer, or whose question, is more than JSON. */
const transfers: { readonly [Id in Exclude<OperationId, JsonId>]: (call: Call) => Promise<void> } = {
  "runs.events": async ({ invocation, client, input }) => {
    const { runId, after } = input as InputOf<Operations["runs.events"]>;
    for await (const event of client.follow(runId, after === undefined ? {} : { after: Number(after) })) {
      invocation.printJson(event);
    }
  },
  "files.upload": async ({ invocation, client, options: { file } }) => {
    if (file === undefined) throw invalid("Name what to send with --file PATH.");
    const body = file === "-" ? Readable.toWeb(process.stdin) : await blobOf(file);
    invocation.printJson(await client.upload(body as ReadableStream<Uint8Array> | Blob));
  },
  "files.read": (call) => keepFrom(call, "files.read"),
  "review.getPage": (call) => keepFrom(call, "review.getPage"),
  "runs.artifact": (call) => keepFrom(call, "runs.artifact"),
  "workshop.exportConversation": (call) => keepFrom(call, "workshop.exportConversation"),
  "evals.report": (call) => keepFrom(call, "evals.report"),
};

async function keepFrom(call: Call, id: DownloadId): Promise<void> {
  await keep(call, await call.client.downloadFrom(id, call.input as InputOf<Operations[DownloadId]>));
}

function isTransfer(id: OperationId): id is keyof typeof transfers {
  return Object.hasOwn(transfers, id);
}

async function keep({ invocation, options: { output } }: Call, file: DownloadedFile): Promise<void> {
  const content = Readable.fromWeb(file.body as Parameters<typeof Readable.fromWeb>[0]);
  if (output !== undefined) {
    const bytes = await writeWhole(output, content);
    if (invocation.json) return invocation.printJson({ path: output, bytes, mediaType: file.mediaType });
    return invocation.terminal.line(`${output}: ${formatBytes(bytes)}, ${file.mediaType}`);
  }
  if (process.stdout.isTTY && !/^(?:text\/|application\/json)/.test(file.mediaType)) {
    await file.body.cancel();
    throw invalid(`This is ${file.mediaType}, not for a terminal: name a file with --output PATH.`);
  }
  await pipeline(content, process.stdout, { end: false });
}

/** The whole file or none: what was there before stays until everything has come. */
async function writeWhole(path: string, content: Readable): Promise<number> {
  const unfinished = `${path}.part`;
  try {
    const file = await open(unfinished, "wx");
    const stream = file.createWriteStream();
    await pipeline(content, stream);
    await rename(unfinished, path);
    return stream.bytesWritten;
  } catch (cause) {
    content.destroy();
    const code = (cause as NodeJS.ErrnoException).code;
    if (code !== "EEXIST") await unlink(unfinished).catch(() => undefined);
    if (BenchtopError.is(cause)) throw cause;
    throw new BenchtopError("FILE_WRITE_FAILED", `${path} cannot be written (${code ?? String(cause)}).`, {
      phase: "settings",
      detail: { path },
      cause,
    });
  }
}

async function describe(invocation: Invocation, operation: Operation): Promise<void> {
  const { jsonSchemasOf } = await import("@benchtop/operations");
  const { id, rpc, method, path, permission, summary, errors, status = 200, transfer } = operation;
  const described = {
    id,
    rpc,
    method,
    path,
    permission,
    summary,
    status,
    errors,
    ...(transfer !== undefined && { transfer }),
    ...jsonSchemasOf(operation),
  };
  if (invocation.json) return invocation.printJson(described);
  invocation.terminal.line(JSON.stringify(described, undefined, 2));
}

/** By id, or by the name that JSON-RPC and gRPC have for it. */
function operationCalled(operations: Operations, name: string): OperationId {
  if (isOperation(operations, name)) return name;
  const byRpc = Object.values(operations).find(({ rpc }) => rpc === name);
  if (byRpc !== undefined) return byRpc.id;
  const wanted = name.toLowerCase().replaceAll(/[^a-z]/g, "");
  const close = Object.values(operations).filter(({ id }) => id.toLowerCase().replace(".", "").includes(wanted));
  const hint = wanted.length < 3 || close.length === 0 ? "" : ` Did you mean ${close.map(({ id }) => id).join(", ")}?`;
  throw invalid(`There is no operation ${name}.${hint} \`benchtop call\` lists them.`);
}

async function readInput(given: string): Promise<Readonly<Record<string, unknown>>> {
  if (given === "-") return parseInput(await text(process.stdin));
  return parseInput(given.startsWith("@") ? await readText(given.slice(1)) : given);
}

function parseInput(json: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw invalid("--input must be a JSON object, such as '{\"limit\": 5}'.");
}

async function readText(path: string): Promise<string> {
  return await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw unreadable(path, cause);
  });
}

async function blobOf(path: string): Promise<Blob> {
  return await openAsBlob(path).catch((cause: NodeJS.ErrnoException) => {
    throw unreadable(path, cause);
  });
}

function unreadable(path: string, cause: NodeJS.ErrnoException): BenchtopError {
  const why = cause.code === "ENOENT" ? "does not exist" : `cannot be read (${cause.code ?? cause.message})`;
  return new BenchtopError("FILE_READ_FAILED", `${path} ${why}.`, { phase: "settings", detail: { path }, cause });
}

function isOperation(operations: Operations, id: string): id is OperationId {
  return Object.hasOwn(operations, id);
}

function invalid(message: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", message, { phase: "settings" });
}
