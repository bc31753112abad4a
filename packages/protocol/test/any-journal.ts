import * as fc from "fast-check";
import { BenchtopError, type EventInput, type EventOf, type Failure, type RunEvent } from "../src/index.ts";

/** Any journal that a correct program may leave: whole, forked, suspended, crashed and gone on, or cut anywhere. */
export const anyJournal: fc.Arbitrary<RunEvent[]> = fc
  .record({
    choices: fc.array(fc.nat(1_000_000), { maxLength: 60, size: "max" }),
    forkAt: fc.option(fc.nat(12), { freq: 3, nil: undefined }),
    ending: fc.constantFrom("whole", "whole", "cut"),
  })
  .map(({ choices, forkAt, ending }) => {
    const walk = new Walk();
    for (const [index, choice] of choices.entries()) {
      if (index === forkAt) walk.fork();
      walk.move(choice);
    }
    if (ending === "whole") walk.end();
    return walk.events;
  });

export function isEnded(events: readonly RunEvent[]): boolean {
  const last = events.at(-1)?.type;
  return last === "Completed" || last === "Error";
}

/** The same events with their places counted anew. */
export function renumbered(events: readonly RunEvent[]): RunEvent[] {
  return events.map((event, seq) => ({ ...event, seq }));
}

const error = new BenchtopError("PROVIDER_UNAVAILABLE", "It failed.");
const failure: Failure = { message: error.message, ...error.info };
const totals = { steps: 0, toolCalls: 0, usage: { inputTokens: 0, outputTokens: 0 }, queuedMs: 0, durationMs: 0 };
const candidates = [
  { providerId: "near", modelId: "small" },
  { providerId: "far", modelId: "large" },
] as const;

type OpenTool = EventInput<"ToolCallRequested"> & { inDoubt: boolean };

/** A random walk: at each point one of the events that may come next. */
class Walk {
  readonly events: RunEvent[] = [];
  #ids = 0;
  #step = 0;
  #isInStep = false;
  #call: EventOf<"ProviderCallStarted"> | undefined;
  #tool: OpenTool | undefined;
  #child: string | undefined;
  #waiting: EventInput<"Suspended"> | undefined;
  /** What a person decided about a call that was not requested yet. */
  #decided: { callId: string; allowed: boolean } | undefined;
  #failed: EventOf<"ProviderCallStarted"> | undefined;
  #announced: EventInput<"RetryScheduled"> | undefined;

  constructor() {
    this.#write({ type: "RunStarted", kind: "agent", userId: "ada", contract: {}, input: "go" });
  }

  move(choice: number): void {
    if (isEnded(this.events)) return;
    const moves = this.#moves();
    moves[choice % moves.length]?.();
  }

  /** What came so far was another run's. */
  fork(): void {
    const [started] = this.events;
    if (started?.type !== "RunStarted" || isEnded(this.events)) return;
    this.events[0] = { ...started, forkedFrom: { runId: "origin", seq: this.events.length - 1 } };
    this.#resume("fork");
  }

  /** Ends the run where it stands, as an abort would. */
  end(): void {
    if (isEnded(this.events)) return;
    if (this.#child !== undefined) this.#endChild();
    if (this.#tool) this.#endTool("unknown");
    if (this.#call) this.#endCall("canceled");
    if (this.#isInStep) this.#endStep();
    this.#write({ type: "Error", error: failure, totals });
  }

  #moves(): (() => void)[] {
    if (this.#waiting) return this.#movesWhileWaiting(this.#waiting);
    const anywhere = [
      () => this.#write({ type: "MetricLogged", name: "loss", value: 1 }),
      () => this.#write({ type: "TimedOut", scope: "idle", limitMs: 1 }),
      () => this.#resume("crash"),
    ];
    if (this.#child !== undefined) return [...anywhere, () => this.#endChild()];
    if (this.#tool) return [...anywhere, ...this.#movesInTool(this.#tool)];
    if (this.#call) return [...anywhere, ...this.#movesInCall(this.#call)];
    if (this.#announced) return [...anywhere, () => this.#startCall(), () => this.#compact()];
    if (this.#isInStep) return [...anywhere, ...this.#movesInStep()];
    return [
      ...anywhere,
      () => this.#startStep(),
      () => this.#startStep(),
      () => this.#write({ type: "HintInjected", text: "metres" }),
      () => this.#compact(),
      () => this.#write({ type: "Completed", finishReason: "stop", output: "", totals }),
    ];
  }

  #movesWhileWaiting({ reason, callId }: EventInput<"Suspended">): (() => void)[] {
    const decide = (decision: NonNullable<EventOf<"Resumed">["decision"]>) => () => {
      this.#waiting = undefined;
      this.#interrupt();
      this.#write({ type: "Resumed", reason: "decision", callId, decision });
      if (reason === "approval") this.#decided = { callId, allowed: decision === "approve" };
      else if (this.#tool) this.#tool.inDoubt = reason === "outcome-unknown" && decision !== "retry";
    };
    const decisions = reason === "outcome-unknown" ? (["retry", "skip"] as const) : (["approve", "deny"] as const);
    return [...decisions.map(decide), () => this.end()];
  }

  #movesInTool(tool: OpenTool): (() => void)[] {
    const denyResult = () =>
      this.#write({
        type: "GateDecided",
        gate: "g",
        point: "tool-result",
        mode: "enforcing",
        decision: "deny",
        callId: tool.callId,
        durationMs: 0,
      });
    if (tool.inDoubt) {
      return [
        () => this.#endTool("unknown"),
        () => this.#suspend("outcome-unknown", tool.callId),
        () => this.#endTool("denied"),
      ];
    }
    const startChild = () => {
      this.#child = this.#id("run");
      this.#write({ type: "SubRunStarted", childRunId: this.#child, name: "helper", callId: tool.callId });
    };
    return [
      startChild,
      denyResult,
      () => this.#endTool("success"),
      () => this.#endTool("error"),
      () => this.#suspend("outcome-unknown", tool.callId),
      () => this.#suspend("question", tool.callId),
    ];
  }

  #movesInCall({ callId }: EventOf<"ProviderCallStarted">): (() => void)[] {
    return [
      () => this.#write({ type: "OutputDelta", callId, channel: "text", text: "so " }),
      () => this.#endCall("success"),
      () => this.#endCall("error"),
    ];
  }

  #movesInStep(): (() => void)[] {
    const callId = this.#decided?.callId ?? this.#id("call");
    const gate = (decision: "allow" | "deny") => () => {
      this.#write({
        type: "GateDecided",
        gate: "g",
        point: "tool-call",
        mode: "enforcing",
        decision,
        callId,
        durationMs: 0,
      });
      this.#decided = { callId, allowed: decision === "allow" && this.#decided?.allowed !== false };
    };
    return [
      () => this.#startCall(),
      () => this.#endStep(),
      () => this.#startTool(callId, true),
      () => this.#startTool(callId, false),
      gate("allow"),
      gate("deny"),
      ...(this.#decided ? [] : [() => this.#suspend("approval", callId)]),
      ...(this.#failed ? [() => this.#announce("retry"), () => this.#announce("fallback")] : []),
    ];
  }

  #startStep(): void {
    this.#isInStep = true;
    this.#step += 1;
    this.#write({ type: "StepStarted", step: this.#step });
  }

  #endStep(): void {
    this.#isInStep = false;
    this.#announced = undefined;
    this.#decided = undefined;
    this.#write({ type: "StepFinished", step: this.#step, durationMs: 1 });
  }

  #startCall(): void {
    const [first] = candidates;
    const { providerId = first.providerId, modelId = first.modelId, attempt = 1 } = this.#announced ?? {};
    this.#announced = undefined;
    this.#failed = undefined;
    const callId = this.#id("ask");
    const request = { requestHash: "0", messageCount: 1 };
    this.#write({ type: "ProviderCallStarted", callId, providerId, modelId, attempt, ...request });
    this.#call = this.events.at(-1) as EventOf<"ProviderCallStarted">;
  }

  #endCall(outcome: "success" | "error" | "canceled"): void {
    if (!this.#call) return;
    this.#write({ type: "ProviderCallFinished", callId: this.#call.callId, outcome, durationMs: 1 });
    this.#failed = outcome === "error" ? this.#call : undefined;
    this.#call = undefined;
  }

  #announce(reason: "retry" | "fallback"): void {
    if (!this.#failed) return;
    const { callId, attempt, providerId } = this.#failed;
    const other = candidates.find((candidate) => candidate.providerId !== providerId) ?? candidates[1];
    this.#announced = {
      type: "RetryScheduled",
      callId,
      delayMs: 0,
      error: failure,
      reason,
      ...(reason === "retry"
        ? { attempt: attempt + 1, providerId, modelId: this.#failed.modelId }
        : { attempt: 1, ...other }),
    };
    this.#write(this.#announced);
  }

  /** A summary takes the place of history, at times between two attempts of another call. */
  #compact(): void {
    const callId = this.#id("ask");
    const request = { ...candidates[0], attempt: 1, requestHash: "0", messageCount: 1 };
    this.#write({ type: "ProviderCallStarted", callId, purpose: "compaction", ...request });
    this.#write({ type: "ProviderCallFinished", callId, outcome: "success", durationMs: 1 });
    const trimmed = { droppedMessages: 1, keptMessages: 1, estimatedTokensDropped: 1 };
    this.#write({ type: "ContextTrimmed", ...trimmed, summary: "short", summaryCallId: callId });
  }

  #startTool(callId: string, idempotent: boolean): void {
    const requested = { type: "ToolCallRequested", callId, name: "note", arguments: {}, idempotent } as const;
    this.#write(requested);
    const isForbidden = this.#decided?.allowed === false;
    this.#decided = undefined;
    this.#tool = { ...requested, inDoubt: false };
    if (isForbidden) this.#endTool("denied");
  }

  #endTool(outcome: EventOf<"ToolCallFinished">["outcome"]): void {
    if (!this.#tool) return;
    const { callId, name } = this.#tool;
    this.#write({ type: "ToolCallFinished", callId, name, outcome, content: "", durationMs: 1 });
    this.#tool = undefined;
  }

  #endChild(): void {
    if (this.#child === undefined) return;
    this.#write({ type: "SubRunFinished", childRunId: this.#child, status: "success", output: "", totals });
    this.#child = undefined;
  }

  #suspend(reason: EventOf<"Suspended">["reason"], callId: string): void {
    if (this.#tool && reason === "outcome-unknown") this.#tool.inDoubt = true;
    this.#waiting = { type: "Suspended", reason, callId, tool: "note", arguments: {}, question: "May it?" };
    this.#write(this.#waiting);
  }

  #resume(reason: "crash" | "fork"): void {
    this.#write({ type: "Resumed", reason });
    this.#waiting = undefined;
    this.#interrupt();
    if (this.#child !== undefined) this.#endChild();
    if (this.#call) this.#endCall("error");
  }

  /** A call that must not simply be repeated stays in doubt. */
  #interrupt(): void {
    if (this.#tool && !this.#tool.idempotent) this.#tool.inDoubt = true;
  }

  #id(kind: string): string {
    return `${kind}_${(this.#ids += 1)}`;
  }

  #write(input: EventInput): void {
    const seq = this.events.length;
    const place = { runId: "run", seq, at: new Date(seq).toISOString(), traceId: "trace", spanId: "span" };
    this.events.push({ ...place, ...input });
  }
}
