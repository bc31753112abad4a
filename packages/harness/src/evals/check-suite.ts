import { evalLimits, type EvalSuite } from "@benchtop/protocol";
import { createHash } from "node:crypto";
import { Ajv2020 } from "ajv/dist/2020.js";
import { evaluatorName, missingFor } from "./evaluators.ts";
import { renderTemplate } from "./template.ts";

/** What is wrong with a suite beyond the shape of its fields. `path` leads to the field, from the suite on. */
export interface SuiteProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

const shownProblems = 20;

/** Problems that would otherwise show in the middle of a run; none when the suite can be run. The first twenty are enough. */
export function checkSuite(suite: EvalSuite): readonly SuiteProblem[] {
  const problems = [...sizeProblems(suite), ...evaluatorProblems(suite)];
  for (const problem of caseProblems(suite)) {
    if (problems.length >= shownProblems) break;
    problems.push(problem);
  }
  return problems;
}

function sizeProblems({ models, cases, repeat }: EvalSuite): SuiteProblem[] {
  const problems: SuiteProblem[] = [];
  const samples = models.length * cases.length * repeat;
  if (samples > evalLimits.maxSamples) {
    const message = `${models.length} models × ${cases.length} cases × ${repeat} repetitions are ${samples} answers; at most ${evalLimits.maxSamples} are asked for in one run`;
    problems.push({ path: ["repeat"], message });
  }
  if (new Set(models).size < models.length) problems.push({ path: ["models"], message: "A model is named twice" });
  return problems;
}

function evaluatorProblems({ evaluators, thresholds }: EvalSuite): SuiteProblem[] {
  const problems: SuiteProblem[] = [];
  const names = new Set<string>();
  for (const [index, spec] of evaluators.entries()) {
    const name = evaluatorName(spec);
    if (names.has(name)) {
      problems.push({
        path: ["evaluators", index, "name"],
        message: `Two evaluators are named "${name}"; give one a \`name\``,
      });
    }
    names.add(name);
    const problem = spec.type === "json-schema" ? schemaProblem(spec.schema) : undefined;
    if (problem !== undefined) problems.push({ path: ["evaluators", index, "schema"], message: problem });
  }
  for (const name of Object.keys(thresholds.evaluators ?? {})) {
    if (!names.has(name)) {
      problems.push({ path: ["thresholds", "evaluators", name], message: `There is no evaluator "${name}"` });
    }
  }
  return problems;
}

function schemaProblem(schema: Readonly<Record<string, unknown>>): string | undefined {
  try {
    new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true, validateFormats: false }).compile(schema);
    return undefined;
  } catch (thrown) {
    return `It is no strict JSON Schema (2020-12): ${thrown instanceof Error ? thrown.message : "unknown reason"}`;
  }
}

function* caseProblems({ cases, prompt, instructions, evaluators }: EvalSuite): Generator<SuiteProblem> {
  const ids = new Set<string>();
  for (const [index, item] of cases.entries()) {
    if (ids.has(item.id)) yield { path: ["cases", index, "id"], message: `The id "${item.id}" is used twice` };
    ids.add(item.id);
    for (const [field, template] of [
      ["prompt", prompt],
      ["instructions", instructions],
    ] as const) {
      const rendered = template === undefined ? undefined : renderTemplate(template, item);
      if (rendered && "missing" in rendered) {
        const names = rendered.missing.map((name) => `{{${name}}}`).join(", ");
        yield { path: ["cases", index], message: `The ${field} uses ${names}, which case "${item.id}" does not have` };
      }
    }
    for (const spec of evaluators) {
      const missing = missingFor(spec, item);
      if (missing !== undefined) {
        yield {
          path: ["cases", index],
          message: `The evaluator "${evaluatorName(spec)}" ${missing} (case "${item.id}")`,
        };
      }
    }
  }
}

/** Equal for suites that ask and judge alike, whatever their models, cases and repetitions. */
export function suiteHash({
  instructions,
  prompt,
  evaluators,
  maxOutputTokens,
  temperature,
}: Omit<EvalSuite, "cases">): string {
  const content = { instructions, prompt, evaluators, maxOutputTokens, temperature };
  return createHash("sha256").update(JSON.stringify(content)).digest("hex");
}
