import {
  BenchtopError,
  type AssistantMessage,
  type Contract,
  type Decision,
  type EventInput,
  type EventOf,
  type Failure,
  type Journal,
  type RunEvent,
  type RunInit,
} from "@benchtop/protocol";
import { ceilingsOf, defaultCeilings } from "../run/contract.ts";
import type { RunBody, RunHandle } from "../run/scope.ts";
import { driveRun } from "../run/start-run.ts";
import { forkedAt } from "./past.ts";
import { partialAnswer, readEvents } from "./read-events.ts";

export interface ResumeOptions {
  /** What a person decided, for a run that waits for one: `approve` or `deny` a call, `retry` or `skip` one of unknown outcome. */
  readonly decision?: Decision;
  /** The person's words; the model is told them. */
  readonly note?: string;
  readonly userId?: string;
  /**
   * When the program does not ask the model what it asked before (other instructions, other tools): `refuse`, the default,
   * leaves the run as it is; `accept` goes on with the new program where the journal ends.
   */
  readonly onDivergence?: "refuse" | "accept";
  readonly signal?: AbortSignal;
}

/**
 * Continues a run from its journal: after a crash, or once a person has decided what it waits for. Its program is driven
 * again from the start; what is recorded is not done again. A provider call that was cut off is made once more; a tool call
 * that was is repeated if its tool is idempotent, else the run is suspended and asks.
 *
 * Resolves once the run goes on, its decision on disk. Of two that resume the same run, one gets it. Rejects, with the
 * journal as it was: `NOT_FOUND`; `RUN_INTERRUPTED` when the run has ended or somebody else drives it; `VALIDATION_FAILED` when
 * the decision is not one that it waits for, or a fork was cut off before it was whole; `REPLAY_DIVERGED` when its program is another.
 */
export async function resumeRun(
  journal: Journal,
  runId: string,
  body: RunBody,
  options: ResumeOptions = {},
): Promise<RunHandle> {
  const writer = await journal.acquire(runId);
  try {
    const events = await readEvents(journal, runId);
    const init = initOf(events[0]);
    const prefix = [resumption(events, options), ...(await closingCalls(journal, events))];
    const recorded = {
      events: [...events, ...asRecorded(prefix, events)],
      prefix,
      onDivergence: options.onDivergence ?? "refuse",
      onFailure: "leave" as const,
    };
    const run = { init, ceilings: ceilingsOf(init.contract), writer, recorded };
    const { handle, live } = driveRun(journal, run, body, options.signal);
    await live;
    return handle;
  } catch (thrown) {
    await writer.close();
    throw thrown;
  }
}

/** What was known of a run before its first event. */
export function initOf(started: RunEvent | undefined): RunInit {
  if (started?.type !== "RunStarted") {
    throw new BenchtopError("VALIDATION_FAILED", "A journal begins with RunStarted; this one does not.");
  }
  const { type: _, seq: __, at: ___, spanId: ____, contract, ...init } = started;
  return { ...init, contract: askedContract(contract) } as RunInit;
}

/** The journal has every ceiling; the default one of cost was not asked for, and needs no prices to be kept. */
function askedContract({ maxCostMicros, ...contract }: Contract): Contract {
  const isAsked = maxCostMicros !== undefined && maxCostMicros !== defaultCeilings.maxCostMicros;
  return isAsked ? { ...contract, maxCostMicros } : contract;
}

/** What the journal is told first: why the run goes on. Throws `VALIDATION_FAILED` when that is not what the run waits for. */
function resumption(events: readonly RunEvent[], options: ResumeOptions): EventInput<"Resumed"> {
  const { decision, note, userId } = options;
  const last = events.at(-1);
  if (initOf(events[0]).forkedFrom && forkedAt(events) < 0) {
    throw refused("This fork was cut off before it held all that it begins with. Fork again.");
  }
  const by = { ...(note !== undefined && { note }), ...(userId !== undefined && { userId }) };
  if (last?.type !== "Suspended") {
    if (decision === undefined) return { type: "Resumed", reason: "crash", ...by };
    throw refused("This run waits for no decision.");
  }
  const asked = decisionsFor[last.reason];
  if (decision === undefined || !asked.includes(decision)) {
    throw refused(`This run waits for a decision about "${last.tool}": ${asked.join(" or ")}.`);
  }
  return { type: "Resumed", reason: "decision", asked: last.reason, callId: last.callId, decision, ...by };
}

const decisionsFor: Readonly<Record<EventOf<"Suspended">["reason"], readonly Decision[]>> = {
  approval: ["approve", "deny"],
  question: ["approve", "deny"],
  "outcome-unknown": ["retry", "skip"],
};

/** Provider calls that were cut off end here, with what had arrived; the program makes them once more. */
async function closingCalls(
  journal: Journal,
  events: readonly RunEvent[],
): Promise<EventInput<"ProviderCallFinished">[]> {
  const open = new Map<string, EventOf<"ProviderCallStarted">>();
  for (const event of events) {
    if (event.type === "ProviderCallStarted") open.set(event.callId, event);
    if (event.type === "ProviderCallFinished") open.delete(event.callId);
  }
  return await Promise.all([...open.values()].map((call) => closingCall(journal, call, events)));
}

async function closingCall(
  journal: Journal,
  call: EventOf<"ProviderCallStarted">,
  events: readonly RunEvent[],
): Promise<EventInput<"ProviderCallFinished">> {
  const { text, reasoning, refusal } = await partialAnswer(journal, call.runId, call);
  const message: AssistantMessage = {
    role: "assistant",
    content: text,
    ...(reasoning !== "" && { reasoning }),
    ...(refusal !== "" && { refusal }),
  };
  const lastAt = Date.parse(events.at(-1)?.at ?? call.at);
  return {
    type: "ProviderCallFinished",
    callId: call.callId,
    outcome: "error",
    message,
    error: interruption(call),
    durationMs: Math.max(0, lastAt - Date.parse(call.at)),
    spanId: call.spanId,
  };
}

function interruption({ runId, providerId, modelId }: EventOf<"ProviderCallStarted">): Failure {
  const error = new BenchtopError("RUN_INTERRUPTED", "Benchtop stopped while the model was answering.", {
    runId,
    providerId,
    modelId,
    actions: ["retry"],
  });
  return { message: error.message, ...error.info };
}

/** Events to come as they will be read from the journal. */
export function asRecorded(inputs: readonly EventInput[], events: readonly RunEvent[]): RunEvent[] {
  const last = events.at(-1) as RunEvent;
  const at = new Date().toISOString();
  return inputs.map((input, place) => {
    const { runId, traceId } = last;
    return { runId, seq: last.seq + 1 + place, at, traceId, ...input, spanId: input.spanId ?? "" };
  });
}

function refused(message: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", message, { subphase: "resume" });
}
