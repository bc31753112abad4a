import type { EventOf, Json, RunEvent, RunEventType } from "@benchtop/protocol";
import { redactText, type Detector } from "../gates/findings.ts";
import { personalData } from "../gates/personal-data.ts";
import { secrets } from "../gates/secrets.ts";
import type { TraceSink } from "./sink.ts";

export interface RedactionOptions {
  /**
   * `metadata` (when absent): who, what kind, when, how long, how much, which code of failure, and not a word of content.
   * `redacted`: content too, with what the detectors find masked. Detectors find what has a form; content stays content.
   */
  readonly content?: "metadata" | "redacted";
  /** Secrets and personal data when absent. */
  readonly detectors?: readonly Detector[];
}

/** A sink that gets events without their content, or with it masked. */
export function redactedTrace(sink: TraceSink, options: RedactionOptions = {}): TraceSink {
  const { content = "metadata", detectors = [secrets, personalData()] } = options;
  const reduced = content === "metadata" ? withoutContent : (event: RunEvent) => withMaskedContent(event, detectors);
  return {
    event: (event) => sink.event(reduced(event)),
    ...(sink.recall && { recall: (event: RunEvent) => sink.recall?.(reduced(event)) }),
    flush: () => sink.flush(),
    close: () => sink.close(),
    get state() {
      return sink.state;
    },
  };
}

/** The event with every field emptied that is not known to be free of content. */
export function withoutContent(event: RunEvent): RunEvent {
  return reduce(event, emptied);
}

/**
 * The event with what detectors find in its content masked. Deltas are emptied, since a secret may be spread over several
 * (the whole text is in the call's end), and so is what cannot be read: attached files and a provider's own blocks.
 */
export function withMaskedContent(event: RunEvent, detectors: readonly Detector[]): RunEvent {
  if (event.type === "OutputDelta") return withoutContent(event);
  return reduce(event, (value) => masked(value, detectors));
}

type Common = "type" | "runId" | "seq" | "at" | "traceId" | "spanId";

/** What is no content, by type. A field that is new, or forgotten here, is content. */
const metadata: { readonly [Type in RunEventType]: readonly Exclude<keyof EventOf<Type>, Common>[] } = {
  RunStarted: [
    ...([
      "kind",
      "userId",
      "toolId",
      "workspaceId",
      "workbenchId",
      "sessionId",
      "parentRunId",
      "parentCallId",
    ] as const),
    ...(["forkedFrom", "model", "contract", "queuedMs"] as const),
  ],
  StepStarted: ["step"],
  StepFinished: ["step", "durationMs"],
  ProviderCallStarted: ["callId", "purpose", "providerId", "modelId", "attempt", "requestHash", "messageCount"],
  OutputDelta: ["callId", "channel"],
  ProviderCallFinished: [
    ...([
      "callId",
      "outcome",
      "finishReason",
      "usage",
      "costMicros",
      "responseId",
      "firstTokenMs",
      "durationMs",
    ] as const),
  ],
  ToolCallRequested: ["callId", "name", "idempotent"],
  ToolCallFinished: ["callId", "name", "outcome", "durationMs"],
  PhaseChanged: ["phase", "done", "total"],
  RetryScheduled: ["callId", "attempt", "delayMs", "reason", "providerId", "modelId"],
  CandidatesSkipped: ["skipped"],
  TimedOut: ["scope", "limitMs", "callId"],
  ContextTrimmed: [
    ...(["droppedMessages", "keptMessages", "estimatedTokensDropped", "estimatedTokensKept", "tokenLimit"] as const),
    "summaryCallId",
  ],
  ContextAssembled: ["sha256", "bytes"],
  MemoryRetrieved: ["lane", "tokens", "costMicros", "durationMs"],
  MemoryWritten: ["lane", "id", "tokens"],
  GateDecided: ["gate", "point", "mode", "decision", "findings", "callId", "durationMs"],
  HintInjected: ["userId"],
  ConsentRequired: ["providerId", "modelId", "scopeHash", "fileCount", "totalBytes"],
  BudgetExceeded: ["limit", "allowed", "actual"],
  Suspended: ["reason", "callId", "tool", "gate"],
  Resumed: ["reason", "callId", "decision", "userId"],
  SubRunStarted: ["childRunId", "name", "callId"],
  SubRunFinished: ["childRunId", "status", "totals"],
  DraftChanged: ["draftId", "revision", "change", "bytes", "callId"],
  CheckpointCreated: ["checkpointId", "reason", "manifestHash", "fileCount"],
  ArtifactWritten: ["artifactId", "mediaType", "bytes"],
  MetricLogged: ["name", "value", "step"],
  Compensated: ["targetRunId", "targetCallId", "name", "outcome", "durationMs"],
  Completed: ["finishReason", "totals"],
  Error: ["totals"],
};

const common: ReadonlySet<string> = new Set<Common>(["type", "runId", "seq", "at", "traceId", "spanId"]);

function reduce(event: RunEvent, content: (value: Json) => Json): RunEvent {
  const kept: readonly string[] = metadata[event.type] ?? [];
  const reduced: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(event)) {
    if (common.has(field) || kept.includes(field)) reduced[field] = value;
    else if (field === "error") reduced[field] = failure(value as Json, content);
    else if (value !== undefined) reduced[field] = content(value as Json);
  }
  return reduced as unknown as RunEvent;
}

/** Of a failure the code and the place are metadata; message and detail are meant to hold no content, and are not trusted to. */
function failure(value: Json, content: (value: Json) => Json): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return content(value);
  const { message = "", detail, ...info } = value;
  const reduced = detail === undefined ? undefined : content(detail);
  return { ...info, message: content(message), ...(isFilled(reduced) && { detail: reduced }) };
}

function isFilled(value: Json | undefined): value is Json {
  return typeof value === "object" && value !== null && Object.keys(value).length > 0;
}

/** The emptiest value of the same kind, so that the event keeps its shape. Names of properties may be content, too. */
function emptied(value: Json): Json {
  if (typeof value === "string") return "";
  if (Array.isArray(value)) return [];
  if (typeof value === "object" && value !== null) return isMessage(value) ? { role: "assistant", content: "" } : {};
  return null;
}

function isMessage(value: { [key: string]: Json }): boolean {
  return value["role"] === "assistant" && typeof value["content"] === "string";
}

function masked(value: Json, detectors: readonly Detector[]): Json {
  if (typeof value === "string") return redactText(value, detectors).text;
  if (Array.isArray(value)) return value.map((item) => masked(item, detectors));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, item]) => {
      if (key === "continuation" && isMessage(value)) return [];
      if (key === "data" && typeof value["mediaType"] === "string") return [];
      // A value is judged beside its name: `{ "password": "…" }` says more than either alone.
      const named = typeof item === "string" && redactText(`${key}=${item}`, detectors).findings.length > 0;
      const itself = named && typeof item === "string" && redactText(item, detectors).findings.length === 0;
      return [[redactText(key, detectors).text, itself ? "[redacted: named-secret]" : masked(item, detectors)]];
    }),
  );
}
