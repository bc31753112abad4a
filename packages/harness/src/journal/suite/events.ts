import {
  BenchtopError,
  newId,
  newTraceId,
  type ErrorCode,
  type EventInput,
  type RunEvent,
  type RunInit,
  type RunTotals,
} from "@benchtop/protocol";

/** What the suite's runs are made of: every invariant holds when they are written in this order. */
export function runInit(overrides: Partial<RunInit> = {}): RunInit {
  return {
    runId: newId("run"),
    traceId: newTraceId(),
    kind: "prompt",
    userId: "owner",
    model: "local/some/model",
    contract: { maxSteps: 5 },
    input: { prompt: "Say hello." },
    ...overrides,
  };
}

export function callStarted(callId = "call_1"): EventInput<"ProviderCallStarted"> {
  const model = { providerId: "local", modelId: "some/model" };
  return { type: "ProviderCallStarted", callId, ...model, attempt: 1, requestHash: "0", messageCount: 1 };
}

export function delta(
  text: string,
  channel: "text" | "reasoning" = "text",
  callId = "call_1",
): EventInput<"OutputDelta"> {
  return { type: "OutputDelta", callId, channel, text };
}

export function callFinished(callId = "call_1"): EventInput<"ProviderCallFinished"> {
  return { type: "ProviderCallFinished", callId, outcome: "success", durationMs: 5 };
}

export const totals: RunTotals = {
  steps: 1,
  toolCalls: 2,
  usage: { inputTokens: 10, outputTokens: 20 },
  costMicros: 30,
  queuedMs: 1,
  firstTokenMs: 1.5,
  durationMs: 7,
};

export function completed(): EventInput<"Completed"> {
  return { type: "Completed", finishReason: "stop", output: "Hello.", totals };
}

export function failed(code: ErrorCode): EventInput<"Error"> {
  const error = new BenchtopError(code, "It failed.");
  return { type: "Error", error: { message: error.message, ...error.info }, totals };
}

/** The text of all deltas, joined or not. */
export function textOf(events: readonly RunEvent[]): string {
  return events.map((event) => (event.type === "OutputDelta" ? event.text : "")).join("");
}
