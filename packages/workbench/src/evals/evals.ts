import type { RunBody, RunScope } from "@benchtop/harness";
import type { ComparedModels, SuiteProgress } from "@benchtop/harness/evals";
import type { Providers, ResolvedModel } from "@benchtop/models";
import {
  BenchtopError,
  EvalReport,
  EvalSuite,
  newId,
  type Contract,
  type EvalComparison,
  type EvalSummary,
  type EventOf,
  type Json,
} from "@benchtop/protocol";
import { promptScope, type Consent, type ConsentChoice } from "../consent/consent.ts";
import type { Environment } from "../environment.ts";
import type { Page, PageInput } from "../page.ts";
import { journalOf } from "../workshop/conversation/journals.ts";
import type { Programs } from "../workshop/programs.ts";
import { Allowances } from "./allowances.ts";
import { KeptAnswers } from "./answers.ts";
import { askInRun } from "./asking.ts";
import { inputOf, readInput, suiteName, summaryName } from "./input.ts";
import { evalRunOf, listEvals, type EvalRun } from "./list.ts";

export interface EvalRequest {
  readonly suite?: EvalSuite | undefined;
  /** An earlier run whose suite is run again. */
  readonly from?: string | undefined;
  readonly models?: readonly string[] | undefined;
  readonly cache: boolean;
  readonly consent?: ConsentChoice | undefined;
  readonly runId?: string | undefined;
  readonly userId: string;
  readonly workspaceId: string;
}

/** What judges answers, and reads YAML for it, is loaded by the first evaluation: a daemon that has none starts without. */
const engine = () => import("@benchtop/harness/evals");

const reportNames = { json: "report.json", html: "report.html" } as const;
const mediaTypes = { json: "application/json", html: "text/html; charset=utf-8" } as const;

/** Evaluations: a run of kind `eval` asks every question of a suite in runs of kind `prompt`, judges, and keeps the report. */
export class Evals {
  readonly #environment: Environment;
  readonly #consent: Consent;
  readonly #providers: Providers;
  readonly #programs: Programs;

  constructor(
    environment: Environment,
    parts: { readonly consent: Consent; readonly providers: Providers; readonly programs: Programs },
  ) {
    this.#environment = environment;
    this.#consent = parts.consent;
    this.#providers = parts.providers;
    this.#programs = parts.programs;
  }

  /** Starts an evaluation; resolves once it is in the journal. Throws `VALIDATION_FAILED` for a suite that cannot be run. */
  async run(request: EvalRequest): Promise<{ runId: string; traceId: string }> {
    const suite = await this.#suiteOf(request);
    const models = await this.#resolve(suite, request.workspaceId);
    const { blobs } = this.#environment.store;
    const stored = await blobs.put(bytesOf(suite));
    const runId = request.runId ?? newId("run");
    const start = {
      runId,
      kind: "eval",
      userId: request.userId,
      workspaceId: request.workspaceId,
      contract: contractOf(suite),
      ...(suite.models.length === 1 && { model: suite.models[0] ?? "" }),
      input: inputOf(suite, stored.sha256),
    };
    const handle = await this.#environment.runs.start(start, this.#body(suite, models, request, stored));
    return { runId, traceId: handle.traceId };
  }

  list(input: PageInput & { workspaceId: string }): Promise<Page<EvalRun>> {
    return listEvals(this.#environment.store, input);
  }

  /** One run and its suite, without the cases. Throws `NOT_FOUND`. */
  async get(runId: string): Promise<EvalRun & { suite: Omit<EvalSuite, "cases"> }> {
    const { cases: _cases, ...suite } = await this.suite(runId);
    const { store } = this.#environment;
    const run = await store.ledger.get(runId);
    if (!run) throw notFound(runId);
    return { ...(await evalRunOf(store, run)), suite };
  }

  /** The kept report: which blob it is. Throws `NOT_FOUND` when there is none (yet). */
  async reportBlob(runId: string, format: "json" | "html"): Promise<EventOf<"ArtifactWritten">> {
    await this.#find(runId);
    const written = await journalOf(this.#environment.store, runId, ["ArtifactWritten"]);
    const found = written.find((event) => event.type === "ArtifactWritten" && event.name === reportNames[format]);
    if (found?.type === "ArtifactWritten") return found;
    throw new BenchtopError(
      "NOT_FOUND",
      `The evaluation ${runId} has no report: it is still going, or ended before it had one.`,
      {
        runId,
      },
    );
  }

  async compare(runId: string, otherRunId: string, models: ComparedModels): Promise<EvalComparison> {
    const [before, after] = await Promise.all([this.#report(runId), this.#report(otherRunId)]);
    const { compareReports } = await engine();
    return compareReports(before, after, models);
  }

  /** The suite of a run, cases included. Throws `NOT_FOUND`. */
  async suite(runId: string): Promise<EvalSuite> {
    const started = await this.#find(runId);
    const { sha256 } = readInput(started.input);
    return EvalSuite.parse(JSON.parse(Buffer.from(await this.#environment.store.blobs.read(sha256)).toString("utf8")));
  }

  async #report(runId: string): Promise<EvalReport> {
    const { sha256 } = await this.reportBlob(runId, "json");
    return EvalReport.parse(JSON.parse(Buffer.from(await this.#environment.store.blobs.read(sha256)).toString("utf8")));
  }

  async #find(runId: string): Promise<EventOf<"RunStarted">> {
    const [started] = await journalOf(this.#environment.store, runId, ["RunStarted"]);
    if (started?.type === "RunStarted" && started.kind === "eval") return started;
    throw notFound(runId);
  }

  async #suiteOf({ suite, from, models }: EvalRequest): Promise<EvalSuite> {
    if ((suite === undefined) === (from === undefined)) {
      throw new BenchtopError(
        "VALIDATION_FAILED",
        "Give a `suite`, or `from`: the evaluation whose suite is run again.",
        {
          detail: { fields: ["suite", "from"] },
        },
      );
    }
    const found = suite ?? (await this.suite(from ?? ""));
    const { parseSuite } = await engine();
    return parseSuite(models === undefined ? found : { ...found, models: [...models] });
  }

  /** Every model that will be asked, graders included; a cost that nobody could count is not promised. */
  async #resolve(suite: EvalSuite, workspaceId: string): Promise<Map<string, ResolvedModel>> {
    const graders = suite.evaluators.flatMap((spec) => (spec.type === "model-graded" ? [spec.model] : []));
    const models = new Map<string, ResolvedModel>();
    for (const name of new Set([...suite.models, ...graders])) {
      const model = await this.#providers.resolve(workspaceId, name);
      if (model.prices === null && suite.budget.costUsd !== undefined) {
        throw new BenchtopError(
          "VALIDATION_FAILED",
          `The prices of ${name} are not known, so the cost of the suite cannot be limited. Set its prices, or leave budget.costUsd out.`,
          { actions: ["open_settings"], providerId: model.providerId, modelId: model.modelId },
        );
      }
      models.set(name, model);
    }
    return models;
  }

  #body(
    suite: EvalSuite,
    models: ReadonlyMap<string, ResolvedModel>,
    request: EvalRequest,
    stored: { readonly sha256: string; readonly bytes: number },
  ): RunBody {
    return async (run) => {
      try {
        for (const model of models.values()) await this.#requireConsent(run, model, suite, request);
        run.write({
          type: "ArtifactWritten",
          artifactId: newId("artifact"),
          name: suiteName,
          mediaType: mediaTypes.json,
          ...stored,
        });
        const { report, overBudget } = await this.#ask(run, suite, models, request);
        await this.#keep(run, report);
        run.signal.throwIfAborted();
        if (overBudget) await endOverBudget(run, overBudget);
        return { output: inWords(report.summary), result: report.summary as unknown as Json };
      } finally {
        this.#consent.forget(run.runId);
      }
    };
  }

  async #ask(
    run: RunScope,
    suite: EvalSuite,
    models: ReadonlyMap<string, ResolvedModel>,
    request: EvalRequest,
  ): Promise<{ report: EvalReport; overBudget: BenchtopError | undefined }> {
    const { store, home } = this.#environment;
    const answers = new KeptAnswers({ store, home, workspaceId: request.workspaceId, reads: request.cache });
    const overBudget = new AbortController();
    const asker = {
      environment: this.#environment,
      consent: this.#consent,
      programs: this.#programs,
      answers,
      models,
      allowances: new Allowances(run.ceilings, suite.concurrency),
      choice: request.consent,
      userId: request.userId,
      workspaceId: request.workspaceId,
      stop: (error: BenchtopError) => overBudget.abort(error),
    };
    const total = suite.models.length * suite.cases.length * suite.repeat;
    run.write({ type: "PhaseChanged", phase: "evaluating", done: 0, total });
    const { runSuite } = await engine();
    const report = await runSuite(suite, {
      runId: run.runId,
      cache: answers,
      signal: AbortSignal.any([run.signal, overBudget.signal]),
      runCase: (question, signal) => askInRun(run, asker, question, signal),
      onProgress: (progress) => run.write(progressEvent(progress)),
    });
    await answers.prune();
    const { aborted, reason } = overBudget.signal;
    return { report, overBudget: aborted ? BenchtopError.from(reason) : undefined };
  }

  /** Metrics, then the summary and both forms of the report. */
  async #keep(run: RunScope, report: EvalReport): Promise<void> {
    const several = report.summary.models.length > 1;
    for (const model of report.summary.models) {
      const prefix = several ? `${model.model} ` : "";
      if (model.passRate !== null)
        run.write({ type: "MetricLogged", name: `${prefix}pass rate`, value: model.passRate });
      for (const { evaluator, score } of model.evaluators) {
        if (score !== null) run.write({ type: "MetricLogged", name: `${prefix}score ${evaluator}`, value: score });
      }
    }
    const { blobs } = this.#environment.store;
    const { renderHtmlReport } = await engine();
    for (const [name, mediaType, bytes] of [
      [summaryName, mediaTypes.json, bytesOf(report.summary)],
      [reportNames.json, mediaTypes.json, bytesOf(report)],
      [reportNames.html, mediaTypes.html, new TextEncoder().encode(renderHtmlReport(report))],
    ] as const) {
      const blob = await blobs.put(bytes);
      await run.emit({ type: "ArtifactWritten", artifactId: newId("artifact"), name, mediaType, ...blob });
    }
  }

  async #requireConsent(run: RunScope, model: ResolvedModel, suite: EvalSuite, request: EvalRequest): Promise<void> {
    const scope = promptScope();
    const asking = { runId: run.runId, workbenchId: undefined, userId: request.userId };
    if (await this.#consent.admit(asking, model, scope, request.consent)) return;
    const { providerId, modelId, host } = model;
    const totalBytes = bytesOf(suite.cases).length;
    await run.emit({ type: "ConsentRequired", providerId, modelId, scopeHash: scope.hash, fileCount: 0, totalBytes });
    const message = `Nothing was sent: showing ${suite.cases.length} cases to ${modelId} at ${host} needs your consent.`;
    throw new BenchtopError("EGRESS_CONSENT_REQUIRED", message, {
      phase: "workshop",
      providerId,
      modelId,
      detail: { scopeHash: scope.hash, fileCount: 0, totalBytes, host },
    });
  }
}

function notFound(runId: string): BenchtopError {
  return new BenchtopError("NOT_FOUND", `There is no evaluation ${runId}.`, { runId });
}

async function endOverBudget(run: RunScope, error: BenchtopError): Promise<never> {
  const { limit, allowed, actual } = error.info.detail ?? {};
  const isLimit = limit === "maxTotalTokens" || limit === "maxCostMicros";
  if (isLimit && typeof allowed === "number" && typeof actual === "number") {
    await run.emit({ type: "BudgetExceeded", limit, allowed, actual });
  }
  throw error;
}

function contractOf({ budget, models, cases, repeat }: EvalSuite): Contract {
  const { costUsd, totalTokens, durationSeconds } = budget;
  return {
    maxSteps: models.length * cases.length * repeat,
    ...(costUsd !== undefined && { maxCostMicros: Math.round(costUsd * 1_000_000) }),
    ...(totalTokens !== undefined && { maxTotalTokens: totalTokens }),
    ...(durationSeconds !== undefined && { maxDurationMs: Math.ceil(durationSeconds * 1000) }),
  };
}

/** What surfaces draw while it goes; no text of any case. */
function progressEvent({ done, total, sample }: SuiteProgress) {
  const { caseId, model, repetition, outcome, score, cached, costMicros, durationMs, runId } = sample;
  const detail: Record<string, Json> = { caseId, model, repetition, outcome, score, cached, costMicros, durationMs };
  if (runId !== undefined) detail["runId"] = runId;
  return { type: "PhaseChanged", phase: "evaluating", done, total, detail } as const;
}

function inWords({ models, outcome }: EvalSummary): string {
  const rates = models.map(({ model, passed, samples, passRate }) => {
    return `${model}: ${passed} of ${samples} passed (${((passRate ?? 0) * 100).toFixed(1)} %)`;
  });
  return `${rates.join("; ")}. ${outcome === "passed" ? "Every threshold was met." : "A threshold was missed."}`;
}

function bytesOf(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
