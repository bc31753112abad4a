import type { Json } from "./messages.ts";
import type { EventInput, EventOf } from "./events.ts";
import type { RunInit, RunRecord, Suspension } from "./ports.ts";

/** What the ledger says of a run, read from its events: the same for every journal, whatever keeps it. */

const titleLength = 200;

/** The record with which a run begins, before its first event counts. */
export function startedRecord(run: RunInit, at: string): RunRecord {
  const [providerId, modelId] = splitModel(run.model);
  return {
    runId: run.runId,
    traceId: run.traceId,
    kind: run.kind,
    toolId: run.toolId ?? null,
    userId: run.userId,
    workspaceId: run.workspaceId ?? null,
    workbenchId: run.workbenchId ?? null,
    sessionId: run.sessionId ?? null,
    parentRunId: run.parentRunId ?? null,
    contract: run.contract,
    providerId,
    modelId,
    status: "pending",
    inputTokens: 0,
    outputTokens: 0,
    costMicros: null,
    steps: 0,
    toolCalls: 0,
    firstTokenMs: null,
    durationMs: null,
    errorCode: null,
    title: titleOf(run.input),
    startedAt: at,
    finishedAt: null,
    deletedAt: null,
    suspension: null,
    eventCount: 0,
    headHash: "",
  };
}

/** What the terminal event makes of the record. */
export interface RunEnd {
  readonly status: "success" | "error" | "budget_exceeded";
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costMicros: number | null;
  readonly steps: number;
  readonly toolCalls: number;
  readonly firstTokenMs: number | null;
  readonly durationMs: number;
  readonly errorCode: string | null;
  readonly finishedAt: string;
}

/** Undefined for every event that is not terminal. */
export function runEnd(event: EventInput, at: string): RunEnd | undefined {
  if (event.type !== "Completed" && event.type !== "Error") return undefined;
  const { totals } = event;
  const errorCode = event.type === "Error" ? event.error.error_code : null;
  return {
    status: errorCode === null ? "success" : errorCode === "BUDGET_CAP_REACHED" ? "budget_exceeded" : "error",
    inputTokens: totals.usage.inputTokens,
    outputTokens: totals.usage.outputTokens,
    costMicros: totals.costMicros ?? null,
    steps: totals.steps,
    toolCalls: totals.toolCalls,
    firstTokenMs: totals.firstTokenMs ?? null,
    durationMs: totals.durationMs,
    errorCode,
    finishedAt: at,
  };
}

/** What a run waits for once this is the newest event of its journal; null for every event but `Suspended`. */
export function suspensionOf(event: EventInput | EventOf<"Suspended">, at: string): Suspension | null {
  if (event.type !== "Suspended") return null;
  const { reason, callId, tool, question, gate } = event;
  return { at, reason, callId, tool, arguments: event.arguments, ...(gate !== undefined && { gate }), question };
}

/** `provider/model`; the model's own name may have slashes. */
function splitModel(model: string | undefined): [string | null, string | null] {
  if (model === undefined) return [null, null];
  const slash = model.indexOf("/");
  return slash < 0 ? [null, model] : [model.slice(0, slash), model.slice(slash + 1)];
}

/** The first characters of what was asked, never cut inside a character. */
function titleOf(input: RunInit["input"]): string {
  const text =
    typeof input === "string"
      ? input
      : fieldOf(input, "task") || fieldOf(input, "message") || fieldOf(input, "prompt") || lastQuestionIn(input);
  return Array.from(
    text
      .slice(0, 2 * titleLength)
      .replaceAll("\u0000", "")
      .trim(),
  )
    .slice(0, titleLength)
    .join("");
}

/** Of a chat, which is asked with all its messages. */
function lastQuestionIn(input: RunInit["input"]): string {
  const { messages } = (typeof input === "object" && input !== null ? input : {}) as { readonly messages?: unknown };
  if (!Array.isArray(messages)) return "";
  return fieldOf((messages as Json[]).findLast((message) => fieldOf(message, "role") === "user") ?? null, "content");
}

function fieldOf(input: RunInit["input"], name: string): string {
  if (typeof input !== "object" || input === null || Array.isArray(input)) return "";
  const value = input[name];
  return typeof value === "string" ? value : "";
}
