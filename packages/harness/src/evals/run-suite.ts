import { createHash } from "node:crypto";
import {
  BenchtopError,
  type EvalCase,
  type EvalReport,
  type EvalSample,
  type EvalSuite,
  type Verdict,
} from "@benchtop/protocol";
import { canonicalJson } from "../provider/canonical-json.ts";
import { cacheKey, type EvalCache } from "./cache.ts";
import { checkSuite, suiteHash } from "./check-suite.ts";
import type { CaseRequest, CaseResult, Evaluator, Judged, RunCase } from "./evaluator.ts";
import { createEvaluator } from "./evaluators.ts";
import { mean } from "./statistics.ts";
import { summarise } from "./summary.ts";
import { renderTemplate, textOf } from "./template.ts";
import { TimedChecks } from "./timed-check.ts";

export interface SuiteOptions {
  /** Asks a model. Called at most `concurrency` times at once. */
  readonly runCase: RunCase;
  /** Beside those that the suite names. */
  readonly evaluators?: readonly Evaluator[];
  readonly cache?: EvalCache;
  /** Ends the run: what is going on is abandoned, what was not run is reported as such. */
  readonly signal?: AbortSignal;
  /** Called after each sample, in the order in which they finish. */
  readonly onProgress?: (progress: SuiteProgress) => void;
  /** The run that the report is of, where there is one. */
  readonly runId?: string;
}

export interface SuiteProgress {
  readonly done: number;
  readonly total: number;
  readonly sample: EvalSample;
}

/**
 * Asks every model every case, as often as the suite says, and judges the answers. Always gives a report: a case that fails is
 * a sample with its error, and after an abort the rest is `not-run` and the report says why. Samples are in the order of
 * models, cases, repetitions, whatever the order in which answers came.
 *
 * Throws `VALIDATION_FAILED` alone, for a suite that cannot be run.
 */
export async function runSuite(suite: EvalSuite, options: SuiteOptions): Promise<EvalReport> {
  const [problem] = checkSuite(suite);
  if (problem) throw new BenchtopError("VALIDATION_FAILED", `The suite is not valid. ${problem.message}.`);
  const started = performance.now();
  const createdAt = new Date().toISOString();
  const checks = new TimedChecks();
  const run = new SuiteRun(suite, options, checks);
  try {
    const samples = await run.all();
    const { signal } = options;
    const reason = signal?.aborted === true ? BenchtopError.from(signal.reason, "USER_CANCELED") : undefined;
    const { cases: _cases, ...rest } = suite;
    return {
      format: "benchtop.eval-report",
      version: 1,
      runId: options.runId ?? null,
      createdAt,
      suiteHash: suiteHash(suite),
      suite: rest,
      summary: summarise(suite, samples, {
        evaluators: run.evaluators.map(({ name }) => name),
        spent: run.spent,
        durationMs: Math.round(performance.now() - started),
        ...(reason && { stopped: { code: reason.code, message: reason.message } }),
      }),
      samples,
    };
  } finally {
    await checks.close();
  }
}

/** Characters that all texts of a report may have together, and the least and most that one may. */
const reportCharacters = 30_000_000;
const shortestText = 300;
const longestText = 20_000;

class SuiteRun {
  readonly evaluators: readonly Evaluator[];
  readonly spent = { inputTokens: 0, outputTokens: 0, costMicros: 0 as number | null };
  readonly #suite: EvalSuite;
  readonly #options: SuiteOptions;
  readonly #signal: AbortSignal;
  readonly #maxText: number;

  constructor(suite: EvalSuite, options: SuiteOptions, checks: TimedChecks) {
    this.#suite = suite;
    this.#options = options;
    this.#signal = options.signal ?? new AbortController().signal;
    this.evaluators = [...suite.evaluators.map((spec) => createEvaluator(spec, checks)), ...(options.evaluators ?? [])];
    const samples = suite.models.length * suite.cases.length * suite.repeat;
    this.#maxText = Math.max(shortestText, Math.min(longestText, Math.floor(reportCharacters / samples / 3)));
  }

  async all(): Promise<EvalSample[]> {
    const { models, cases, repeat, concurrency } = this.#suite;
    const places = models.flatMap((model) =>
      cases.flatMap((item) => Array.from({ length: repeat }, (_, index) => ({ model, item, repetition: index + 1 }))),
    );
    const samples: EvalSample[] = [];
    let next = 0;
    let done = 0;
    const work = async (): Promise<void> => {
      for (let index = next++; index < places.length; index = next++) {
        const place = places[index];
        if (place === undefined) return;
        const sample = await this.#sample(place);
        samples[index] = sample;
        done += 1;
        if (sample.outcome !== "not-run") this.#options.onProgress?.({ done, total: places.length, sample });
      }
    };
    await Promise.all(Array.from({ length: Math.min(concurrency, places.length) }, work));
    return samples;
  }

  async #sample(place: Place): Promise<EvalSample> {
    const { model, item, repetition } = place;
    const { maxOutputTokens, temperature } = this.#suite;
    const prompt = this.#filledIn(this.#suite.prompt, item);
    const instructions =
      this.#suite.instructions === undefined ? undefined : this.#filledIn(this.#suite.instructions, item);
    const request: CaseRequest = {
      purpose: "answer",
      caseId: item.id,
      repetition,
      model,
      prompt,
      ...(instructions !== undefined && { instructions }),
      ...(maxOutputTokens !== undefined && { maxOutputTokens }),
      ...(temperature !== undefined && { temperature }),
    };
    const result = await this.#ask(request);
    if (this.#signal.aborted) return this.#toSample(place, prompt, unrun(result), []);
    if (result.error) return this.#toSample(place, prompt, result, []);
    const verdicts = await this.#judge(place, prompt, result);
    return this.#toSample(place, prompt, this.#signal.aborted ? unrun(result) : result, verdicts);
  }

  #filledIn(template: string, item: EvalCase): string {
    const rendered = renderTemplate(template, item);
    if ("text" in rendered) return rendered.text;
    throw new BenchtopError("INTERNAL", "A suite that was checked misses a variable.");
  }

  async #judge({ item, repetition }: Place, prompt: string, result: CaseResult): Promise<Verdict[]> {
    const judged: Judged = {
      case: item,
      output: result.output,
      result,
      events: result.events ?? [],
      repetition,
      prompt,
      ask: (request) => this.#ask({ ...request, purpose: "grading", caseId: item.id, repetition }),
    };
    const verdicts: Verdict[] = [];
    for (const evaluator of this.evaluators) {
      if (this.#signal.aborted) break;
      verdicts.push({ evaluator: evaluator.name, ...(await this.#judgement(evaluator, judged)) });
    }
    return verdicts;
  }

  /** An evaluator that fails says nothing about the answer. */
  async #judgement(evaluator: Evaluator, judged: Judged): Promise<Omit<Verdict, "evaluator">> {
    try {
      return await evaluator.evaluate(judged, this.#signal);
    } catch (thrown) {
      const reason = thrown instanceof Error ? thrown.message.slice(0, 500) : "unknown reason";
      return { outcome: "ungraded", score: null, reason: `The evaluator failed: ${reason}` };
    }
  }

  async #ask(request: CaseRequest): Promise<CaseResult> {
    const { cache, runCase } = this.#options;
    const key = cacheKey(request);
    const kept = await cache?.get(key);
    if (kept) return { ...kept, cached: true };
    if (this.#signal.aborted) return failed(new BenchtopError("USER_CANCELED", "The run was stopped before this."));
    const asked = performance.now();
    const result = await runCase(request, this.#signal).catch((thrown: unknown) =>
      failed(BenchtopError.from(thrown), performance.now() - asked),
    );
    this.#spend(result);
    if (!result.error) await cache?.set(key, result);
    return result;
  }

  #spend({ usage, costMicros }: CaseResult): void {
    // Nothing was used by a question that nobody took.
    if (!usage || usage.inputTokens + usage.outputTokens === 0) return;
    this.spent.inputTokens += usage.inputTokens;
    this.spent.outputTokens += usage.outputTokens;
    if (costMicros === undefined || this.spent.costMicros === null) this.spent.costMicros = null;
    else this.spent.costMicros += costMicros;
  }

  #toSample({ model, item, repetition }: Place, prompt: string, result: CaseResult, verdicts: Verdict[]): EvalSample {
    const { usage, finishReason, error, runId, firstTokenMs } = result;
    const texts = this.#cut({
      output: result.output,
      prompt,
      expected: item.expected === undefined ? null : textOf(item.expected),
    });
    return {
      caseId: item.id,
      model,
      repetition,
      outcome: outcomeOf(result, verdicts),
      score: mean(verdicts.flatMap(({ score }) => score ?? [])),
      verdicts,
      ...texts,
      ...(finishReason !== undefined && { finishReason }),
      ...(error && { error }),
      ...(runId !== undefined && { runId }),
      cached: result.cached ?? false,
      inputTokens: usage?.inputTokens ?? 0,
      outputTokens: usage?.outputTokens ?? 0,
      costMicros: result.costMicros ?? null,
      durationMs: result.durationMs,
      ...(firstTokenMs !== undefined && { firstTokenMs }),
      caseHash: createHash("sha256").update(canonicalJson(item)).digest("hex"),
    };
  }

  #cut(texts: { output: string; prompt: string; expected: string | null }) {
    const truncated = (["output", "prompt", "expected"] as const).filter(
      (name) => (texts[name]?.length ?? 0) > this.#maxText,
    );
    const { output, prompt, expected } = texts;
    return {
      output: output.slice(0, this.#maxText),
      prompt: prompt.slice(0, this.#maxText),
      expected: expected?.slice(0, this.#maxText) ?? null,
      ...(truncated.length > 0 && { truncated }),
    };
  }
}

interface Place {
  readonly model: string;
  readonly item: EvalCase;
  readonly repetition: number;
}

const notRun = "NOT_RUN";

/** Whatever had come when the run was stopped: it is no answer to judge a model by. */
function unrun(result: CaseResult): CaseResult {
  return { ...result, error: { code: notRun, message: "The run was stopped before this was done." } };
}

function failed(error: BenchtopError, durationMs = 0): CaseResult {
  const runId = error.info.run_id;
  return {
    output: "",
    durationMs,
    error: { code: error.code, message: error.message },
    ...(runId !== undefined && { runId }),
  };
}

function outcomeOf({ error }: CaseResult, verdicts: readonly Verdict[]): EvalSample["outcome"] {
  if (error) return error.code === notRun ? "not-run" : "error";
  if (verdicts.some(({ outcome }) => outcome === "failed")) return "failed";
  return verdicts.every(({ outcome }) => outcome === "passed") ? "passed" : "ungraded";
}
