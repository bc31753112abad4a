import { randomBytes } from "node:crypto";
import type { RunInit } from "@benchtop/protocol";
import { startedRecord } from "@benchtop/protocol/records";
import type { Insertable } from "kysely";
import type { WorkbenchRunsTable } from "../schema.ts";

/** The row with which a run, or an attempt to repeat one, enters the ledger. */
export function ledgerRow(run: RunInit, status: "pending" | "replay", at: string): Insertable<WorkbenchRunsTable> {
  const record = startedRecord(run, at);
  return {
    id: entryId(),
    run_id: record.runId,
    trace_id: record.traceId,
    kind: record.kind,
    tool_id: record.toolId,
    user_id: record.userId,
    workspace_id: record.workspaceId,
    workbench_id: record.workbenchId,
    session_id: record.sessionId,
    parent_run_id: record.parentRunId,
    contract_version: null,
    contract: JSON.stringify(record.contract),
    provider_id: record.providerId,
    model_id: record.modelId,
    status,
    input_tokens: record.inputTokens,
    output_tokens: record.outputTokens,
    cost_micros: record.costMicros,
    steps: record.steps,
    tool_calls: record.toolCalls,
    first_token_ms: record.firstTokenMs,
    duration_ms: record.durationMs,
    error_code: record.errorCode,
    title: record.title,
    metadata: JSON.stringify(run.queuedMs === undefined ? {} : { queuedMs: run.queuedMs }),
    started_at: record.startedAt,
    finished_at: status === "replay" ? at : null,
  };
}

let lastMillisecond = 0;
let sameMillisecond = 0;

/** Sorts by the time of its making, within one millisecond too: lists put rows that start together in this order. */
function entryId(): string {
  const now = Math.max(Date.now(), lastMillisecond);
  sameMillisecond = now === lastMillisecond ? sameMillisecond + 1 : 0;
  lastMillisecond = now;
  const sortable = now.toString(36).padStart(9, "0") + sameMillisecond.toString(36).padStart(4, "0");
  return `led_${sortable}${randomBytes(6).toString("hex")}`;
}
