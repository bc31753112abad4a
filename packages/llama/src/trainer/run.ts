import type { BenchtopError } from "@benchtop/protocol";
import { openGgml } from "../ffi/ggml.ts";
import type { NativeLibraries } from "../ffi/library.ts";
import { refusal } from "./data/refusal.ts";
import { countedTokens, fillInputs, lossOf, type Row } from "./data/rows.ts";
import { readCheckpoint, removeCheckpoint, writeCheckpoint, type CheckpointState } from "./checkpoint.ts";
import { exportAdapter, exportModel, type Provenance } from "./export.ts";
import { buildMachine, type Machine } from "./graph/machine.ts";
import { adapterParametersOf, countOf, parametersOf, type Lora } from "./model/architecture.ts";
import { newStore, start, type ParameterStore } from "./model/store.ts";
import type { TrainingOptions } from "./options.ts";
import { preparePlan, type Plan } from "./plan.ts";
import type { TrainingProgress, TrainingResult } from "./progress.ts";
import { randomFrom } from "./random.ts";
import { learningRateAt } from "./schedule.ts";

/** Unless told otherwise in steps. */
const checkpointMs = 60_000;

type Report = (progress: TrainingProgress) => void;

/** A whole training run, in the process that calls it. Only for a child process: see `openNativeLibraries`. */
export async function runTraining(
  libraries: NativeLibraries,
  options: TrainingOptions,
  report: Report,
): Promise<TrainingResult> {
  const plan = await preparePlan(libraries, options, report);
  report({ type: "phase", phase: "building" });
  const run = await Run.build(libraries, plan, report);
  await run.resume();
  report({ type: "phase", phase: "training" });
  await run.train();
  report({ type: "phase", phase: "exporting" });
  return await run.finish();
}

class Run {
  readonly #plan: Plan;
  readonly #report: Report;
  readonly #base: ParameterStore;
  readonly #adapter: { readonly store: ParameterStore; readonly lora: Lora } | undefined;
  readonly #machine: Machine;
  /** Weights, first and second moments: what changes. */
  readonly #live: readonly Float32Array[];
  readonly #startedAt = performance.now();
  #savedAt = this.#startedAt;
  #elapsedBefore = 0;
  #step = 0;
  #loss = Number.NaN;
  #best: (NonNullable<CheckpointState["best"]> & { readonly weights: Float32Array }) | undefined;
  #worse = 0;
  #stoppedEarly = false;

  private constructor(
    plan: Plan,
    report: Report,
    {
      base,
      adapter,
      machine,
      live,
    }: {
      base: ParameterStore;
      adapter: { readonly store: ParameterStore; readonly lora: Lora } | undefined;
      machine: Machine;
      live: readonly Float32Array[];
    },
  ) {
    this.#plan = plan;
    this.#report = report;
    this.#base = base;
    this.#adapter = adapter;
    this.#machine = machine;
    this.#live = live;
  }

  static async build(libraries: NativeLibraries, plan: Plan, report: Report): Promise<Run> {
    const ggml = openGgml(libraries);
    const { architecture } = plan.base;
    checkMemory(weightBytes(plan));
    const base = newStore(ggml, parametersOf(architecture));
    await plan.base.load(ggml, base);
    const adapter = plan.lora && {
      store: newStore(ggml, adapterParametersOf(architecture, plan.lora)),
      lora: plan.lora,
    };
    if (adapter) start(adapter.store, randomFrom(plan.settings.seed, 0x6c6f72));
    const machine = await buildMachine(ggml, {
      architecture,
      base,
      adapter,
      precision: plan.settings.precision === "bfloat16" ? "bf16" : "f32",
      threads: plan.settings.threads,
      shape: plan.shape,
    });
    checkMemory(machine.bytes);
    const { learning, moments } = machine;
    const live = [learning.flat, moments.first, moments.second].map((tensor) => ggml.floats(tensor));
    return new Run(plan, report, { base, adapter, machine, live });
  }

  /** Goes on from the checkpoint, if there is one. */
  async resume(): Promise<void> {
    const { checkpointDirectory } = this.#plan.options;
    const checkpoint = checkpointDirectory === undefined ? undefined : await readCheckpoint(checkpointDirectory);
    if (checkpoint) {
      const { state, arrays } = checkpoint;
      if (state.fingerprint !== this.#plan.fingerprint) throw otherRun(checkpointDirectory);
      for (const [at, live] of this.#live.entries()) live.set(arrays[at] ?? []);
      const weights = arrays[this.#live.length];
      if (state.best && weights) this.#best = { ...state.best, weights };
      this.#step = state.step;
      this.#worse = state.worse;
      this.#stoppedEarly = state.worse >= (this.#plan.options.patience ?? Infinity);
      this.#loss = state.loss;
      this.#elapsedBefore = state.elapsedMs;
      this.#plan.stream.seek(state.position);
      await this.#machine.refresh();
    }
    this.#report({
      type: "plan",
      plan: {
        parameters: countOf(this.#base.parameters),
        trainedParameters: countOf(this.#machine.learning.parameters),
        vocabularySize: this.#plan.base.architecture.vocabularySize,
        ...this.#plan.facts,
        contextTokens: this.#plan.shape.rowTokens,
        rowsPerStep: this.#rowsPerStep,
        steps: this.#plan.schedule.steps,
        resumedAt: this.#step,
        memoryBytes: this.#machine.bytes + this.#live.reduce((sum, { byteLength }) => sum + byteLength, 0),
      },
    });
  }

  async train(): Promise<void> {
    const { schedule, settings, evaluateEvery, options } = this.#plan;
    const timing = new Timing();
    while (this.#step < schedule.steps && !this.#stoppedEarly) {
      const step = this.#step + 1;
      const learningRate = learningRateAt(step, settings, schedule);
      const { tokens, gradientNorm } = await this.#trainStep(step, learningRate);
      this.#step = step;
      const { stepMs, tokensPerSecond } = timing.stepped(tokens);
      this.#report({
        type: "step",
        step,
        steps: schedule.steps,
        epoch: this.#plan.stream.position.epoch,
        loss: this.#loss,
        gradientNorm,
        learningRate,
        tokensPerSecond,
        stepMs,
        remainingMs: Math.round((schedule.steps - step) * timing.meanStepMs),
      });
      const last = step === schedule.steps;
      if (this.#plan.evaluationRows.length > 0 && (step % evaluateEvery === 0 || last)) await this.#evaluate();
      const due = last || this.#stoppedEarly || this.#checkpointIsDue(settings.checkpointEvery);
      if (options.checkpointDirectory !== undefined && due) await this.#save(options.checkpointDirectory);
    }
  }

  async finish(): Promise<TrainingResult> {
    const { options, settings, base, dataSha256 } = this.#plan;
    if (this.#best) this.#live[0]?.set(this.#best.weights);
    const provenance: Provenance = {
      name: options.name,
      licence: options.licence,
      description: options.description,
      dataSha256,
      steps: this.#best?.step ?? this.#step,
      seed: settings.seed,
      evaluationLoss: this.#best?.loss,
    };
    const { bytes, sha256 } = this.#adapter
      ? await exportAdapter(options.outputPath, this.#adapter.store, this.#adapter.lora, provenance)
      : await exportModel(options.outputPath, base, this.#base, settings.weightType, provenance);
    if (options.checkpointDirectory !== undefined) await removeCheckpoint(options.checkpointDirectory);
    return {
      outputPath: options.outputPath,
      bytes,
      sha256,
      parameters: countOf(this.#base.parameters),
      trainedParameters: countOf(this.#machine.learning.parameters),
      steps: this.#step,
      loss: this.#loss,
      evaluationLoss: this.#best?.loss,
      writtenStep: this.#best?.step ?? this.#step,
      stoppedEarly: this.#stoppedEarly,
      elapsedMs: this.#elapsedMs,
    };
  }

  get #rowsPerStep(): number {
    return this.#plan.shape.rows * this.#machine.networks.length;
  }

  get #elapsedMs(): number {
    return Math.round(this.#elapsedBefore + performance.now() - this.#startedAt);
  }

  #checkpointIsDue(every: number | undefined): boolean {
    if (every !== undefined) return this.#step % every === 0;
    return performance.now() - this.#savedAt >= checkpointMs;
  }

  async #trainStep(step: number, learningRate: number): Promise<{ tokens: number; gradientNorm: number }> {
    const { settings, stream } = this.#plan;
    const rows = stream.take(this.#rowsPerStep);
    const counted = this.#fill(rows);
    const summed = await this.#machine.train();
    this.#loss = this.#sumLoss() / counted;
    const gradientNorm = summed / counted;
    if (!Number.isFinite(this.#loss) || !Number.isFinite(gradientNorm)) throw diverged(step);
    await this.#machine.update({
      number: step,
      learningRate,
      factor: Math.min(1, settings.clipNorm / gradientNorm) / counted,
      decay: settings.weightDecay,
      beta1: settings.beta1,
      beta2: settings.beta2,
    });
    return {
      tokens: rows.reduce((sum, row) => sum + row.reduce((all, { tokens }) => all + tokens.length, 0), 0),
      gradientNorm,
    };
  }

  async #evaluate(): Promise<void> {
    let loss = 0;
    let counted = 0;
    for (let at = 0; at < this.#plan.evaluationRows.length; at += this.#rowsPerStep) {
      counted += this.#fill(this.#plan.evaluationRows.slice(at, at + this.#rowsPerStep));
      await this.#machine.evaluate();
      loss += this.#sumLoss();
    }
    loss /= counted;
    const best = !this.#best || loss < this.#best.loss;
    const [weights] = this.#live;
    if (best && weights) this.#best = { step: this.#step, loss, weights: weights.slice() };
    this.#worse = best ? 0 : this.#worse + 1;
    this.#stoppedEarly = this.#worse >= (this.#plan.options.patience ?? Infinity);
    this.#report({ type: "evaluation", step: this.#step, loss, best });
  }

  /** Returns how many tokens are asked about. */
  #fill(rows: readonly Row[]): number {
    const { rows: each, rowTokens } = this.#plan.shape;
    const { vocabularySize } = this.#plan.base.architecture;
    for (const [at, { inputs }] of this.#machine.networks.entries()) {
      fillInputs(inputs, rows.slice(at * each, (at + 1) * each), { rowTokens, vocabularySize });
    }
    return countedTokens(rows);
  }

  #sumLoss(): number {
    return this.#machine.networks.reduce((sum, { inputs, probabilities }) => sum + lossOf(inputs, probabilities), 0);
  }

  async #save(directory: string): Promise<void> {
    const best = this.#best && { step: this.#best.step, loss: this.#best.loss };
    const bytes = await writeCheckpoint(directory, {
      state: {
        fingerprint: this.#plan.fingerprint,
        step: this.#step,
        position: this.#plan.stream.position,
        loss: this.#loss,
        best,
        worse: this.#worse,
        elapsedMs: this.#elapsedMs,
      },
      arrays: [...this.#live, ...(this.#best ? [this.#best.weights] : [])],
    });
    this.#savedAt = performance.now();
    this.#report({ type: "checkpoint", step: this.#step, bytes });
  }
}

/** How long steps take: the last one, and a mean that forgets. */
class Timing {
  #last = performance.now();
  #mean: number | undefined;
  #tokens: number | undefined;

  stepped(tokens: number): { stepMs: number; tokensPerSecond: number } {
    const now = performance.now();
    const stepMs = now - this.#last;
    this.#last = now;
    this.#mean = this.#mean === undefined ? stepMs : this.#mean * 0.95 + stepMs * 0.05;
    this.#tokens = this.#tokens === undefined ? tokens : this.#tokens * 0.95 + tokens * 0.05;
    return { stepMs, tokensPerSecond: Math.round((this.#tokens / this.#mean) * 1000) };
  }

  get meanStepMs(): number {
    return this.#mean ?? 0;
  }
}

/** Weights, their copies for products, and for what learns: moments and each worker's gradients. */
function weightBytes({ base, lora, settings }: Plan): number {
  const all = countOf(parametersOf(base.architecture));
  const learning = lora ? countOf(adapterParametersOf(base.architecture, lora)) : all;
  return 4 * (all * 2 + learning * (2 + settings.threads));
}

/** What does not fit would end the process without a word: memory is promised, and missing when it is used. */
function checkMemory(bytes: number): void {
  const available = process.availableMemory();
  if (bytes <= available) return;
  throw refusal(
    `Training this needs about ${gigabytes(bytes)} GiB more memory, and ${gigabytes(available)} GiB are free. Take smaller steps (\`batchTokens\`), shorter examples or a smaller model.`,
    { bytes, available },
  );
}

function gigabytes(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(1);
}

function otherRun(directory: string | undefined): BenchtopError {
  return refusal(
    "The checkpoint is of a run with other data or settings. Go on with what it was started with, or remove it to start anew.",
    directory === undefined ? undefined : { directory },
  );
}

function diverged(step: number): BenchtopError {
  return refusal(`Training came apart at step ${step}: the loss is no number any more. Take a lower learning rate.`, {
    step,
  });
}
