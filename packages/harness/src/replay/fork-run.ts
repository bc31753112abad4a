import {
  BenchtopError,
  isTerminal,
  newId,
  newTraceId,
  type Contract,
  type EventInput,
  type Journal,
  type Json,
  type RunEvent,
  type RunInit,
} from "@benchtop/protocol";
import { ceilingsOf } from "../run/contract.ts";
import type { RunBody, RunHandle } from "../run/scope.ts";
import { driveRun } from "../run/start-run.ts";
import { readEvents } from "./read-events.ts";
import { initOf } from "./resume-run.ts";

export interface ForkOptions {
  /** The fork does what the run did up to and including this event; from its end when absent. */
  readonly at?: number;
  /** Asked in place of what the run was asked. */
  readonly input?: Json;
  /** Told to the fork where it leaves the run's path. */
  readonly hint?: string;
  readonly model?: string;
  readonly contract?: Contract;
  readonly runId?: string;
  readonly sessionId?: string;
  readonly userId?: string;
  readonly signal?: AbortSignal;
}

/**
 * Starts a run that begins with what another one did, and then goes its own way: its own journal holds the events up to the
 * fork, and nothing among them is done or paid for again. What was open at that point (a call that had not ended) is left out
 * and done anew. What tools did after that point stays done (`undoRun` takes it back).
 *
 * Input and program may be others than the run's: what is recorded stands for what it was. A program that takes another way
 * altogether ends the fork with `REPLAY_DIVERGED`. Rejects with `NOT_FOUND` when the run has no such event.
 */
export async function forkRun(
  journal: Journal,
  events: readonly RunEvent[],
  body: RunBody,
  options: ForkOptions = {},
): Promise<RunHandle> {
  const origin = initOf(events[0]);
  const last = (events.at(-1) as RunEvent).seq;
  const at = options.at ?? last;
  if (!Number.isSafeInteger(at) || at < 0 || at > last) {
    throw new BenchtopError("NOT_FOUND", `The run has no event ${at}; its last one is ${last}.`, {
      runId: origin.runId,
    });
  }
  const init = forkOf(origin, at, options);
  const ceilings = ceilingsOf(init.contract);
  const own = [...copied(events, at), ...departure(options)];
  const writer = await journal.create({ ...init, contract: ceilings });
  for (const event of own) writer.write(event);
  await writer.committed();
  const recorded = {
    events: await readEvents(journal, init.runId),
    prefix: [],
    onDivergence: "accept" as const,
    onFailure: "end" as const,
  };
  return driveRun(journal, { init, ceilings, writer, recorded }, body, options.signal).handle;
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
    ...(options.sessionId !== undefined && { sessionId: options.sessionId }),
  };
}

/** The events of the origin up to the fork, without what had begun and not ended there, and without its end. */
function copied(events: readonly RunEvent[], at: number): EventInput[] {
  const kept = events.filter((event) => event.seq <= at && !isTerminal(event) && event.type !== "RunStarted");
  const ended = new Set(kept.flatMap((event) => (closes.has(event.type) && "callId" in event ? [event.callId] : [])));
  const whole = kept.filter((event) => !opens.has(event.type) || !("callId" in event) || ended.has(event.callId));
  if (whole.at(-1)?.type === "Suspended") whole.pop();
  return whole.flatMap((event) => [...textOf(event), inputOf(event)]);
}

const opens: ReadonlySet<string> = new Set(["ProviderCallStarted", "ToolCallRequested"]);
const closes: ReadonlySet<string> = new Set(["ProviderCallFinished", "ToolCallFinished"]);

/** Deltas are not copied one by one: each channel of a call is one. */
function textOf(event: RunEvent): EventInput[] {
  if (event.type !== "ProviderCallFinished" || !event.message) return [];
  const { callId, spanId, message } = event;
  const said = { reasoning: message.reasoning, text: message.content, refusal: message.refusal };
  return (["reasoning", "text", "refusal"] as const).flatMap((channel) => {
    const text = said[channel];
    return text === undefined || text === "" ? [] : [{ type: "OutputDelta" as const, callId, channel, text, spanId }];
  });
}

function inputOf(event: RunEvent): EventInput {
  const { runId: _, seq: __, at: ___, traceId: ____, ...input } = event;
  return input;
}

function departure({ userId, hint }: ForkOptions): EventInput[] {
  const by = userId !== undefined && { userId };
  const told: EventInput[] = hint === undefined ? [] : [{ type: "HintInjected", text: hint, ...by }];
  return [{ type: "Resumed", reason: "fork", ...by }, ...told];
}
