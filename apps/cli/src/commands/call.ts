import { openAsBlob } from "node:fs";
import { text } from "node:stream/consumers";
import type { Command } from "commander";
import type { Client } from "@benchtop/client";
import type { OperationId, Operations, InputOf } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol/errors";
import type { Invocation } from "../invocation.ts";
import { printTable } from "../output/table.ts";
import { addCommand } from "./command.ts";

export function addCallCommand(program: Command, invocation: Invocation): void {
  addCommand(program, "call [operation]", "Call any operation of the API. Without one, list them all.", [
    "benchtop call",
    "benchtop call workbenches.list --input '{\"limit\": 5}'",
    'benchtop call runs.events --input \'{"runId": "run_01k…"}\'    # one event a line',
    "benchtop call files.upload --file data.csv",
    'echo \'{"name": "budget"}\' | benchtop call workbenches.create --input -',
  ])
    .option("--input <json>", "its input as JSON; - reads standard input", "{}")
    .option("--file <path>", "the body of an upload")
    .action((id: string | undefined, options: { input: string; file?: string }) =>
      id === undefined ? listOperations(invocation) : call(invocation, id, options),
    );
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
    { title: "WHAT", value: ({ summary }) => summary },
  ]);
}

/** The answer is JSON whether `--json` is given or not. */
async function call(
  invocation: Invocation,
  id: string,
  options: { readonly input: string; readonly file?: string },
): Promise<void> {
  const { operations } = await import("@benchtop/operations");
  if (!isOperation(operations, id)) {
    throw new BenchtopError("VALIDATION_FAILED", `There is no operation ${id}. \`benchtop call\` lists them.`);
  }
  const input = parseInput(options.input === "-" ? await text(process.stdin) : options.input);
  const parsed = operations[id].input.safeParse(input);
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "input"}: ${message}`);
    throw new BenchtopError("VALIDATION_FAILED", `${id} does not take this input. ${issues.join("; ")}`);
  }
  await answer(invocation, await invocation.client(), id, input, options.file);
}

async function answer(
  invocation: Invocation,
  client: Client,
  id: OperationId,
  input: Readonly<Record<string, unknown>>,
  file: string | undefined,
): Promise<void> {
  switch (id) {
    case "runs.events": {
      const { runId, after } = input as InputOf<Operations["runs.events"]>;
      for await (const event of client.follow(runId, after === undefined ? {} : { after: Number(after) })) {
        invocation.printJson(event);
      }
      return;
    }
    case "files.read": {
      const { body } = await client.download(input as InputOf<Operations["files.read"]>);
      for await (const chunk of body) invocation.terminal.write(chunk);
      return;
    }
    case "evals.report": {
      const { body } = await client.downloadReport(input as InputOf<Operations["evals.report"]>);
      for await (const chunk of body) invocation.terminal.write(chunk);
      return;
    }
    case "files.upload":
      if (file === undefined) throw new BenchtopError("VALIDATION_FAILED", "Name what to send with --file PATH.");
      return invocation.printJson(await client.upload(await openAsBlob(file)));
    default:
      return invocation.printJson(await callAny(client, id, input));
  }
}

/** The input was checked against this operation's own schema just before. */
function callAny(
  client: Client,
  id: Parameters<Client["call"]>[0],
  input: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  return client.call(id, input);
}

function parseInput(json: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new BenchtopError("VALIDATION_FAILED", "--input must be a JSON object, such as '{\"limit\": 5}'.");
}

function isOperation(operations: Operations, id: string): id is OperationId {
  return Object.hasOwn(operations, id);
}
