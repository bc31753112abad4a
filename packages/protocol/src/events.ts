import { z } from "zod";
import { errorActions, errorCodes, phases, type ErrorInfo as ErrorInfoShape } from "./errors.ts";
import { AssistantMessage, Contract, FinishReason, Json, Usage } from "./messages.ts";

/**
 * The journal's words. A run is a sequence of these events, `seq` dense from 0; the invariants that hold for
 * every sequence are in `invariants.ts`. Everything a surface shows is read from them.
 */

export const errorInfoSchema: z.ZodType<ErrorInfoShape> = z.object({
  error_code: z.enum(errorCodes),
  phase: z.enum(phases),
  subphase: z.string().optional(),
  retryable: z.boolean(),
  actions: z.array(z.enum(errorActions)),
  provider_id: z.string().optional(),
  model_id: z.string().optional(),
  run_id: z.string().optional(),
  workbench_id: z.string().optional(),
  detail: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.string())]))
    .optional(),
  detail_ref: z.string().optional(),
}) as unknown as z.ZodType<ErrorInfoShape>;

/** `error` of a tool result, an `Error` event and a REST response: the message beside the info. */
export const Failure = z.intersection(z.object({ message: z.string() }), errorInfoSchema);
export type Failure = { message: string } & ErrorInfoShape;

/** Fields that every event has. `at` is ISO 8601 with milliseconds, UTC. */
const base = {
  runId: z.string(),
  seq: z.int().nonnegative(),
  at: z.string(),
  traceId: z.string(),
  spanId: z.string(),
};

function event<const Type extends string, Shape extends z.ZodRawShape>(type: Type, shape: Shape) {
  return z.object({ type: z.literal(type), ...base, ...shape });
}

export const ForkOrigin = z.object({ runId: z.string(), seq: z.int().nonnegative() });
export type ForkOrigin = z.infer<typeof ForkOrigin>;

/** What a run is: its kind decides which program drives it (`prompt`, `agent`, `publish`, `restore`, …). */
export const RunStarted = event("RunStarted", {
  kind: z.string(),
  userId: z.string(),
  toolId: z.string().optional(),
  workspaceId: z.string().optional(),
  workbenchId: z.string().optional(),
  sessionId: z.string().optional(),
  parentRunId: z.string().optional(),
  /** The tool call of the parent that started this run. */
  parentCallId: z.string().optional(),
  /** The run whose events up to and including `seq` this one began with; they are in this journal too. */
  forkedFrom: ForkOrigin.optional(),
  /** The model asked for, `provider/model`. */
  model: z.string().optional(),
  contract: Contract,
  /** What the program needs to run again: the prompt, the task, the checkpoint to restore. */
  input: Json,
  /** Milliseconds between the request and this event. */
  queuedMs: z.number().nonnegative().optional(),
});

export const StepStarted = event("StepStarted", { step: z.int().positive() });
export const StepFinished = event("StepFinished", { step: z.int().positive(), durationMs: z.number().nonnegative() });

export const RequestParts = z.object({
  /** The system messages. */
  instructions: z.string(),
  messages: z.string(),
  tools: z.string(),
  /** All the rest: the model, the schema of the answer, limits. */
  settings: z.string(),
});
export type RequestParts = z.infer<typeof RequestParts>;

/** What a provider call is for, where it is not the run's own answer. */
const callPurposes = ["compaction", "evaluation", "gate"] as const;

export const ProviderCallStarted = event("ProviderCallStarted", {
  callId: z.string(),
  purpose: z.enum(callPurposes).optional(),
  providerId: z.string(),
  modelId: z.string(),
  attempt: z.int().positive(),
  /** sha256 of the canonical request, so that a replay can prove that it asks the same. */
  requestHash: z.string(),
  /** Hashes of the request's parts, 16 hex digits each, so that a replay can say what is another. */
  requestParts: RequestParts.optional(),
  messageCount: z.int().nonnegative(),
});

/** Text of one provider call as it arrives. Adjacent deltas of a channel may be joined before they are committed. */
export const OutputDelta = event("OutputDelta", {
  callId: z.string(),
  channel: z.enum(["text", "reasoning", "refusal"]),
  text: z.string(),
});

export const ProviderCallFinished = event("ProviderCallFinished", {
  callId: z.string(),
  outcome: z.enum(["success", "error", "canceled"]),
  /** What the model said, whole; partial when the outcome is not `success`. */
  message: AssistantMessage.optional(),
  finishReason: FinishReason.optional(),
  usage: Usage.optional(),
  costMicros: z.int().nonnegative().optional(),
  /** The provider's own id of the response. */
  responseId: z.string().optional(),
  error: Failure.optional(),
  firstTokenMs: z.number().nonnegative().optional(),
  durationMs: z.number().nonnegative(),
});

export const ToolCallRequested = event("ToolCallRequested", {
  callId: z.string(),
  name: z.string(),
  arguments: Json,
  idempotent: z.boolean(),
});

export const ToolCallFinished = event("ToolCallFinished", {
  callId: z.string(),
  name: z.string(),
  /** `unknown`: the process ended while the tool ran, so nobody knows whether it took effect. */
  outcome: z.enum(["success", "error", "denied", "canceled", "unknown"]),
  /** What the model is told. */
  content: z.string(),
  error: Failure.optional(),
  durationMs: z.number().nonnegative(),
});

export const PhaseChanged = event("PhaseChanged", {
  phase: z.string(),
  detail: z.record(z.string(), Json).optional(),
  /** Work done and to do in this phase, in its own unit (files). */
  done: z.int().nonnegative().optional(),
  total: z.int().nonnegative().optional(),
});

/** A provider call failed and is made once more: with the same model, or with the next one of the plan. */
export const RetryScheduled = event("RetryScheduled", {
  /** The call that failed. */
  callId: z.string(),
  /** Number of the attempt to come; 1 when it is the first with another model. */
  attempt: z.int().positive(),
  delayMs: z.number().nonnegative(),
  error: Failure,
  reason: z.enum(["retry", "fallback"]).optional(),
  /** Who is asked next. */
  providerId: z.string().optional(),
  modelId: z.string().optional(),
});

/** Candidates of the plan that were passed over before this call, and why. */
export const CandidatesSkipped = event("CandidatesSkipped", {
  purpose: z.enum(callPurposes).optional(),
  skipped: z.array(z.object({ providerId: z.string(), modelId: z.string(), reason: z.string() })),
});

export const TimedOut = event("TimedOut", {
  scope: z.enum(["connect", "first-token", "idle", "tool", "run"]),
  limitMs: z.number().nonnegative(),
  callId: z.string().optional(),
});

/** History that did not fit; truncation is never silent. With `summary`, this text stands in its place from now on. */
export const ContextTrimmed = event("ContextTrimmed", {
  droppedMessages: z.int().positive(),
  keptMessages: z.int().nonnegative(),
  estimatedTokensDropped: z.int().nonnegative(),
  /** Tokens of what is left, and how many there may be. */
  estimatedTokensKept: z.int().nonnegative().optional(),
  tokenLimit: z.int().nonnegative().optional(),
  summary: z.string().optional(),
  /** The provider call that wrote the summary. */
  summaryCallId: z.string().optional(),
  /** Why there is no summary although one was asked for. */
  summaryError: z.enum(errorCodes).optional(),
  /**
   * Messages that are left of the turns before this run, and of what this run said itself; the newest of each. Who reads
   * the conversation back from its journals drops the rest.
   */
  keptHistory: z.int().nonnegative().optional(),
  keptAnswers: z.int().nonnegative().optional(),
});

/** What the program of a run was given besides its input (files, earlier turns), kept as a blob for resume and replay. */
export const ContextAssembled = event("ContextAssembled", { sha256: z.string(), bytes: z.int().nonnegative() });

/** What was remembered: the texts that joined the prompt, best first. */
export const MemoryRetrieved = event("MemoryRetrieved", {
  lane: z.enum(["working", "episodic"]),
  query: z.string(),
  items: z.array(z.object({ id: z.string(), text: z.string(), score: z.number() })),
  tokens: z.int().nonnegative(),
  costMicros: z.int().nonnegative().optional(),
  durationMs: z.number().nonnegative(),
});

export const MemoryWritten = event("MemoryWritten", {
  lane: z.enum(["working", "episodic"]),
  id: z.string(),
  /** What the note said before, so that it can be taken back. */
  replaced: z.string().optional(),
  tokens: z.int().nonnegative(),
});

/**
 * What a gate said of the run's input, a tool call, its result or the run's output. In `shadow` mode the decision is
 * recorded and nothing more. `findings` name what was found, never the text itself; `replacement` is the text after
 * redaction. With `error` the gate itself failed, which refuses.
 */
export const GateDecided = event("GateDecided", {
  gate: z.string(),
  point: z.enum(["input", "tool-call", "tool-result", "output"]),
  mode: z.enum(["shadow", "enforcing"]),
  decision: z.enum(["allow", "deny", "redact", "ask"]),
  reason: z.string().optional(),
  findings: z.array(z.string()).optional(),
  replacement: z.string().optional(),
  error: Failure.optional(),
  callId: z.string().optional(),
  durationMs: z.number().nonnegative(),
});

export const HintInjected = event("HintInjected", { text: z.string(), userId: z.string().optional() });

export const ConsentRequired = event("ConsentRequired", {
  providerId: z.string(),
  modelId: z.string(),
  scopeHash: z.string(),
  fileCount: z.int().nonnegative(),
  totalBytes: z.int().nonnegative(),
});

/** Which ceiling of the contract ended the run, and how far it had come. */
export const BudgetExceeded = event("BudgetExceeded", {
  limit: z.enum(["maxSteps", "maxTotalTokens", "maxCostMicros", "maxDurationMs"]),
  allowed: z.number(),
  actual: z.number(),
});

/** `approval`: a gate asks before a call; `question`: the tool itself asks while it runs; `outcome-unknown`: a crash cut a call off. */
export const SuspensionReason = z.enum(["approval", "question", "outcome-unknown"]);
export type SuspensionReason = z.infer<typeof SuspensionReason>;

/**
 * The run waits for a person, and no process is needed meanwhile: for the approval of a tool call that a gate asks about,
 * or because a crash left a call that must not simply be repeated.
 */
export const Suspended = event("Suspended", {
  reason: SuspensionReason,
  callId: z.string(),
  tool: z.string(),
  arguments: Json,
  /** The gate that asks, and what it says. */
  gate: z.string().optional(),
  question: z.string(),
});

/** `deny` tells the model that it may not; `retry` executes a call of unknown outcome once more, `skip` does not. */
export const Decision = z.enum(["approve", "deny", "retry", "skip"]);
export type Decision = z.infer<typeof Decision>;

/** The run goes on: after a crash, by a person's decision, or as a fork of another. */
export const Resumed = event("Resumed", {
  reason: z.enum(["crash", "decision", "fork"]),
  /** Why the run waited, where a person decided. */
  asked: SuspensionReason.optional(),
  callId: z.string().optional(),
  decision: Decision.optional(),
  /** A person's words; the model is told them. */
  note: z.string().optional(),
  userId: z.string().optional(),
});

/** A run that this one started. Both share the trace; the child's own journal says the rest. */
export const SubRunStarted = event("SubRunStarted", {
  childRunId: z.string(),
  name: z.string(),
  callId: z.string().optional(),
});
export const SubRunFinished = event("SubRunFinished", {
  childRunId: z.string(),
  status: z.enum(["success", "error", "budget_exceeded"]),
  /** What the child answered. */
  output: z.string(),
  result: Json.optional(),
  error: Failure.optional(),
  totals: z.lazy(() => RunTotals),
});

/** A number that a run reports about itself: a loss, a score, a rate. */
export const MetricLogged = event("MetricLogged", {
  name: z.string(),
  value: z.number(),
  step: z.int().nonnegative().optional(),
});

/** Undo took one tool call of another run back, or could not. */
export const Compensated = event("Compensated", {
  targetRunId: z.string(),
  targetCallId: z.string(),
  name: z.string(),
  /** `skipped`: there was nothing to take back, or the tool cannot. */
  outcome: z.enum(["success", "error", "skipped"]),
  reason: z.string().optional(),
  error: Failure.optional(),
  durationMs: z.number().nonnegative(),
});

/** One file of the Draft changed. `sha256` and `previousSha256` are blobs; null means absent. */
export const DraftChanged = event("DraftChanged", {
  draftId: z.string(),
  revision: z.int().positive(),
  path: z.string(),
  change: z.enum(["added", "modified", "deleted", "reverted"]),
  sha256: z.string().nullable(),
  previousSha256: z.string().nullable(),
  bytes: z.int().nonnegative(),
  callId: z.string().optional(),
});

export const CheckpointCreated = event("CheckpointCreated", {
  checkpointId: z.string(),
  reason: z.enum(["publish", "pre-restore", "manual", "files-changed"]),
  manifestHash: z.string(),
  fileCount: z.int().nonnegative(),
});

export const ArtifactWritten = event("ArtifactWritten", {
  artifactId: z.string(),
  name: z.string(),
  mediaType: z.string(),
  sha256: z.string(),
  bytes: z.int().nonnegative(),
});

/** Times of a run, in milliseconds since its start, and what it used. */
export const RunTotals = z.object({
  steps: z.int().nonnegative(),
  toolCalls: z.int().nonnegative(),
  usage: Usage,
  costMicros: z.int().nonnegative().optional(),
  /** What the runs that this one started used, all together; not part of the numbers above. */
  children: z
    .object({ runs: z.int().nonnegative(), usage: Usage, costMicros: z.int().nonnegative().optional() })
    .optional(),
  queuedMs: z.number().nonnegative(),
  firstTokenMs: z.number().nonnegative().optional(),
  durationMs: z.number().nonnegative(),
  tokensPerSecond: z.number().nonnegative().optional(),
});
export type RunTotals = z.infer<typeof RunTotals>;

export const Completed = event("Completed", {
  finishReason: FinishReason,
  /** The final answer's text, or what the program of the run reports. */
  output: z.string(),
  result: Json.optional(),
  totals: RunTotals,
});

export const ErrorEvent = event("Error", { error: Failure, totals: RunTotals });

export const RunEvent = z.discriminatedUnion("type", [
  RunStarted,
  StepStarted,
  StepFinished,
  ProviderCallStarted,
  OutputDelta,
  ProviderCallFinished,
  ToolCallRequested,
  ToolCallFinished,
  PhaseChanged,
  RetryScheduled,
  CandidatesSkipped,
  TimedOut,
  ContextTrimmed,
  ContextAssembled,
  MemoryRetrieved,
  MemoryWritten,
  GateDecided,
  HintInjected,
  ConsentRequired,
  BudgetExceeded,
  Suspended,
  Resumed,
  SubRunStarted,
  SubRunFinished,
  DraftChanged,
  CheckpointCreated,
  ArtifactWritten,
  MetricLogged,
  Compensated,
  Completed,
  ErrorEvent,
]);
export type RunEvent = z.infer<typeof RunEvent>;
export type RunEventType = RunEvent["type"];
export type EventOf<Type extends RunEventType> = Extract<RunEvent, { type: Type }>;

/** An event before the journal gives it its place: no run, sequence number, trace or time yet. */
export type EventInput<Type extends RunEventType = RunEventType> = Type extends RunEventType
  ? Omit<EventOf<Type>, "runId" | "seq" | "at" | "traceId" | "spanId"> & { spanId?: string }
  : never;

/** On disk (fsync) before the next thing happens. Every other event survives a killed process, not a power cut. */
export const barrierTypes: ReadonlySet<RunEventType> = new Set([
  "RunStarted",
  "StepStarted",
  "StepFinished",
  "ProviderCallFinished",
  "ToolCallRequested",
  "ToolCallFinished",
  "PhaseChanged",
  "ConsentRequired",
  "ContextAssembled",
  "GateDecided",
  "Suspended",
  "Resumed",
  "SubRunStarted",
  "SubRunFinished",
  "Compensated",
  "DraftChanged",
  "CheckpointCreated",
  "ArtifactWritten",
  "Completed",
  "Error",
]);

export function isTerminal(event: { readonly type: RunEventType }): boolean {
  return event.type === "Completed" || event.type === "Error";
}

/** States of a run and of its ledger row (`workbench_runs.status`). */
export const RunStatus = z.enum(["pending", "success", "error", "budget_exceeded", "replay"]);
export type RunStatus = z.infer<typeof RunStatus>;
