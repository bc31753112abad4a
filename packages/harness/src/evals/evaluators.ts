import type { EvaluatorSpec, EvalCase, Json, Normalisation } from "@benchtop/protocol";
import { canonicalJson } from "../provider/canonical-json.ts";
import { scored, ungraded, verdict, type Evaluator, type Judged, type Judgement } from "./evaluator.ts";
import { gradeByModel } from "./grader.ts";
import { insideFence, parseJson } from "./json-answer.ts";
import { textOf } from "./template.ts";
import type { TimedChecks } from "./timed-check.ts";

/** Texts longer than this are judged by their beginning, so that no answer makes judging slow. */
const judgedCharacters = 1_000_000;

/** The evaluator that a suite describes. `checks` does what may take long. */
export function createEvaluator(spec: EvaluatorSpec, checks: TimedChecks): Evaluator {
  return {
    name: evaluatorName(spec),
    evaluate: (judged, signal) =>
      judge(spec, checks, { ...judged, output: judged.output.slice(0, judgedCharacters) }, signal),
  };
}

export function evaluatorName(spec: EvaluatorSpec): string {
  return spec.name ?? spec.type;
}

async function judge(
  spec: EvaluatorSpec,
  checks: TimedChecks,
  judged: Judged,
  signal: AbortSignal,
): Promise<Judgement> {
  switch (spec.type) {
    case "exact":
      return exact(judged.output, spec.value ?? judged.case.expected, spec.normalise);
    case "contains":
      return contains(judged.output, spec.values ?? listOf(judged.case.expected), spec);
    case "regex":
      return await matches(judged.output, spec.pattern ?? judged.case.expected, spec.flags, checks);
    case "json-schema":
      return await isOfSchema(judged.output, spec, checks);
    case "numeric":
      return isNear(judged.output, spec.value ?? numberOf(judged.case.expected), spec);
    default:
      return await gradeByModel(spec, judged, signal);
  }
}

/** What keeps an evaluator from judging a case, in words; undefined when nothing does. */
export function missingFor(spec: EvaluatorSpec, item: EvalCase): string | undefined {
  switch (spec.type) {
    case "exact":
      return spec.value === undefined && item.expected === undefined ? "needs `expected` in the case" : undefined;
    case "contains":
      return (spec.values ?? listOf(item.expected)) === undefined
        ? "needs a text or a list of texts as `expected`"
        : undefined;
    case "regex":
      return patternProblem(spec.pattern ?? item.expected, spec.flags);
    case "numeric":
      return (spec.value ?? numberOf(item.expected)) === undefined ? "needs a number as `expected`" : undefined;
    default:
      return undefined;
  }
}

export function exact(output: string, expected: Json | undefined, normalisations: readonly Normalisation[]): Judgement {
  if (expected === undefined) return ungraded("The case expects nothing.");
  if (typeof expected !== "string") {
    const value = parseJson(output);
    if (value !== undefined && canonicalJson(value) === canonicalJson(expected)) return verdict(true, "The same JSON.");
  }
  const same = normalise(output, normalisations) === normalise(textOf(expected), normalisations);
  return verdict(same, same ? "The answer is what was expected." : "The answer is not what was expected.");
}

export function normalise(text: string, normalisations: readonly Normalisation[]): string {
  let result = text;
  const wanted = new Set(normalisations);
  if (wanted.has("unicode")) result = result.normalize("NFKC");
  if (wanted.has("case")) result = result.toLowerCase();
  if (wanted.has("punctuation")) result = result.replaceAll(/\p{P}/gu, "");
  if (wanted.has("whitespace")) result = result.replaceAll(/\s+/g, " ");
  if (wanted.has("trim") || wanted.has("whitespace")) result = result.trim();
  return result;
}

function contains(
  output: string,
  texts: readonly string[] | undefined,
  spec: Extract<EvaluatorSpec, { type: "contains" }>,
): Judgement {
  if (texts === undefined || texts.length === 0) return ungraded("The case names no texts.");
  const fold = (text: string): string => (spec.caseSensitive ? text : text.toLowerCase());
  const where = fold(output);
  const found = texts.filter((text) => where.includes(fold(text)));
  if (spec.match === "none") {
    return verdict(
      found.length === 0,
      found.length === 0 ? "None of the texts occurs." : `${found.length} of the texts occur.`,
    );
  }
  if (spec.match === "any") {
    return verdict(found.length > 0, `${found.length} of ${texts.length} texts occur.`);
  }
  return scored(found.length / texts.length, spec.threshold, `${found.length} of ${texts.length} texts occur.`);
}

async function matches(
  output: string,
  pattern: Json | undefined,
  flags: string,
  checks: TimedChecks,
): Promise<Judgement> {
  if (typeof pattern !== "string") return ungraded("The case gives no pattern.");
  const result = await checks.check({ kind: "regex", pattern, flags, text: output });
  if ("failure" in result) return ungraded(`The pattern could not be tried. ${result.failure}`);
  return verdict(result.matches, result.matches ? "The pattern matches." : "The pattern does not match.");
}

async function isOfSchema(
  output: string,
  spec: Extract<EvaluatorSpec, { type: "json-schema" }>,
  checks: TimedChecks,
): Promise<Judgement> {
  const value = parseJson(output) ?? (spec.fenced ? parseJson(insideFence(output)) : undefined);
  if (value === undefined) return verdict(false, "The answer is not JSON.");
  const result = await checks.check({ kind: "schema", schema: spec.schema, value });
  if ("failure" in result) return ungraded(`The schema could not be tried. ${result.failure}`);
  return verdict(
    result.matches,
    result.matches ? "The answer is JSON of the schema." : `${result.problems.join("; ")}.`,
  );
}

function isNear(
  output: string,
  expected: number | undefined,
  { absolute, relative }: { absolute: number; relative: number },
): Judgement {
  if (expected === undefined) return ungraded("The case expects no number.");
  const actual = lastNumber(output);
  if (actual === undefined) return verdict(false, "The answer holds no number.");
  const difference = Math.abs(actual - expected);
  const near = difference <= Math.max(absolute, relative * Math.abs(expected));
  return verdict(
    near,
    `${actual} is ${difference === 0 ? "equal to" : `off by ${Number(difference.toPrecision(6))} from`} ${expected}.`,
  );
}

/** The last number of a text: `1,234.5`, `-3e8`. A comma counts as a separator of thousands alone. */
export function lastNumber(text: string): number | undefined {
  const numbers = text.match(/[-+\u2212]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d{1,3})?|[-+\u2212]?\.\d+/g);
  const last = numbers?.at(-1);
  if (last === undefined) return undefined;
  const value = Number(last.replaceAll(",", "").replace("\u2212", "-"));
  return Number.isFinite(value) ? value : undefined;
}

function listOf(expected: Json | undefined): readonly string[] | undefined {
  if (typeof expected === "string" && expected !== "") return [expected];
  if (!Array.isArray(expected) || expected.length === 0) return undefined;
  return expected.every((text) => typeof text === "string" && text !== "") ? (expected as string[]) : undefined;
}

function numberOf(expected: Json | undefined): number | undefined {
  if (typeof expected === "number") return expected;
  if (typeof expected !== "string" || expected.trim() === "") return undefined;
  const value = Number(expected);
  return Number.isFinite(value) ? value : undefined;
}

function patternProblem(pattern: Json | undefined, flags: string): string | undefined {
  if (typeof pattern !== "string" || pattern === "") return "needs a pattern, as `pattern` or as `expected`";
  try {
    const { source } = new RegExp(pattern, flags);
    return source === "" ? "has an empty pattern" : undefined;
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return "has a pattern or flags that are not valid";
    throw thrown;
  }
}
