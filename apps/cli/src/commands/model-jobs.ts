import { readFile } from "node:fs/promises";
import type { InputOf, Operations, Quantization, TrainingPlan } from "@benchtop/operations";
import type { Json, RunEvent } from "@benchtop/protocol";
import { BenchtopError } from "@benchtop/protocol/errors";
import { type Command, Option } from "commander";
import { errorOf, followToEnd } from "../follow.ts";
import type { Invocation } from "../invocation.ts";
import { formatAmount, formatBytes, formatDuration, printable, printableText } from "../output/format.ts";
import { JobLine } from "../output/jobs.ts";
import { addCommand, numberFromZeroTo, numberUpTo, positiveNumber, wholeNumber } from "./command.ts";
import { howToUse } from "./model-downloads.ts";
import { localName } from "./names.ts";

/** Jobs that make a model: runs, followed to their end. */
export function addJobCommands(models: Command, invocation: Invocation): void {
  addCommand(models, "quantize <name>", "Make a smaller copy of an installed model.", [
    "benchtop models quantize qwen3-0.6b --to Q4_K_M",
    "benchtop models quantize qwen3-0.6b --to Q4_K_M --as small --measure book.txt   # how much it answers otherwise",
    "benchtop models quantize qwen3-0.6b --to Q4_0 --measure book.txt --importance   # keep what this text needs",
  ])
    .addOption(new Option("--to <type>", "how the weights are kept").choices(quantizations).makeOptionMandatory())
    .option("--as <name>", "what the copy is called; NAME-TYPE when left out")
    .option("--measure <file>", "a text by which the copy is compared: perplexity and KL divergence")
    .option("--importance", "weigh the parts of the model by what that text uses (an importance matrix)")
    .option("--run-id <id>", "an id of your own; one that was used before is refused")
    .action((name: string, options: QuantizeOptions) => quantize(invocation, localName(name), options));

  addCommand(models, "train <name>", "Train a small model on this machine, or an adapter (LoRA) for one.", [
    "benchtop models train support --examples questions.jsonl --steps 500",
    "benchtop models train support-2 --examples more.jsonl --base support       # goes on from its weights",
    "benchtop models train support-polite --examples polite.jsonl --base support --lora --rank 8",
    "benchtop models train support --examples questions.jsonl --layers 4 --width 256 --heads 4 \\",
    "    --feed-forward 768 --vocabulary 4000",
  ])
    .requiredOption("--examples <file>", 'JSON Lines: {"messages": […]}, {"prompt", "completion"} or {"text"} each')
    .option("--evaluation <file>", "examples of the same form that are only evaluated")
    .option("--base <model>", "an installed model to start from; a new one is made when left out", localName)
    .option("--lora", "train an adapter beside the base, which stays as it is")
    .option("--rank <number>", "of the adapter", positiveNumber)
    .option("--alpha <number>", "of the adapter: how much it weighs", numberUpTo(1024))
    .option("--layers <number>", "of a new model", positiveNumber)
    .option("--width <number>", "of a new model", positiveNumber)
    .option("--heads <number>", "of a new model", positiveNumber)
    .option("--feed-forward <number>", "of a new model", positiveNumber)
    .option("--vocabulary <tokens>", "of a new model", positiveNumber)
    .option("--context <tokens>", "how much is read at once", positiveNumber)
    .option("--steps <number>", "train for so many steps", positiveNumber)
    .option("--epochs <number>", "go through the examples so often, where no steps are given", positiveNumber)
    .option("--batch-tokens <number>", "tokens of one step, about", positiveNumber)
    .option("--learning-rate <number>", "how far each step goes", numberUpTo(1))
    .option("--evaluation-share <share>", "of the examples kept for evaluation, 0.5 at most", numberFromZeroTo(0.5))
    .option("--patience <number>", "end after so many evaluations without improvement; 0 never does", wholeNumber)
    .option("--seed <number>", "the same seed gives the same model", wholeNumber)
    .option("--run-id <id>", "an id of your own; one that was used before is refused")
    .action((name: string, options: TrainOptions) => train(invocation, name, options));

  addCommand(
    models,
    "resume-training <run>",
    "Go on with a training that was stopped, from its last checkpoint; a run of its own.",
    ["benchtop models resume-training run_01k…"],
  ).action((runId: string) => resumeTraining(invocation, runId));
}

const quantizations = [
  "F16",
  "BF16",
  "Q8_0",
  "Q6_K",
  "Q5_K_M",
  "Q4_K_M",
  "Q4_0",
] as const satisfies readonly Quantization[];

interface QuantizeOptions {
  readonly to: Quantization;
  readonly as?: string;
  readonly measure?: string;
  readonly importance?: boolean;
  readonly runId?: string;
}

async function quantize(invocation: Invocation, name: string, options: QuantizeOptions): Promise<void> {
  const { to, as, measure, importance, runId: wantedId } = options;
  if (importance === true && measure === undefined) {
    throw invalid("`--importance` needs a text to weigh by: add `--measure FILE`.");
  }
  const text = measure === undefined ? undefined : await textOf(measure);
  invocation.about({ localModel: name });
  const client = await invocation.client();
  const { runId } = await client.call("localModels.quantize", {
    name,
    quantization: to,
    ...(as !== undefined && { as }),
    ...(text !== undefined && { text }),
    ...(importance !== undefined && { importance }),
    ...(wantedId !== undefined && { runId: wantedId }),
  });
  await followJob(invocation, runId, as ?? `${name}-${to.toLowerCase().replaceAll("_", "-")}`);
}

interface TrainOptions {
  readonly examples: string;
  readonly evaluation?: string;
  readonly base?: string;
  readonly lora?: boolean;
  readonly rank?: number;
  readonly alpha?: number;
  readonly layers?: number;
  readonly width?: number;
  readonly heads?: number;
  readonly feedForward?: number;
  readonly vocabulary?: number;
  readonly context?: number;
  readonly steps?: number;
  readonly epochs?: number;
  readonly batchTokens?: number;
  readonly learningRate?: number;
  readonly evaluationShare?: number;
  readonly patience?: number;
  readonly seed?: number;
  readonly runId?: string;
}

async function train(invocation: Invocation, name: string, options: TrainOptions): Promise<void> {
  const plan = planOf(options);
  const request: InputOf<Operations["localModels.train"]> = {
    name,
    plan,
    examples: await textOf(options.examples),
    ...(options.evaluation !== undefined && { evaluation: await textOf(options.evaluation) }),
    ...(options.runId !== undefined && { runId: options.runId }),
  };
  const client = await invocation.client();
  const { runId } = await client.call("localModels.train", request);
  await followTraining(invocation, runId, name);
}

async function resumeTraining(invocation: Invocation, stopped: string): Promise<void> {
  invocation.about({ runId: stopped });
  const { runId } = await (await invocation.client()).call("localModels.resumeTraining", { runId: stopped });
  await followTraining(invocation, runId, "");
}

async function followTraining(invocation: Invocation, runId: string, name: string): Promise<void> {
  // What stops from here on can be gone on with, by this run.
  invocation.about({ training: runId });
  await followJob(invocation, runId, name);
}

/** Throws `VALIDATION_FAILED` for options that say nothing together. */
function planOf(options: TrainOptions): TrainingPlan {
  const { base, lora = false, context, steps, epochs, batchTokens, learningRate } = options;
  const { evaluationShare, patience, rank, alpha, seed } = options;
  if (lora && base === undefined) throw invalid("`--lora` trains beside a model: name it with `--base MODEL`.");
  if (!lora && (rank !== undefined || alpha !== undefined)) throw invalid("`--rank` and `--alpha` go with `--lora`.");
  const size = sizeOf(options);
  if (size !== undefined && base !== undefined)
    throw invalid("A model that goes on from `--base` has its size already.");
  return {
    method: lora ? "lora" : "full",
    ...(base !== undefined && { base }),
    ...(size !== undefined && { size }),
    ...(context !== undefined && { contextTokens: context }),
    ...(steps !== undefined && { steps }),
    ...(epochs !== undefined && { epochs }),
    ...(batchTokens !== undefined && { batchTokens }),
    ...(learningRate !== undefined && { learningRate }),
    ...(evaluationShare !== undefined && { evaluationShare }),
    ...(patience !== undefined && { patience }),
    ...(rank !== undefined && { rank }),
    ...(alpha !== undefined && { alpha }),
    ...(seed !== undefined && { seed }),
  };
}

/** All five numbers or none: a size in part is none. */
function sizeOf({ layers, width, heads, feedForward, vocabulary }: TrainOptions): TrainingPlan["size"] {
  if (
    layers !== undefined &&
    width !== undefined &&
    heads !== undefined &&
    feedForward !== undefined &&
    vocabulary !== undefined
  ) {
    return { layers, width, heads, feedForward, vocabulary };
  }
  if ([layers, width, heads, feedForward, vocabulary].every((number) => number === undefined)) return undefined;
  throw invalid(
    "A size is `--layers`, `--width`, `--heads`, `--feed-forward` and `--vocabulary` together; without them it is chosen by the data.",
  );
}

/** Shows how the job goes on, then what came of it: `name`, where its result does not say. Throws what it ended with. */
async function followJob(invocation: Invocation, runId: string, name: string): Promise<void> {
  const { terminal } = invocation;
  const line = new JobLine(terminal);
  const show = (event: RunEvent): void => (invocation.json ? invocation.printJson(event) : line.show(event));
  const last = await followToEnd(invocation, runId, show).finally(() => line.clear());
  if (last.type === "Error") throw errorOf(last);
  if (invocation.json) return;
  const client = await invocation.client();
  const made = textOfField(last.result, "name") ?? name;
  const model = await client.call("localModels.get", { name: made });
  const facts = [
    model.ref,
    formatBytes(model.bytes),
    `${formatAmount(model.parameters)} parameters`,
    model.quantization,
    formatDuration(last.totals.durationMs),
  ];
  terminal.line(`${terminal.colours.green("✓")} ${printableText(last.output)}`);
  terminal.line(terminal.colours.dim(printable(facts.join(" · "))));
  terminal.line(howToUse(model, textOfField(fieldOf(last.result, "plan"), "base")));
}

function fieldOf(value: Json | undefined, field: string): Json | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value[field] : undefined;
}

function textOfField(value: Json | undefined, field: string): string | undefined {
  const text = fieldOf(value, field);
  return typeof text === "string" ? text : undefined;
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new BenchtopError("FILE_READ_FAILED", `${path} cannot be read.`, { phase: "job", detail: { path }, cause });
  }
}

function invalid(message: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", message, { phase: "job" });
}
