import type { BenchtopError, EventInput, Json, RunEvent } from "@benchtop/protocol";
import type { RunScope } from "../run/scope.ts";

/** A JSON Schema (2020-12) of an object: the arguments of a tool. */
export type JsonSchema = { readonly [keyword: string]: Json };

/** What a model is told of a tool. */
export interface ToolSpec {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: JsonSchema;
}

/**
 * Something a model may call. `execute` gets arguments that satisfy `inputSchema`; what it throws is told to the model
 * as a failed call, and ends the run only when nothing sensible can follow (a full disk, a canceled run).
 */
export interface Tool extends ToolSpec {
  /** What a call changes: nothing, the Draft (can be discarded), or the world outside (cannot be taken back by us). */
  readonly effects: "none" | "draft" | "external";
  /** True when executing the same call twice has the same effect as once, so that an interrupted call may be repeated. */
  readonly idempotent: boolean;
  /** True when calls of one answer may run at the same time as other such calls. Results keep the order of the calls. */
  readonly concurrent?: boolean;
  /** Longest time for one call, in milliseconds; the run's policy says it for tools that do not. */
  readonly timeoutMs?: number;
  /** True when what it says is the run's answer: the loop ends with it, and the model is not asked again. For a hand-off. */
  readonly endsRun?: boolean;
  execute(input: Json, context: ToolContext): Promise<ToolOutput>;
  /** Takes the effect of a call back. Each undo of the run calls it once with success; after a crash possibly once more, so it must be safe to repeat. */
  compensate?(input: Json, context: CompensationContext): Promise<void>;
}

export interface ToolContext {
  readonly runId: string;
  readonly callId: string;
  /** Aborts when the run is canceled. A tool that goes on regardless is abandoned after a grace period. */
  readonly signal: AbortSignal;
  /** Records what the tool did; resolves once it is committed. */
  readonly emit: (
    event: EventInput<"DraftChanged" | "ArtifactWritten" | "MemoryRetrieved" | "MemoryWritten" | "MetricLogged">,
  ) => Promise<void>;
  /**
   * Asks the person who owns the run. The first time the run is suspended here, and takes no process while it waits; once it is
   * resumed the tool is executed again from its start, and gets the answer. So only a tool that is `idempotent` may ask; what
   * it must not do twice it does after its questions, which have to come in the same order each time.
   */
  readonly ask: (question: string) => PersonsAnswer;
  /** The run itself, for tools that start runs of their own (`startSubRun`). */
  readonly run: RunScope;
}

export interface PersonsAnswer {
  readonly approved: boolean;
  /** The person's words, where there are any. */
  readonly note?: string;
}

/** What is known of a call that is to be taken back. */
export interface CompensationContext extends Omit<ToolContext, "ask"> {
  /** The run and the call that are undone; `runId` and `callId` are those of the undo. */
  readonly target: { readonly runId: string; readonly callId: string };
  /** How it had ended: `error`, `canceled` and `unknown` say that it may have done its work in part, or not at all. */
  readonly outcome: ToolResult["outcome"];
  /** What the model was told. */
  readonly content: string;
  /** What the call recorded: Draft changes, artifacts; oldest first. */
  readonly events: readonly RunEvent[];
}

export interface ToolOutput {
  /** What the model is told. */
  readonly content: string;
  readonly isError?: boolean;
}

/** How a call ended, as journaled. */
export interface ToolResult extends ToolOutput {
  readonly outcome: "success" | "error" | "denied" | "canceled" | "unknown";
  readonly error?: BenchtopError;
}
