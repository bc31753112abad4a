import { callerIdPattern, Contract, RunEvent, RunStatus } from "@benchtop/protocol";
import { z } from "zod";
import { operation } from "./define.ts";
import { page, pageInput } from "./pagination.ts";
import { ModelRef } from "./providers.ts";

export const RunId = z.string().regex(callerIdPattern, "1 to 128 letters, digits, dots, dashes or underscores");

/** A row of the ledger. Money in micro-dollars, times in ISO 8601 UTC. */
export const Run = z.object({
  runId: z.string(),
  traceId: z.string(),
  kind: z.string(),
  toolId: z.string().nullable(),
  userId: z.string(),
  workspaceId: z.string().nullable(),
  workbenchId: z.string().nullable(),
  sessionId: z.string().nullable(),
  parentRunId: z.string().nullable(),
  contract: Contract,
  providerId: z.string().nullable(),
  modelId: z.string().nullable(),
  status: RunStatus,
  inputTokens: z.int(),
  outputTokens: z.int(),
  costMicros: z.int().nullable(),
  steps: z.int(),
  toolCalls: z.int(),
  firstTokenMs: z.number().nullable(),
  durationMs: z.number().nullable(),
  errorCode: z.string().nullable(),
  title: z.string(),
  startedAt: z.string(),
  finishedAt: z.string().nullable(),
  eventCount: z.int(),
  headHash: z.string(),
});
export type Run = z.infer<typeof Run>;

/**
 * Consent to send this run's scope to this provider and model. `scopeHash` is what the person was shown
 * (`egress.consentStatus`); absent, it means whatever the scope is now. `once` covers this run, `always` is kept.
 */
export const ConsentChoice = z.object({ mode: z.enum(["once", "always"]), scopeHash: z.string().optional() });
export type ConsentChoice = z.infer<typeof ConsentChoice>;

/** What every run that asks a model takes. */
export const runRequest = {
  runId: RunId.optional(),
  model: ModelRef,
  sessionId: z.string().regex(callerIdPattern).optional(),
  contract: Contract.optional(),
  consent: ConsentChoice.optional(),
};

const RunStartedOutput = z.object({ runId: z.string(), traceId: z.string(), sessionId: z.string().nullable() });
const runId = { runId: RunId };

export const runOperations = {
  "runs.start": operation({
    id: "runs.start",
    rpc: "RunsStart",
    method: "POST",
    path: "/api/v1/runs",
    permission: "runs:write",
    status: 202,
    summary: "Start a run: one prompt to one model. Follow it with runs.events.",
    input: z.object({
      ...runRequest,
      prompt: z.string().min(1).max(2_000_000),
      instructions: z.string().max(200_000).optional(),
    }),
    output: RunStartedOutput,
    errors: ["RUN_REPLAYED", "PROVIDER_NOT_CONFIGURED", "DISK_FULL"],
  }),
  "runs.list": operation({
    id: "runs.list",
    rpc: "RunsList",
    method: "GET",
    path: "/api/v1/runs",
    permission: "runs:read",
    summary: "Runs, newest first.",
    input: z.object({
      ...pageInput,
      status: RunStatus.optional(),
      kind: z.string().max(60).optional(),
      workbenchId: z.string().max(100).optional(),
      sessionId: z.string().max(130).optional(),
    }),
    output: page(Run),
    errors: [],
  }),
  "runs.get": operation({
    id: "runs.get",
    rpc: "RunsGet",
    method: "GET",
    path: "/api/v1/runs/{runId}",
    permission: "runs:read",
    summary: "One run: status, model, times, tokens, cost.",
    input: z.object(runId),
    output: Run,
    errors: ["NOT_FOUND"],
  }),
  "runs.events": operation({
    id: "runs.events",
    rpc: "RunsEvents",
    method: "GET",
    path: "/api/v1/runs/{runId}/events",
    permission: "runs:read",
    transfer: "stream",
    summary: "The journal from a cursor on, then live, until the run ends. `Last-Event-ID` resumes.",
    input: z.object({ ...runId, after: z.coerce.number().int().min(-1).optional() }),
    output: RunEvent,
    errors: ["NOT_FOUND"],
  }),
  "runs.eventPage": operation({
    id: "runs.eventPage",
    rpc: "RunsEventPage",
    method: "GET",
    path: "/api/v1/runs/{runId}/journal",
    permission: "runs:read",
    summary: "One page of the journal.",
    input: z.object({
      ...runId,
      after: z.coerce.number().int().min(-1).optional(),
      limit: z.coerce.number().int().min(1).max(5000).default(1000),
    }),
    output: z.object({ items: z.array(RunEvent), nextAfter: z.int().nullable() }),
    errors: ["NOT_FOUND"],
  }),
  "runs.abort": operation({
    id: "runs.abort",
    rpc: "RunsAbort",
    method: "POST",
    path: "/api/v1/runs/{runId}/abort",
    permission: "runs:write",
    summary: "Stop a run. The provider request is canceled; what it said so far stays in the journal.",
    input: z.object({ ...runId, reason: z.string().max(500).optional() }),
    output: z.object({ aborted: z.boolean() }),
    errors: ["NOT_FOUND"],
  }),
  "runs.hint": operation({
    id: "runs.hint",
    rpc: "RunsHint",
    method: "POST",
    path: "/api/v1/runs/{runId}/hints",
    permission: "runs:write",
    summary: "Tell a running agent something; it reads the hint before its next turn.",
    input: z.object({ ...runId, text: z.string().min(1).max(20_000) }),
    output: z.object({ accepted: z.boolean() }),
    errors: ["NOT_FOUND"],
  }),
  "runs.verify": operation({
    id: "runs.verify",
    rpc: "RunsVerify",
    method: "GET",
    path: "/api/v1/runs/{runId}/verify",
    permission: "runs:read",
    summary: "Prove that a journal is whole and unchanged: hash chain, head, and every invariant.",
    input: z.object(runId),
    output: z.object({
      runId: z.string(),
      ok: z.boolean(),
      eventCount: z.int(),
      headHash: z.string(),
      violations: z.array(z.string()),
    }),
    errors: ["NOT_FOUND"],
  }),
} as const;
