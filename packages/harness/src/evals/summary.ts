import type {
  EvalSample,
  EvalSuite,
  EvalSummary,
  EvalThresholds,
  EvaluatorSummary,
  ModelSummary,
  ThresholdResult,
} from "@benchtop/protocol";
import { evaluatorName } from "./evaluators.ts";
import { mean, percentile, wilsonInterval } from "./statistics.ts";

/** What one run used, beside what its answers cost. */
export interface Spent {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costMicros: number | null;
}

/** The numbers of a report. Samples that were not run count for nothing but completeness. */
export function summarise(
  suite: EvalSuite,
  samples: readonly EvalSample[],
  run: {
    readonly evaluators: readonly string[];
    readonly spent: Spent;
    readonly durationMs: number;
    readonly stopped?: { readonly code: string; readonly message: string };
  },
): EvalSummary {
  const models = suite.models.map((model) =>
    modelSummary(
      model,
      samples.filter((sample) => sample.model === model),
      run.evaluators,
    ),
  );
  const thresholds = models.flatMap((model) => thresholdResults(model, suite.thresholds));
  const complete = models.every(({ notRun }) => notRun === 0);
  return {
    name: suite.name,
    complete,
    outcome: complete && thresholds.every(({ met }) => met) ? "passed" : "failed",
    cases: suite.cases.length,
    repeat: suite.repeat,
    models,
    thresholds,
    spent: run.spent,
    durationMs: run.durationMs,
    ...(run.stopped && { stopped: run.stopped }),
  };
}

function modelSummary(model: string, samples: readonly EvalSample[], evaluators: readonly string[]): ModelSummary {
  const ran = samples.filter(({ outcome }) => outcome !== "not-run");
  const count = (outcome: EvalSample["outcome"]): number =>
    samples.filter((sample) => sample.outcome === outcome).length;
  const passed = count("passed");
  const latencies = ran.filter(({ outcome }) => outcome !== "error").map(({ durationMs }) => durationMs);
  const costs = ran.filter(({ error }) => error === undefined).map(({ costMicros }) => costMicros);
  return {
    model,
    samples: samples.length,
    passed,
    failed: count("failed"),
    errors: count("error"),
    ungraded: count("ungraded"),
    notRun: count("not-run"),
    cached: ran.filter(({ cached }) => cached).length,
    passRate: ran.length === 0 ? null : passed / ran.length,
    interval: wilsonInterval(passed, ran.length),
    score: mean(ran.flatMap(({ score }) => score ?? [])),
    evaluators: evaluators.map((evaluator) => evaluatorSummary(evaluator, ran)),
    inputTokens: ran.reduce((sum, sample) => sum + sample.inputTokens, 0),
    outputTokens: ran.reduce((sum, sample) => sum + sample.outputTokens, 0),
    costMicros: sumOrNull(costs),
    latencyMs: latencyOf(latencies),
  };
}

export function evaluatorNames(suite: Pick<EvalSuite, "evaluators">): readonly string[] {
  return suite.evaluators.map(evaluatorName);
}

function evaluatorSummary(evaluator: string, samples: readonly EvalSample[]): EvaluatorSummary {
  const verdicts = samples.flatMap((sample) => sample.verdicts.filter((verdict) => verdict.evaluator === evaluator));
  const count = (outcome: string): number => verdicts.filter((verdict) => verdict.outcome === outcome).length;
  const passed = count("passed");
  return {
    evaluator,
    passed,
    failed: count("failed"),
    ungraded: count("ungraded"),
    passRate: verdicts.length === 0 ? null : passed / verdicts.length,
    score: mean(verdicts.flatMap(({ score }) => score ?? [])),
  };
}

function latencyOf(values: readonly number[]): ModelSummary["latencyMs"] {
  const sorted = values.toSorted((left, right) => left - right);
  const average = mean(sorted);
  if (average === null) return null;
  return {
    mean: average,
    p50: percentile(sorted, 0.5) ?? 0,
    p95: percentile(sorted, 0.95) ?? 0,
    max: sorted.at(-1) ?? 0,
  };
}

/** A sum in which one unknown makes the whole unknown. */
export function sumOrNull(values: readonly (number | null)[]): number | null {
  return values.reduce<number | null>((sum, value) => (sum === null || value === null ? null : sum + value), 0);
}

function thresholdResults(model: ModelSummary, thresholds: EvalThresholds): ThresholdResult[] {
  const results: ThresholdResult[] = [];
  const atLeast = (threshold: string, required: number | undefined, actual: number | null): void => {
    if (required === undefined) return;
    // Means of many scores miss a bound that they are equal to by the last bit.
    results.push({
      model: model.model,
      threshold,
      required,
      actual,
      met: actual !== null && actual >= required - 1e-9,
    });
  };
  const atMost = (threshold: string, required: number | undefined, actual: number | null): void => {
    if (required === undefined) return;
    results.push({
      model: model.model,
      threshold,
      required,
      actual,
      met: actual !== null && actual <= required + 1e-9,
    });
  };
  atLeast("passRate", thresholds.passRate, model.passRate);
  atLeast("score", thresholds.score, model.score);
  for (const [name, bounds] of Object.entries(thresholds.evaluators ?? {})) {
    const evaluator = model.evaluators.find((summary) => summary.evaluator === name);
    atLeast(`${name} passRate`, bounds.passRate, evaluator?.passRate ?? null);
    atLeast(`${name} score`, bounds.score, evaluator?.score ?? null);
  }
  atMost("latencyP95Ms", thresholds.latencyP95Ms, model.latencyMs?.p95 ?? null);
  atMost("costUsd", thresholds.costUsd, model.costMicros === null ? null : model.costMicros / 1_000_000);
  return results;
}
