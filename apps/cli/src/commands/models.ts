import type {
  InputOf,
  LocalModel,
  LocalModelDetails,
  ModelChoice,
  ModelStorage,
  Operations,
} from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol/errors";
import type { Command } from "commander";
import { exitCodes } from "../failure.ts";
import type { Invocation } from "../invocation.ts";
import {
  formatAge,
  formatAmount,
  formatBytes,
  formatCount,
  formatSeconds,
  printable,
  printableText,
} from "../output/format.ts";
import { withProgress } from "../output/progress.ts";
import { printFacts, printTable } from "../output/table.ts";
import { addCommand, keepAlive, orNull, sizeOr } from "./command.ts";
import { addDownloadCommands, howToUse } from "./model-downloads.ts";
import { modelSource, pathOnDaemon } from "./model-files.ts";
import { addJobCommands } from "./model-jobs.ts";
import { addRuntimeCommands } from "./model-runtimes.ts";
import { localName } from "./names.ts";
import { keyFrom, pricesAsText } from "./providers.ts";

/** Every model that can be asked, and those that are installed on the daemon's machine. */
export function addModelCommands(program: Command, invocation: Invocation): void {
  const models = addCommand(program, "models", "Models that can be used now, and the models of this machine.", [
    "benchtop models                                          # what `--model` takes",
    "benchtop models install hf:Qwen/Qwen3-0.6B-GGUF:Q8_0     # from Hugging Face, onto this machine",
    "benchtop models installed",
    "benchtop chat benchtop/guide                             # the one that is there from the start",
  ])
    .allowExcessArguments()
    .action((_options: unknown, command: Command) => {
      const [word] = command.args;
      if (word !== undefined) command.error(`error: unknown command '${word}'`);
      return listModels(invocation);
    });

  addCommand(models, "list", "Models that can be used now, as `--model` takes them; the same as `models` alone.", [
    "benchtop models list --json | jq -r '.items[].ref'",
  ]).action(() => listModels(invocation));

  addCommand(models, "installed", "Models that are installed on this machine, and what they take of its disk.", [
    "benchtop models installed",
  ]).action(() => listInstalled(invocation));

  addCommand(models, "choices <source>", "What a source offers, with sizes, before anything is installed.", [
    "benchtop models choices hf:Qwen/Qwen3-0.6B-GGUF",
  ]).action((source: string) => listChoices(invocation, source));

  addDownloadCommands(models, invocation);

  addCommand(models, "show <name>", "One installed model: files, memory it takes, template, how it was made.", [
    "benchtop models show guide",
  ]).action((name: string) => showModel(invocation, localName(name)));

  addCommand(models, "remove <name>", "Remove an installed model and its files.", ["benchtop models remove tiny --yes"])
    .option("-y, --yes", "do not ask")
    .action((name: string, options: { yes?: boolean }) =>
      removeModel(invocation, localName(name), options.yes ?? false),
    );

  addCommand(models, "pin <name>", "Keep a model out of what is suggested for removal.", [
    "benchtop models pin tiny",
  ]).action((name: string) => pin(invocation, localName(name), true));
  addCommand(models, "unpin <name>", "Suggest it for removal again.").action((name: string) =>
    pin(invocation, localName(name), false),
  );

  addCommand(
    models,
    "verify <name>",
    "Read every file of a model again and compare its hash. Exits with 1 when one is damaged.",
    ["benchtop models verify tiny"],
  ).action((name: string) => verify(invocation, localName(name)));

  addCommand(models, "export <name...>", "Write models into one bundle, for a machine without a network.", [
    "benchtop models export tiny tiny-adapter --to models.bundle",
  ])
    .requiredOption("--to <file>", "the bundle to write")
    .action((names: string[], options: { to: string }) => exportModels(invocation, names.map(localName), options.to));

  addCommand(models, "import <file>", "Install the models of a bundle.", [
    "benchtop models import models.bundle",
  ]).action((file: string) => importModels(invocation, file));

  addRuntimeCommands(models, invocation);

  addCommand(
    models,
    "limits",
    "Limits of the models of this machine: disk, bandwidth, memory, how long an idle one stays. Without options, shows them.",
    [
      "benchtop models limits",
      "benchtop models limits --quota 50GB --bandwidth 10MB --keep-alive 10m",
      "benchtop models limits --quota none --memory auto --keep-alive forever",
      "benchtop models limits --hugging-face-token-env HF_TOKEN      # for models that ask for an account",
    ],
  )
    .option("--quota <size>", "of the disk for all installed models together, or `none`", sizeOr("none"))
    .option("--bandwidth <size>", "a second for all downloads together, or `none`", sizeOr("none"))
    .option("--memory <size>", "for all loaded models together, or `auto`: a share of the machine's", sizeOr("auto"))
    .option("--keep-alive <time>", "how long an idle model stays loaded, or `forever`", keepAlive)
    .option(
      "--hugging-face-token-env <variable>",
      "environment variable with your token, kept encrypted: for gated models",
    )
    .option("--forget-hugging-face-token", "forget that token")
    .action((options: LimitOptions) => limits(invocation, options));

  addJobCommands(models, invocation);
}

async function listModels(invocation: Invocation): Promise<void> {
  const { terminal } = invocation;
  const answer = await (await invocation.client()).call("models.list", {});
  if (invocation.json) return invocation.printJson(answer);
  for (const { providerId, message } of answer.unavailable) {
    terminal.errorLine(`${terminal.errorColours.yellow("!")} ${providerId}: ${printable(message)}`);
  }
  if (answer.items.length === 0) {
    terminal.line("No models. `benchtop models install --help` shows how to install one here,");
    return terminal.line("`benchtop providers add --help` how to add a provider.");
  }
  printTable(terminal, answer.items, [
    { title: "MODEL", value: ({ ref }) => ref },
    {
      title: "CONTEXT",
      value: ({ contextTokens }) => (contextTokens === undefined ? "–" : formatAmount(contextTokens)),
    },
    { title: "PRICE IN/OUT", value: ({ prices }) => pricesAsText(prices) },
    { title: "WHERE", value: ({ local }) => (local ? "this machine, no consent needed" : "remote, needs consent") },
  ]);
}

async function listInstalled(invocation: Invocation): Promise<void> {
  const { terminal } = invocation;
  const answer = await (await invocation.client()).call("localModels.list", {});
  if (invocation.json) return invocation.printJson(answer);
  if (answer.items.length === 0) {
    terminal.line("No models are installed. `benchtop models install --help` shows how to install one.");
  } else {
    printTable(terminal, answer.items, [
      { title: "NAME", value: ({ name }) => name },
      { title: "KIND", value: kindOf },
      { title: "SIZE", align: "right", value: ({ bytes }) => formatBytes(bytes) },
      { title: "QUANTIZATION", value: ({ quantization }) => quantization },
      { title: "PARAMETERS", align: "right", value: ({ parameters }) => formatAmount(parameters) },
      {
        title: "CONTEXT",
        align: "right",
        value: ({ contextTokens }) => (contextTokens === null ? "–" : formatAmount(contextTokens)),
      },
      { title: "LOADED", value: ({ loaded }) => (loaded ? "yes" : ""), paint: (cell) => terminal.colours.green(cell) },
      { title: "PINNED", value: ({ pinned }) => (pinned ? "yes" : "") },
      { title: "LAST USED", value: ({ usedAt }) => (usedAt === null ? "never" : formatAge(usedAt)) },
    ]);
    terminal.line();
  }
  printStorage(invocation, answer.storage);
}

function kindOf({ kind, shipped, embeds }: LocalModel): string {
  if (shipped) return "guide";
  return kind === "adapter" ? "adapter" : embeds ? "embeddings" : "model";
}

/** Nothing is ever deleted to make room: what could be is said, and how. */
function printStorage({ terminal }: Invocation, { usedBytes, quotaBytes, freeBytes, suggestions }: ModelStorage): void {
  const { yellow } = terminal.colours;
  const used = quotaBytes === null ? formatBytes(usedBytes) : `${formatBytes(usedBytes)} of ${formatBytes(quotaBytes)}`;
  terminal.line(`Models take ${used}; ${formatBytes(freeBytes)} of the disk are free.`);
  const over = quotaBytes === null ? 0 : usedBytes - quotaBytes;
  if (over > 0) terminal.line(yellow(`That is ${formatBytes(over)} more than they may. Nothing is deleted by itself.`));
  else if (suggestions.length > 0) terminal.line(yellow("The disk is nearly full. Nothing is deleted by itself."));
  for (const { name, bytes, usedAt } of suggestions) {
    const last = usedAt === null ? "never used" : `last used ${formatAge(usedAt)}`;
    terminal.line(printable(`  → \`benchtop models remove ${name}\` frees ${formatBytes(bytes)} (${last})`));
  }
}

async function listChoices(invocation: Invocation, source: string): Promise<void> {
  const { terminal } = invocation;
  const client = await invocation.client();
  invocation.about({ source });
  const answer = await withProgress(terminal, "Asking", () =>
    client.call("localModels.choices", { source: modelSource(source) }),
  );
  if (invocation.json) return invocation.printJson(answer);
  if (answer.items.length === 0)
    return terminal.line("It offers nothing that can be installed: no GGUF file was found.");
  printTable(terminal, answer.items, [
    { title: "FILE", value: ({ title }) => title },
    { title: "QUANTIZATION", value: ({ quantization }) => quantization ?? "–" },
    { title: "SIZE", align: "right", value: ({ bytes }) => (bytes === null ? "–" : formatBytes(bytes)) },
    { title: "FITS", value: fitOf, paint: (cell, choice) => (fits(choice) ? cell : terminal.colours.yellow(cell)) },
    { title: "`benchtop models install …`", value: ({ source }) => source },
  ]);
}

function fits({ fitsDisk, fitsMemory }: ModelChoice): boolean {
  return fitsDisk !== false && fitsMemory !== false;
}

function fitOf(choice: ModelChoice): string {
  if (fits(choice)) return choice.fitsDisk === null && choice.fitsMemory === null ? "–" : "yes";
  return [choice.fitsDisk === false ? "no disk" : [], choice.fitsMemory === false ? "no memory" : []].flat().join(", ");
}

async function showModel(invocation: Invocation, name: string): Promise<void> {
  const { terminal } = invocation;
  invocation.about({ localModel: name });
  const model = await (await invocation.client()).call("localModels.get", { name });
  if (invocation.json) return invocation.printJson(model);
  const { memory, chatTemplate, manifest } = model;
  printFacts(terminal, [
    ["Model", `${model.ref} (${kindOf(model)})`],
    ["From", model.source],
    ["Licence", model.licence ?? "not said"],
    ["Architecture", `${model.architecture}, ${formatAmount(model.parameters)} parameters, ${model.quantization}`],
    ["Context", model.contextTokens === null ? "not said" : formatCount(model.contextTokens, "token")],
    ["Template", model.hasChatTemplate ? "its own" : "none: conversations are written in a plain form"],
    ["Memory", memory === null ? "not known" : memoryOf(memory)],
    ["State", stateOf(model)],
    ["Installed", `${model.installedAt} (${formatAge(model.installedAt)})`],
    ["Last used", model.usedAt === null ? "never" : `${model.usedAt} (${formatAge(model.usedAt)})`],
    ...model.files.map(
      ({ path, bytes, sha256 }) => ["File", `${path} (${formatBytes(bytes)}, SHA-256 ${sha256})`] as const,
    ),
  ]);
  for (const [title, text] of [
    ["How it was made", manifest === null ? null : JSON.stringify(manifest, null, 2)],
    ["Template", chatTemplate],
  ] as const) {
    if (text === null) continue;
    terminal.line(`\n${terminal.colours.dim(title)}`);
    terminal.line(printableText(text).trimEnd());
  }
}

function memoryOf(memory: NonNullable<LocalModelDetails["memory"]>): string {
  const { weightsBytes, cacheBytes, computeBytes, totalBytes } = memory;
  const process = totalBytes - weightsBytes - cacheBytes - computeBytes;
  const parts = [
    `weights ${formatBytes(weightsBytes)}`,
    `cache ${formatBytes(cacheBytes)}`,
    `computing ${formatBytes(computeBytes)}`,
    ...(process > 0 ? [`its process ${formatBytes(process)}`] : []),
  ];
  return `about ${formatBytes(totalBytes)} (${parts.join(", ")})`;
}

function stateOf({ loaded, pinned, shipped }: LocalModelDetails): string {
  const words = [loaded ? "loaded" : "not loaded", pinned ? "pinned" : [], shipped ? "comes with Benchtop" : []];
  return words.flat().join(", ");
}

async function removeModel(invocation: Invocation, name: string, yes: boolean): Promise<void> {
  const { terminal } = invocation;
  invocation.about({ localModel: name });
  const client = await invocation.client();
  if (terminal.isInteractive && !yes) {
    const { bytes } = await client.call("localModels.get", { name });
    const sure = await terminal.confirm(`Remove ${name} and its files (${formatBytes(bytes)})?`);
    if (!sure) throw new BenchtopError("USER_CANCELED", "Nothing was removed.", { phase: "settings" });
  }
  const answer = await client.call("localModels.remove", { name });
  if (invocation.json) return invocation.printJson(answer);
  terminal.line(`Removed ${name}: ${formatBytes(answer.freedBytes)} are free again.`);
}

async function pin(invocation: Invocation, name: string, pinned: boolean): Promise<void> {
  invocation.about({ localModel: name });
  const model = await (await invocation.client()).call("localModels.pin", { name, pinned });
  if (invocation.json) return invocation.printJson(model);
  invocation.terminal.line(
    pinned
      ? `Pinned ${name}: it is not suggested for removal.`
      : `${name} is suggested for removal again, in its turn.`,
  );
}

async function verify(invocation: Invocation, name: string): Promise<void> {
  const { terminal } = invocation;
  invocation.about({ localModel: name });
  const client = await invocation.client();
  const answer = await withProgress(terminal, `Reading ${name}`, () => client.call("localModels.verify", { name }));
  if (!answer.intact) process.exitCode = exitCodes.runtime;
  if (invocation.json) return invocation.printJson(answer);
  if (answer.intact) return terminal.line(`${terminal.colours.green("✓")} ${name} is as it was installed.`);
  for (const path of answer.damaged) terminal.line(`${terminal.colours.red("✗")} ${printable(path)}`);
  terminal.line(`${name} is damaged. \`benchtop models remove ${name}\`, then install it again.`);
}

async function exportModels(invocation: Invocation, names: readonly string[], file: string): Promise<void> {
  const client = await invocation.client();
  const request = { names: [...names], destination: pathOnDaemon(file) };
  const answer = await withProgress(invocation.terminal, "Writing the bundle", () =>
    client.call("localModels.export", request),
  );
  if (invocation.json) return invocation.printJson(answer);
  const what = formatCount(names.length, "model");
  invocation.terminal.line(`Wrote ${what} to ${printable(answer.path)} (${formatBytes(answer.bytes)}).`);
}

async function importModels(invocation: Invocation, file: string): Promise<void> {
  const { terminal } = invocation;
  const client = await invocation.client();
  const request = { path: pathOnDaemon(file) };
  const answer = await withProgress(terminal, "Reading the bundle", () => client.call("localModels.import", request));
  if (invocation.json) return invocation.printJson(answer);
  for (const model of answer.items) {
    terminal.line(`${terminal.colours.green("✓")} Installed ${model.ref} (${formatBytes(model.bytes)}).`);
  }
  const [only] = answer.items;
  if (only !== undefined && answer.items.length === 1) terminal.line(howToUse(only));
  if (only === undefined) terminal.line("The bundle holds no model that was not here yet.");
}

interface LimitOptions {
  readonly quota?: number | "none";
  readonly bandwidth?: number | "none";
  readonly memory?: number | "auto";
  readonly keepAlive?: number | "forever";
  readonly huggingFaceTokenEnv?: string;
  readonly forgetHuggingFaceToken?: boolean;
}

async function limits(invocation: Invocation, options: LimitOptions): Promise<void> {
  const changes = changesOf(options);
  const client = await invocation.client();
  const settings =
    Object.keys(changes).length === 0
      ? await client.call("localModels.settings", {})
      : await client.call("localModels.configure", changes);
  if (invocation.json) return invocation.printJson(settings);
  const { quotaBytes, downloadBytesPerSecond, memoryBytes, keepAliveSeconds, hasHuggingFaceToken } = settings;
  printFacts(invocation.terminal, [
    ["Disk", quotaBytes === null ? "no limit" : formatBytes(quotaBytes)],
    ["Bandwidth", downloadBytesPerSecond === null ? "no limit" : `${formatBytes(downloadBytesPerSecond)}/s`],
    ["Memory", memoryBytes === null ? "a share of this machine's" : formatBytes(memoryBytes)],
    ["Keep alive", keepAliveSeconds === null ? "forever" : formatSeconds(keepAliveSeconds)],
    ["Hugging Face", hasHuggingFaceToken ? "your token is kept" : "no token"],
  ]);
}

function changesOf(options: LimitOptions): InputOf<Operations["localModels.configure"]> {
  const { quota, bandwidth, memory, keepAlive: seconds, huggingFaceTokenEnv, forgetHuggingFaceToken } = options;
  return {
    ...(quota !== undefined && { quotaBytes: orNull(quota) }),
    ...(bandwidth !== undefined && { downloadBytesPerSecond: orNull(bandwidth) }),
    ...(memory !== undefined && { memoryBytes: orNull(memory) }),
    ...(seconds !== undefined && { keepAliveSeconds: orNull(seconds) }),
    ...(huggingFaceTokenEnv !== undefined && { huggingFaceToken: keyFrom(huggingFaceTokenEnv) }),
    ...(forgetHuggingFaceToken === true && { huggingFaceToken: null }),
  };
}
