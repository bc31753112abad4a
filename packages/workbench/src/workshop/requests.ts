import type { OutputSchema, ToolSpec } from "@benchtop/harness";
import type { Contract, Decision, Message } from "@benchtop/protocol";
import type { ConsentChoice } from "../consent/consent.ts";
import type { AttachmentRequest } from "./attachments.ts";

/** What every run that asks a model is asked with. */
export interface ModelRequest {
  readonly model: string;
  /** Asked when the model fails, best first. One that needs a consent which nobody gave is passed over. */
  readonly fallbacks?: readonly string[] | undefined;
  readonly userId: string;
  readonly runId?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly contract?: Contract | undefined;
  readonly consent?: ConsentChoice | undefined;
}

export interface AgentRequest extends ModelRequest {
  readonly workbenchId: string;
  readonly task: string;
}

/** What is said about the files of a workbench; without a model, the conversation's is asked. */
export interface MessageRequest extends Omit<ModelRequest, "model" | "sessionId"> {
  readonly workbenchId: string;
  readonly message: string;
  readonly model?: string | undefined;
}

export interface RegenerateRequest extends Omit<MessageRequest, "message"> {
  /** The turn that is meant; refused when it is no longer the newest. */
  readonly turnRunId?: string | undefined;
  readonly discardEdits: boolean;
}

export interface PromptRequest extends ModelRequest {
  readonly workspaceId: string;
  readonly prompt: string;
  readonly instructions?: string | undefined;
  readonly attachments?: readonly AttachmentRequest[] | undefined;
  /** The answer has to be JSON of this schema; it becomes the run's result. */
  readonly output?: OutputSchema | undefined;
  readonly sampling?: Sampling | undefined;
}

export interface ChatRequest extends ModelRequest {
  readonly workspaceId: string;
  readonly messages: readonly Message[];
  /** What the model may call, and the caller does. */
  readonly tools?: readonly ToolSpec[] | undefined;
  readonly output?: OutputSchema | undefined;
  readonly sampling?: Sampling | undefined;
}

/** How the next token is chosen. What is absent is the model's own; what a model has no setting for is not told to it. */
export interface Sampling {
  readonly temperature?: number | undefined;
  readonly topP?: number | undefined;
  readonly seed?: number | undefined;
  readonly maxOutputTokens?: number | undefined;
}

export interface StartedRun<SessionId = string> {
  readonly runId: string;
  readonly traceId: string;
  readonly sessionId: SessionId;
}

/** A person's word about a run that waits, or that was interrupted. */
export interface ResumeRequest {
  readonly runId: string;
  readonly userId: string;
  readonly decision?: Decision | undefined;
  readonly note?: string | undefined;
  readonly consent?: ConsentChoice | undefined;
  /** Go on although the program is no longer what it was when the run began. */
  readonly acceptChanges?: boolean | undefined;
}

export interface ForkRequest {
  readonly runId: string;
  readonly userId: string;
  /** The last event that the fork shares with the run; its end when absent. */
  readonly seq?: number | undefined;
  /** Asked in place of the task or prompt. */
  readonly input?: string | undefined;
  readonly hint?: string | undefined;
  readonly model?: string | undefined;
  readonly contract?: Contract | undefined;
  readonly consent?: ConsentChoice | undefined;
}
