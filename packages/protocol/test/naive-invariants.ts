import type { EventOf, RunEvent, RunEventType } from "../src/index.ts";

/**
 * The rules of `invariants.ts` once more, each said of the whole journal at once, without a thought for time or memory. What
 * the streaming check says is compared with this.
 */
export function keepsEveryRule(events: readonly RunEvent[], ended: boolean): boolean {
  return [
    isNumbered,
    isOneRun,
    (all: Events) => endsOnce(all, ended),
    (all: Events) => alternates(all, "ToolCallRequested", "ToolCallFinished", (event) => event.callId),
    (all: Events) => alternates(all, "ProviderCallStarted", "ProviderCallFinished", (event) => event.callId),
    (all: Events) => alternates(all, "SubRunStarted", "SubRunFinished", (event) => event.childRunId),
    stepsFollow,
    deltasBelong,
    retriesAreAnnouncedAndMade,
    suspensionsAreAnswered,
    forksAreNamed,
    nothingForbiddenWasDone,
    summariesWereWritten,
  ].every((rule) => rule(events));
}

type Events = readonly RunEvent[];

function isNumbered(events: Events): boolean {
  return events.every((event, index) => event.seq === index);
}

function isOneRun(events: Events): boolean {
  const [first] = events;
  return events.every(
    (event, index) =>
      (event.type === "RunStarted") === (index === 0) &&
      event.runId === first?.runId &&
      event.traceId === first.traceId,
  );
}

function endsOnce(events: Events, ended: boolean): boolean {
  const index = terminalIndex(events);
  return index === -1 ? !ended && events.length > 0 : index === events.length - 1;
}

/** Of each id: an opening, a closing, an opening …; closed once the run has ended. */
function alternates<Opening extends RunEventType, Closing extends RunEventType>(
  events: Events,
  opening: Opening,
  closing: Closing,
  idOf: (event: EventOf<Opening> | EventOf<Closing>) => string,
): boolean {
  const relevant = events.filter(
    (event): event is EventOf<Opening> | EventOf<Closing> => event.type === opening || event.type === closing,
  );
  const hasEnded = terminalIndex(events) !== -1;
  return Object.values(Object.groupBy(relevant, idOf)).every((group = []) => {
    const isClosed = group.length % 2 === 0;
    return (
      group.every((event, index) => event.type === (index % 2 === 0 ? opening : closing)) && (isClosed || !hasEnded)
    );
  });
}

function stepsFollow(events: Events): boolean {
  const steps = events.filter((event) => event.type === "StepStarted" || event.type === "StepFinished");
  const isClosed = steps.length % 2 === 0 || terminalIndex(events) === -1;
  return (
    isClosed &&
    steps.every((event, index) =>
      index % 2 === 0
        ? event.type === "StepStarted"
        : event.type === "StepFinished" && event.step === (steps[index - 1] as typeof event).step,
    )
  );
}

function deltasBelong(events: Events): boolean {
  return events.every((event, index) => {
    if (event.type !== "OutputDelta") return true;
    const start = events.findLastIndex(
      (other, at) => at < index && other.type === "ProviderCallStarted" && other.callId === event.callId,
    );
    return (
      start !== -1 &&
      events
        .slice(start, index)
        .every(
          (other) =>
            other.type !== "Resumed" && !(other.type === "ProviderCallFinished" && other.callId === event.callId),
        )
    );
  });
}

function retriesAreAnnouncedAndMade(events: Events): boolean {
  const announcedStarts = new Set<number>();
  for (const [index, event] of events.entries()) {
    if (event.type !== "RetryScheduled") continue;
    const call = startOf(events, index, event.callId);
    const finished = events.findLast(
      (other, at) =>
        at < index &&
        other.type === "ProviderCallFinished" &&
        startOf(events, at, other.callId)?.purpose === call?.purpose,
    ) as EventOf<"ProviderCallFinished"> | undefined;
    if (!call || finished?.callId !== event.callId || finished.outcome !== "error") return false;

    const { providerId = call.providerId, modelId = call.modelId } = event;
    const isSame = providerId === call.providerId && modelId === call.modelId;
    if (event.reason === "retry" && !isSame) return false;
    if (event.reason !== "fallback" && isSame && event.attempt !== call.attempt + 1) return false;

    const next = events.findIndex(
      (other, at) =>
        at > index &&
        (["StepStarted", "ToolCallRequested", "Completed", "RetryScheduled"].includes(other.type) ||
          (other.type === "ProviderCallStarted" && other.purpose === call.purpose)),
    );
    const made = events[next];
    if (!made) continue;
    if (made.type !== "ProviderCallStarted") return false;
    announcedStarts.add(next);
    const resumed = events.slice(index, next).filter((other) => other.type === "Resumed");
    if (resumed.some(({ reason }) => reason === "fork") || (resumed.length > 0 && call.purpose === "gate")) continue;
    if (made.attempt !== event.attempt) return false;
    if (event.providerId !== undefined && made.providerId !== event.providerId) return false;
    if (event.modelId !== undefined && made.modelId !== event.modelId) return false;
  }
  return events.every((event, index) => {
    if (event.type !== "ProviderCallStarted" || event.attempt === 1 || announcedStarts.has(index)) return true;
    const before = events.slice(0, index);
    return (
      before.findLastIndex((other) => other.type === "Resumed") >
      before.findLastIndex((other) => other.type === "ProviderCallStarted")
    );
  });
}

const closings = new Set<RunEventType>([
  "ProviderCallFinished",
  "ToolCallFinished",
  "SubRunFinished",
  "StepFinished",
  "TimedOut",
  "BudgetExceeded",
  "Error",
]);

function suspensionsAreAnswered(events: Events): boolean {
  return events.every((event, index) => {
    if (event.type === "Resumed" && event.reason === "decision") {
      const before = events[index - 1];
      return before?.type === "Suspended" && before.callId === event.callId;
    }
    if (event.type !== "Suspended") return true;
    if (isToolOpen(events, index, event.callId) !== (event.reason !== "approval")) return false;
    const after = events.slice(index + 1);
    return after[0]?.type === "Resumed" || after.every((other) => closings.has(other.type));
  });
}

function forksAreNamed(events: Events): boolean {
  const [first] = events;
  const forks = events.filter((event) => event.type === "Resumed" && event.reason === "fork");
  return forks.length <= (first?.type === "RunStarted" && first.forkedFrom ? 1 : 0);
}

function nothingForbiddenWasDone(events: Events): boolean {
  return events.every((event, index) => {
    if (event.type !== "ToolCallFinished" || !["success", "error"].includes(event.outcome)) return true;
    const { callId } = event;
    const start = events.findLastIndex(
      (other, at) => at < index && other.type === "ToolCallRequested" && other.callId === callId,
    );
    const requested = events[start] as EventOf<"ToolCallRequested"> | undefined;
    const firstOfStep = events.findLastIndex((other, at) => at < start && other.type === "StepStarted");
    let isForbidden = false;
    for (const [at, other] of events.slice(0, index).entries()) {
      if (at <= firstOfStep) continue;
      if (other.type === "ToolCallFinished" && other.callId === callId) isForbidden = false;
      if (
        other.type === "GateDecided" &&
        other.callId === callId &&
        other.point === "tool-call" &&
        other.mode === "enforcing" &&
        other.decision === "deny"
      ) {
        isForbidden = true;
      }
      if (other.type === "Suspended" && other.callId === callId && other.reason === "outcome-unknown")
        isForbidden = true;
      if (other.type !== "Resumed" || answersTool(events, at, callId)) continue;
      if (at > start && requested?.idempotent === false) isForbidden = true;
      if (other.callId === callId && other.decision === "retry") isForbidden = false;
      if (other.callId === callId && other.decision === "deny") isForbidden = true;
    }
    return !isForbidden;
  });
}

/** The tool of this open call asked, and is executed again with the answer. */
function answersTool(events: Events, at: number, callId: string): boolean {
  const asked = events[at - 1];
  return (
    asked?.type === "Suspended" &&
    asked.reason !== "outcome-unknown" &&
    asked.callId === callId &&
    isToolOpen(events, at, callId)
  );
}

function summariesWereWritten(events: Events): boolean {
  return events.every((event, index) => {
    if (event.type !== "ContextTrimmed" || event.summaryCallId === undefined) return true;
    const last = events.findLast(
      (other, at) => at < index && other.type === "ProviderCallFinished" && other.outcome === "success",
    );
    return last?.type === "ProviderCallFinished" && last.callId === event.summaryCallId;
  });
}

function startOf(events: Events, before: number, callId: string): EventOf<"ProviderCallStarted"> | undefined {
  return events.findLast(
    (event, at): event is EventOf<"ProviderCallStarted"> =>
      at < before && event.type === "ProviderCallStarted" && event.callId === callId,
  );
}

function isToolOpen(events: Events, before: number, callId: string): boolean {
  const last = events.findLast(
    (event, at) =>
      at < before &&
      (event.type === "ToolCallRequested" || event.type === "ToolCallFinished") &&
      event.callId === callId,
  );
  return last?.type === "ToolCallRequested";
}

function terminalIndex(events: Events): number {
  return events.findIndex((event) => event.type === "Completed" || event.type === "Error");
}
