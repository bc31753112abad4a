export { agentLoop, type LoopConfig } from "./run/agent-loop.ts";
export { completion, type CompletionConfig } from "./run/completion.ts";
export { ceilingsOf, defaultCeilings, type Ceilings } from "./run/contract.ts";
export type { ControlHandle, Hint, RunBody, RunHandle, RunOutcome, RunResult, RunScope } from "./run/scope.ts";
export { OpenWork } from "./run/open-work.ts";
export { RunSuspended } from "./run/suspension.ts";
export { startRun } from "./run/start-run.ts";
export { endAcquired, endRun, interruption } from "./replay/end-run.ts";
export { forkRun, type ForkOptions } from "./replay/fork-run.ts";
export type { Past } from "./replay/past.ts";
export { readEvents } from "./replay/read-events.ts";
export { replayRun, type Divergence, type ReplayReport } from "./replay/replay-run.ts";
export { initOf, resumeRun, type ResumeOptions } from "./replay/resume-run.ts";
export { callsToUndo, undoRun, type UndoneCall } from "./compensation/undo-run.ts";
export { agentTool, handOffTool, type AgentToolOptions } from "./multi-agent/agent-tool.ts";
export {
  planExecuteEvaluate,
  type PlanExecuteEvaluateOptions,
  type Roles,
} from "./multi-agent/plan-execute-evaluate.ts";
export { startSubRun, subRunsOn, type SubRun, type SubRuns } from "./multi-agent/sub-run.ts";
export type { SubRunResult } from "./replay/sub-run-result.ts";
export { CircuitBreaker, type CircuitBreakerOptions } from "./reliability/circuit-breaker.ts";
export {
  defaultReliability,
  type ReliabilityOptions,
  type ReliabilityPolicy,
  type RetryPolicy,
  type Timeouts,
} from "./reliability/policy.ts";
export { TotalsRecorder } from "./run/totals.ts";
export { Calibration } from "./context/calibration.ts";
export { Conversation, type Block } from "./context/conversation.ts";
export { exactCounter } from "./context/exact-counter.ts";
export { attachmentTokens, estimateMessageTokens, estimateTokens, type TokenCounter } from "./context/estimate.ts";
export { fitContext, type ContextScope } from "./context/fit.ts";
export { contextLimits, type ContextPart, type ContextPolicy, type ContextTarget } from "./context/policy.ts";
export type { Ask } from "./context/summary.ts";
export { continued, messagesFromEvents, runMessages, type RunMessages } from "./context/from-events.ts";
export { memoryJournal, type MemoryJournal, type MemoryJournalOptions } from "./journal/memory.ts";
export { memoryInProcess } from "./memory/memory.ts";
export { memoryScopesOf, recall, recallForRun, type MemoryScopes, type Recalled } from "./memory/recall.ts";
export { memoryTools } from "./memory/tools.ts";
export { costMicrosOf } from "./model/cost.ts";
export type { Candidate } from "./model/candidates.ts";
export {
  formatModelRef,
  parseModelRef,
  type ModelConstraints,
  type ModelInfo,
  type ModelPlan,
  type ModelRef,
  type Prices,
} from "./model/model.ts";
export type { OutputSchema, ProviderAdapter, ProviderId, ProviderPart, ProviderRequest } from "./provider/provider.ts";
export { requestHash } from "./provider/request-hash.ts";
export { problemWithSchema, ToolRegistry } from "./tools/registry.ts";
export type {
  CompensationContext,
  JsonSchema,
  Tool,
  ToolContext,
  ToolOutput,
  ToolResult,
  ToolSpec,
} from "./tools/tool.ts";
export { anthropicHeaders, anthropicMessages, type AnthropicMessagesOptions } from "./provider/anthropic-messages.ts";
export { openaiChat, type OpenAiChatOptions } from "./provider/openai-chat.ts";
export { openaiResponses } from "./provider/openai-responses.ts";
export type { ProviderOptions } from "./provider/event-stream.ts";
export { Harness, HarnessBuilder, type UndoOptions } from "./harness/harness.ts";
export { RunBuilder } from "./run/run-builder.ts";
export { Session, type SessionConfig, type SessionForkOptions } from "./session/session.ts";
export { decideGates, holdsOutput, refusedBy, type GateDecision, type GatedRun } from "./gates/decide.ts";
export {
  allow,
  ask,
  deny,
  redact,
  type Gate,
  type GateAsk,
  type GateContext,
  type GatedTool,
  type GateMode,
  type GatePoint,
  type GateQuestion,
  type GateSubject,
  type Verdict,
} from "./gates/gate.ts";
export { approval, type ApprovalOptions } from "./gates/approval.ts";
export { destinations, type DestinationOptions } from "./gates/destinations.ts";
export { redactText, type Detector, type Finding, type Redaction } from "./gates/findings.ts";
export { modelGraded, type ModelGradedOptions } from "./gates/model-graded.ts";
export { personalData, personalDataKinds, type PersonalDataKind } from "./gates/personal-data.ts";
export { promptInjection, type PromptInjectionOptions } from "./gates/prompt-injection.ts";
export { secrets } from "./gates/secrets.ts";
export { personalDataGate, secretsGate, textGate, type TextGateOptions } from "./gates/text-gate.ts";
export { toolRules, type ArgumentCondition, type ToolRule, type ToolRulesOptions } from "./gates/tool-rules.ts";
export { jsonlFile, type JsonlFileOptions } from "./trace/jsonl-file.ts";
export { collectorUrl, otlpTraces, type OtlpOptions } from "./trace/otlp.ts";
export { redactedTrace, withMaskedContent, withoutContent, type RedactionOptions } from "./trace/redacted.ts";
export { everySink, traceRun, type TraceRunOptions, type TraceSink, type TraceState } from "./trace/sink.ts";
export { SpanBuilder } from "./trace/spans.ts";
