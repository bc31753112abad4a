import { availableParallelism } from "node:os";
import type { DataFile } from "./data/examples.ts";
import { refusal } from "./data/refusal.ts";
import { loraTargets, type LoraTarget } from "./model/architecture.ts";

/** What is to be trained, from what, and how. Everything has a default but the data, the base and the output. */
export interface TrainingOptions {
  readonly base: NewModel | ExistingModel;
  readonly method: FullTraining | LoraTraining;
  readonly data: DataFile;
  /** Where examples to measure by come from: a file, or a share of the data (0 to 0.5), which is then not trained on. */
  readonly evaluation?: DataFile | { readonly share: number };
  /** The GGUF file that comes of it. It appears when it is whole. */
  readonly outputPath: string;
  /** A directory for the checkpoint. Training goes on from the one that lies there. None is written without it. */
  readonly checkpointDirectory?: string;

  /** How long: steps, or epochs (runs through the data; 10 unless told). */
  readonly steps?: number;
  readonly epochs?: number;
  /** Tokens of one step, about. 2,048 unless told; less when the data have less. */
  readonly batchTokens?: number;
  /** The longest example, in tokens. As the longest one needs, at most 512, unless told. */
  readonly contextTokens?: number;
  /** What becomes of longer examples: `refuse` (unless told) or `cut`. */
  readonly tooLong?: "refuse" | "cut";
  /** Learn prompts too, and not only the answers. */
  readonly learnsPrompts?: boolean;

  /** At its highest. 0.002 for full training of small models, 0.002 for LoRA, unless told. */
  readonly learningRate?: number;
  /** `cosine` (unless told): up over the warm-up, then down along a cosine to a tenth. `constant`: up, and stay. */
  readonly schedule?: "cosine" | "constant";
  /** 5 % of the steps, at most 100, unless told. */
  readonly warmupSteps?: number;
  readonly weightDecay?: number;
  readonly beta1?: number;
  readonly beta2?: number;
  /** The longest that a gradient may be. 1 unless told. */
  readonly clipNorm?: number;
  /**
   * `float32` (unless told), or `bfloat16` for the products of matrices: nearly twice as fast on processors that have it
   * (AVX512-BF16), slower on others. Weights and moments are float32 in any case.
   */
  readonly precision?: "float32" | "bfloat16";

  readonly seed?: number;
  /** Computing threads: the cores that there are, at most 8, unless told. Other threads give other roundings. */
  readonly threads?: number;
  /** Steps between evaluations; about one an epoch, at least 20, unless told. */
  readonly evaluateEvery?: number;
  /** Stop after so many evaluations in a row without a better one. Never, unless told. */
  readonly patience?: number;
  /** Steps between checkpoints; unless told, there is one each minute. */
  readonly checkpointEvery?: number;

  /** How weights are written: `F32` or `F16` (unless told). Norms and adapters are F32. */
  readonly weightType?: "F32" | "F16";
  readonly name?: string;
  readonly licence?: string;
  readonly description?: string;
}

/** A model from nothing, with a vocabulary of its own, learnt from the data. */
export interface NewModel {
  readonly embeddingLength: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads?: number;
  /** 8/3 of the embedding, in multiples of 32, unless told. */
  readonly feedForwardLength?: number;
  readonly vocabularySize?: number;
  /** More texts to learn the vocabulary from. */
  readonly vocabularyData?: readonly DataFile[];
  readonly tiedOutput?: boolean;
  readonly ropeBase?: number;
  /** What the file says it is made for. As many as an example has, unless told. */
  readonly contextTokens?: number;
}

/** A GGUF file of the `llama` architecture with weights in F32, F16 or BF16. */
export interface ExistingModel {
  readonly modelPath: string;
}

export interface FullTraining {
  readonly type: "full";
}

export interface LoraTraining {
  readonly type: "lora";
  /** 8 unless told. */
  readonly rank?: number;
  /** Twice the rank unless told. */
  readonly alpha?: number;
  /** All matrices of all layers unless told. */
  readonly targets?: readonly LoraTarget[];
}

/** The options with everything decided that does not depend on the data. */
export interface TrainingSettings {
  readonly batchTokens: number;
  readonly learningRate: number;
  readonly schedule: "cosine" | "constant";
  readonly weightDecay: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly clipNorm: number;
  readonly precision: "float32" | "bfloat16";
  readonly seed: number;
  readonly threads: number;
  readonly checkpointEvery: number | undefined;
  readonly weightType: "F32" | "F16";
}

/** Throws `VALIDATION_FAILED` for what cannot be, naming the setting. */
export function settingsOf(options: TrainingOptions): TrainingSettings {
  checkNumbers(options);
  checkBase(options);
  checkMethod(options);
  if (options.steps !== undefined && options.epochs !== undefined) {
    throw refusal("Say how long to train in `steps` or in `epochs`, not in both.");
  }
  return {
    batchTokens: options.batchTokens ?? 2048,
    learningRate: options.learningRate ?? 0.002,
    schedule: options.schedule ?? "cosine",
    weightDecay: options.weightDecay ?? 0.01,
    beta1: options.beta1 ?? 0.9,
    beta2: options.beta2 ?? 0.99,
    clipNorm: options.clipNorm ?? 1,
    precision: options.precision ?? "float32",
    seed: options.seed ?? 1,
    threads: options.threads ?? Math.min(availableParallelism(), 8),
    checkpointEvery: options.checkpointEvery,
    weightType: options.weightType ?? "F16",
  };
}

type NumberOption = {
  [Key in keyof TrainingOptions]-?: NonNullable<TrainingOptions[Key]> extends number ? Key : never;
}[keyof TrainingOptions];

const ranges: Record<NumberOption, readonly [least: number, most: number, whole: boolean]> = {
  steps: [1, 10_000_000, true],
  epochs: [0.01, 100_000, false],
  batchTokens: [32, 1_048_576, true],
  contextTokens: [8, 32_768, true],
  learningRate: [1e-8, 1, false],
  warmupSteps: [0, 1_000_000, true],
  weightDecay: [0, 10, false],
  beta1: [0, 0.9999, false],
  beta2: [0, 0.999999, false],
  clipNorm: [1e-6, 1e6, false],
  seed: [0, 2 ** 32 - 1, true],
  threads: [1, 256, true],
  evaluateEvery: [1, 1_000_000, true],
  patience: [1, 1_000_000, true],
  checkpointEvery: [1, 1_000_000, true],
};

function checkNumbers(options: TrainingOptions): void {
  for (const [name, [least, most, whole]] of Object.entries(ranges)) {
    const value = options[name as NumberOption];
    if (value === undefined) continue;
    const fits = value >= least && value <= most && (!whole || Number.isInteger(value));
    if (!fits) throw outOfRange(name, least, most, whole);
  }
  const { evaluation } = options;
  if (evaluation && "share" in evaluation && !(evaluation.share > 0 && evaluation.share <= 0.5)) {
    throw refusal("The `share` of examples to measure by has to be more than 0 and at most 0.5.");
  }
}

function checkBase({ base, method }: TrainingOptions): void {
  if ("modelPath" in base) return;
  if (method.type === "lora")
    throw refusal("A LoRA changes a model that there is. Give it by its `modelPath`, or train fully.");
  checkWhole("embeddingLength", base.embeddingLength, 16, 8192);
  checkWhole("layers", base.layers, 1, 128);
  checkWhole("heads", base.heads, 1, 256);
  checkWhole("keyValueHeads", base.keyValueHeads, 1, 256);
  checkWhole("feedForwardLength", base.feedForwardLength, 16, 65_536);
  checkWhole("vocabularySize", base.vocabularySize, 259, 262_144);
  checkWhole("contextTokens", base.contextTokens, 8, 1_048_576);
  const { embeddingLength, heads, keyValueHeads = heads } = base;
  if (embeddingLength % (heads * 2) !== 0) {
    throw refusal("The `embeddingLength` has to be divisible by twice the `heads`.", { embeddingLength, heads });
  }
  if (heads % keyValueHeads !== 0) {
    throw refusal("The `heads` have to be divisible by the `keyValueHeads`.", { heads, keyValueHeads });
  }
}

function checkMethod({ method }: TrainingOptions): void {
  if (method.type === "full") return;
  const { rank = 8, targets = loraTargets } = method;
  checkWhole("rank", rank, 1, 1024);
  const known: readonly string[] = loraTargets;
  const unknown = targets.filter((target) => !known.includes(target));
  if (unknown.length > 0 || targets.length === 0) {
    throw refusal(`The \`targets\` of a LoRA can be ${loraTargets.join(", ")}; at least one of them.`);
  }
}

function checkWhole(name: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return;
  throw outOfRange(name, least, most, true);
}

function outOfRange(name: string, least: number, most: number, whole: boolean): Error {
  return refusal(`\`${name}\` has to be a ${whole ? "whole " : ""}number from ${least} to ${most}.`, { setting: name });
}
