import {
  BenchtopError,
  newId,
  newTraceId,
  type Contract,
  type Journal,
  type Json,
  type RunEvent,
  type RunInit,
} from "@benchtop/protocol";
import { ceilingsOf } from "../run/contract.ts";
import type { Recorded } from "../run/active-run.ts";
import type { RunBody, RunHandle } from "../run/scope.ts";
import { driveRun } from "../run/start-run.ts";
import { canonicalJson } from "../provider/canonical-json.ts";
import { forkPrefix, lastBeforeInput } from "./fork-prefix.ts";
import { readEvents } from "./read-events.ts";
import { initOf } from "./resume-run.ts";

export interface ForkOptions {
  /** The fork does what the run did up to and including this event; from its end when absent, or from its start where it is asked something else. */
  readonly at?: number;
  /** Asked in place of what the run was asked. */
  readonly input?: Json;
  /** Told to the fork before its first turn of its own. */
  readonly hint?: string;
  readonly model?: string;
  readonly contract?: Contract;
  readonly runId?: string;
  readonly sessionId?: string;
  readonly workspaceId?: string;
  readonly userId?: string;
  readonly signal?: AbortSignal;
}

/**
 * Starts a run that begins with what another one did, and then goes its own way: its own journal holds the events up to the
 * fork, and nothing among them is done, counted or paid for again. What was open at that point (a call that had not ended) is
 * done anew, and so is what had failed and was about to end the run. What tools did after that point stays done
 * (`undoRun` takes it back).
 *
 * Input and program may be others than the run's: what is recorded stands for what it was. A program that takes another way
 * altogether ends the fork with `REPLAY_DIVERGED`. Rejects with `NOT_FOUND` when the run has no such event, and with
 * `VALIDATION_FAILED` when another input would pass under a decision that a gate made about the old one.
 */
export async function forkRun(
  journal: Journal,
  events: readonly RunEvent[],
  body: RunBody,
  options: ForkOptions = {},
): Promise<RunHandle> {
  const { hint, userId, signal } = options;
  const by = userId !== undefined && { userId };
  const origin = initOf(events[0]);
  const at = forkPoint(origin, events, options);
  const init = forkOf(origin, at, options);
  const ceilings = ceilingsOf(init.contract);
  const writer = await journal.create({ ...init, contract: ceilings });
  for (const event of forkPrefix(events, at)) writer.write(event);
  writer.write({ type: "Resumed", reason: "fork", ...by });
  await writer.committed();
  const recorded: Recorded = {
    events: await readEvents(journal, init.runId),
    prefix: [],
    onDivergence: "accept",
    onFailure: "end",
    hints: hint === undefined ? [] : [{ text: hint, ...by }],
  };
  return driveRun(journal, { init, ceilings, writer, recorded }, body, signal).handle;
}

function forkPoint(origin: RunInit, events: readonly RunEvent[], { at, input }: ForkOptions): number {
  const { runId } = origin;
  const last = (events.at(-1) as RunEvent).seq;
  const isAskedAnew = input !== undefined && canonicalJson(input) !== canonicalJson(origin.input);
  const point = at ?? (isAskedAnew ? lastBeforeInput(events) : last);
  if (!Number.isSafeInteger(point) || point < 0 || point > last) {
    throw new BenchtopError("NOT_FOUND", `The run has no event ${point}; its last one is ${last}.`, { runId });
  }
  const judged = events.find((event) => event.type === "GateDecided" && event.point === "input");
  if (isAskedAnew && judged && judged.seq <= point) {
    const message = `A gate judged the input at event ${judged.seq}; a fork that is asked something else begins before it.`;
    throw new BenchtopError("VALIDATION_FAILED", message, { runId, detail: { seq: judged.seq } });
  }
  return point;
}

function forkOf(origin: RunInit, at: number, options: ForkOptions): RunInit {
  const { queuedMs: _, parentCallId: __, ...kept } = origin;
  return {
    ...kept,
    runId: options.runId ?? newId("run"),
    traceId: newTraceId(),
    parentRunId: origin.runId,
    forkedFrom: { runId: origin.runId, seq: at },
    contract: options.contract ?? origin.contract,
    ...(options.input !== undefined && { input: options.input }),
    ...(options.model !== undefined && { model: options.model }),
    ...(options.userId !== undefined && { userId: options.userId }),
    ...(options.workspaceId !== undefined && { workspaceId: options.workspaceId }),
    ...(options.sessionId !== undefined && { sessionId: options.sessionId }),
  };
}
