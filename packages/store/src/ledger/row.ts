import { randomBytes } from "node:crypto";
import type { RunInit } from "@benchtop/protocol";
import type { Insertable } from "kysely";
import type { WorkbenchRunsTable } from "../schema.ts";

const titleLength = 200;

/** The row with which a run, or an attempt to repeat one, enters the ledger. */
export function ledgerRow(run: RunInit, status: "pending" | "replay", at: string): Insertable<WorkbenchRunsTable> {
  const [providerId, modelId] = splitModel(run.model);
  return {
    id: entryId(),
    run_id: run.runId,
    trace_id: run.traceId,
    kind: run.kind,
    tool_id: run.toolId ?? null,
    user_id: run.userId,
    workspace_id: run.workspaceId ?? null,
    workbench_id: run.workbenchId ?? null,
    session_id: run.sessionId ?? null,
    parent_run_id: run.parentRunId ?? null,
    contract_version: null,
    contract: JSON.stringify(run.contract),
    provider_id: providerId,
    model_id: modelId,
    status,
    input_tokens: 0,
    output_tokens: 0,
    cost_micros: null,
    steps: 0,
    tool_calls: 0,
    first_token_ms: null,
    duration_ms: null,
    error_code: null,
    title: titleOf(run.input),
    metadata: JSON.stringify(run.queuedMs === undefined ? {} : { queuedMs: run.queuedMs }),
    started_at: at,
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

/** `provider/model`; the model's own name may have slashes. */
function splitModel(model: string | undefined): [string | null, string | null] {
  if (model === undefined) return [null, null];
  const slash = model.indexOf("/");
  return slash < 0 ? [null, model] : [model.slice(0, slash), model.slice(slash + 1)];
}

/** The first characters of the prompt or task, never cut inside a character. */
function titleOf(input: RunInit["input"]): string {
  const text = typeof input === "string" ? input : fieldOf(input, "task") || fieldOf(input, "prompt");
  return Array.from(
    text
      .slice(0, 2 * titleLength)
      .replaceAll("\u0000", "")
      .trim(),
  )
    .slice(0, titleLength)
    .join("");
}

function fieldOf(input: RunInit["input"], name: string): string {
  if (typeof input !== "object" || input === null || Array.isArray(input)) return "";
  const value = input[name];
  return typeof value === "string" ? value : "";
}
