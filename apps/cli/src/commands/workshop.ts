import { writeFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import type { ConversationEntry, InputOf, Operations, OutputOf } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol/errors";
import { Option, type Command } from "commander";
import { consentFor, type ConsentMode } from "../consent.ts";
import type { Invocation } from "../invocation.ts";
import { formatAge, formatCount, formatCounts, printable } from "../output/format.ts";
import { printTable } from "../output/table.ts";
import { addCommand, addGroup, collect, consentOption, positiveNumber } from "./command.ts";
import { modelOf, quoted } from "./names.ts";
import { showRun } from "../follow.ts";

const itemKinds = ["situation", "style-guide", "reference"] as const;

/** The conversation of a workbench: said, taken back, asked again; and what every turn of it is told. */
export function addWorkshopCommands(program: Command, invocation: Invocation): void {
  const workshop = addGroup(program, "workshop", "The conversation of a workbench, and what every turn is told.");

  addCommand(
    workshop,
    "say <workbench> <message>",
    "Say something about the files: one answer, and changes that go to the Draft all or none.",
    [
      'benchtop workshop say budget "which totals are wrong?" --model ollama/qwen3',
      'benchtop workshop say budget "correct them"               # the model of the conversation',
    ],
  )
    .addOption(modelOption())
    .addOption(consentOption())
    .option("--fallback <ref>", "the model to ask when that one fails; may be repeated, best first", collect)
    .action((workbench: string, words: string, options: TurnOptions) => say(invocation, workbench, words, options));

  addCommand(workshop, "show <workbench>", "What was said and done, newest first.")
    .option("--limit <number>", "at most so many", positiveNumber, 20)
    .option("--cursor <cursor>", "go on where the last page ended (nextCursor)")
    .action((workbench: string, options: { limit: number; cursor?: string }) => show(invocation, workbench, options));

  addCommand(
    workshop,
    "undo <workbench> <run>",
    "Take a turn back with all that came after it, and what it changed in the Draft.",
    ["benchtop workshop show budget", "benchtop workshop undo budget run_01k…"],
  )
    .option("--discard-edits", "lose what was changed by hand since, too")
    .action((workbench: string, runId: string, options: { discardEdits?: boolean }) =>
      undo(invocation, workbench, runId, options.discardEdits ?? false),
    );

  addCommand(workshop, "regenerate <workbench>", "Take the newest turn back and ask it again.", [
    "benchtop workshop regenerate budget --model openai/gpt-5.2 --consent once",
  ])
    .addOption(modelOption())
    .addOption(consentOption())
    .option("--discard-edits", "lose what was changed by hand since, too")
    .action((workbench: string, options: TurnOptions & { discardEdits?: boolean }) =>
      regenerate(invocation, workbench, options),
    );

  addCommand(workshop, "model <workbench> [model]", "The model of the conversation, or another one from here on.", [
    "benchtop workshop model budget openai/gpt-5.2",
  ]).action((workbench: string, model: string | undefined) => switchModel(invocation, workbench, model));

  addCommand(workshop, "meter <workbench>", "How much of the model's window the next turn takes, and by what.")
    .addOption(modelOption())
    .addOption(new Option("--for <kind>", "a message, or an agent").choices(["message", "agent"]).default("message"))
    .action((workbench: string, options: { model?: string; for: "message" | "agent" }) =>
      showMeter(invocation, workbench, options),
    );

  addCommand(workshop, "export <workbench>", "The conversation as JSON Lines, on standard output.", [
    "benchtop workshop export budget | jq -r 'select(.asked).asked'",
  ])
    .option("-o, --output <file>", "into this file")
    .action((workbench: string, options: { output?: string }) => exportAs(invocation, workbench, options.output));

  addItemCommands(workshop, invocation);
}

function addItemCommands(workshop: Command, invocation: Invocation): void {
  addCommand(workshop, "items <workbench>", "What every turn is told: the situation, style guides, references.").action(
    (workbench: string) => listItems(invocation, workbench),
  );

  addCommand(
    workshop,
    "set-item <workbench> <title> <text>",
    "Tell every turn something, or change what it is told. A model elsewhere asks for your consent again.",
    [
      'benchtop workshop set-item budget "House style" "Amounts in EUR, no abbreviations." --kind style-guide',
      "benchtop workshop set-item budget Situation - < situation.md      # - reads standard input",
    ],
  )
    .addOption(new Option("--kind <kind>", "what it is").choices([...itemKinds]).default("situation"))
    .option("--item <id>", "the one to change; a new one when absent")
    .action((workbench: string, title: string, words: string, options: ItemOptions) =>
      setItem(invocation, workbench, title, words, options),
    );

  addCommand(workshop, "remove-item <workbench> <item>", "Tell it no more.", [
    "benchtop workshop items budget",
    "benchtop workshop remove-item budget ctx_01k…",
  ]).action((workbench: string, itemId: string) => removeItem(invocation, workbench, itemId));
}

interface TurnOptions {
  readonly model?: string;
  readonly consent?: ConsentMode;
  readonly fallback?: readonly string[];
}

interface ItemOptions {
  readonly kind: (typeof itemKinds)[number];
  readonly item?: string;
}

function modelOption(): Option {
  return new Option("--model <ref>", "the model, PROVIDER/MODEL; the conversation's when absent");
}

async function say(invocation: Invocation, workbench: string, words: string, options: TurnOptions): Promise<void> {
  const message = words === "-" ? await text(process.stdin) : words;
  const asked = await agreed(invocation, workbench, options);
  const client = await invocation.client();
  const { runId } = await client.call("workshop.sendUserMessage", { workbenchId: workbench, ...asked, message });
  await showTurn(invocation, workbench, runId);
}

async function regenerate(
  invocation: Invocation,
  workbench: string,
  options: TurnOptions & { readonly discardEdits?: boolean },
): Promise<void> {
  const asked = await agreed(invocation, workbench, options);
  const client = await invocation.client();
  const { runId } = await client.call("workshop.regenerate", {
    workbenchId: workbench,
    ...asked,
    discardEdits: options.discardEdits ?? false,
  });
  await showTurn(invocation, workbench, runId);
}

type Asked = Pick<InputOf<Operations["workshop.sendUserMessage"]>, "model" | "fallbacks" | "consent">;

/** The model that is asked, and the consent that it needs. */
async function agreed(
  invocation: Invocation,
  workbench: string,
  { model, fallback = [], consent: flag }: TurnOptions,
): Promise<Asked> {
  invocation.about({ workbench, ...(model !== undefined && modelOf(model)) });
  const client = await invocation.client();
  const statusOf = async (ref?: string) => {
    const about = { workbenchId: workbench, ...(ref !== undefined && { model: ref }) };
    return (await client.call("egress.consentStatus", about)).workshop;
  };
  const first = model ?? nameOf(await statusOf());
  const consent = await consentFor(invocation, flag, { models: [first, ...fallback], scopeOf: statusOf });
  return {
    ...(model !== undefined && { model }),
    ...(fallback.length > 0 && { fallbacks: [...fallback] }),
    ...(consent !== undefined && { consent }),
  };
}

function nameOf({ providerId, modelId }: { readonly providerId: string; readonly modelId: string }): string {
  return `${providerId}/${modelId}`;
}

async function showTurn(invocation: Invocation, workbench: string, runId: string): Promise<void> {
  await showRun(invocation, runId);
  if (invocation.json) return;
  const draft = await (await invocation.client()).call("draft.getState", { workbenchId: workbench });
  const name = quoted(workbench);
  invocation.terminal.errorLine(
    draft.exists
      ? `Draft: ${formatCounts(draft.counts)} — review with \`benchtop draft diff ${name}\`, publish with \`benchtop draft publish ${name}\``
      : "No file was changed.",
  );
}

async function show(
  invocation: Invocation,
  workbench: string,
  options: { readonly limit: number; readonly cursor?: string },
): Promise<void> {
  invocation.about({ workbench });
  const client = await invocation.client();
  const answer = await client.call("workshop.conversation", { workbenchId: workbench, ...options });
  if (invocation.json) return invocation.printJson(answer);
  const { terminal } = invocation;
  if (answer.items.length === 0) return terminal.line("Nothing was said yet.");
  printTable(terminal, answer.items, [
    { title: "RUN", value: ({ runId }) => runId },
    { title: "WHEN", value: ({ startedAt }) => formatAge(startedAt) },
    { title: "WHAT", value: ({ kind }) => kind },
    {
      title: "CAME TO",
      value: ({ status, outcome }) => outcome?.replace("_", " ") ?? status,
      paint: (cell, { status }) => (status === "error" ? terminal.colours.red(cell) : cell),
    },
    { title: "SAID", value: saidIn, shrink: true },
  ]);
  if (answer.nextCursor !== null) terminal.errorLine(`There are more: --cursor ${answer.nextCursor}`);
}

function saidIn({ task, events }: ConversationEntry): string {
  const completed = events.find((event) => event.type === "Completed");
  return (task ?? (completed?.type === "Completed" ? completed.output : "")).replaceAll(/\s+/g, " ");
}

async function undo(invocation: Invocation, workbench: string, runId: string, discardEdits: boolean): Promise<void> {
  invocation.about({ workbench, runId });
  const client = await invocation.client();
  const answer = await client.call("workshop.undoToMessage", { workbenchId: workbench, runId, discardEdits });
  if (invocation.json) return invocation.printJson(answer);
  const { terminal } = invocation;
  terminal.line(`Took back ${formatCount(answer.removed.length, "entry", "entries")}.`);
  terminal.line(
    answer.draft.exists ? `The Draft is as it was before: ${formatCounts(answer.draft.counts)}.` : "There is no Draft.",
  );
  if (answer.message !== null) terminal.line(`It said: ${printable(answer.message)}`);
}

async function switchModel(invocation: Invocation, workbench: string, model: string | undefined): Promise<void> {
  invocation.about({ workbench, ...(model !== undefined && modelOf(model)) });
  const client = await invocation.client();
  if (model === undefined) {
    const { workshop } = await client.call("egress.consentStatus", { workbenchId: workbench });
    if (invocation.json) return invocation.printJson({ model: nameOf(workshop) });
    return invocation.terminal.line(nameOf(workshop));
  }
  const answer = await client.call("workshop.switchModel", { workbenchId: workbench, model });
  if (invocation.json) return invocation.printJson(answer);
  invocation.terminal.line(
    answer.runId === null ? `${workbench} asks ${model} already.` : `${workbench} asks ${model} from here on.`,
  );
}

type Use = OutputOf<Operations["workshop.context"]>;

async function showMeter(
  invocation: Invocation,
  workbench: string,
  options: { readonly model?: string; readonly for: "message" | "agent" },
): Promise<void> {
  invocation.about({ workbench, ...(options.model !== undefined && modelOf(options.model)) });
  const use = await (
    await invocation.client()
  ).call("workshop.context", {
    workbenchId: workbench,
    kind: options.for,
    ...(options.model !== undefined && { model: options.model }),
  });
  if (invocation.json) return invocation.printJson(use);
  const { terminal } = invocation;
  terminal.line(pressureOf(use));
  printTable(terminal, use.parts, [
    { title: "PART", value: ({ part }) => part },
    { title: "COUNT", align: "right", value: ({ count }) => String(count) },
    { title: "TOKENS", align: "right", value: ({ tokens }) => `~${tokens}` },
  ]);
  if (use.leftOut.length === 0) return;
  const shown = use.leftOut.slice(0, 5).map(printable).join(", ");
  const more = use.leftOut.length > 5 ? ", …" : "";
  terminal.errorLine(`The text of ${formatCount(use.leftOut.length, "file")} does not fit: ${shown}${more}`);
}

function pressureOf({ model, pressure, usedTokens, contextTokens }: Use): string {
  const used = `about ${usedTokens} tokens`;
  if (pressure === null || contextTokens === null) return `${used}; nobody says how much ${printable(model)} can read.`;
  const percent = Math.round((100 * usedTokens) / contextTokens);
  return `${pressure.charAt(0).toUpperCase()}${pressure.slice(1)}: ${used}, ${percent} % of the ${contextTokens} that ${printable(model)} can read.`;
}

async function exportAs(invocation: Invocation, workbench: string, output: string | undefined): Promise<void> {
  invocation.about({ workbench });
  const client = await invocation.client();
  const file = await client.downloadFrom("workshop.exportConversation", { workbenchId: workbench });
  const content = Buffer.from(await file.arrayBuffer());
  if (output === undefined) {
    process.stdout.write(content);
    return;
  }
  try {
    await writeFile(output, content, { flag: "wx" });
  } catch (cause) {
    throw new BenchtopError("FILE_WRITE_FAILED", `${output} could not be written, or exists already.`, { cause });
  }
  const turns = content.toString("utf8").trimEnd().split("\n").length - 1;
  if (invocation.json) return invocation.printJson({ path: output, entries: turns });
  invocation.terminal.line(`${output}: ${formatCount(turns, "entry", "entries")}.`);
}

async function listItems(invocation: Invocation, workbench: string): Promise<void> {
  invocation.about({ workbench });
  const answer = await (await invocation.client()).call("contextItems.list", { workbenchId: workbench });
  if (invocation.json) return invocation.printJson(answer);
  if (answer.items.length === 0) return invocation.terminal.line("Turns are told nothing besides the files.");
  printTable(invocation.terminal, answer.items, [
    { title: "ITEM", value: ({ itemId }) => itemId },
    { title: "KIND", value: ({ kind }) => kind },
    { title: "TITLE", value: ({ title }) => title },
    { title: "TEXT", value: ({ content }) => content.replaceAll(/\s+/g, " "), shrink: true },
  ]);
}

async function setItem(
  invocation: Invocation,
  workbench: string,
  title: string,
  words: string,
  { kind, item }: ItemOptions,
): Promise<void> {
  invocation.about({ workbench });
  const content = words === "-" ? await text(process.stdin) : words;
  const kept = await (
    await invocation.client()
  ).call("contextItems.put", {
    workbenchId: workbench,
    kind,
    title,
    content,
    ...(item !== undefined && { itemId: item }),
  });
  if (invocation.json) return invocation.printJson(kept);
  invocation.terminal.line(`Every turn of ${workbench} is told “${printable(kept.title)}” (${kept.itemId}).`);
}

async function removeItem(invocation: Invocation, workbench: string, itemId: string): Promise<void> {
  invocation.about({ workbench });
  await (await invocation.client()).call("contextItems.remove", { workbenchId: workbench, itemId });
  if (invocation.json) return invocation.printJson({ itemId });
  invocation.terminal.line(`Removed ${itemId}.`);
}
