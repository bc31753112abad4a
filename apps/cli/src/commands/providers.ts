import type { Command } from "commander";
import { Option } from "commander";
import type { InputOf, Operations, ProviderKind } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol/errors";
import type { Invocation } from "../invocation.ts";
import { formatCount, formatDuration, printable } from "../output/format.ts";
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
    ],
  )
    .option("--preset <id>", "a provider that Benchtop knows (`benchtop providers presets`), which says the rest")
    .addOption(new Option("--kind <kind>", "the protocol it speaks").choices(kinds))
    .option("--base-url <url>", "its address, up to and without /responses, /chat/completions or /messages")
    .option("--api-key-env <variable>", "environment variable that holds the key; it is read once and kept encrypted")
    .option("--local", "a server on this machine's loopback: http:// is allowed, and no consent is needed")
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

  addCommand(providers, "remove <name>", "Remove a provider and its key.").action((name: string) =>
    removeProvider(invocation, name),
  );

  addCommand(program, "models", "Models that can be used now, as `--model` takes them.").action(() =>
    listModels(invocation),
  );
}

const kinds = ["openai-responses", "openai-chat", "anthropic-messages"] as const satisfies readonly ProviderKind[];

interface AddOptions {
  readonly preset?: string;
  readonly kind?: ProviderKind;
  readonly baseUrl?: string;
  readonly apiKeyEnv?: string;
  readonly local?: boolean;
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
  const client = await invocation.client();
  const provider = await client.call("providers.add", {
    name,
    ...(preset !== undefined && { preset }),
    ...(kind !== undefined && { kind }),
    ...(baseUrl !== undefined && { baseUrl }),
    ...(local !== undefined && { local }),
    ...(apiKey !== undefined && { apiKey }),
    ...(prices && { prices }),
  });
  if (invocation.json) return invocation.printJson(provider);
  const key = provider.hasApiKey ? "with a key" : "without a key";
  invocation.terminal.line(`Added ${provider.name} (${provider.kind}, ${key}): ${provider.baseUrl}`);
  invocation.terminal.line(`Check it with \`benchtop providers test ${provider.name}\`.`);
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

function keyFrom(variable: string): string {
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

async function removeProvider(invocation: Invocation, name: string): Promise<void> {
  invocation.about({ provider: name });
  const answer = await (await invocation.client()).call("providers.remove", { name });
  if (invocation.json) return invocation.printJson(answer);
  invocation.terminal.line(`Removed ${name} and its key.`);
}

async function listModels(invocation: Invocation): Promise<void> {
  const answer = await (await invocation.client()).call("models.list", {});
  if (invocation.json) return invocation.printJson(answer);
  for (const { providerId, message } of answer.unavailable) {
    invocation.terminal.errorLine(
      `${invocation.terminal.errorColours.yellow("!")} ${providerId}: ${printable(message)}`,
    );
  }
  if (answer.items.length === 0) {
    invocation.terminal.line("No models. `benchtop providers add --help` shows how to add a provider.");
    return;
  }
  printTable(invocation.terminal, answer.items, [
    { title: "MODEL", value: ({ ref }) => ref },
    {
      title: "CONTEXT",
      value: ({ contextTokens }) => (contextTokens === undefined ? "–" : formatTokens(contextTokens)),
    },
    { title: "PRICE IN/OUT", value: ({ prices }) => pricesAsText(prices) },
    { title: "WHERE", value: ({ local }) => (local ? "this machine, no consent needed" : "remote, needs consent") },
  ]);
}

function pricesAsText(
  prices: { readonly inputPerMillion: number; readonly outputPerMillion: number } | undefined,
): string {
  return prices === undefined ? "–" : `$${prices.inputPerMillion}/$${prices.outputPerMillion} per M`;
}

function formatTokens(tokens: number): string {
  return tokens < 1000 ? String(tokens) : `${Math.round(tokens / 1000)}k`;
}
