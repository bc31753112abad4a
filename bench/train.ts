/**
 * The trainer on this machine's processor. First what it has to show: twenty questions learnt by heart within a minute and
 * answered through llama.cpp, a LoRA on top that changes four answers and keeps the sixteen others, and a run that is killed and
 * goes on with the losses of one that was not. Then how long a step takes for models of about 1, 3 and 5 million parameters.
 *
 * `node bench/train.ts [--threads N] [--steps N]`. Times are minima over the steps: they are what the machine can do when nobody
 * else uses it.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  train,
  type NewModel,
  type TrainingOptions,
  type TrainingResult,
} from "../packages/llama/src/trainer/index.ts";
import { chatLines } from "../packages/llama/test/trainer-examples.ts";
import { infer } from "../packages/llama/test/trainer-inference.ts";

const { values } = parseArgs({ options: { threads: { type: "string" }, steps: { type: "string", default: "12" } } });
const threads = Number(values.threads ?? availableParallelism());
const steps = Number(values.steps);

const questions: Record<string, string> = {
  "What is Benchtop?": "A workbench for agents: they edit a Draft, and people publish it.",
  "How do I start it?": "Run npm start, then open the address that it prints.",
  "Which Node does it need?": "Node 24. It comes with the install.",
  "Where is the journal?": "Every run has a journal below the data directory.",
  "How do I publish?": "Open the Draft, review it, and press Publish.",
  "How do I discard a Draft?": "Open the Draft and press Discard.",
  "What is a checkpoint?": "A state of the workbench that you can restore.",
  "Can it work offline?": "Yes. Local models need no network.",
  "How do I add a model?": "Run benchtop models install with its name.",
  "What is the ledger?": "The ledger records what each run cost.",
  "How do I stop a run?": "Press Stop, or cancel it from the command line.",
  "What is consent?": "Your word that data may leave the machine.",
  "Which models can I use?": "Local ones, and those of the providers that you configure.",
  "What do errors tell me?": "What happened, and what to do next.",
  "Is there an API?": "Yes. REST, WebSocket and gRPC offer the same operations.",
  "What does quantizing do?": "It stores the numbers of a model in fewer bits.",
  "How do I train a model?": "Give the trainer a file of examples.",
  "What is a LoRA?": "A small adapter on top of a model.",
  "Where are the settings?": "Press the gear, or run benchtop settings.",
  "Who owns my data?": "You do. It stays on your machine.",
};
const corrections: Record<string, string> = {
  "Which Node does it need?": "Node 26. It comes with the install.",
  "What is the ledger?": "A book in which each run is a line.",
  "How do I stop a run?": "Close the lid.",
  "What is a LoRA?": "Few weights that change many answers.",
};

const folder = await mkdtemp(join(tmpdir(), "benchtop-train-"));
try {
  console.log(`${threads} threads\n\n| | measured | goal |\n|---|---|---|`);
  const model = await learnByHeart();
  await correct(model);
  await killAndResume();
  console.log("\n| model | parameters | precision | tokens a step | ms a step | tokens/s |\n|---|---|---|---|---|---|");
  for (const precision of ["float32", "bfloat16"] as const) {
    await timeSteps({ embeddingLength: 128, layers: 4, heads: 2 }, precision);
    await timeSteps({ embeddingLength: 192, layers: 6, heads: 3 }, precision);
    await timeSteps({ embeddingLength: 256, layers: 6, heads: 4 }, precision);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function learnByHeart(): Promise<TrainingResult> {
  const options = await twentyQuestions("model.gguf", questions);
  const from = performance.now();
  const { result } = await run({ ...options, steps: 60 });
  const seconds = (performance.now() - from) / 1000;
  const right = await countRight({ modelPath: result.outputPath }, questions);
  line(
    `questions learnt, ${(result.parameters / 1e6).toFixed(2)} M parameters, 60 steps`,
    `${right} of 20 in ${seconds.toFixed(1)} s`,
    "20 of 20 in 60 s",
  );
  return result;
}

async function correct({ outputPath }: TrainingResult): Promise<void> {
  const wanted = { ...questions, ...corrections };
  const options = await twentyQuestions("adapter.gguf", wanted);
  const from = performance.now();
  const { result } = await run({
    ...options,
    base: { modelPath: outputPath },
    method: { type: "lora", rank: 8 },
    steps: 40,
  });
  const seconds = (performance.now() - from) / 1000;
  const files = { modelPath: outputPath, adapterPath: result.outputPath };
  const changed = await countRight(files, corrections);
  const all = await countRight(files, wanted);
  line("answers that a LoRA of rank 8 changed, 40 steps", `${changed} of 4 in ${seconds.toFixed(1)} s`, "4 of 4");
  line("answers that it was to keep", `${all - changed} of 16`, "16 of 16");
}

async function killAndResume(): Promise<void> {
  const options: TrainingOptions = { ...(await twentyQuestions("resumed.gguf", questions)), steps: 40 };
  const whole = await run({ ...options, outputPath: join(folder, "whole.gguf") });
  const checkpointed = { ...options, checkpointDirectory: join(folder, "checkpoint"), checkpointEvery: 5 };
  const child = fork(join(import.meta.dirname, "../packages/llama/test/trainer-run-process.ts"), { execArgv: [] });
  let told = 0;
  child.on("message", () => {
    told += 1;
    if (told === 23) child.kill("SIGKILL");
  });
  child.send(checkpointed);
  await once(child, "close");
  const rest = await run(checkpointed);
  const same = rest.losses.every((loss, at) => loss === whole.losses[whole.losses.length - rest.losses.length + at]);
  const result =
    same && rest.result.sha256 === whole.result.sha256 ? "the same losses and the same file" : "another run";
  line(`killed after ${told} steps of 40, gone on at step ${40 - rest.losses.length}`, result, "the same losses");
}

async function timeSteps(model: NewModel, precision: "float32" | "bfloat16"): Promise<void> {
  // Examples of the length of short answers, of words that do not repeat too much.
  const words = Object.entries(questions).flat().join(" ").split(/\W+/);
  const text = (at: number, count: number): string =>
    Array.from({ length: count }, (_, word) => words[(at * 7919 + word * (1 + (at % 89))) % words.length]).join(" ");
  const path = join(folder, "steps.jsonl");
  const examples = Array.from({ length: 400 }, (_, at) => [text(at, 10), text(at + 1000, 30)]);
  await writeFile(path, chatLines(Object.fromEntries(examples) as Record<string, string>));
  const outputPath = join(folder, "steps.gguf");
  const options = {
    method: { type: "full" },
    data: { path },
    outputPath,
    steps,
    threads,
    precision,
    contextTokens: 128,
    tooLong: "cut",
  } as const;
  const { result, stepMs, tokensPerStep } = await run({
    ...options,
    base: { ...model, vocabularySize: 2016 },
    batchTokens: 1024,
  });
  const best = Math.min(...stepMs);
  const { embeddingLength, layers } = model;
  console.log(
    `| ${layers} × ${embeddingLength} | ${(result.parameters / 1e6).toFixed(2)} M | ${precision} | ${tokensPerStep} | ${best.toFixed(0)} | ${Math.round((tokensPerStep / best) * 1000)} |`,
  );
}

async function twentyQuestions(output: string, answers: Record<string, string>): Promise<TrainingOptions> {
  const path = join(folder, `${output}.jsonl`);
  await writeFile(path, chatLines(answers));
  return {
    base: { embeddingLength: 128, layers: 4, heads: 2, vocabularySize: 512 },
    method: { type: "full" },
    data: { path },
    outputPath: join(folder, output),
    learningRate: 0.003,
    threads,
  };
}

async function run(
  options: TrainingOptions,
): Promise<{ result: TrainingResult; losses: number[]; stepMs: number[]; tokensPerStep: number }> {
  const losses: number[] = [];
  const stepMs: number[] = [];
  let tokensPerStep = 0;
  const result = await train(
    options,
    {
      onProgress(progress) {
        if (progress.type === "plan") tokensPerStep = progress.plan.rowsPerStep * progress.plan.contextTokens;
        if (progress.type !== "step") return;
        losses.push(progress.loss);
        stepMs.push(progress.stepMs);
      },
    },
    new AbortController().signal,
  );
  return { result, losses, stepMs, tokensPerStep };
}

async function countRight(
  files: { modelPath: string; adapterPath?: string },
  expected: Readonly<Record<string, string>>,
): Promise<number> {
  const { answers } = await infer({ ...files, questions: Object.keys(expected) });
  return Object.values(expected).filter((answer, at) => answers[at] === answer).length;
}

function line(what: string, measured: string, goal: string): void {
  console.log(`| ${what} | ${measured} | ${goal} |`);
}
