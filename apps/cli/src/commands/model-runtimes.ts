import type { RunningModel } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol/errors";
import type { Command } from "commander";
import type { Invocation } from "../invocation.ts";
import { formatAmount, formatBytes, formatCount, formatUntil, printable } from "../output/format.ts";
import { withProgress } from "../output/progress.ts";
import { printTable } from "../output/table.ts";
import { addCommand, collect, keepAlive, modelOption, orNull, positiveNumber } from "./command.ts";
import { isOfMachine, localName, modelOf } from "./names.ts";

/** What runs, and vectors of what runs. */
export function addRuntimeCommands(models: Command, invocation: Invocation): void {
  addCommand(models, "ps", "Models that run, what they take of the memory, and what waits.", [
    "benchtop models ps",
  ]).action(() => listRunning(invocation));

  addCommand(
    models,
    "load <name>",
    "Load a model before anybody asks it: an installed one, or PROVIDER/MODEL of a server.",
    [
      "benchtop models load tiny --keep-alive forever",
      "benchtop models load tiny --context 8192 --adapter tiny-polite",
      "benchtop models load box/qwen3:8b --keep-alive 30m",
    ],
  )
    .option("--context <tokens>", "how much it can read at once", positiveNumber)
    .option("--adapter <name>", "a LoRA adapter to load with it; may be repeated, applied in this order", collect)
    .option("--keep-alive <time>", "how long it stays when idle, such as 10m, or `forever`", keepAlive)
    .action((name: string, options: LoadOptions) =>
      isOfServer(name) ? loadServed(invocation, name, options) : load(invocation, localName(name), options),
    );

  addCommand(models, "unload <name>", "Unload a model. Answers that are on their way are finished first.", [
    "benchtop models unload tiny",
    "benchtop models unload box/qwen3:8b",
  ]).action((name: string) =>
    isOfServer(name) ? unloadServed(invocation, name) : unload(invocation, localName(name)),
  );

  addCommand(
    models,
    "embed <text...>",
    "Vectors of texts, by a model of this machine or of a server on it: one JSON array a line.",
    [
      'benchtop models embed "a hash chain" "a ledger" --model benchtop/nomic-embed',
      'benchtop models embed "a hash chain" --model benchtop/nomic-embed --json | jq .dimensions',
    ],
  )
    .addOption(modelOption())
    .option("--no-normalize", "as they come, not brought to length 1")
    .action((texts: string[], options: { model: string; normalize: boolean }) => embed(invocation, texts, options));
}

async function listRunning(invocation: Invocation): Promise<void> {
  const { terminal } = invocation;
  const status = await (await invocation.client()).call("modelRuntimes.status", {});
  if (invocation.json) return invocation.printJson(status);
  const { items, memory, waiting } = status;
  if (items.length === 0)
    terminal.line("No model is loaded. One is when somebody asks it, or with `benchtop models load NAME`.");
  else {
    printTable(terminal, items, [
      { title: "NAME", value: ({ name }) => name },
      {
        title: "STATE",
        value: ({ state }) => state,
        paint: (cell, { state }) => terminal.colours[colours[state]](cell),
      },
      {
        title: "MEMORY",
        align: "right",
        value: ({ memoryBytes }) => (memoryBytes === null ? "" : formatBytes(memoryBytes)),
      },
      {
        title: "CONTEXT",
        align: "right",
        value: ({ contextTokens }) => (contextTokens === null ? "" : formatAmount(contextTokens)),
      },
      { title: "ON", value: ({ device }) => device ?? "" },
      { title: "ADAPTERS", value: ({ adapters }) => adapters.join(", ") },
      {
        title: "ANSWERS",
        align: "right",
        value: ({ busy, waiting }) => (waiting > 0 ? `${busy} + ${waiting}` : String(busy)),
      },
      {
        title: "TOKENS/S",
        align: "right",
        value: ({ tokensPerSecond }) =>
          tokensPerSecond === null ? "" : tokensPerSecond.toFixed(tokensPerSecond < 10 ? 1 : 0),
      },
      { title: "UNLOADED", value: unloadedOf },
    ]);
    for (const { name, error } of items) {
      if (error !== null) terminal.line(`${terminal.colours.red("✗")} ${printable(`${name}: ${error}`)}`);
    }
  }
  terminal.line();
  terminal.line(
    `Models take ${formatBytes(memory.usedBytes)} of ${formatBytes(memory.limitBytes)}; ${formatBytes(memory.freeBytes)} of the machine's ${formatBytes(memory.totalBytes)} are free.`,
  );
  if (waiting === 0) return;
  const requests = formatCount(waiting, "request");
  terminal.line(
    `Waiting for memory: ${requests}. \`benchtop models limits --memory SIZE\` says how much there may be.`,
  );
}

const colours = { loading: "cyan", ready: "green", busy: "yellow", failed: "red" } as const satisfies Record<
  RunningModel["state"],
  string
>;

function unloadedOf({ state, busy, expiresAt }: RunningModel): string {
  if (expiresAt !== null) return formatUntil(expiresAt);
  return state === "ready" && busy === 0 ? "stays" : "";
}

interface LoadOptions {
  readonly context?: number;
  readonly adapter?: string[];
  readonly keepAlive?: number | "forever";
}

async function load(invocation: Invocation, name: string, { context, adapter, keepAlive }: LoadOptions): Promise<void> {
  const { terminal } = invocation;
  invocation.about({ localModel: name });
  const client = await invocation.client();
  const request = {
    name,
    ...(context !== undefined && { contextTokens: context }),
    ...(adapter !== undefined && { adapters: adapter.map(localName) }),
    ...(keepAlive !== undefined && { keepAliveSeconds: orNull(keepAlive) }),
  };
  const model = await withProgress(terminal, `Loading ${name}`, () => client.call("modelRuntimes.load", request));
  if (invocation.json) return invocation.printJson(model);
  const { memoryBytes, contextTokens, device, adapters, expiresAt } = model;
  const facts = [
    ...(memoryBytes === null ? [] : [formatBytes(memoryBytes)]),
    ...(contextTokens === null ? [] : [`reads ${formatCount(contextTokens, "token")}`]),
    ...(device === null ? [] : [`on ${device}`]),
    ...(adapters.length === 0 ? [] : [`with ${adapters.join(", ")}`]),
    expiresAt === null ? "stays" : `unloaded ${formatUntil(expiresAt)} if nobody asks it`,
  ];
  terminal.line(printable(`${name} is loaded: ${facts.join(", ")}.`));
}

/** `PROVIDER/MODEL`; the name that the server has for it may hold slashes itself. */
function isOfServer(name: string): boolean {
  return name.includes("/") && !isOfMachine(name);
}

function servedOf(ref: string): { readonly name: string; readonly model: string } {
  const slash = ref.indexOf("/");
  return { name: ref.slice(0, slash), model: ref.slice(slash + 1) };
}

async function loadServed(invocation: Invocation, ref: string, options: LoadOptions): Promise<void> {
  const { context, adapter, keepAlive } = options;
  if (adapter !== undefined) {
    throw new BenchtopError(
      "VALIDATION_FAILED",
      "Adapters are loaded with models that are installed on this machine.",
      {
        phase: "settings",
      },
    );
  }
  invocation.about(modelOf(ref));
  const client = await invocation.client();
  const request = {
    ...servedOf(ref),
    ...(context !== undefined && { contextTokens: context }),
    ...(keepAlive !== undefined && { keepAliveSeconds: orNull(keepAlive) }),
  };
  const model = await withProgress(invocation.terminal, `Loading ${ref}`, () =>
    client.call("providers.loadModel", request),
  );
  if (invocation.json) return invocation.printJson(model);
  const { memoryBytes, contextTokens, device, expiresAt } = model;
  const facts = [
    ...(memoryBytes === null ? [] : [formatBytes(memoryBytes)]),
    ...(contextTokens === null ? [] : [`reads ${formatCount(contextTokens, "token")}`]),
    ...(device === null ? [] : [`on ${device}`]),
    ...(expiresAt === null ? [] : [`unloaded ${formatUntil(expiresAt)} if nobody asks it`]),
  ];
  invocation.terminal.line(printable(`${ref} is loaded${facts.length > 0 ? `: ${facts.join(", ")}` : ""}.`));
}

async function unloadServed(invocation: Invocation, ref: string): Promise<void> {
  invocation.about(modelOf(ref));
  const client = await invocation.client();
  const answer = await withProgress(invocation.terminal, `Unloading ${ref}`, () =>
    client.call("providers.unloadModel", servedOf(ref)),
  );
  if (invocation.json) return invocation.printJson(answer);
  invocation.terminal.line(printable(`${ref} is not loaded any more.`));
}

async function unload(invocation: Invocation, name: string): Promise<void> {
  const { terminal } = invocation;
  invocation.about({ localModel: name });
  const client = await invocation.client();
  const answer = await withProgress(terminal, `Unloading ${name}`, () => client.call("modelRuntimes.unload", { name }));
  if (invocation.json) return invocation.printJson(answer);
  terminal.line(`${name} is not loaded any more.`);
}

async function embed(
  invocation: Invocation,
  texts: readonly string[],
  { model, normalize }: { readonly model: string; readonly normalize: boolean },
): Promise<void> {
  const { terminal } = invocation;
  invocation.about(modelOf(model));
  const answer = await (await invocation.client()).call("embeddings.create", { model, texts: [...texts], normalize });
  if (invocation.json) return invocation.printJson(answer);
  for (const vector of answer.vectors) terminal.line(JSON.stringify(vector));
  const facts = [
    formatCount(answer.dimensions, "dimension"),
    answer.normalized ? "length 1" : "not normalized",
    formatCount(answer.inputTokens, "token"),
    ...(answer.cached > 0 ? [`${formatCount(answer.cached, "vector")} kept from before`] : []),
  ];
  terminal.errorLine(terminal.errorColours.dim(facts.join(" · ")));
}
