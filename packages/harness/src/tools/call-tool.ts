import { BenchtopError, newSpanId, type EventInput, type ToolCall, type ToolMessage } from "@benchtop/protocol";
import type { RecordedToolCall } from "../replay/past.ts";
import type { RunScope } from "../run/scope.ts";
import { RunSuspended } from "../run/suspension.ts";
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
  conditions: ToolConditions,
): Promise<ToolMessage> {
  const recorded = run.past?.takeToolCall(call);
  if (recorded?.finished) return resultOf(recorded.finished);
  run.signal.throwIfAborted();
  const { callId, name } = call;
  const tool = tools.get(name);
  const spanId = recorded?.requested.spanId ?? newSpanId();
  const started = performance.now();
  const unrepeated = recorded && interrupted(run, call, tool, recorded);
  if (recorded) {
    await run.committed();
  } else {
    const idempotent = tool?.idempotent ?? true;
    await run.emit({ type: "ToolCallRequested", callId, name, arguments: call.arguments, idempotent, spanId });
  }

  const result =
    unrepeated ??
    (tool
      ? (conditions.denied ??
        rejection(tools, call) ??
        canceledBefore(run) ??
        (await execute(run, tool, call, spanId, conditions)))
      : unknownTool(tools, name));
  const { content, error, outcome } = (await conditions.screen?.(result)) ?? result;
  const finished: EventInput<"ToolCallFinished"> = {
    type: "ToolCallFinished",
    callId,
    name,
    outcome,
    content,
    ...(error && { error: { message: error.message, ...error.info } }),
    durationMs: round(performance.now() - started),
    spanId,
  };
  // Not waited for: whatever comes next (another call, the next question to the model, the end) waits for it as well.
  run.write(finished);
  run.signal.throwIfAborted();
  if (error?.code === "DISK_FULL") throw error;
  return resultOf(finished);
}

/** What a call is made under. */
export interface ToolConditions {
  /** Longest time for a tool that does not say its own, in milliseconds; 0 means without limit. */
  readonly timeoutMs: number;
  /** How long a tool may go on after it was told to stop before it is abandoned. */
  readonly graceMs: number;
  /** The call was refused: it is journaled and told to the model, and nothing is executed. */
  readonly denied?: ToolResult | undefined;
  /** Judges what the tool said before anybody is told. */
  readonly screen?: ((result: ToolResult) => Promise<ToolResult>) | undefined;
}

/** The result of a call that a gate or a person refused. */
export function deniedCall(tool: string, message: string, advice: string): ToolResult {
  const error = new BenchtopError("POLICY_DENIED", message, { subphase: "tool", detail: { tool } });
  return { outcome: "denied", content: bounded(`${message} ${advice}`.trim()), isError: true, error };
}

function resultOf({ callId, name, content, outcome }: EventInput<"ToolCallFinished">): ToolMessage {
  return { role: "tool", callId, name, content, ...(outcome !== "success" && { isError: true }) };
}

/**
 * A crash came between the request of this call and its end. What may be repeated is repeated; for all else a person says
 * whether it is executed once more, or the model has to live with not knowing.
 */
function interrupted(
  run: RunScope,
  call: ToolCall,
  tool: Tool | undefined,
  { requested }: RecordedToolCall,
): ToolResult | undefined {
  if (!tool || (requested.idempotent && tool.idempotent)) return undefined;
  const decided = run.decisionsOn(call.callId).findLast(({ asked }) => asked === "outcome-unknown");
  if (decided?.decision === "retry") return undefined;
  if (decided?.decision === "skip") return outcomeUnknown(interruption(call.name), decided.note);
  throw new RunSuspended({
    reason: "outcome-unknown",
    callId: call.callId,
    tool: call.name,
    arguments: call.arguments,
    question: `Benchtop stopped while "${call.name}" ran, and nobody knows whether it took effect. Execute it again?`,
  });
}

function interruption(tool: string): BenchtopError {
  return new BenchtopError("RUN_INTERRUPTED", "Benchtop stopped while this tool ran.", { detail: { tool } });
}

function outcomeUnknown(error: BenchtopError, note: string | undefined): ToolResult {
  const said = note === undefined ? "" : ` The person says: ${note}`;
  const content = `The run was interrupted while this tool ran; nobody knows whether it took effect.${said}`;
  return { outcome: "unknown", content: bounded(content), isError: true, error };
}

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
  const error = new BenchtopError("VALIDATION_FAILED", message, { subphase: notExecuted, detail: { tool } });
  return { outcome: "error", content: bounded(`${message} ${advice}`), isError: true, error };
}

/** How the error of a call says that its tool was never executed. */
const notExecuted = "tool-not-executed";

/** True for a call that may have changed something: its tool was executed, whatever came of it. */
export function mayHaveTakenEffect({ outcome, error }: EventInput<"ToolCallFinished">): boolean {
  return outcome !== "denied" && error?.subphase !== notExecuted;
}

/** The cancellation that came while the request was being recorded. */
function canceledBefore({ signal }: RunScope): ToolResult | undefined {
  if (!signal.aborted) return undefined;
  const error = BenchtopError.from(signal.reason).at({ subphase: notExecuted });
  return { outcome: "canceled", content: "Not executed: the run was canceled.", isError: true, error };
}

async function execute(
  run: RunScope,
  tool: Tool,
  call: ToolCall,
  spanId: string,
  conditions: ToolConditions,
): Promise<ToolResult> {
  const time = new ToolTime(run.signal, tool.timeoutMs ?? conditions.timeoutMs, conditions.graceMs);
  const context: ToolContext = {
    runId: run.runId,
    callId: call.callId,
    signal: time.signal,
    run,
    emit: (event) => run.emit({ ...event, spanId: event.spanId ?? spanId }),
    ask: asking(run, tool, call),
  };
  try {
    const output = await Promise.race([tool.execute(call.arguments, context), time.abandoned]);
    return output === "abandoned" ? abandonedCall(run, time) : finished(output);
  } catch (thrown) {
    if (thrown instanceof RunSuspended) throw thrown;
    return failed(run, time, thrown);
  } finally {
    if (time.isOver) {
      run.write({ type: "TimedOut", scope: "tool", limitMs: time.limitMs, callId: call.callId, spanId });
    }
    time.stop();
  }
}

/** The answers that a call has been given, in the order of its questions; a question without one suspends the run. */
function asking(run: RunScope, tool: Tool, { callId, name, arguments: input }: ToolCall): ToolContext["ask"] {
  let answered = 0;
  return (question) => {
    if (!tool.idempotent) {
      throw new BenchtopError(
        "TOOL_FAILED",
        `Only a tool that is idempotent may ask: "${name}" is executed again then.`,
      );
    }
    const answer = run.decisionsOn(callId).filter(({ asked }) => asked === "question")[answered];
    if (!answer) throw new RunSuspended({ reason: "question", callId, tool: name, arguments: input, question });
    answered += 1;
    return { approved: answer.decision === "approve", ...(answer.note !== undefined && { note: answer.note }) };
  };
}

function finished({ content, isError = false }: ToolOutput): ToolResult {
  return { outcome: isError ? "error" : "success", content: bounded(content), isError };
}

/** The message of what a tool throws is for the model; the journal's error does not repeat it, for it may quote anything. */
function failed(run: RunScope, time: ToolTime, thrown: unknown): ToolResult {
  if (time.isOver && !run.signal.aborted) {
    const error = time.failure.at({ runId: run.runId });
    return { outcome: "error", content: `${error.message} It may have taken effect.`, isError: true, error };
  }
  const error = toolFailure(thrown).at({ runId: run.runId, subphase: "tool" });
  if (run.signal.aborted) return { outcome: "canceled", content: "Canceled before it finished.", isError: true, error };
  const reason = thrown instanceof Error ? thrown.message : error.message;
  return { outcome: "error", content: bounded(`The tool failed: ${reason}`), isError: true, error };
}

function toolFailure(thrown: unknown): BenchtopError {
  const error = BenchtopError.from(thrown);
  if (error.code !== "INTERNAL") return error;
  return new BenchtopError("TOOL_FAILED", "The tool failed.", { cause: thrown });
}

function abandonedCall(run: RunScope, time: ToolTime): ToolResult {
  const why = run.signal.aborted ? "The run was canceled" : "Its time was up";
  const content = `${why} and the tool did not stop; nobody knows whether it took effect.`;
  return { outcome: "unknown", content, isError: true, error: BenchtopError.from(time.signal.reason) };
}

/** The time of one call: it ends with the run or its own limit, and a tool that does not listen is abandoned a while later. */
class ToolTime {
  readonly signal: AbortSignal;
  readonly limitMs: number;
  readonly abandoned: Promise<"abandoned">;
  readonly #abort = new AbortController();
  readonly #run: AbortSignal;
  readonly #end: () => void;
  readonly #limit: NodeJS.Timeout | undefined;
  #grace: NodeJS.Timeout | undefined;
  isOver = false;

  constructor(run: AbortSignal, limitMs: number, graceMs: number) {
    const { promise, resolve } = Promise.withResolvers<"abandoned">();
    this.signal = this.#abort.signal;
    this.limitMs = limitMs;
    this.abandoned = promise;
    this.#run = run;
    this.#end = () => {
      if (this.signal.aborted) return;
      this.#abort.abort(this.isOver ? this.failure : run.reason);
      this.#grace = setTimeout(() => resolve("abandoned"), graceMs);
    };
    run.addEventListener("abort", this.#end, { once: true });
    if (limitMs > 0 && Number.isFinite(limitMs)) {
      this.#limit = setTimeout(
        () => {
          this.isOver = !run.aborted;
          this.#end();
        },
        Math.min(limitMs, longestTimerMs),
      );
    }
  }

  get failure(): BenchtopError {
    return new BenchtopError("TOOL_FAILED", `The tool took longer than its ${this.limitMs / 1000} seconds.`, {
      subphase: "timeout",
      detail: { limit_ms: this.limitMs },
    });
  }

  stop(): void {
    clearTimeout(this.#limit);
    clearTimeout(this.#grace);
    this.#run.removeEventListener("abort", this.#end);
  }
}

const longestTimerMs = 2 ** 31 - 1;

function bounded(content: string): string {
  if (content.length <= maxContentCharacters) return content;
  return `${content.slice(0, maxContentCharacters)}\n[cut: ${maxContentCharacters} of ${content.length} characters are shown]`;
}
