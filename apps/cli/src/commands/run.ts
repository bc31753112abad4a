import { text } from "node:stream/consumers";
import type { Command } from "commander";
import type { Contract } from "@benchtop/protocol";
import { type ConsentMode, consentFor } from "../consent.ts";
import { showRun } from "../follow.ts";
import type { Invocation } from "../invocation.ts";
import { formatCounts } from "../output/format.ts";
import { addCommand, consentOption, dollars, duration, modelOption, positiveNumber } from "./command.ts";
import { modelOf, quoted } from "./names.ts";

export function addRunCommand(program: Command, invocation: Invocation): void {
  const command = addCommand(program, "run <prompt>", "Ask a model one thing. No files are sent.", [
    'benchtop run "Name three uses of a hash chain." --model openai/gpt-5.2 --consent once',
    "git diff | benchtop run - --instructions 'Review this diff.' --model ollama/qwen3   # - reads standard input",
    'benchtop run "count to 3" --model ollama/qwen3 --json     # one journal event a line',
  ]).option("--instructions <text>", "what the model is told beside the prompt");
  addRunOptions(command).action((prompt: string, options: RunOptions & { instructions?: string }) =>
    run(invocation, prompt, options),
  );
}

export function addAskCommand(program: Command, invocation: Invocation): void {
  const command = addCommand(
    program,
    "ask <workbench> <task>",
    "Ask an agent to work on the files of a workbench. It changes a Draft; nothing is real until you publish it.",
    [
      'benchtop ask budget "add a summary.md" --model openai/gpt-5.2 --consent once',
      'benchtop ask budget "make the totals consistent" --model openai/gpt-5.2 --max-cost 0.50 --max-steps 20',
      "benchtop draft diff budget      # see what it did",
    ],
  );
  addRunOptions(command).action((workbench: string, task: string, options: RunOptions) =>
    ask(invocation, workbench, task, options),
  );
}

interface RunOptions {
  readonly model: string;
  readonly consent?: ConsentMode;
  readonly runId?: string;
  readonly session?: string;
  readonly maxSteps?: number;
  readonly maxTokens?: number;
  readonly maxCost?: number;
  readonly maxDuration?: number;
}

function addRunOptions(command: Command): Command {
  return command
    .addOption(modelOption())
    .addOption(consentOption())
    .option("--run-id <id>", "an id of your own; one that was used before is refused")
    .option("--session <id>", "the conversation to go on with")
    .option("--max-steps <number>", "stop after so many model calls", positiveNumber)
    .option("--max-tokens <number>", "stop at so many tokens, input and output", positiveNumber)
    .option("--max-cost <usd>", "stop at this cost, in US dollars", dollars)
    .option("--max-duration <time>", "stop after this time, such as 90s or 10m", duration);
}

async function run(
  invocation: Invocation,
  words: string,
  options: RunOptions & { instructions?: string },
): Promise<void> {
  const prompt = await textOf(words);
  invocation.about(modelOf(options.model));
  const client = await invocation.client();
  const consent = await consentFor(invocation, options.consent, async () => {
    const [providerId, modelId] = splitModel(options.model);
    const { items } = await client.call("providers.list", {});
    const provider = items.find(({ name }) => name === providerId);
    if (provider === undefined) return undefined;
    return {
      providerId,
      modelId,
      required: !provider.local,
      consented: false,
      persisted: false,
      scopeHash: "",
      fileCount: 0,
      totalBytes: Buffer.byteLength(prompt),
      host: new URL(provider.baseUrl).host,
    };
  });
  const { instructions } = options;
  const { runId } = await client.call("runs.start", {
    ...requestOf(options),
    prompt,
    ...(instructions !== undefined && { instructions }),
    ...(consent !== undefined && { consent }),
  });
  await showRun(invocation, runId);
}

async function ask(invocation: Invocation, workbench: string, words: string, options: RunOptions): Promise<void> {
  const task = await textOf(words);
  invocation.about({ workbench, ...modelOf(options.model) });
  const client = await invocation.client();
  const consent = await consentFor(invocation, options.consent, () =>
    client.call("egress.consentStatus", { workbenchId: workbench, model: options.model }),
  );
  const { runId } = await client.call("workshop.runAgent", {
    workbenchId: workbench,
    ...requestOf(options),
    task,
    ...(consent !== undefined && { consent }),
  });
  await showRun(invocation, runId);
  if (invocation.json) return;
  const draft = await client.call("draft.getState", { workbenchId: workbench });
  const name = quoted(workbench);
  invocation.terminal.errorLine(
    draft.exists
      ? `Draft: ${formatCounts(draft.counts)} — review with \`benchtop draft diff ${name}\`, publish with \`benchtop draft publish ${name}\``
      : "No file was changed.",
  );
}

function requestOf(options: RunOptions) {
  const { model, runId, session, maxSteps, maxTokens, maxCost, maxDuration } = options;
  const contract: Contract = {
    ...(maxSteps !== undefined && { maxSteps }),
    ...(maxTokens !== undefined && { maxTotalTokens: maxTokens }),
    ...(maxCost !== undefined && { maxCostMicros: Math.round(maxCost * 1_000_000) }),
    ...(maxDuration !== undefined && { maxDurationMs: maxDuration }),
  };
  return {
    model,
    ...(runId !== undefined && { runId }),
    ...(session !== undefined && { sessionId: session }),
    ...(Object.keys(contract).length > 0 && { contract }),
  };
}

/** `-` reads standard input. */
async function textOf(words: string): Promise<string> {
  return words === "-" ? text(process.stdin) : words;
}

function splitModel(ref: string): [string, string] {
  const slash = ref.indexOf("/");
  return slash < 0 ? [ref, ""] : [ref.slice(0, slash), ref.slice(slash + 1)];
}
