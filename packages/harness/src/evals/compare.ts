import {
  BenchtopError,
  type CaseComparison,
  type EvalComparison,
  type EvalReport,
  type EvalSample,
  type ModelComparison,
} from "@benchtop/protocol";
import { mean, signTest } from "./statistics.ts";
import { sumOrNull } from "./summary.ts";

export interface ComparedModels {
  /** Compares this model of the first report … */
  readonly beforeModel?: string | undefined;
  /** … with this one of the second. */
  readonly afterModel?: string | undefined;
}

/**
 * What changed from one report to another, case by case. Models are compared with themselves; where the reports have none in
 * common, the only model of one with the only model of the other. The same report may be given twice to compare two models.
 * Throws `VALIDATION_FAILED` when it is not clear what to compare.
 */
export function compareReports(before: EvalReport, after: EvalReport, models: ComparedModels = {}): EvalComparison {
  return {
    before: origin(before),
    after: origin(after),
    suiteChanged: before.suiteHash !== after.suiteHash,
    models: pairsOf(before, after, models).map(([left, right]) => compareModels(before, after, left, right)),
  };
}

function origin({ runId, createdAt, summary }: EvalReport): EvalComparison["before"] {
  return { runId, name: summary.name, createdAt };
}

function pairsOf(
  before: EvalReport,
  after: EvalReport,
  { beforeModel, afterModel }: ComparedModels,
): [string, string][] {
  const left = before.suite.models;
  const right = after.suite.models;
  if (beforeModel !== undefined || afterModel !== undefined) {
    const from = beforeModel ?? afterModel ?? "";
    const to = afterModel ?? beforeModel ?? "";
    for (const [model, known] of [
      [from, left],
      [to, right],
    ] as const) {
      if (!known.includes(model))
        throw unclear(`There is no model ${model} in the report; it has ${known.join(", ")}.`);
    }
    return [[from, to]];
  }
  const shared = left.filter((model) => right.includes(model));
  if (shared.length > 0) return shared.map((model) => [model, model]);
  const [from, to] = [left[0], right[0]];
  if (left.length === 1 && right.length === 1 && from !== undefined && to !== undefined) return [[from, to]];
  throw unclear("The reports have no model in common. Say which model to compare with which.");
}

function unclear(message: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", message, { detail: { fields: ["beforeModel", "afterModel"] } });
}

function compareModels(
  before: EvalReport,
  after: EvalReport,
  beforeModel: string,
  afterModel: string,
): ModelComparison {
  const left = byCase(before, beforeModel);
  const right = byCase(after, afterModel);
  const cases = [...new Set([...left.keys(), ...right.keys()])].map((id) =>
    compareCase(id, left.get(id), right.get(id)),
  );
  const count = (...changes: CaseComparison["change"][]): number =>
    cases.filter(({ change }) => changes.includes(change)).length;
  const fixed = count("fixed");
  const regressed = count("regressed");
  const matched = cases.filter(({ change }) => change === "fixed" || change === "regressed" || change === "same");
  const both = <Value>(read: (side: Side) => Value): [Value[], Value[]] => [
    matched.flatMap((item) => (item.before ? [read(item.before)] : [])),
    matched.flatMap((item) => (item.after ? [read(item.after)] : [])),
  ];
  return {
    beforeModel,
    afterModel,
    fixed,
    regressed,
    same: count("same"),
    unmatched: count("edited", "added", "removed"),
    passRate: sides(
      both(({ passRate }) => passRate),
      mean,
    ),
    score: sides(
      both(({ score }) => score),
      (scores) => mean(scores.filter((score) => score !== null)),
    ),
    costMicros: sides(
      both(({ costMicros }) => costMicros),
      sumOrNull,
    ),
    latencyMs: sides(
      both(({ durationMs }) => durationMs),
      mean,
    ),
    pValue: signTest(fixed, regressed),
    cases,
  };
}

type Side = NonNullable<CaseComparison["before"]>;

function sides<Value>([before, after]: [Value[], Value[]], summarise: (values: Value[]) => number | null) {
  return { before: summarise(before), after: summarise(after) };
}

function byCase(report: EvalReport, model: string): Map<string, EvalSample[]> {
  const cases = new Map<string, EvalSample[]>();
  for (const sample of report.samples) {
    if (sample.model !== model || sample.outcome === "not-run") continue;
    const samples = cases.get(sample.caseId);
    if (samples) samples.push(sample);
    else cases.set(sample.caseId, [sample]);
  }
  return cases;
}

function compareCase(caseId: string, left: EvalSample[] | undefined, right: EvalSample[] | undefined): CaseComparison {
  const before = left ? sideOf(left) : null;
  const after = right ? sideOf(right) : null;
  return { caseId, change: changeOf(before, after, left?.[0]?.caseHash === right?.[0]?.caseHash), before, after };
}

function changeOf(before: Side | null, after: Side | null, isSameCase: boolean): CaseComparison["change"] {
  if (!before) return "added";
  if (!after) return "removed";
  if (!isSameCase) return "edited";
  if (after.passRate === before.passRate) return "same";
  return after.passRate > before.passRate ? "fixed" : "regressed";
}

function sideOf(samples: readonly EvalSample[]): Side {
  return {
    passRate: samples.filter(({ outcome }) => outcome === "passed").length / samples.length,
    score: mean(samples.flatMap(({ score }) => score ?? [])),
    costMicros: sumOrNull(samples.map(({ costMicros }) => costMicros)),
    durationMs: mean(samples.map(({ durationMs }) => durationMs)) ?? 0,
  };
}
