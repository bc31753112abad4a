import { callerIdPattern, Contract, Decision, Json, RunEvent, RunStatus, SuspensionReason } from "@benchtop/protocol";
import { z } from "zod";
import { operation } from "./define.ts";
import { page, pageInput } from "./pagination.ts";
import { ModelRef } from "./providers.ts";

/** A run that is there: one of another workspace is refused as `NOT_FOUND` before any handler sees the id. */
export const RunId = z.string().regex(callerIdPattern, "1 to 128 letters, digits, dots, dashes or underscores");
/** A run id that names no run yet, or only narrows a list. */
export const RunIdText = z.string().regex(callerIdPattern, "1 to 128 letters, digits, dots, dashes or underscores");
/** A conversation of the workspace, or a new one: the same id in another workspace is another conversation. */
export const SessionRef = z.string().regex(callerIdPattern, "1 to 128 letters, digits, dots, dashes or underscores");

/** What a run that has not ended waits for a person to decide. */
export const Suspension = z.object({
  at: z.string(),
  reason: SuspensionReason,
  callId: z.string(),
  tool: z.string(),
  arguments: Json,
  gate: z.string().optional(),
  question: z.string(),
});
export type Suspension = z.infer<typeof Suspension>;

/** A named point of a run's journal, from which it can be forked. */
export const RunCheckpoint = z.object({
  runId: z.string(),
  seq: z.int().nonnegative(),
  hash: z.string(),
  name: z.string(),
  userId: z.string(),
  createdAt: z.string(),
});
export type RunCheckpoint = z.infer<typeof RunCheckpoint>;

/** What came of driving a run again from its journal. */
export const ReplayReport = z.object({
  runId: z.string(),
  outcome: z.enum(["identical", "diverged"]),
  /** Events that were passed, deltas not counted. */
  events: z.int().nonnegative(),
  /** The first place where the run did something else than is recorded. */
  divergence: z
    .object({
      seq: z.int().nonnegative(),
      event: z.string(),
      field: z.string(),
      expected: z.string(),
      actual: z.string(),
      message: z.string(),
    })
    .optional(),
});
export type ReplayReport = z.infer<typeof ReplayReport>;

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
  /** When its journal was deleted. */
  deletedAt: z.string().nullable(),
  eventCount: z.int(),
  headHash: z.string(),
  suspension: Suspension.nullable(),
});
export type Run = z.infer<typeof Run>;

/** Models beside the first that a run may ask. */
const maxFallbacks = 5;

/**
 * Consent to send this run's scope to a model elsewhere. `scopeHash` is what the person was shown (`egress.consentStatus`);
 * absent, it means whatever the scope is now. `once` covers this run, `always` is kept. `models` are those of the run that
 * were agreed to; absent, it is the first alone, and a fallback that needs a consent of its own is passed over.
 */
export const ConsentChoice = z.object({
  mode: z.enum(["once", "always"]),
  scopeHash: z.string().optional(),
  models: z
    .array(ModelRef)
    .max(maxFallbacks + 1)
    .optional(),
});
export type ConsentChoice = z.infer<typeof ConsentChoice>;

/** What every run that asks a model takes. */
export const runRequest = {
  runId: RunIdText.optional(),
  model: ModelRef,
  /** Asked in this order when the model fails or cannot serve. */
  fallbacks: z.array(ModelRef).max(maxFallbacks).optional(),
  sessionId: SessionRef.optional(),
  contract: Contract.optional(),
  consent: ConsentChoice.optional(),
};

/** The name of a file, without folders. */
const AttachmentName = z
  .string()
  .max(255)
  .regex(/^[^\p{Cc}\p{Cf}/\\]+$/u, "a file name without folders and invisible characters");

/** How the next token is chosen. What is absent is the model's own; a model that has no such setting is not told. */
export const Sampling = z.object({
  temperature: z.number().min(0).max(2).optional(),
  /** The smallest set of next tokens with this share of the probability. */
  topP: z.number().gt(0).max(1).optional(),
  /** The same seed gives the same answer where the model's server keeps to it. */
  seed: z.int().nonnegative().max(4_294_967_295).optional(),
  maxOutputTokens: z.int().positive().max(1_000_000).optional(),
});
export type Sampling = z.infer<typeof Sampling>;

const OutputFormat = z.object({
  name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "1 to 64 letters, digits, dashes or underscores"),
  schema: z.record(z.string(), Json),
});

/** One message of a conversation that the caller keeps. */
export const ChatMessage = z.object({
  role: z.enum(["system", "user", "assistant", "tool"]),
  content: z.string().max(2_000_000),
  /** What an assistant's message calls. */
  toolCalls: z
    .array(z.object({ callId: z.string().max(200), name: z.string().max(200), arguments: Json }))
    .max(256)
    .optional(),
  /** The call, and the tool, that a tool's message is the result of. */
  callId: z.string().max(200).optional(),
  name: z.string().max(200).optional(),
});
export type ChatMessage = z.infer<typeof ChatMessage>;

const { sessionId: _, ...withoutSession } = runRequest;

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
      /** Images (PNG, JPEG, GIF, WebP), PDF and text that were uploaded before (`files.upload`). */
      attachments: z
        .array(z.object({ name: AttachmentName, sha256: z.string().regex(/^[0-9a-f]{64}$/) }))
        .max(100)
        .optional(),
      /** The answer has to be JSON of this schema (strict JSON Schema 2020-12); it is the `result` of `Completed`. */
      output: OutputFormat.optional(),
      sampling: Sampling.optional(),
    }),
    output: RunStartedOutput,
    errors: ["NOT_FOUND", "RUN_REPLAYED", "PROVIDER_NOT_CONFIGURED", "DISK_FULL"],
  }),
  "runs.chat": operation({
    id: "runs.chat",
    rpc: "RunsChat",
    method: "POST",
    path: "/api/v1/runs/chat",
    permission: "runs:write",
    status: 202,
    summary:
      "Start a run: one answer to a conversation that you keep, with tools that you execute. Follow it with runs.events.",
    input: z.object({
      ...withoutSession,
      /** Ends with a question of the user, or with the results of tools. */
      messages: z.array(ChatMessage).min(1).max(10_000),
      /** What the model may call. The calls are the run's `result`; nothing is executed. */
      tools: z
        .array(
          z.object({
            name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "1 to 64 letters, digits, dashes or underscores"),
            description: z.string().max(20_000),
            inputSchema: z.record(z.string(), Json),
          }),
        )
        .max(256)
        .optional(),
      output: OutputFormat.optional(),
      sampling: Sampling.optional(),
    }),
    output: z.object({ runId: z.string(), traceId: z.string() }),
    errors: ["NOT_FOUND", "RUN_REPLAYED", "PROVIDER_NOT_CONFIGURED", "DISK_FULL"],
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
      /** Of one trace: a run with its sub-runs. */
      traceId: z.string().max(64).optional(),
      /** Runs that this one started, or that are about it: sub-runs, forks, replays, undos. */
      parentRunId: RunIdText.optional(),
      /** Only runs that wait for a person. */
      waiting: z.union([z.boolean(), z.stringbool()]).optional(),
      /** The questions of evaluations, too; otherwise they are listed by the `parentRunId` of theirs alone. */
      questions: z.union([z.boolean(), z.stringbool()]).optional(),
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
  "runs.artifact": operation({
    id: "runs.artifact",
    rpc: "RunsArtifact",
    method: "GET",
    path: "/api/v1/runs/{runId}/artifacts/{artifactId}",
    permission: "runs:read",
    transfer: "download",
    summary: "What a run left as an artifact: a proposal, what became of it, a report. `ArtifactWritten` names it.",
    input: z.object({ ...runId, artifactId: z.string().min(1).max(100) }),
    output: z.instanceof(Uint8Array),
    errors: ["NOT_FOUND", "FILE_READ_FAILED"],
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
  "runs.resume": operation({
    id: "runs.resume",
    rpc: "RunsResume",
    method: "POST",
    path: "/api/v1/runs/{runId}/resume",
    permission: "runs:write",
    status: 202,
    summary: "Let a run go on that waits for a decision. Answered once the decision is on disk.",
    input: z.object({
      ...runId,
      /** `approve` or `deny` a tool call that a gate asks about; `retry` or `skip` one whose outcome nobody knows. */
      decision: Decision.optional(),
      /** The model is told it. */
      note: z.string().min(1).max(20_000).optional(),
      /** Go on although instructions, tools or gates are no longer what they were when the run began. */
      acceptChanges: z.boolean().optional(),
      consent: ConsentChoice.optional(),
    }),
    output: z.object({ runId: z.string() }),
    errors: [
      "NOT_FOUND",
      "RUN_INTERRUPTED",
      "REPLAY_DIVERGED",
      "EGRESS_CONSENT_REQUIRED",
      "PROVIDER_NOT_CONFIGURED",
      "DISK_FULL",
    ],
  }),
  "runs.replay": operation({
    id: "runs.replay",
    rpc: "RunsReplay",
    method: "POST",
    path: "/api/v1/runs/{runId}/replay",
    permission: "runs:write",
    summary: "Drive a run again from its journal, without models, tools or clock, and name the first difference.",
    input: z.object(runId),
    output: z.object({ replayRunId: z.string(), report: ReplayReport }),
    errors: ["NOT_FOUND", "DISK_FULL"],
  }),
  "runs.fork": operation({
    id: "runs.fork",
    rpc: "RunsFork",
    method: "POST",
    path: "/api/v1/runs/{runId}/fork",
    permission: "runs:write",
    status: 202,
    summary:
      "Start a run that begins with what this one did up to an event, and goes on live, asked or told something else.",
    input: z.object({
      ...runId,
      /** The last event that both share; the end of the run when absent. */
      seq: z.int().nonnegative().optional(),
      /** Asked in place of the task or prompt. */
      input: z.string().min(1).max(2_000_000).optional(),
      /** Told to the fork before its next turn. */
      hint: z.string().min(1).max(20_000).optional(),
      model: ModelRef.optional(),
      contract: Contract.optional(),
      consent: ConsentChoice.optional(),
    }),
    output: RunStartedOutput,
    errors: ["NOT_FOUND", "PROVIDER_NOT_CONFIGURED", "DISK_FULL"],
  }),
  "runs.undo": operation({
    id: "runs.undo",
    rpc: "RunsUndo",
    method: "POST",
    path: "/api/v1/runs/{runId}/undo",
    permission: "runs:write",
    status: 202,
    summary: "Take back what a run changed, its newest change first. A run of its own; follow it with runs.events.",
    input: z.object({
      ...runId,
      /** Changes up to this event stay. */
      after: z.int().nonnegative().optional(),
    }),
    output: z.object({ runId: z.string() }),
    errors: ["NOT_FOUND", "DISK_FULL"],
  }),
  "runs.checkpoints": operation({
    id: "runs.checkpoints",
    rpc: "RunsListCheckpoints",
    method: "GET",
    path: "/api/v1/runs/{runId}/checkpoints",
    permission: "runs:read",
    summary: "The named points of a run's journal.",
    input: z.object(runId),
    output: z.object({ items: z.array(RunCheckpoint) }),
    errors: ["NOT_FOUND"],
  }),
  "runs.saveCheckpoint": operation({
    id: "runs.saveCheckpoint",
    rpc: "RunsSaveCheckpoint",
    method: "POST",
    path: "/api/v1/runs/{runId}/checkpoints",
    permission: "runs:write",
    summary: "Name a point of a run's journal, to fork from it later. A named run is not removed by retention.",
    input: z.object({ ...runId, seq: z.int().nonnegative(), name: z.string().min(1).max(100) }),
    output: RunCheckpoint,
    errors: ["NOT_FOUND"],
  }),
  "runs.removeCheckpoint": operation({
    id: "runs.removeCheckpoint",
    rpc: "RunsRemoveCheckpoint",
    method: "DELETE",
    path: "/api/v1/runs/{runId}/checkpoints/{name}",
    permission: "runs:write",
    summary: "Forget a named point.",
    input: z.object({ ...runId, name: z.string().min(1).max(100) }),
    output: z.object({ removed: z.boolean() }),
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
