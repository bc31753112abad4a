import { readFile } from "node:fs/promises";
import { parse } from "node:path";
import { text } from "node:stream/consumers";
import type { Command } from "commander";
import type { Contract, Json } from "@benchtop/protocol";
import { BenchtopError } from "@benchtop/protocol/errors";
import { describeAttached, filesToAttach, uploadAttached } from "../attaching.ts";
import { type ConsentMode, consentFor, scopesOfPrompt } from "../consent.ts";
import { showRun } from "../follow.ts";
import type { Invocation } from "../invocation.ts";
import { formatCounts } from "../output/format.ts";
import {
  addCommand,
  addSamplingOptions,
  collect,
  consentOption,
  dollars,
  duration,
  modelOption,
  positiveNumber,
  samplingOf,
  type SamplingOptions,
} from "./command.ts";
import { modelOf, quoted } from "./names.ts";

export function addRunCommand(program: Command, invocation: Invocation): void {
  const command = addCommand(program, "run <prompt>", "Ask a model one thing. Only what you attach is sent with it.", [
    'benchtop run "Name three uses of a hash chain." --model openai/gpt-5.2 --consent once',
    "git diff | benchtop run - --instructions 'Review this diff.' --model ollama/qwen3   # - reads standard input",
    'benchtop run "What is on this?" --attach photo.jpg --model openai/gpt-5.2 --fallback ollama/gemma3',
    'benchtop run "Who wrote this?" --attach paper.pdf --output-schema authors.json | jq .authors',
    'benchtop run "count to 3" --model ollama/qwen3 --json     # one journal event a line',
  ])
    .option("--instructions <text>", "what the model is told beside the prompt")
    .option("--attach <file>", "send an image, a PDF or a text file with the prompt; may be repeated", collect)
    .option("--output-schema <file>", "print JSON of this schema (strict JSON Schema 2020-12), and nothing else");
  addSamplingOptions(addRunOptions(command)).action((prompt: string, options: PromptOptions) =>
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
      'benchtop ask budget "add a summary.md" --model openai/gpt-5.2 --fallback ollama/qwen3   # if the first fails',
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
  readonly fallback?: readonly string[];
  readonly consent?: ConsentMode;
  readonly runId?: string;
  readonly session?: string;
  readonly maxSteps?: number;
  readonly maxTokens?: number;
  readonly maxCost?: number;
  readonly maxDuration?: number;
}

interface PromptOptions extends RunOptions, SamplingOptions {
  readonly instructions?: string;
  readonly attach?: readonly string[];
  readonly outputSchema?: string;
}

function addRunOptions(command: Command): Command {
  return command
    .addOption(modelOption())
    .option("--fallback <ref>", "the model to ask when that one fails; may be repeated, best first", collect)
    .addOption(consentOption())
    .option("--run-id <id>", "an id of your own; one that was used before is refused")
    .option("--session <id>", "the conversation to go on with")
    .option("--max-steps <number>", "stop after so many model calls", positiveNumber)
    .option("--max-tokens <number>", "stop at so many tokens, input and output", positiveNumber)
    .option("--max-cost <usd>", "stop at this cost, in US dollars", dollars)
    .option("--max-duration <time>", "stop after this time, such as 90s or 10m", duration);
}

async function run(invocation: Invocation, words: string, options: PromptOptions): Promise<void> {
  const { instructions, outputSchema } = options;
  const output = outputSchema === undefined ? undefined : await readSchema(outputSchema);
  const files = await filesToAttach(options.attach ?? []);
  const prompt = await textOf(words);
  invocation.about(modelOf(options.model));
  const client = await invocation.client();
  const consent = await consentFor(invocation, options.consent, {
    models: modelsOf(options),
    scopeOf: await scopesOfPrompt(invocation, prompt, files),
    what: sentWith(files.length === 0 ? "your prompt" : describeAttached(files), options.session),
  });
  const attachments = await uploadAttached(invocation, files);
  const { runId } = await client.call("runs.start", {
    ...requestOf(options),
    prompt,
    ...(instructions !== undefined && { instructions }),
    ...(attachments.length > 0 && { attachments }),
    ...(output !== undefined && { output }),
    ...samplingOf(options),
    ...(consent !== undefined && { consent }),
  });
  await showRun(invocation, runId, { resultOnly: output !== undefined });
}

async function ask(invocation: Invocation, workbench: string, words: string, options: RunOptions): Promise<void> {
  const task = await textOf(words);
  invocation.about({ workbench, ...modelOf(options.model) });
  const client = await invocation.client();
  const consent = await consentFor(invocation, options.consent, {
    models: modelsOf(options),
    scopeOf: async (model) => (await client.call("egress.consentStatus", { workbenchId: workbench, model })).workshop,
  });
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
  const { model, fallback = [], runId, session, maxSteps, maxTokens, maxCost, maxDuration } = options;
  const contract: Contract = {
    ...(maxSteps !== undefined && { maxSteps }),
    ...(maxTokens !== undefined && { maxTotalTokens: maxTokens }),
    ...(maxCost !== undefined && { maxCostMicros: Math.round(maxCost * 1_000_000) }),
    ...(maxDuration !== undefined && { maxDurationMs: maxDuration }),
  };
  return {
    model,
    ...(fallback.length > 0 && { fallbacks: [...fallback] }),
    ...(runId !== undefined && { runId }),
    ...(session !== undefined && { sessionId: session }),
    ...(Object.keys(contract).length > 0 && { contract }),
  };
}

function modelsOf({ model, fallback = [] }: RunOptions): string[] {
  return [model, ...fallback];
}

/** A conversation goes on with all of what was said in it. */
function sentWith(what: string, session: string | undefined): string {
  return session === undefined ? what : `${what}, and what was said and attached in ${session} before,`;
}

/** The schema of the answer; it is named after its file. */
async function readSchema(path: string): Promise<{ name: string; schema: { [keyword: string]: Json } }> {
  let content: string;
  try {
    content = await readFile(path, "utf8");
  } catch (cause) {
    throw new BenchtopError("FILE_READ_FAILED", `The schema ${path} cannot be read.`, { detail: { path }, cause });
  }
  const schema = parsed(content);
  const name = parse(path)
    .name.replaceAll(/[^A-Za-z0-9_-]/g, "-")
    .slice(0, 64);
  if (typeof schema === "object" && schema !== null && !Array.isArray(schema)) return { name, schema };
  throw new BenchtopError("VALIDATION_FAILED", `${path} is no JSON Schema: it has to be a JSON object.`, {
    detail: { path },
  });
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** `-` reads standard input. */
async function textOf(words: string): Promise<string> {
  return words === "-" ? text(process.stdin) : words;
}
