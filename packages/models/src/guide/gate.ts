import { BenchtopError } from "@benchtop/protocol";
import * as z from "zod";
import { buckets, linearScore, piecesOf, type LinearModel } from "./linear.ts";
import { SpaceIndex, type QuestionSpace } from "./space.ts";
import { wordsOf } from "./words.ts";

/** Whether the guide may answer a question, judged by the question alone. */
export interface Gate {
  decide(question: string): Decision;
}

export interface Decision {
  readonly answers: boolean;
  /** From 0, not at all what the guide learnt, to 1. What is not a question has 0. */
  readonly score: number;
}

/**
 * The gate whose parameters are the text of a file that `fitGate` made. It is a classifier and no table of answers: it knows
 * what the questions looked like that the guide was trained on and what others look like, and nothing of what is answered.
 */
export function loadGate(text: string): Gate {
  const { space, linear, decision, threshold } = parseGate(text);
  const index = new SpaceIndex(space);
  return {
    decide: (question) => {
      const found = featuresOf(question, index, linear);
      if (found === null) return { answers: false, score: 0 };
      const score = probability(decision, found.features);
      return { answers: score >= threshold, score };
    },
  };
}

/** What is measured of a question. */
const measures = [
  "linear",
  "nearest",
  "known",
  "subject",
  "known stems",
  "known share of stems",
  "unknown stems",
  "foreign",
  "length",
] as const;

/** What the decision is made from, by name: the measures, and the product of every two, since they mean most together. */
export const featureNames: readonly string[] = [
  ...measures,
  ...measures.flatMap((one, at) => measures.slice(at).map((other) => `${one} * ${other}`)),
];

/** What a question says to the parts that were fitted first; null for what holds no word, or is too long to be a question. */
export function featuresOf(question: string, index: SpaceIndex, linear: LinearModel): QuestionFeatures | null {
  const words = wordsOf(question);
  if (words.stems.length === 0) return null;
  const { nearest, known, subject, knownStems, unknownStems } = index.near(words.stems);
  const measured = {
    linear: linearScore(linear, piecesOf(words)),
    nearest,
    known,
    subject,
    "known stems": Math.min(knownStems, 3),
    "known share of stems": knownStems / (knownStems + unknownStems || 1),
    "unknown stems": Math.min(unknownStems, 4),
    foreign: words.foreign,
    length: Math.log(1 + words.stems.length),
  };
  const values = measures.map((name) => measured[name]);
  const products = values.flatMap((one, at) => values.slice(at).map((other) => one * other));
  return { features: [...values, ...products], knownStems, unknownStems };
}

export interface QuestionFeatures {
  /** In the order of their names. */
  readonly features: readonly number[];
  readonly knownStems: number;
  readonly unknownStems: number;
}

/** The weight of each feature, and what is added to their sum. */
export interface LogisticModel {
  readonly weights: readonly number[];
  readonly intercept: number;
}

export function probability({ weights, intercept }: LogisticModel, features: readonly number[]): number {
  const sum = features.reduce((total, feature, at) => total + feature * (weights[at] ?? 0), intercept);
  return 1 / (1 + Math.exp(-sum));
}

/** All that was fitted. */
export interface GateParameters {
  readonly space: QuestionSpace;
  readonly linear: LinearModel;
  readonly decision: LogisticModel;
  readonly threshold: number;
}

/** As one line of JSON, the same for the same parameters. */
export function printGate({ space, linear, decision, threshold }: GateParameters): string {
  const numbers = Uint16Array.from(space.questions.flatMap((stems) => [stems.length, ...stems]));
  const file: z.infer<typeof gateFile> = {
    version: 1,
    threshold,
    decision: {
      intercept: decision.intercept,
      weights: Object.fromEntries(featureNames.map((name, at) => [name, decision.weights[at] ?? 0])),
    },
    linear: {
      scale: linear.scale,
      intercept: linear.intercept,
      weights: printed(linear.weights),
    },
    stems: space.stems.join(" "),
    subjects: [...space.subjects],
    questions: printed(numbers),
  };
  return `${JSON.stringify(file)}\n`;
}

function printed({ buffer, byteOffset, byteLength }: Int8Array | Uint16Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("base64");
}

const gateFile = z.strictObject({
  version: z.literal(1),
  threshold: z.number().min(0).max(1),
  decision: z.strictObject({ intercept: z.number(), weights: z.record(z.string(), z.number()) }),
  linear: z.strictObject({ scale: z.number(), intercept: z.number(), weights: z.string() }),
  stems: z.string(),
  subjects: z.array(z.int().positive()),
  questions: z.string(),
});

function parseGate(text: string): GateParameters {
  const file = gateFile.safeParse(parsedJson(text));
  if (!file.success) throw unreadable();
  const { stems, subjects, questions, linear, decision, threshold } = file.data;
  const weights = new Int8Array(Buffer.from(linear.weights, "base64"));
  const space = { stems: stems.split(" "), subjects, questions: questionsOf(questions) };
  const isWhole =
    weights.length === buckets &&
    featureNames.every((name) => decision.weights[name] !== undefined) &&
    subjects.reduce((sum, each) => sum + each, 0) === space.questions.length &&
    space.questions.every((question) => (question.at(-1) ?? 0) < space.stems.length);
  if (!isWhole) throw unreadable();
  return {
    space,
    linear: { ...linear, weights },
    decision: { ...decision, weights: featureNames.map((name) => decision.weights[name] ?? 0) },
    threshold,
  };
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
}

/** Numbers of two bytes: how many stems a question has, then theirs, the largest last. */
function questionsOf(printedNumbers: string): Uint16Array[] {
  const bytes = Buffer.from(printedNumbers, "base64");
  const numbers = new Uint16Array(Uint8Array.from(bytes).buffer, 0, bytes.length >> 1);
  const questions: Uint16Array[] = [];
  for (let at = 0; at < numbers.length;) {
    const end = at + 1 + (numbers[at] ?? 0);
    if (end > numbers.length) throw unreadable();
    questions.push(numbers.subarray(at + 1, end));
    at = end;
  }
  return questions;
}

function unreadable(): BenchtopError {
  return new BenchtopError(
    "FILE_READ_FAILED",
    "The gate of the guide cannot be read: its file is damaged. Install Benchtop again, or make it anew with `node scripts/train-guide.ts gate`.",
    { phase: "settings", subphase: "guide", retryable: false },
  );
}
