import type { AssistantMessage, EventOf, Failure, Json, RunEvent, Usage } from "@benchtop/protocol";
import {
  attributesOf,
  bounded,
  nanoseconds,
  spanKind,
  statusOf,
  type AttributeValue,
  type OtlpSpan,
} from "./otlp-span.ts";

/**
 * Builds spans from the events of runs, by the GenAI semantic conventions of OpenTelemetry (semantic-conventions-genai, as of
 * November 2026): `invoke_agent` for a run, `chat` for each provider call, `execute_tool` for each tool call. What is neither
 * is an event on the span it belongs to, named `benchtop.` and the event's type. A span is given out once it has ended.
 *
 * Content is there as far as the events still have it: `gen_ai.input.messages` on the run, `gen_ai.output.messages` on runs and
 * calls, `gen_ai.tool.call.arguments` and `.result` on tools.
 */
export class SpanBuilder {
  readonly #runs = new Map<string, OpenRun>();
  /** Which span of its parent started a run. */
  readonly #parents = new Map<string, string>();

  /** The spans that ended with this event; mostly none. */
  add(event: RunEvent): readonly OtlpSpan[] {
    const run = this.#runOf(event);
    switch (event.type) {
      case "OutputDelta":
      case "StepStarted":
      case "StepFinished":
        return [];
      case "ProviderCallStarted":
        run.calls += 1;
        run.providerId ??= event.providerId;
        run.modelId ??= event.modelId;
        run.open.set(`call ${event.callId}`, { started: event, notes: [] });
        return [];
      case "ProviderCallFinished":
        return ended(run, `call ${event.callId}`, (open) => chatSpan(run, open, event));
      case "ToolCallRequested":
        run.open.set(`tool ${event.callId}`, { started: event, notes: [] });
        return [];
      case "ToolCallFinished":
        return ended(run, `tool ${event.callId}`, (open) => toolSpan(run, open, event));
      case "Completed":
      case "Error":
        this.#runs.delete(event.runId);
        return [runSpan(run, event, this.#parents.get(event.runId))];
      case "SubRunStarted":
        this.#rememberParent(event, run);
        note(run, event);
        return [];
      case "RunStarted":
        return [];
      default:
        note(run, event);
        return [];
    }
  }

  #runOf(event: RunEvent): OpenRun {
    const known = this.#runs.get(event.runId);
    if (known && event.type !== "RunStarted") return known;
    const run: OpenRun = { started: event, open: new Map(), notes: [], omitted: 0, calls: 0 };
    if (event.type === "RunStarted") run.init = event;
    const [providerId, ...model] = run.init?.model?.split("/") ?? [];
    if (providerId !== undefined && model.length > 0) {
      run.providerId = providerId;
      run.modelId = model.join("/");
    }
    forgetOldest(this.#runs, maxOpenRuns);
    this.#runs.set(event.runId, run);
    return run;
  }

  #rememberParent(event: EventOf<"SubRunStarted">, run: OpenRun): void {
    forgetOldest(this.#parents, maxOpenRuns);
    const tool = event.callId === undefined ? undefined : run.open.get(`tool ${event.callId}`);
    this.#parents.set(event.childRunId, tool?.started.spanId ?? run.started.spanId);
  }
}

/** Runs whose end never comes must not be kept for ever. */
const maxOpenRuns = 10_000;
const maxNotes = 128;

interface OpenRun {
  readonly started: RunEvent;
  init?: EventOf<"RunStarted">;
  providerId?: string;
  modelId?: string;
  calls: number;
  readonly open: Map<string, OpenSpan>;
  readonly notes: RunEvent[];
  omitted: number;
}

interface OpenSpan {
  readonly started: EventOf<"ProviderCallStarted"> | EventOf<"ToolCallRequested">;
  readonly notes: RunEvent[];
}

function ended(run: OpenRun, key: string, build: (open: OpenSpan) => OtlpSpan): readonly OtlpSpan[] {
  const open = run.open.get(key);
  if (!open) return [];
  run.open.delete(key);
  return [build(open)];
}

/** An event that is no span belongs to the open span that it names, else to the run. */
function note(run: OpenRun, event: RunEvent): void {
  const open = [...run.open.values()].find(({ started }) => started.spanId === event.spanId);
  const notes = (open ?? run).notes;
  if (notes.length < maxNotes) notes.push(event);
  else run.omitted += 1;
}

function runSpan(run: OpenRun, event: EventOf<"Completed"> | EventOf<"Error">, parent: string | undefined): OtlpSpan {
  const { init } = run;
  const isAgent = run.calls > 0 || init?.model !== undefined;
  const name = init?.toolId ?? init?.kind ?? "run";
  const { totals } = event;
  const error = event.type === "Error" ? event.error : undefined;
  return {
    ...placeOf(run.started, event, parent),
    name: isAgent ? `invoke_agent ${name}` : `run ${name}`,
    kind: spanKind.internal,
    attributes: attributesOf({
      ...(isAgent && {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": name,
        "gen_ai.provider.name": providerName(run.providerId),
        "gen_ai.request.model": run.modelId,
        "gen_ai.conversation.id": init?.sessionId,
        ...usageAttributes(totals.usage),
        "gen_ai.input.messages": inputMessages(init?.input),
        "gen_ai.output.messages":
          event.type === "Completed" ? outputMessages(answerOf(event), event.finishReason) : undefined,
        ...(event.type === "Completed" && { "gen_ai.response.finish_reasons": [finishReason(event.finishReason)] }),
      }),
      "error.type": error?.error_code,
      "user.id": init?.userId,
      "benchtop.run.id": event.runId,
      "benchtop.run.kind": init?.kind,
      "benchtop.run.parent_id": init?.parentRunId,
      "benchtop.run.steps": totals.steps,
      "benchtop.run.tool_calls": totals.toolCalls,
      "benchtop.run.queued_ms": totals.queuedMs,
      "benchtop.run.cost_micros": totals.costMicros,
      "benchtop.workspace.id": init?.workspaceId,
      "benchtop.workbench.id": init?.workbenchId,
    }),
    events: run.notes.map(spanEvent),
    droppedEventsCount: run.omitted,
    status: statusOf(error),
  };
}

function chatSpan(run: OpenRun, { started, notes }: OpenSpan, event: EventOf<"ProviderCallFinished">): OtlpSpan {
  if (started.type !== "ProviderCallStarted") throw new Error("A provider call was begun by something else.");
  const { error, usage, firstTokenMs } = event;
  const failed = event.outcome === "success" ? undefined : (error?.error_code ?? event.outcome);
  return {
    ...placeOf(started, event, run.started.spanId),
    name: `chat ${started.modelId}`,
    kind: spanKind.client,
    attributes: attributesOf({
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": providerName(started.providerId),
      "gen_ai.request.model": started.modelId,
      "gen_ai.request.stream": true,
      "gen_ai.conversation.id": run.init?.sessionId,
      "gen_ai.response.id": event.responseId,
      "gen_ai.response.finish_reasons": event.finishReason && [finishReason(event.finishReason)],
      "gen_ai.response.time_to_first_chunk": firstTokenMs === undefined ? undefined : { double: firstTokenMs / 1000 },
      ...(usage && usageAttributes(usage)),
      "gen_ai.output.messages": event.message && outputMessages(event.message, event.finishReason ?? "other"),
      "error.type": failed,
      "benchtop.run.id": event.runId,
      "benchtop.call.id": event.callId,
      "benchtop.call.purpose": started.purpose,
      "benchtop.call.attempt": started.attempt,
      "benchtop.call.cost_micros": event.costMicros,
    }),
    events: notes.map(spanEvent),
    status: statusOf(failed === undefined ? undefined : (error ?? { message: "" })),
  };
}

function toolSpan(run: OpenRun, { started, notes }: OpenSpan, event: EventOf<"ToolCallFinished">): OtlpSpan {
  const failed = event.outcome === "success" ? undefined : (event.error?.error_code ?? event.outcome);
  return {
    ...placeOf(started, event, run.started.spanId),
    name: `execute_tool ${event.name}`,
    kind: spanKind.internal,
    attributes: attributesOf({
      "gen_ai.operation.name": "execute_tool",
      "gen_ai.tool.name": event.name,
      "gen_ai.tool.call.id": event.callId,
      "gen_ai.tool.type": "function",
      "gen_ai.tool.call.arguments": started.type === "ToolCallRequested" ? jsonText(started.arguments) : undefined,
      "gen_ai.tool.call.result": event.content === "" ? undefined : jsonText(event.content),
      "error.type": failed,
      "benchtop.run.id": event.runId,
      "benchtop.tool.outcome": event.outcome,
    }),
    events: notes.map(spanEvent),
    status: statusOf(failed === undefined ? undefined : (event.error ?? { message: "" })),
  };
}

type Place = Pick<OtlpSpan, "traceId" | "spanId" | "parentSpanId" | "startTimeUnixNano" | "endTimeUnixNano">;

function placeOf(started: RunEvent, finished: RunEvent, parent: string | undefined): Place {
  const start = Date.parse(started.at);
  return {
    traceId: started.traceId,
    spanId: started.spanId,
    ...(parent !== undefined && { parentSpanId: parent }),
    startTimeUnixNano: nanoseconds(start),
    endTimeUnixNano: nanoseconds(Math.max(start, Date.parse(finished.at))),
  };
}

function usageAttributes(usage: Usage): Record<string, AttributeValue> {
  return {
    "gen_ai.usage.input_tokens": usage.inputTokens,
    "gen_ai.usage.output_tokens": usage.outputTokens,
    "gen_ai.usage.cache_read.input_tokens": usage.cachedInputTokens,
    "gen_ai.usage.cache_write.input_tokens": usage.cacheWriteInputTokens,
    "gen_ai.usage.reasoning.output_tokens": usage.reasoningTokens,
    "benchtop.usage.estimated": usage.estimated,
  };
}

const wellKnownProviders: Readonly<Record<string, string>> = {
  azure: "azure.ai.openai",
  bedrock: "aws.bedrock",
  gemini: "gcp.gemini",
  google: "gcp.gemini",
  mistral: "mistral_ai",
  moonshot: "moonshot_ai",
  xai: "x_ai",
  "x-ai": "x_ai",
};

/** The convention's word for a provider where it has one; else the name that the operator gave it. */
function providerName(providerId: string | undefined): string | undefined {
  return providerId === undefined ? undefined : (wellKnownProviders[providerId] ?? providerId);
}

function finishReason(reason: string): string {
  if (reason === "tool-calls") return "tool_call";
  return reason === "content-filter" ? "content_filter" : reason;
}

function answerOf(event: EventOf<"Completed">): AssistantMessage {
  return { role: "assistant", content: event.output };
}

function inputMessages(input: Json | undefined): string | undefined {
  if (input === undefined || input === null || input === "") return undefined;
  if (typeof input === "object" && Object.keys(input).length === 0) return undefined;
  const asked =
    typeof input === "object" && !Array.isArray(input) ? (input["prompt"] ?? input["task"] ?? input) : input;
  const content = typeof asked === "string" ? asked : JSON.stringify(asked);
  return jsonText([{ role: "user", parts: [{ type: "text", content }] }]);
}

function outputMessages(message: AssistantMessage, reason: string): string | undefined {
  const { content, reasoning, refusal, toolCalls = [] } = message;
  const parts: Json[] = [
    ...(reasoning === undefined ? [] : [{ type: "reasoning", content: reasoning }]),
    ...(content === "" ? [] : [{ type: "text", content }]),
    ...(refusal === undefined ? [] : [{ type: "text", content: refusal }]),
    ...toolCalls.map((call) => ({ type: "tool_call", id: call.callId, name: call.name, arguments: call.arguments })),
  ];
  if (parts.length === 0) return undefined;
  return jsonText([{ role: "assistant", parts, finish_reason: finishReason(reason) }]);
}

/** Structured values are JSON text on spans, as the convention allows: few backends read anything else. */
function jsonText(value: Json): string | undefined {
  if (value === null) return undefined;
  return typeof value === "string" ? bounded(value) : JSON.stringify(boundedStrings(value));
}

function boundedStrings(value: Json): Json {
  if (typeof value === "string") return bounded(value);
  if (Array.isArray(value)) return value.map(boundedStrings);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, boundedStrings(item)]));
}

/** The plain fields of an event: numbers, switches, words and lists of words. */
function spanEvent(event: RunEvent): OtlpSpan["events"][number] {
  const { type, runId: _, seq, at, traceId: __, spanId: ___, ...fields } = event as RunEvent & Record<string, unknown>;
  const plain: Record<string, AttributeValue> = { "benchtop.event.seq": seq };
  for (const [name, value] of Object.entries(fields)) {
    const key = `benchtop.${snake(name)}`;
    if (typeof value === "number" || typeof value === "boolean") plain[key] = value;
    else if (typeof value === "string" && value !== "") plain[key] = bounded(value);
    else if (Array.isArray(value) && value.every((item) => typeof item === "string") && value.length > 0)
      plain[key] = value;
    else if (name === "error") plain["error.type"] = (value as Failure).error_code;
  }
  return {
    timeUnixNano: nanoseconds(Date.parse(at)),
    name: `benchtop.${snake(type)}`,
    attributes: attributesOf(plain),
  };
}

function snake(name: string): string {
  return name.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}

function forgetOldest(map: Map<string, unknown>, most: number): void {
  const [oldest] = map.keys();
  if (map.size >= most && oldest !== undefined) map.delete(oldest);
}
