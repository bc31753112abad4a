import { createHash } from "node:crypto";
import { access, constants } from "node:fs/promises";
import { dirname } from "node:path";
import { BenchtopError } from "@benchtop/protocol/errors";
import type { NativeLibraries } from "../ffi/library.ts";
import { readExamples, type Example } from "./data/examples.ts";
import { refusal } from "./data/refusal.ts";
import { countedTokens, packRows, RowStream, type Row } from "./data/rows.ts";
import { longest, sequencesOf, type Sequence, type SequenceOptions } from "./data/sequences.ts";
import type { BatchShape } from "./graph/network.ts";
import { loraTargets, type Lora } from "./model/architecture.ts";
import type { Base } from "./model/base.ts";
import { existingBase } from "./model/existing-base.ts";
import { newBase, withContext } from "./model/new-base.ts";
import { settingsOf, type TrainingOptions, type TrainingSettings } from "./options.ts";
import type { TrainingPlan, TrainingProgress } from "./progress.ts";
import { randomFrom, shuffled } from "./random.ts";
import type { Schedule } from "./schedule.ts";

/** A run with everything decided, before anything is computed. */
export interface Plan {
  readonly options: TrainingOptions;
  readonly settings: TrainingSettings;
  readonly base: Base;
  readonly lora: Lora | undefined;
  readonly stream: RowStream;
  readonly evaluationRows: readonly Row[];
  readonly evaluateEvery: number;
  /** Of one worker. */
  readonly shape: BatchShape;
  readonly schedule: Schedule;
  readonly facts: Pick<TrainingPlan, "examples" | "evaluationExamples" | "epochTokens" | "learntTokens">;
  readonly dataSha256: string;
  /** Of everything that the loss curve depends on. */
  readonly fingerprint: string;
}

/** Rows and what is asked of them are multiples of this many tokens, since products are fastest then. */
const evenTokens = 32;
const defaultContextTokens = 512;
const rowsToGoThrough = 1_000_000;

/** Reads the data, makes or reads the base, and decides how long and in what portions to train. Throws as `train`. */
export async function preparePlan(
  libraries: NativeLibraries,
  options: TrainingOptions,
  report: (progress: TrainingProgress) => void,
): Promise<Plan> {
  const settings = settingsOf(options);
  await checkOutput(options);
  report({ type: "phase", phase: "reading" });
  const { training, evaluation } = await readData(options, settings.seed);
  report({ type: "phase", phase: "vocabulary" });
  const found = await baseOf(libraries, options, training, settings.seed);
  const context = contextOf(options, found, [...training, ...evaluation]);
  const base = found.architecture.contextTokens === 0 ? withContext(found, context.rowTokens) : found;

  const sequences = sequencesOf(training, base.tokenizer, context.sequences);
  if (sequences.length === 0) throw refusal("The training data holds nothing to learn. Add examples to the file.");
  const evaluationSequences = sequencesOf(evaluation, base.tokenizer, context.sequences);
  const stream = new RowStream(sequences, context.rowTokens, settings.seed);
  const portions = portionsOf(options, settings, stream, context.rowTokens);
  const evaluationRows = packRows(evaluationSequences, context.rowTokens);
  const dataSha256 = digestOf(sequences);
  return {
    options,
    settings,
    base,
    lora: loraOf(options),
    stream,
    evaluationRows,
    evaluateEvery: options.evaluateEvery ?? Math.max(Math.round(stream.firstLength / portions.rowsPerStep), 20),
    shape: {
      rows: portions.rows,
      rowTokens: context.rowTokens,
      lossRows: lossRows(portions, stream, evaluationRows, context.rowTokens),
    },
    schedule: portions.schedule,
    facts: {
      examples: training.length,
      evaluationExamples: evaluation.length,
      epochTokens: sequences.reduce((sum, { tokens }) => sum + tokens.length, 0),
      learntTokens: countedTokens([sequences]),
    },
    dataSha256,
    fingerprint: fingerprintOf(options, settings, base, [dataSha256, digestOf(evaluationSequences)]),
  };
}

/** Hours of training are not to end with a file that cannot be written. */
async function checkOutput({ outputPath }: TrainingOptions): Promise<void> {
  const directory = dirname(outputPath);
  try {
    await access(directory, constants.W_OK);
  } catch (error) {
    throw new BenchtopError(
      "FILE_WRITE_FAILED",
      `The result could not be written into ${directory}. Make the directory, or take another.`,
      {
        phase: "job",
        detail: { directory },
        cause: error,
      },
    );
  }
}

async function readData(
  { data, evaluation }: TrainingOptions,
  seed: number,
): Promise<{ training: Example[]; evaluation: Example[] }> {
  const examples = await readExamples(data);
  if (evaluation === undefined) return { training: examples, evaluation: [] };
  if ("path" in evaluation) return { training: examples, evaluation: await readExamples(evaluation) };
  const count = Math.floor(examples.length * evaluation.share);
  if (count === 0) throw refusal("There are too few examples to put a share of them aside for evaluation.");
  const mixed = shuffled(randomFrom(seed, 0x657661), examples);
  return { training: mixed.slice(count), evaluation: mixed.slice(0, count) };
}

async function baseOf(
  libraries: NativeLibraries,
  { base }: TrainingOptions,
  examples: readonly Example[],
  seed: number,
): Promise<Base> {
  if ("modelPath" in base) return await existingBase(libraries, base.modelPath);
  const more = await Promise.all((base.vocabularyData ?? []).map(async (file) => await readExamples(file)));
  return newBase(base, examples, more.flat(), seed);
}

function contextOf(
  options: TrainingOptions,
  { architecture, tokenizer }: Base,
  examples: readonly Example[],
): { rowTokens: number; sequences: SequenceOptions } {
  const trained = architecture.contextTokens || Infinity;
  if (options.contextTokens !== undefined && options.contextTokens > trained) {
    throw refusal(`The model has a context of ${trained} tokens. Take at most as many \`contextTokens\`.`, {
      contextTokens: trained,
    });
  }
  const most = options.contextTokens ?? Math.min(defaultContextTokens, trained);
  const contextTokens = Math.min(most, longest(examples, tokenizer));
  return {
    rowTokens: Math.ceil(contextTokens / evenTokens) * evenTokens,
    sequences: {
      contextTokens: most,
      tooLong: options.tooLong ?? "refuse",
      learnsPrompts: options.learnsPrompts ?? false,
    },
  };
}

interface Portions {
  /** Of one worker. */
  readonly rows: number;
  readonly workers: number;
  readonly rowsPerStep: number;
  readonly schedule: Schedule;
}

function portionsOf(
  { steps, epochs = 10, warmupSteps }: TrainingOptions,
  { batchTokens, threads: workers }: TrainingSettings,
  stream: RowStream,
  rowTokens: number,
): Portions {
  const wanted = Math.min(Math.round(batchTokens / rowTokens), stream.firstLength);
  const rows = Math.max(Math.round(wanted / workers), 1);
  const rowsPerStep = rows * workers;
  const all = steps ?? Math.max(Math.ceil((epochs * stream.firstLength) / rowsPerStep), 1);
  return {
    rows,
    workers,
    rowsPerStep,
    schedule: { steps: all, warmupSteps: warmupSteps ?? Math.min(Math.ceil(all / 20), 100) },
  };
}

/**
 * The most that any worker is asked at any step: memory and time are spent on as many places each time. The run is gone through
 * once beforehand, without computing; one that is too long for that gets room for every place.
 */
function lossRows(
  { rows, rowsPerStep, schedule }: Portions,
  stream: RowStream,
  evaluation: readonly Row[],
  rowTokens: number,
): number {
  let most = 1;
  const consider = (step: readonly Row[]): void => {
    for (let at = 0; at < step.length; at += rows) most = Math.max(most, countedTokens(step.slice(at, at + rows)));
  };
  for (let at = 0; at < evaluation.length; at += rowsPerStep) consider(evaluation.slice(at, at + rowsPerStep));
  if (schedule.steps * rowsPerStep > rowsToGoThrough) return rows * rowTokens;
  for (let step = 0; step < schedule.steps; step += 1) consider(stream.take(rowsPerStep));
  stream.seek({ epoch: 0, row: 0 });
  return Math.ceil(most / evenTokens) * evenTokens;
}

function loraOf({ method }: TrainingOptions): Lora | undefined {
  if (method.type === "full") return undefined;
  const { rank = 8, targets = loraTargets } = method;
  // In the order of the file, whatever order they were given in.
  return { rank, alpha: method.alpha ?? rank * 2, targets: loraTargets.filter((target) => targets.includes(target)) };
}

function digestOf(sequences: readonly Sequence[]): string {
  const hash = createHash("sha256");
  for (const { tokens, counts } of sequences) {
    hash.update(Int32Array.of(tokens.length));
    hash.update(new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength));
    hash.update(counts);
  }
  return hash.digest("hex");
}

function fingerprintOf(
  options: TrainingOptions,
  { checkpointEvery: _checkpointEvery, weightType: _weightType, ...settings }: TrainingSettings,
  base: Base,
  data: readonly string[],
): string {
  const { method, steps, epochs, contextTokens, warmupSteps, evaluateEvery, patience } = options;
  const deciding = { settings, method, steps, epochs, contextTokens, warmupSteps, evaluateEvery, patience };
  return createHash("sha256")
    .update(JSON.stringify([deciding, base.fingerprint, data]))
    .digest("hex");
}
