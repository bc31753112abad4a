import {
  BenchtopError,
  type EventInput,
  type EventOf,
  type Failure,
  type RunEvent,
  type RunTotals,
} from "@benchtop/protocol";

/**
 * What a journal still needs after the process that wrote it is gone: every open tool call gets its `unknown`
 * outcome, every open provider call keeps the text that had arrived, the open step ends, in the order in which
 * they were opened last. The terminal event is the caller's to add.
 */
export function closingEvents(events: readonly RunEvent[], interruption: Failure): EventInput[] {
  const last = events.at(-1);
  const openCalls = new Map<string, EventOf<"ProviderCallStarted">>();
  const openTools = new Map<string, EventOf<"ToolCallRequested">>();
  let openStep: EventOf<"StepStarted"> | undefined;

  for (const event of events) {
    if (event.type === "ProviderCallStarted") openCalls.set(event.callId, event);
    if (event.type === "ProviderCallFinished") openCalls.delete(event.callId);
    if (event.type === "ToolCallRequested") openTools.set(event.callId, event);
    if (event.type === "ToolCallFinished") openTools.delete(event.callId);
    if (event.type === "StepStarted") openStep = event;
    if (event.type === "StepFinished") openStep = undefined;
  }

  const closing: EventInput[] = [];
  for (const call of openCalls.values()) {
    closing.push({
      type: "ProviderCallFinished",
      callId: call.callId,
      outcome: "error",
      message: { role: "assistant", content: textOf(events, call.callId) },
      error: interruption,
      durationMs: between(call, last),
    });
  }
  for (const call of openTools.values()) {
    closing.push({
      type: "ToolCallFinished",
      callId: call.callId,
      name: call.name,
      outcome: "unknown",
      content: "Benchtop stopped while this tool ran; nobody knows whether it took effect.",
      error: interruption,
      durationMs: between(call, last),
    });
  }
  if (openStep) closing.push({ type: "StepFinished", step: openStep.step, durationMs: between(openStep, last) });
  return closing;
}

/** The totals of a run as far as its journal tells. */
export function totalsOf(events: readonly RunEvent[]): RunTotals {
  let steps = 0;
  let toolCalls = 0;
  let inputTokens = 0;
  let outputTokens = 0;
  let costMicros: number | undefined;
  let firstTokenMs: number | undefined;
  for (const event of events) {
    if (event.type === "StepStarted") steps += 1;
    if (event.type === "ToolCallRequested") toolCalls += 1;
    if (event.type === "OutputDelta") firstTokenMs ??= between(events[0], event);
    if (event.type !== "ProviderCallFinished") continue;
    inputTokens += event.usage?.inputTokens ?? 0;
    outputTokens += event.usage?.outputTokens ?? 0;
    if (event.costMicros !== undefined) costMicros = (costMicros ?? 0) + event.costMicros;
  }
  const started = events.find((event) => event.type === "RunStarted");
  return {
    steps,
    toolCalls,
    usage: { inputTokens, outputTokens },
    ...(costMicros !== undefined && { costMicros }),
    queuedMs: started?.queuedMs ?? 0,
    ...(firstTokenMs !== undefined && { firstTokenMs }),
    durationMs: between(events[0], events.at(-1)),
  };
}

/** The failure that an interrupted run ends with. */
export function interruptionOf(runId: string): Failure {
  const error = new BenchtopError("RUN_INTERRUPTED", "Benchtop stopped while this run was going.", {
    runId,
    actions: ["retry"],
  });
  return { message: error.message, ...error.info };
}

function textOf(events: readonly RunEvent[], callId: string): string {
  let text = "";
  for (const event of events) {
    if (event.type === "OutputDelta" && event.callId === callId && event.channel === "text") text += event.text;
  }
  return text;
}

function between(first: RunEvent | undefined, last: RunEvent | undefined): number {
  if (!first || !last) return 0;
  return Math.max(0, Date.parse(last.at) - Date.parse(first.at));
}
