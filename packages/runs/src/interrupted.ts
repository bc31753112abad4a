import { OpenWork, TotalsRecorder } from "@benchtop/harness";
import { BenchtopError, type EventInput, type Failure, type RunEvent, type RunTotals } from "@benchtop/protocol";

/**
 * What a journal still needs after the process that wrote it is gone: every open tool call gets its `unknown` outcome,
 * every open provider call keeps the text that had arrived, the open step ends. The terminal event is the caller's to
 * add, with these totals. All times end with the last event: nobody knows how much longer the process lived.
 */
export function endOfInterrupted(
  events: readonly RunEvent[],
  failure: Failure,
): { closing: EventInput[]; totals: RunTotals } {
  const open = new OpenWork();
  const [started] = events;
  const startedAt = timeOf(started);
  const totals = new TotalsRecorder(started?.type === "RunStarted" ? (started.queuedMs ?? 0) : 0, startedAt);
  for (const event of events) {
    open.record(event, timeOf(event));
    totals.record(event, timeOf(event));
  }
  const endedAt = timeOf(events.at(-1));
  const closing = open.closing(false, failure, endedAt).map((event) => withPartialAnswer(event, events));
  return { closing, totals: totals.snapshot(endedAt) };
}

/** The failure that an interrupted run ends with. */
export function interruptionOf(runId: string): Failure {
  const error = new BenchtopError("RUN_INTERRUPTED", "Benchtop stopped while this run was going.", {
    runId,
    actions: ["retry"],
  });
  return { message: error.message, ...error.info };
}

function withPartialAnswer(closing: EventInput, events: readonly RunEvent[]): EventInput {
  if (closing.type !== "ProviderCallFinished") return closing;
  let content = "";
  for (const event of events) {
    if (event.type === "OutputDelta" && event.callId === closing.callId && event.channel === "text") {
      content += event.text;
    }
  }
  return { ...closing, message: { role: "assistant", content } };
}

function timeOf(event: RunEvent | undefined): number {
  return event ? Date.parse(event.at) : 0;
}
