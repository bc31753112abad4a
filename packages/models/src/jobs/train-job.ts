import { mkdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RunOutcome, RunScope } from "@benchtop/harness";
import { train, type TrainingOptions, type TrainingProgress } from "@benchtop/llama";
import { BenchtopError, type Json } from "@benchtop/protocol";
import { z } from "zod";
import { keepArtifact, Phases, type JobParts } from "./job.ts";

/** How a model is trained; what is absent is the trainer's own. */
export interface TrainingPlan {
  readonly method: "full" | "lora";
  readonly base?: string | undefined;
  readonly size?:
    | {
        readonly layers: number;
        readonly width: number;
        readonly heads: number;
        readonly feedForward: number;
        readonly vocabulary: number;
      }
    | undefined;
  readonly contextTokens?: number | undefined;
  readonly steps?: number | undefined;
  readonly epochs?: number | undefined;
  readonly batchTokens?: number | undefined;
  readonly learningRate?: number | undefined;
  readonly evaluationShare?: number | undefined;
  readonly patience?: number | undefined;
  readonly rank?: number | undefined;
  readonly alpha?: number | undefined;
  readonly seed?: number | undefined;
}

export interface TrainRequest {
  readonly name: string;
  readonly plan: TrainingPlan;
  /** JSON Lines. */
  readonly examples: string;
  readonly evaluation?: string | undefined;
}

const Blob = z.object({ sha256: z.string(), bytes: z.number() });

/** `RunStarted.input` of a training. `work` is the run whose folder and checkpoint it has: its own, or the one it goes on from. */
export const TrainingInput = z.object({
  name: z.string(),
  plan: z.record(z.string(), z.unknown()).transform((plan) => plan as unknown as TrainingPlan),
  examples: Blob,
  evaluation: Blob.optional(),
  work: z.string(),
});
export type TrainingInput = z.infer<typeof TrainingInput>;

/** Trains, and installs what came of it. What was stopped leaves its checkpoint, from which another run goes on. */
export async function trainInRun(run: RunScope, input: TrainingInput, parts: JobParts): Promise<RunOutcome> {
  const { registry, store } = parts;
  const { name, plan } = input;
  const work = workFolder(parts.home, input.work);
  await mkdir(work, { recursive: true, mode: 0o700 });
  const data = await dataFile(work, "examples.jsonl", input.examples, parts);
  const evaluation = input.evaluation && (await dataFile(work, "evaluation.jsonl", input.evaluation, parts));
  const base = plan.base === undefined ? undefined : (await registry.paths(plan.base)).weights;
  const outputPath = join(await registry.workFolder(), `${name}.gguf`);
  const options: TrainingOptions = {
    base: baseOf(plan, base),
    method:
      plan.method === "lora" ? { type: "lora", ...given({ rank: plan.rank, alpha: plan.alpha }) } : { type: "full" },
    data: { path: data, format: "jsonl" },
    ...(evaluation !== undefined
      ? { evaluation: { path: evaluation, format: "jsonl" as const } }
      : plan.evaluationShare !== undefined &&
        plan.evaluationShare > 0 && { evaluation: { share: plan.evaluationShare } }),
    outputPath,
    checkpointDirectory: join(work, "checkpoint"),
    name,
    ...given({
      contextTokens: plan.contextTokens,
      steps: plan.steps,
      epochs: plan.epochs,
      batchTokens: plan.batchTokens,
      learningRate: plan.learningRate,
      seed: plan.seed,
      patience: plan.patience === 0 ? undefined : plan.patience,
    }),
  };
  const telling = new Telling(run);
  const result = await train(options, { onProgress: (progress) => telling.tell(progress) }, run.signal);
  const { outputPath: _path, ...made } = result;
  const manifest = {
    plan,
    examples: input.examples,
    ...(input.evaluation && { evaluation: input.evaluation }),
    ...made,
  };
  const kept = JSON.parse(JSON.stringify(manifest)) as Record<string, Json>;
  const source = { type: "trained" as const, runId: run.runId, base: plan.base ?? null };
  const model = await registry.adopt([outputPath], { name, source, manifest: kept }, run.signal);
  await keepArtifact(run, store, "manifest.json", kept);
  await rm(work, { recursive: true, force: true });
  return { output: inWords(name, plan, result), result: { ...kept, name: model.name, bytes: model.bytes } };
}

/** Where a training keeps its examples and its checkpoint until it is whole. */
export function workFolder(home: string, runId: string): string {
  return join(home, "models", "training", runId);
}

/** Throws `VALIDATION_FAILED` where nothing is left to go on from. */
export async function checkResumable(home: string, { work, name }: TrainingInput): Promise<void> {
  const there = await stat(join(workFolder(home, work), "checkpoint")).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (there) return;
  throw new BenchtopError(
    "VALIDATION_FAILED",
    `There is no checkpoint of the training of ${name}: it came to its end, or was stopped before the first one. Train again from the start.`,
    { phase: "job" },
  );
}

async function dataFile(
  folder: string,
  file: string,
  { sha256 }: z.infer<typeof Blob>,
  { store }: JobParts,
): Promise<string> {
  const path = join(folder, file);
  try {
    const text = new TextDecoder().decode(await store.blobs.read(sha256));
    await writeFile(path, text.split("\n").map(asConversation).join("\n"), { mode: 0o600 });
  } catch (thrown) {
    throw BenchtopError.from(thrown, "FILE_WRITE_FAILED", { phase: "job", detail: { path } });
  }
  return path;
}

/** A question and its answer are a conversation of two messages: so the model is asked later. Other lines stay as they are. */
function asConversation(line: string): string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // The trainer names the line, and what is wrong with it.
    return line;
  }
  const pair = Pair.safeParse(value);
  if (!pair.success) return line;
  const { prompt, completion } = pair.data;
  const messages = [
    { role: "user", content: prompt },
    { role: "assistant", content: completion },
  ];
  return JSON.stringify({ messages });
}

const Pair = z.strictObject({ prompt: z.string(), completion: z.string() });

/** About a million parameters: what a thousand short examples can fill, in minutes. */
const smallModel = { layers: 4, width: 128, heads: 4, feedForward: 352, vocabulary: 2048 };

function baseOf(
  { size = smallModel, contextTokens }: TrainingPlan,
  modelPath: string | undefined,
): TrainingOptions["base"] {
  if (modelPath !== undefined) return { modelPath };
  const { layers, width, heads, feedForward, vocabulary } = size;
  return {
    layers,
    embeddingLength: width,
    heads,
    feedForwardLength: feedForward,
    vocabularySize: vocabulary,
    // Examples may be shorter than what is asked later, with a few turns before it.
    contextTokens: Math.max(contextTokens ?? 0, 512),
  };
}

/** Progress as events: every evaluation and checkpoint, a few steps a second. */
class Telling {
  readonly #run: RunScope;
  readonly #phases: Phases;
  #stepAt = 0;

  constructor(run: RunScope) {
    this.#run = run;
    this.#phases = new Phases(run);
  }

  tell(progress: TrainingProgress): void {
    switch (progress.type) {
      case "phase":
        if (progress.phase !== "training") this.#phases.tell(progress.phase, 0, 1);
        return;
      case "plan":
        this.#run.write({
          type: "PhaseChanged",
          phase: "training",
          done: progress.plan.resumedAt,
          total: progress.plan.steps,
          detail: { ...progress.plan },
        });
        return;
      case "step":
        return this.#step(progress);
      case "evaluation":
        return this.#metric("evaluation loss", progress.loss, progress.step);
      case "checkpoint":
        return;
    }
  }

  #step({ step, steps, loss, learningRate, tokensPerSecond }: Extract<TrainingProgress, { type: "step" }>): void {
    const now = performance.now();
    if (step < steps && now - this.#stepAt < 250) return;
    this.#stepAt = now;
    this.#phases.tell("training", step, steps);
    this.#metric("loss", loss, step);
    this.#metric("learning rate", learningRate, step);
    this.#metric("tokens per second", tokensPerSecond, step);
  }

  #metric(name: string, value: number, step: number): void {
    if (Number.isFinite(value)) this.#run.write({ type: "MetricLogged", name, value, step });
  }
}

function inWords(
  name: string,
  { method, base }: TrainingPlan,
  result: { steps: number; loss: number; stoppedEarly: boolean },
): string {
  const what = method === "lora" ? `${name} is an adapter for ${base ?? "its model"}` : `${name} is trained`;
  const early = result.stoppedEarly ? ", ended early: it no longer got better" : "";
  return `${what}: ${result.steps} steps${early}, loss ${result.loss.toFixed(3)}.`;
}

/** Without what is not told. */
function given<Fields extends object>(fields: Fields) {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> };
}
