import { z } from "zod";
import { FinishReason, Json } from "./messages.ts";

/**
 * The words of evaluations: what a suite asks, what its evaluators say, and the report that comes of it. A suite file, the
 * API, the command line and the console share these shapes.
 */

const share = z.number().min(0).max(1);
/** Names and ids are shown in terminals and pages, where control characters do harm. */
const label = z
  .string()
  .trim()
  .min(1)
  .max(120)
  .regex(/^\P{Cc}*$/u, "No line breaks or control characters");
const modelName = z
  .string()
  .max(300)
  .regex(/^[^/\s]+\/\S+$/, "A model is written provider/model");

/** Sizes that a suite may have; an error that one of them causes names it. */
export const evalLimits = {
  maxCases: 10_000,
  /** Cases × models × repetitions. */
  maxSamples: 20_000,
  maxModels: 16,
  maxEvaluators: 32,
  maxRepeat: 100,
  maxConcurrency: 32,
  /** Characters of one case as JSON. */
  maxCaseCharacters: 500_000,
} as const;

/** One question. Fields beside `id`, `input` and `expected` are variables of the prompt too. */
export const EvalCase = z
  .object({ id: label, input: Json, expected: Json.optional() })
  .catchall(Json)
  .refine((value) => JSON.stringify(value).length <= evalLimits.maxCaseCharacters, {
    message: `A case has at most ${evalLimits.maxCaseCharacters} characters`,
  });
export type EvalCase = z.infer<typeof EvalCase>;

const named = {
  /** How reports call it; the type when absent. Unique within a suite. */
  name: z
    .string()
    .regex(/^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,59}$/u, "1 to 60 letters, digits, spaces, dots, dashes or underscores")
    .optional(),
};

export const Normalisation = z.enum(["trim", "case", "whitespace", "punctuation", "unicode"]);
export type Normalisation = z.infer<typeof Normalisation>;

/** How an answer is judged. `threshold`: the score from which on it passes, where scores between 0 and 1 occur. */
export const EvaluatorSpec = z.discriminatedUnion("type", [
  /** The answer is `value` (the case's `expected` when absent), after both were normalised. */
  z.strictObject({
    type: z.literal("exact"),
    ...named,
    value: Json.optional(),
    normalise: z.array(Normalisation).default(["trim"]),
  }),
  /** The answer contains the texts: those named here, else the case's `expected` (a text or a list of texts). */
  z.strictObject({
    type: z.literal("contains"),
    ...named,
    values: z.array(z.string().min(1).max(20_000)).min(1).max(100).optional(),
    match: z.enum(["all", "any", "none"]).default("all"),
    caseSensitive: z.boolean().default(false),
    threshold: share.default(1),
  }),
  /** The answer matches a regular expression: `pattern`, else the case's `expected`. It is given a second. */
  z.strictObject({
    type: z.literal("regex"),
    ...named,
    pattern: z.string().min(1).max(2000).optional(),
    flags: z
      .string()
      .regex(/^[imsu]{0,4}$/, "Flags are i, m, s and u")
      .default(""),
  }),
  /** The answer is JSON of this schema (2020-12); `fenced` accepts it inside a Markdown code fence. */
  z.strictObject({
    type: z.literal("json-schema"),
    ...named,
    schema: z.record(z.string(), Json),
    fenced: z.boolean().default(true),
  }),
  /** The last number of the answer is near `value` (the case's `expected` when absent). Either tolerance suffices. */
  z.strictObject({
    type: z.literal("numeric"),
    ...named,
    value: z.number().optional(),
    absolute: z.number().nonnegative().default(0),
    relative: z.number().nonnegative().default(0),
  }),
  /** A model reads the question, what was expected and the answer, and scores the answer by the rubric. */
  z.strictObject({
    type: z.literal("model-graded"),
    ...named,
    model: modelName,
    rubric: z.string().min(1).max(20_000),
    threshold: share.default(0.7),
  }),
]);
export type EvaluatorSpec = z.infer<typeof EvaluatorSpec>;

const bounds = z.strictObject({ passRate: share.optional(), score: share.optional() });

/** What a suite must reach, for each of its models. */
export const EvalThresholds = z.strictObject({
  ...bounds.shape,
  evaluators: z.record(z.string(), bounds).optional(),
  /** Milliseconds within which 95 % of the answers came. */
  latencyP95Ms: z.number().positive().optional(),
  /** US dollars that the answers of one model may cost, graders not counted. */
  costUsd: z.number().nonnegative().optional(),
});
export type EvalThresholds = z.infer<typeof EvalThresholds>;

/** What the whole run may use, graders included. */
export const EvalBudget = z.strictObject({
  costUsd: z.number().nonnegative().optional(),
  totalTokens: z.int().positive().optional(),
  durationSeconds: z.number().positive().optional(),
});
export type EvalBudget = z.infer<typeof EvalBudget>;

const suiteFields = {
  name: label,
  description: z.string().max(2000).optional(),
  models: z.array(modelName).min(1).max(evalLimits.maxModels),
  instructions: z.string().max(200_000).optional(),
  /** `{{input}}`, `{{expected}}` and any further field of a case; `{{a.b}}` reaches into objects. */
  prompt: z.string().min(1).max(200_000).default("{{input}}"),
  evaluators: z.array(EvaluatorSpec).min(1).max(evalLimits.maxEvaluators),
  thresholds: EvalThresholds.default({}),
  repeat: z.int().min(1).max(evalLimits.maxRepeat).default(1),
  concurrency: z.int().min(1).max(evalLimits.maxConcurrency).default(4),
  maxOutputTokens: z.int().positive().optional(),
  temperature: z.number().min(0).max(2).optional(),
  budget: EvalBudget.default({}),
};

/** A suite with everything in it: what the daemon runs. */
export const EvalSuite = z.strictObject({
  ...suiteFields,
  cases: z.array(EvalCase).min(1).max(evalLimits.maxCases),
});
export type EvalSuite = z.infer<typeof EvalSuite>;
export type EvalSuiteInput = z.input<typeof EvalSuite>;

/** A suite as its file says it: one `model` or several `models`, cases inline or in a file beside it. */
export const EvalSuiteFile = z.strictObject({
  ...suiteFields,
  models: suiteFields.models.optional(),
  model: modelName.optional(),
  cases: z.array(EvalCase).min(1).max(evalLimits.maxCases).optional(),
  /** A JSONL file, one case a line; relative to the suite. */
  dataset: z.string().min(1).max(1000).optional(),
});
export type EvalSuiteFile = z.infer<typeof EvalSuiteFile>;

/** What an evaluator says. `ungraded`: it could not tell, which is never a pass. */
export const Verdict = z.object({
  evaluator: z.string(),
  outcome: z.enum(["passed", "failed", "ungraded"]),
  /** 0 to 1; null when ungraded. */
  score: share.nullable(),
  reason: z.string(),
  /** The run in which a model graded. */
  runId: z.string().optional(),
  cached: z.boolean().optional(),
});
export type Verdict = z.infer<typeof Verdict>;

export const sampleOutcomes = ["passed", "failed", "error", "ungraded", "not-run"] as const;
export const SampleOutcome = z.enum(sampleOutcomes);
export type SampleOutcome = z.infer<typeof SampleOutcome>;

/** One answer of one model to one case, and what came of it. */
export const EvalSample = z.object({
  caseId: z.string(),
  model: z.string(),
  repetition: z.int().positive(),
  outcome: SampleOutcome,
  /** Mean of the evaluators' scores; null when none gave one. */
  score: share.nullable(),
  verdicts: z.array(Verdict),
  /** What the model said. Texts are cut where `truncated` names them; the run has the whole. */
  output: z.string(),
  prompt: z.string(),
  expected: z.string().nullable(),
  truncated: z.array(z.enum(["output", "prompt", "expected"])).optional(),
  finishReason: FinishReason.optional(),
  /** Why there is no answer. */
  error: z.object({ code: z.string(), message: z.string() }).optional(),
  runId: z.string().optional(),
  /** The answer was kept from an earlier run that asked the same; times and costs are those of that run. */
  cached: z.boolean(),
  inputTokens: z.int().nonnegative(),
  outputTokens: z.int().nonnegative(),
  costMicros: z.int().nonnegative().nullable(),
  durationMs: z.number().nonnegative(),
  firstTokenMs: z.number().nonnegative().optional(),
  /** sha256 of the case, so that a comparison sees that it was edited. */
  caseHash: z.string(),
});
export type EvalSample = z.infer<typeof EvalSample>;

export const Interval = z.object({ low: share, high: share });
export type Interval = z.infer<typeof Interval>;

export const EvaluatorSummary = z.object({
  evaluator: z.string(),
  passed: z.int().nonnegative(),
  failed: z.int().nonnegative(),
  ungraded: z.int().nonnegative(),
  /** Passed among all that it was asked about, ungraded included. */
  passRate: share.nullable(),
  /** Mean of the scores there are. */
  score: share.nullable(),
});
export type EvaluatorSummary = z.infer<typeof EvaluatorSummary>;

export const ModelSummary = z.object({
  model: z.string(),
  samples: z.int().nonnegative(),
  passed: z.int().nonnegative(),
  failed: z.int().nonnegative(),
  errors: z.int().nonnegative(),
  ungraded: z.int().nonnegative(),
  notRun: z.int().nonnegative(),
  cached: z.int().nonnegative(),
  /** Passed among those that were run; errors and ungraded ones count as not passed. */
  passRate: share.nullable(),
  /** 95 % Wilson interval of the pass rate. */
  interval: Interval.nullable(),
  score: share.nullable(),
  evaluators: z.array(EvaluatorSummary),
  inputTokens: z.int().nonnegative(),
  outputTokens: z.int().nonnegative(),
  /** What the answers cost, cached ones included; null when a price is not known. */
  costMicros: z.int().nonnegative().nullable(),
  latencyMs: z.object({ mean: z.number(), p50: z.number(), p95: z.number(), max: z.number() }).nullable(),
});
export type ModelSummary = z.infer<typeof ModelSummary>;

/** A threshold and what was reached. */
export const ThresholdResult = z.object({
  model: z.string(),
  threshold: z.string(),
  required: z.number(),
  actual: z.number().nullable(),
  met: z.boolean(),
});
export type ThresholdResult = z.infer<typeof ThresholdResult>;

export const EvalSummary = z.object({
  name: z.string(),
  /** Every sample was run. False after an abort, a budget or a crash. */
  complete: z.boolean(),
  /** `failed`: a threshold was missed, or not everything was run. */
  outcome: z.enum(["passed", "failed"]),
  cases: z.int().nonnegative(),
  repeat: z.int().positive(),
  models: z.array(ModelSummary),
  thresholds: z.array(ThresholdResult),
  /** What this run itself spent, graders included and cached answers not. */
  spent: z.object({
    inputTokens: z.int().nonnegative(),
    outputTokens: z.int().nonnegative(),
    costMicros: z.int().nonnegative().nullable(),
  }),
  durationMs: z.number().nonnegative(),
  stopped: z.object({ code: z.string(), message: z.string() }).optional(),
});
export type EvalSummary = z.infer<typeof EvalSummary>;

/** The report of one run of a suite, version 1. Samples are in the order of models, cases, repetitions. */
export const EvalReport = z.object({
  format: z.literal("benchtop.eval-report"),
  version: z.literal(1),
  runId: z.string().nullable(),
  createdAt: z.string(),
  /** sha256 of the suite without its models: equal for runs that may be compared without a second thought. */
  suiteHash: z.string(),
  suite: EvalSuite.omit({ cases: true }),
  summary: EvalSummary,
  samples: z.array(EvalSample),
});
export type EvalReport = z.infer<typeof EvalReport>;

/** One case on both sides. Numbers are means over its repetitions. */
export const CaseComparison = z.object({
  caseId: z.string(),
  change: z.enum(["fixed", "regressed", "same", "edited", "added", "removed"]),
  before: z
    .object({ passRate: share, score: share.nullable(), costMicros: z.number().nullable(), durationMs: z.number() })
    .nullable(),
  after: z
    .object({ passRate: share, score: share.nullable(), costMicros: z.number().nullable(), durationMs: z.number() })
    .nullable(),
});
export type CaseComparison = z.infer<typeof CaseComparison>;

export const ModelComparison = z.object({
  beforeModel: z.string(),
  afterModel: z.string(),
  fixed: z.int().nonnegative(),
  regressed: z.int().nonnegative(),
  same: z.int().nonnegative(),
  /** Cases that are not on both sides, or were edited between; they are no part of the numbers above. */
  unmatched: z.int().nonnegative(),
  passRate: z.object({ before: share.nullable(), after: share.nullable() }),
  score: z.object({ before: share.nullable(), after: share.nullable() }),
  costMicros: z.object({ before: z.number().nullable(), after: z.number().nullable() }),
  latencyMs: z.object({ before: z.number().nullable(), after: z.number().nullable() }),
  /** Two-sided exact sign test over the cases that changed; with one repetition this is McNemar's exact test. */
  pValue: share,
  cases: z.array(CaseComparison),
});
export type ModelComparison = z.infer<typeof ModelComparison>;

export const EvalComparison = z.object({
  before: z.object({ runId: z.string().nullable(), name: z.string(), createdAt: z.string() }),
  after: z.object({ runId: z.string().nullable(), name: z.string(), createdAt: z.string() }),
  /** The suites ask or judge differently, so a change may come from the suite. */
  suiteChanged: z.boolean(),
  models: z.array(ModelComparison),
});
export type EvalComparison = z.infer<typeof EvalComparison>;
