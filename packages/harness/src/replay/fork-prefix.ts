import type { EventInput, EventOf, RunEvent, RunEventType } from "@benchtop/protocol";
import { closing } from "./past.ts";

/**
 * What a fork begins with: the events of its origin up to the fork, as far as they stand. What was open there, and a failure
 * that was on its way to end the run, are left out, so that the fork does them anew. Deltas are told by the whole message,
 * questions of gates by their decisions.
 */
export function forkPrefix(events: readonly RunEvent[], at: number): EventInput[] {
  const upTo = events.filter(({ seq }) => seq <= at);
  const kept = withoutGateCalls(upTo).filter((event) => !leftOut.has(event.type) && !saysFork(event));
  const failed = events.at(-1)?.type === "Error" && events.slice(upTo.length).every(isOfEnd);
  const standing = withoutFailingEnd(withoutOpenAnswer(kept), failed);
  return withoutOpenWork(standing).flatMap((event) => [...textOf(event), inputOf(event)]);
}

function isOfEnd({ type }: RunEvent): boolean {
  return type === "Error" || closing.has(type);
}

/** The last event that does not depend on what the run was asked; a fork that asks something else begins there. */
export function lastBeforeInput(events: readonly RunEvent[]): number {
  const first = events.find(({ type }) => type !== "RunStarted" && type !== "ContextAssembled");
  return first ? first.seq - 1 : events.length - 1;
}

const leftOut: ReadonlySet<RunEventType> = new Set([
  "RunStarted",
  "OutputDelta",
  "BudgetExceeded",
  "Completed",
  "Error",
]);

/** Without the provider calls of gates, and what came with them. */
function withoutGateCalls(events: readonly RunEvent[]): readonly RunEvent[] {
  const calls = new Set<string>();
  return events.filter((event) => {
    if (event.type === "ProviderCallStarted" && event.purpose === "gate") calls.add(event.callId);
    if (event.type === "CandidatesSkipped" && event.purpose === "gate") return false;
    return !("callId" in event && event.callId !== undefined && calls.has(event.callId));
  });
}

/** Where the origin is a fork itself, it said so; this one says it of itself. */
function saysFork(event: RunEvent): boolean {
  return event.type === "Resumed" && event.reason === "fork";
}

/** Without the attempts to get an answer that had come to none, the first of them included. */
function withoutOpenAnswer(events: readonly RunEvent[]): readonly RunEvent[] {
  let end = events.length;
  for (;;) {
    const place = events.findLastIndex((event, index) => index < end && event.type === "ProviderCallStarted");
    const after = events.slice(place + 1, end);
    const finished = after.find((event) => event.type === "ProviderCallFinished");
    const goesOn = after.some((event) => event !== finished && !betweenAttempts.has(event.type));
    if (place < 0 || finished?.outcome === "success" || goesOn) return events.slice(0, end);
    end = place;
  }
}

/** What comes between two attempts, or between the last one and the end of the run. */
const betweenAttempts: ReadonlySet<RunEventType> = new Set([
  "RetryScheduled",
  "TimedOut",
  "StepFinished",
  "GateDecided",
  "Resumed",
]);

/**
 * Without what closed the last step from outside, the child runs whose failure ended the run, and what was prepared for a turn
 * that had not begun: who was passed over, and what was trimmed to fit another's model.
 */
function withoutFailingEnd(events: readonly RunEvent[], failed: boolean): readonly RunEvent[] {
  const compactions = new Set(
    events.flatMap((event) =>
      event.type === "ProviderCallStarted" && event.purpose === "compaction" ? [event.callId] : [],
    ),
  );
  const end = events.findLastIndex((event) => {
    const isCompaction = "callId" in event && event.callId !== undefined && compactions.has(event.callId);
    return !isCompaction && !isDoneAnew(event, failed);
  });
  return events.slice(0, end + 1);
}

function isDoneAnew(event: RunEvent, failed: boolean): boolean {
  switch (event.type) {
    case "Suspended":
    case "CandidatesSkipped":
    case "ContextTrimmed":
    case "TimedOut":
      return true;
    case "StepFinished":
      return failed;
    case "SubRunFinished":
      return failed && event.status !== "success";
    default:
      return false;
  }
}

/**
 * Without the tool calls and child runs that had begun and not ended, and what the calls had done. An open call stays where one
 * that was made after it at the same time has ended: it is in doubt then, as after a crash.
 */
function withoutOpenWork(events: readonly RunEvent[]): readonly RunEvent[] {
  const open = new Map<string, EventOf<"ToolCallRequested">>();
  let lastEnded = -1;
  const children = new Map<string, string | undefined>();
  for (const event of events) {
    if (event.type === "ToolCallRequested") open.set(event.callId, event);
    if (event.type === "ToolCallFinished") {
      lastEnded = Math.max(lastEnded, open.get(event.callId)?.seq ?? -1);
      open.delete(event.callId);
    }
    if (event.type === "SubRunStarted") children.set(event.childRunId, event.callId);
    if (event.type === "SubRunFinished" && !open.has(children.get(event.childRunId) ?? "")) {
      children.delete(event.childRunId);
    }
  }
  const dropped = new Map([...open].filter(([, { seq }]) => seq > lastEnded));
  const spans = new Set([...dropped.values()].map(({ spanId }) => spanId));
  return events.filter((event) => {
    if ("childRunId" in event && children.has(event.childRunId)) return false;
    const call = "callId" in event && event.callId !== undefined ? dropped.get(event.callId) : undefined;
    return !spans.has(event.spanId) && !(call && event.seq >= call.seq);
  });
}

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
