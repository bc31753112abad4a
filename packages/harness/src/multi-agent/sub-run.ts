import { createHash } from "node:crypto";
import { BenchtopError, isTerminal, type Contract, type Journal, type Json, type RunInit } from "@benchtop/protocol";
import { endRun } from "../replay/end-run.ts";
import { subRunResult, type SubRunResult, type Terminal } from "../replay/sub-run-result.ts";
import { resumeRun } from "../replay/resume-run.ts";
import type { RunBody, RunHandle, RunScope } from "../run/scope.ts";
import { startRun } from "../run/start-run.ts";

/** How runs are started and continued; a daemon that keeps count of its runs gives its own. */
export interface SubRuns {
  start(init: RunInit, body: RunBody): Promise<RunHandle>;
  resume(runId: string, body: RunBody): Promise<RunHandle>;
  readonly journal: Journal;
}

/** Sub-runs straight on a journal. */
export function subRunsOn(journal: Journal): SubRuns {
  return {
    journal,
    start: (init, body) => startRun(journal, init, body),
    resume: (runId, body) => resumeRun(journal, runId, body),
  };
}

export interface SubRun {
  /** What it is called in the parent; unique among the runs that one call, or one program, starts. */
  readonly name: string;
  readonly body: RunBody;
  readonly input: Json;
  /** What it may use at most. It never gets more than its parent has left. */
  readonly contract?: Contract;
  readonly kind?: string;
  readonly model?: string;
  /** The tool call that starts it. */
  readonly callId?: string;
}

/**
 * Starts a run inside another and waits for its end: a journal of its own, the parent's trace, a budget out of the parent's.
 * Its failure is a value: it stands in the parent's journal, and what comes of it is the parent's to decide.
 *
 * When the parent is canceled so is the child, and the parent ends after it. A child that waits for a person keeps its parent
 * waiting. After a crash, a child that had ended is not started again, and one that had not is resumed: its id follows from
 * the parent's, the call and the name.
 */
export async function startSubRun(parent: RunScope, runs: SubRuns, sub: SubRun): Promise<SubRunResult> {
  const { name, callId, body } = sub;
  const recorded = parent.subRun(name, callId);
  if (recorded?.finished) return recorded.finished;

  parent.signal.throwIfAborted();
  const childRunId = recorded?.childRunId ?? childIdOf(parent.runId, sub);
  const init = childOf(parent, childRunId, sub);
  if (!recorded) {
    await parent.emit({ type: "SubRunStarted", childRunId, name, ...(callId !== undefined && { callId }) });
  }
  await parent.committed();
  const child = await startOrResume(runs, init, body);
  const end = await withCancellation(parent.signal, endOf(runs.journal, childRunId), () =>
    cancelChild(runs.journal, childRunId, child),
  );
  const result = subRunResult(childRunId, end);
  await parent.emit({ type: "SubRunFinished", ...result });
  return result;
}

/** Waits for an end that cancelling brings about; a cancellation that fails ends the wait. */
async function withCancellation<End>(
  signal: AbortSignal,
  end: Promise<End>,
  cancel: () => Promise<void>,
): Promise<End> {
  const failed = Promise.withResolvers<never>();
  const onAbort = (): void => void cancel().catch(failed.reject);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([end, failed.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Also a child that nobody drives, because it waits for a person, ends here. */
async function cancelChild(journal: Journal, childRunId: string, child: RunHandle | undefined): Promise<void> {
  const reason = "The run that started it was canceled";
  child?.control.abort(reason);
  await child?.result;
  await endRun(journal, childRunId, new BenchtopError("USER_CANCELED", `${reason}.`));
}

/** The same id whenever the same call of the same run starts the same child. */
function childIdOf(parentRunId: string, { callId = "", name }: SubRun): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([parentRunId, callId, name]))
    .digest("hex");
  return `run_${hash.slice(0, 26)}`;
}

function childOf(parent: RunScope, runId: string, sub: SubRun): RunInit {
  const { userId, workspaceId, workbenchId, sessionId: _ } = parent.init;
  const model = sub.model ?? parent.init.model;
  return {
    runId,
    traceId: parent.traceId,
    kind: sub.kind ?? "agent",
    userId,
    ...(workspaceId !== undefined && { workspaceId }),
    ...(workbenchId !== undefined && { workbenchId }),
    ...(model !== undefined && { model }),
    parentRunId: parent.runId,
    ...(sub.callId !== undefined && { parentCallId: sub.callId }),
    contract: childContract(parent, sub.contract ?? {}),
    input: sub.input,
  };
}

/** Every limit is the smaller of what was asked and what the parent has left. Throws `BUDGET_CAP_REACHED` when nothing is. */
function childContract({ ceilings, totals, init }: RunScope, asked: Contract): Contract {
  const left = {
    maxTotalTokens: ceilings.maxTotalTokens - totals.totalTokens,
    maxCostMicros: ceilings.maxCostMicros - totals.costMicros,
    maxDurationMs: Math.floor(ceilings.maxDurationMs - totals.elapsedMs),
  };
  for (const [limit, value] of Object.entries(left)) {
    if (value > 0) continue;
    throw new BenchtopError("BUDGET_CAP_REACHED", `The run has nothing left of its ${limit} for a run of its own.`, {
      detail: { limit },
    });
  }
  // A ceiling of costs can only be kept where prices are known, so the default one is not handed down as if it had been asked for.
  const limitsCost = asked.maxCostMicros !== undefined || init.contract.maxCostMicros !== undefined;
  return {
    maxSteps: Math.min(asked.maxSteps ?? ceilings.maxSteps, ceilings.maxSteps),
    maxTotalTokens: Math.min(asked.maxTotalTokens ?? Infinity, left.maxTotalTokens),
    maxDurationMs: Math.min(asked.maxDurationMs ?? Infinity, left.maxDurationMs),
    ...(limitsCost && { maxCostMicros: Math.min(asked.maxCostMicros ?? Infinity, left.maxCostMicros) }),
  };
}

/** The handle of the child; undefined when it has ended already, or somebody else drives it. */
async function startOrResume(runs: SubRuns, init: RunInit, body: RunBody): Promise<RunHandle | undefined> {
  try {
    return await runs.start(init, body);
  } catch (thrown) {
    if (BenchtopError.from(thrown).code !== "RUN_REPLAYED") throw thrown;
  }
  try {
    return await runs.resume(init.runId, body);
  } catch (thrown) {
    const { code, info } = BenchtopError.from(thrown);
    const waits = code === "VALIDATION_FAILED" && info.subphase === "resume";
    if (code === "RUN_INTERRUPTED" || waits) return undefined;
    throw thrown;
  }
}

async function endOf(journal: Journal, runId: string): Promise<Terminal> {
  for await (const event of journal.follow(runId)) {
    if (isTerminal(event)) return event as Terminal;
  }
  throw new BenchtopError("RUN_INTERRUPTED", "The journal of a run that this one started closed before its end.", {
    runId,
  });
}
