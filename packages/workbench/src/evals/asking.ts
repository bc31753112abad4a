import { agentLoop, type RunBody, type RunHandle, type RunResult, type RunScope } from "@benchtop/harness";
import type { CaseRequest, CaseResult } from "@benchtop/harness/evals";
import type { ResolvedModel } from "@benchtop/models";
import { BenchtopError, newId } from "@benchtop/protocol";
import { noWorkbench, promptScope, type Consent, type ConsentChoice } from "../consent/consent.ts";
import type { Environment } from "../environment.ts";
import type { Allowances } from "./allowances.ts";

/** What the questions of one evaluation share. */
export interface Asker {
  readonly environment: Environment;
  readonly consent: Consent;
  readonly models: ReadonlyMap<string, ResolvedModel>;
  readonly allowances: Allowances;
  readonly choice: ConsentChoice | undefined;
  readonly userId: string;
  /** Ends the evaluation: its budget is used up. */
  readonly stop: (error: BenchtopError) => void;
}

/**
 * Asks one question in a run of its own, a child of the evaluation with a share of its budget, and waits for the answer. The
 * child's failure is a result; rejects when the evaluation has no budget for the question.
 */
export async function askInRun(
  parent: RunScope,
  asker: Asker,
  request: CaseRequest,
  signal: AbortSignal,
): Promise<CaseResult> {
  const model = asker.models.get(request.model);
  if (!model) throw new BenchtopError("INTERNAL", "A model of the suite was not resolved.");
  const { contract, share } = takeShare(asker, model.prices !== null);
  const runId = newId("run");
  const { environment, userId } = asker;
  const { prompt, instructions } = request;
  const name = request.purpose === "grading" ? `grade ${request.caseId}` : request.caseId;
  const handle = await environment.runs.start(
    {
      runId,
      traceId: parent.traceId,
      parentRunId: parent.runId,
      kind: "prompt",
      userId,
      model: request.model,
      contract,
      input: { prompt, ...(instructions !== undefined && { instructions }) },
    },
    promptBody(asker, model, request, runId),
  );
  parent.write({ type: "SubRunStarted", childRunId: runId, name });
  const result = await abortedWith(handle, signal);
  const { status, totals, error } = result;
  parent.write({
    type: "SubRunFinished",
    childRunId: runId,
    // Nobody is there to decide what a question would wait for.
    status: status === "suspended" ? "error" : status,
    output: result.output,
    ...(result.result !== undefined && { result: result.result }),
    ...(error && { error: { message: error.message, ...error.info } }),
    totals,
  });
  settle(asker, () => asker.allowances.settle(share, result));
  return {
    output: result.output,
    ...(result.finishReason !== undefined && { finishReason: result.finishReason }),
    usage: totals.usage,
    ...(totals.costMicros !== undefined && { costMicros: totals.costMicros }),
    durationMs: totals.durationMs,
    ...(totals.firstTokenMs !== undefined && { firstTokenMs: totals.firstTokenMs }),
    runId,
    ...(error && { error: { code: error.code, message: error.message } }),
  };
}

function takeShare(asker: Asker, hasPrices: boolean): ReturnType<Allowances["take"]> {
  try {
    return asker.allowances.take(hasPrices);
  } catch (thrown) {
    asker.stop(BenchtopError.from(thrown));
    throw thrown;
  }
}

/** The answer stays what it is; the evaluation ends. */
function settle(asker: Asker, account: () => void): void {
  try {
    account();
  } catch (thrown) {
    asker.stop(BenchtopError.from(thrown));
  }
}

function promptBody(asker: Asker, model: ResolvedModel, request: CaseRequest, runId: string): RunBody {
  const scope = promptScope();
  const { instructions, maxOutputTokens, temperature, output } = request;
  return async (run) => {
    try {
      // The evaluation was admitted; what was agreed to for it holds for each of its questions.
      await asker.consent.admit({ runId, workbenchId: noWorkbench, userId: asker.userId }, model, scope, asker.choice);
      return await agentLoop({
        candidates: [
          {
            provider: model.adapter({ runId, scopeHash: scope.hash }),
            modelId: model.modelId,
            local: model.local,
            ...(model.prices && { prices: model.prices }),
          },
        ],
        input: request.prompt,
        ...(instructions !== undefined && { instructions }),
        ...(maxOutputTokens !== undefined && { maxOutputTokens }),
        ...(temperature !== undefined && { temperature }),
        ...(output && { output }),
      })(run);
    } finally {
      asker.consent.forget(runId);
    }
  };
}

async function abortedWith(handle: RunHandle, signal: AbortSignal): Promise<RunResult> {
  const abort = (): void => void handle.control.abort("The evaluation was stopped.");
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await handle.result;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
