import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { Option } from "commander";
import type { InputOf, Operations, ProviderKind, ProviderStatus } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol/errors";
import type { Invocation } from "../invocation.ts";
import { formatAmount, formatBytes, formatCount, formatDuration, formatUntil, printable } from "../output/format.ts";
import { printTable } from "../output/table.ts";
import { addCommand, addGroup, dollars } from "./command.ts";

export function addProviderCommands(program: Command, invocation: Invocation): void {
  const providers = addGroup(program, "providers", "Model providers: where models are asked, and with which key.");

  addCommand(
    providers,
    "add [name]",
    "Add a provider, or replace one. The key is taken from an environment variable.",
    [
      "benchtop providers add --preset openai --api-key-env OPENAI_API_KEY",
      "benchtop providers add --preset ollama",
      "benchtop providers add gateway --kind openai-chat \\",
      "    --base-url https://models.example/v1 --api-key-env GATEWAY_KEY",
      "benchtop providers add box --kind ollama --base-url http://127.0.0.1:11434 --local",
      "benchtop providers add own --kind rest --base-url http://127.0.0.1:9000 --local --mapping own.json",
    ],
  )
    .option("--preset <id>", "a provider that Benchtop knows (`benchtop providers presets`), which says the rest")
    .addOption(new Option("--kind <kind>", "the protocol it speaks, or what server it is").choices(kinds))
    .option("--base-url <url>", "its address, up to and without /responses, /chat/completions or /messages")
    .option("--api-key-env <variable>", "environment variable that holds the key; it is read once and kept encrypted")
    .option("--local", "a server on this machine's loopback: http:// is allowed, and no consent is needed")
    .option("--mapping <file>", "of the kind rest: a JSON file that says how the server is asked and read")
    .option("--price-in <usd>", "US dollars per million input tokens, to show costs", dollars)
    .option("--price-out <usd>", "US dollars per million output tokens", dollars)
    .option("--price-cached-in <usd>", "US dollars per million input tokens read from the prompt cache", dollars)
    .option("--price-cache-write <usd>", "US dollars per million input tokens written to it", dollars)
    .action((name: string | undefined, options: AddOptions) => addProvider(invocation, name, options));

  addCommand(providers, "presets", "Providers that Benchtop knows: what `providers add --preset` takes.", [
    "benchtop providers presets",
  ]).action(() => listPresets(invocation));

  addCommand(providers, "list", "Configured providers.").action(() => listProviders(invocation));

  addCommand(
    providers,
    "test <name>",
    "Ask a provider for its models: proves host, TLS and key, and sends no content.",
    ["benchtop providers test openai"],
  ).action((name: string) => testProvider(invocation, name));

  addCommand(
    providers,
    "status <name>",
    "How a server is, what it counts, and in which state its models are: for servers added by their own kind.",
    ["benchtop providers status box"],
  ).action((name: string) => showStatus(invocation, name));

  addCommand(providers, "remove <name>", "Remove a provider and its key.").action((name: string) =>
    removeProvider(invocation, name),
  );
}

const kinds = [
  "openai-responses",
  "openai-chat",
  "anthropic-messages",
  "ollama",
  "vllm",
  "llama-server",
  "lm-studio",
  "rest",
] as const satisfies readonly ProviderKind[];

interface AddOptions {
  readonly preset?: string;
  readonly kind?: ProviderKind;
  readonly baseUrl?: string;
  readonly apiKeyEnv?: string;
  readonly local?: boolean;
  readonly mapping?: string;
  readonly priceIn?: number;
  readonly priceOut?: number;
  readonly priceCachedIn?: number;
  readonly priceCacheWrite?: number;
}

async function addProvider(invocation: Invocation, named: string | undefined, options: AddOptions): Promise<void> {
  const { preset, kind, baseUrl, local } = options;
  const name = named ?? preset;
  if (name === undefined) throw invalid("Name the provider, or give --preset (`benchtop providers presets`).");
  if (preset === undefined && kind === undefined) throw invalid("Give --preset, or --kind and --base-url.");
  invocation.about({ provider: name });
  const apiKey = options.apiKeyEnv === undefined ? undefined : keyFrom(options.apiKeyEnv);
  const prices = pricesOf(options);
  const mapping = options.mapping === undefined ? undefined : await mappingIn(options.mapping);
  const client = await invocation.client();
  const provider = await client.call("providers.add", {
    name,
    ...(preset !== undefined && { preset }),
    ...(kind !== undefined && { kind }),
    ...(baseUrl !== undefined && { baseUrl }),
    ...(local !== undefined && { local }),
    ...(apiKey !== undefined && { apiKey }),
    ...(prices && { prices }),
    ...(mapping && { mapping }),
  });
  if (invocation.json) return invocation.printJson(provider);
  const key = provider.hasApiKey ? "with a key" : "without a key";
  invocation.terminal.line(`Added ${provider.name} (${provider.kind}, ${key}): ${provider.baseUrl}`);
  invocation.terminal.line(`Check it with \`benchtop providers test ${provider.name}\`.`);
}

type Mapping = NonNullable<InputOf<Operations["providers.add"]>["mapping"]>;

/** The daemon says what is wrong with the mapping itself. */
async function mappingIn(path: string): Promise<Mapping> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    const options = { phase: "settings", detail: { path }, cause } as const;
    throw new BenchtopError("FILE_READ_FAILED", `${path} cannot be read.`, options);
  });
  try {
    const mapping: unknown = JSON.parse(text);
    if (typeof mapping === "object" && mapping !== null && !Array.isArray(mapping)) return mapping as Mapping;
  } catch {
    throw invalid(`${path} is not JSON.`);
  }
  throw invalid(`${path} holds no JSON object.`);
}

/** Throws `VALIDATION_FAILED` where a cost could not be worked out from what is given. */
function pricesOf(options: AddOptions): InputOf<Operations["providers.add"]>["prices"] {
  const { priceIn, priceOut, priceCachedIn, priceCacheWrite } = options;
  if (priceIn !== undefined && priceOut !== undefined) {
    return {
      inputPerMillion: priceIn,
      outputPerMillion: priceOut,
      ...(priceCachedIn !== undefined && { cachedInputPerMillion: priceCachedIn }),
      ...(priceCacheWrite !== undefined && { cacheWritePerMillion: priceCacheWrite }),
    };
  }
  if ([priceIn, priceOut, priceCachedIn, priceCacheWrite].every((price) => price === undefined)) return undefined;
  throw invalid("Give both --price-in and --price-out, or no price at all.");
}

function invalid(message: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", message, { phase: "settings" });
}

/** A secret from the environment: on a command line, others could read it. Throws `VALIDATION_FAILED` for none. */
export function keyFrom(variable: string): string {
  const key = process.env[variable]?.trim();
  if (key !== undefined && key !== "") return key;
  throw invalid(
    `The environment variable ${variable} is empty. Put the key into it first: \`read -rs ${variable} && export ${variable}\`.`,
  );
}

async function listPresets(invocation: Invocation): Promise<void> {
  const answer = await (await invocation.client()).call("providers.catalogue", {});
  if (invocation.json) return invocation.printJson(answer);
  printTable(invocation.terminal, answer.items, [
    { title: "PRESET", value: ({ id }) => id },
    { title: "PROVIDER", value: ({ displayName }) => displayName },
    { title: "KEY IN", value: ({ auth }) => auth.environment ?? "–" },
    { title: "MODELS KNOWN", value: ({ models }) => String(models.length) },
    { title: "ADDRESS", value: ({ baseUrl }) => baseUrl },
  ]);
}

async function listProviders(invocation: Invocation): Promise<void> {
  const answer = await (await invocation.client()).call("providers.list", {});
  if (invocation.json) return invocation.printJson(answer);
  if (answer.items.length === 0) {
    invocation.terminal.line("No providers yet. `benchtop providers add --help` shows how to add one.");
    return;
  }
  printTable(invocation.terminal, answer.items, [
    { title: "NAME", value: ({ name }) => name },
    { title: "KIND", value: ({ kind }) => kind },
    { title: "WHERE", value: ({ local }) => (local ? "this machine" : "remote") },
    { title: "KEY", value: ({ hasApiKey }) => (hasApiKey ? "kept" : "none") },
    {
      title: "PRICE IN/OUT",
      value: ({ prices }) => pricesAsText(prices ?? undefined),
    },
    { title: "ADDRESS", value: ({ baseUrl }) => baseUrl },
  ]);
}

async function testProvider(invocation: Invocation, name: string): Promise<void> {
  invocation.about({ provider: name });
  const answer = await (await invocation.client()).call("providers.test", { name });
  if (invocation.json) return invocation.printJson(answer);
  const { green } = invocation.terminal.colours;
  const count = formatCount(answer.models.length, "model");
  invocation.terminal.line(`${green("✓")} ${name} answers in ${formatDuration(answer.latencyMs)} and has ${count}.`);
}

async function showStatus(invocation: Invocation, name: string): Promise<void> {
  const { terminal } = invocation;
  invocation.about({ provider: name });
  const status = await (await invocation.client()).call("providers.status", { name });
  if (invocation.json) return invocation.printJson(status);
  const { kind, health, metrics, models } = status;
  const { green, red, yellow, dim } = terminal.colours;
  const version = health.version === null ? kind : `${kind} ${health.version}`;
  if (health.ready) terminal.line(printable(`${green("✓")} ${name} (${version}) takes requests.`));
  else {
    const sign = health.alive ? yellow("!") : red("✗");
    terminal.line(`${sign} ${printable(`${name} (${version}) takes no requests. ${health.reason ?? ""}`.trimEnd())}`);
  }
  if (metrics) terminal.line(printable(`${countsOf(metrics).join(" · ")}.`));
  if (models.length > 0) {
    terminal.line();
    printTable(terminal, models, [
      { title: "MODEL", value: ({ ref }) => ref },
      { title: "STATE", value: ({ state }) => state },
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
      { title: "UNLOADED", value: ({ expiresAt }) => (expiresAt === null ? "" : formatUntil(expiresAt)) },
      { title: "NOTE", value: ({ error, embeds }) => error ?? (embeds === true ? "makes vectors" : "") },
    ]);
  }
  for (const note of metrics?.notes ?? []) terminal.line(dim(printable(note)));
}

function countsOf(metrics: NonNullable<ProviderStatus["metrics"]>): string[] {
  const { requests, failed, inputTokens, outputTokens, running, waiting, tokensPerSecond, memoryBytes } = metrics;
  return [
    formatCount(requests, "request") + (failed > 0 ? `, ${failed} failed` : ""),
    `${formatAmount(inputTokens)} tokens in, ${formatAmount(outputTokens)} out`,
    `${running} running${waiting > 0 ? `, ${waiting} waiting` : ""}`,
    ...(tokensPerSecond === null ? [] : [`${tokensPerSecond.toFixed(1)} tokens/s`]),
    ...(memoryBytes === null ? [] : [`${formatBytes(memoryBytes)} in memory`]),
  ];
}

async function removeProvider(invocation: Invocation, name: string): Promise<void> {
  invocation.about({ provider: name });
  const answer = await (await invocation.client()).call("providers.remove", { name });
  if (invocation.json) return invocation.printJson(answer);
  invocation.terminal.line(`Removed ${name} and its key.`);
}

export function pricesAsText(
  prices: { readonly inputPerMillion: number; readonly outputPerMillion: number } | undefined,
): string {
  return prices === undefined ? "–" : `$${prices.inputPerMillion}/$${prices.outputPerMillion} per M`;
}
