import { BenchtopError, newSpanId, type ToolCall, type ToolMessage } from "@benchtop/protocol";
import type { RunScope } from "../run/scope.ts";
import { round } from "../run/totals.ts";
import type { ToolRegistry } from "./registry.ts";
import type { Tool, ToolContext, ToolOutput, ToolResult } from "./tool.ts";

/**
 * One tool call: on disk before the tool runs, and closed before the model hears of it. A name that does not exist,
 * arguments that do not match and an exception are told to the model, which may do better. A full disk and a run that
 * was canceled end the run, after the call is closed.
 */
export async function callTool(
  run: RunScope,
  tools: ToolRegistry,
  call: ToolCall,
  graceMs = defaultGraceMs,
): Promise<ToolMessage> {
  run.signal.throwIfAborted();
  const { callId, name } = call;
  const tool = tools.get(name);
  const spanId = newSpanId();
  const started = performance.now();
  await run.emit({
    type: "ToolCallRequested",
    callId,
    name,
    arguments: call.arguments,
    idempotent: tool?.idempotent ?? true,
    spanId,
  });

  const { content, error, outcome } = tool
    ? (rejection(tools, call) ?? notExecuted(run) ?? (await execute(run, tool, call, spanId, graceMs)))
    : unknownTool(tools, name);
  await run.emit({
    type: "ToolCallFinished",
    callId,
    name,
    outcome,
    content,
    ...(error && { error: { message: error.message, ...error.info } }),
    durationMs: round(performance.now() - started),
    spanId,
  });
  run.signal.throwIfAborted();
  if (error?.code === "DISK_FULL") throw error;
  return { role: "tool", callId, name, content, ...(outcome !== "success" && { isError: true }) };
}

const defaultGraceMs = 5000;

/** What a model is told of one call; a tool that has more to say should let it ask for parts. */
const maxContentCharacters = 200_000;
const maxProblems = 8;

function unknownTool(tools: ToolRegistry, name: string): ToolResult {
  const names = tools.specs.map((spec) => spec.name).join(", ");
  return rejected(name, `There is no tool "${name}".`, names === "" ? "There are no tools." : `There are: ${names}.`);
}

function rejection(tools: ToolRegistry, call: ToolCall): ToolResult | undefined {
  if (call.invalidArguments !== undefined) {
    return rejected(
      call.name,
      "The arguments of the call are not JSON.",
      "Send them again, whole, as one JSON object.",
    );
  }
  const problems = tools.problems(call.name, call.arguments);
  if (problems.length === 0) return undefined;
  const shown = problems.slice(0, maxProblems).join("; ");
  return rejected(call.name, "The arguments do not match the tool's input schema.", `Correct them: ${shown}.`);
}

/** `advice` is for the model and may quote what it wrote; the error is for the journal and does not. */
function rejected(tool: string, message: string, advice: string): ToolResult {
  const error = new BenchtopError("VALIDATION_FAILED", message, { subphase: "tool", detail: { tool } });
  return { outcome: "error", content: bounded(`${message} ${advice}`), isError: true, error };
}

/** The cancellation that came while the request was being recorded. */
function notExecuted({ signal }: RunScope): ToolResult | undefined {
  if (!signal.aborted) return undefined;
  const error = BenchtopError.from(signal.reason);
  return { outcome: "canceled", content: "Not executed: the run was canceled.", isError: true, error };
}

async function execute(
  run: RunScope,
  tool: Tool,
  call: ToolCall,
  spanId: string,
  graceMs: number,
): Promise<ToolResult> {
  const context: ToolContext = {
    runId: run.runId,
    callId: call.callId,
    signal: run.signal,
    emit: (event) => run.emit({ ...event, spanId: event.spanId ?? spanId }),
  };
  const abandoned = abandonment(run.signal, graceMs);
  try {
    const output = await Promise.race([tool.execute(call.arguments, context), abandoned.promise]);
    return output === "abandoned" ? outcomeUnknown(run) : finished(output);
  } catch (thrown) {
    return failed(run, thrown);
  } finally {
    abandoned.cancel();
  }
}

function finished({ content, isError = false }: ToolOutput): ToolResult {
  return { outcome: isError ? "error" : "success", content: bounded(content), isError };
}

function failed(run: RunScope, thrown: unknown): ToolResult {
  const error = BenchtopError.from(thrown).at({ runId: run.runId, subphase: "tool" });
  if (run.signal.aborted) return { outcome: "canceled", content: "Canceled before it finished.", isError: true, error };
  const reason = thrown instanceof Error ? thrown.message : error.message;
  return { outcome: "error", content: bounded(`The tool failed: ${reason}`), isError: true, error };
}

function outcomeUnknown(run: RunScope): ToolResult {
  const content = "The run was canceled and the tool did not stop; nobody knows whether it took effect.";
  return { outcome: "unknown", content, isError: true, error: BenchtopError.from(run.signal.reason) };
}

/** Resolves a while after the signal aborts (it has not yet), for a tool that does not listen to it. */
function abandonment(signal: AbortSignal, graceMs: number): { promise: Promise<"abandoned">; cancel(): void } {
  const { promise, resolve } = Promise.withResolvers<"abandoned">();
  let timer: NodeJS.Timeout | undefined;
  const startTimer = () => {
    timer = setTimeout(() => resolve("abandoned"), graceMs);
  };
  signal.addEventListener("abort", startTimer, { once: true });
  return {
    promise,
    cancel: () => {
      signal.removeEventListener("abort", startTimer);
      clearTimeout(timer);
    },
  };
}

function bounded(content: string): string {
  if (content.length <= maxContentCharacters) return content;
  return `${content.slice(0, maxContentCharacters)}\n[cut: ${maxContentCharacters} of ${content.length} characters are shown]`;
}
