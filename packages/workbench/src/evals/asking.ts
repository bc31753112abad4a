import type { RunHandle, RunResult, RunScope } from "@benchtop/harness";
import type { CaseRequest, CaseResult } from "@benchtop/harness/evals";
import type { ResolvedModel } from "@benchtop/models";
import { BenchtopError, newId, type Json } from "@benchtop/protocol";
import type { Consent, ConsentChoice } from "../consent/consent.ts";
import type { Environment } from "../environment.ts";
import type { Programs } from "../workshop/programs.ts";
import type { Allowances } from "./allowances.ts";
import type { KeptAnswers } from "./answers.ts";

/** What the questions of one evaluation share. */
export interface Asker {
  readonly environment: Environment;
  readonly consent: Consent;
  readonly programs: Programs;
  readonly answers: KeptAnswers;
  readonly models: ReadonlyMap<string, ResolvedModel>;
  readonly allowances: Allowances;
  readonly choice: ConsentChoice | undefined;
  readonly userId: string;
  readonly workspaceId: string;
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
  const { cacheKey } = await import("@benchtop/harness/evals");
  const { contract, share } = takeShare(asker, model.prices !== null);
  const runId = newId("run");
  const { environment, userId, workspaceId } = asker;
  // Before it is asked, so that an answer that a crash kept from being judged is found all the same.
  await asker.answers.note(cacheKey(request), runId);
  const name = request.purpose === "grading" ? `grade ${request.caseId}` : request.caseId;
  const started = environment.runs.start(
    {
      runId,
      traceId: parent.traceId,
      parentRunId: parent.runId,
      kind: "prompt",
      userId,
      workspaceId,
      model: request.model,
      contract,
      input: inputOf(request),
    },
    // The evaluation was admitted; what was agreed to for it holds for each of its questions.
    {
      body: asker.programs.live({ model, userId, consent: asker.choice }),
      ended: async () => asker.consent.forget(runId),
    },
  );
  const handle = await started.catch((thrown: unknown) => {
    asker.allowances.release(share);
    throw thrown;
  });
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
    ...(status === "suspended" && { error: { code: "POLICY_DENIED", message: "The question waits for a person." } }),
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

/** What the run is started with: the same program as any prompt, so that it can be replayed and resumed like one. */
function inputOf({ prompt, instructions, maxOutputTokens, temperature, output }: CaseRequest): Json {
  return {
    prompt,
    ...(instructions !== undefined && { instructions }),
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    ...(temperature !== undefined && { temperature }),
    ...(output && { output: { name: output.name, schema: { ...output.schema } } }),
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
