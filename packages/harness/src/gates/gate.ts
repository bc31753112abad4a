import type { Attachment, EventOf, ToolCall } from "@benchtop/protocol";
import type { JsonSchema, Tool } from "../tools/tool.ts";

/**
 * A rule that a run asks before something passes. In `shadow` mode what it says is journaled and changes nothing; in
 * `enforcing` mode it holds. A gate that throws or takes longer than `timeoutMs` has refused.
 */
export interface Gate {
  readonly name: string;
  /** Where it is asked. Elsewhere it is never called. */
  readonly points: readonly GatePoint[];
  readonly mode: GateMode;
  /** Longest time for one check, in milliseconds; 10 seconds when absent. */
  readonly timeoutMs?: number;
  /** Judges; it changes nothing itself. Called once for a subject, in the order in which the gates are given. */
  check(subject: GateSubject, context: GateContext): Promise<Verdict>;
}

export type GatePoint = EventOf<"GateDecided">["point"];
export type GateMode = EventOf<"GateDecided">["mode"];

/**
 * What is about to pass: the run's input on its way to a model, a call on its way to a tool, what the tool said on its way
 * to the model, and what the model said on its way to anybody. `text` is as the gates before this one left it.
 */
export type GateSubject =
  | { readonly point: "input"; readonly text: string; readonly attachments: readonly Attachment[] }
  | { readonly point: "tool-call"; readonly call: ToolCall; readonly tool: GatedTool }
  | { readonly point: "tool-result"; readonly text: string; readonly call: ToolCall; readonly tool: GatedTool }
  | { readonly point: "output"; readonly text: string; readonly reasoning?: string };

export type GatedTool = Pick<Tool, "name" | "effects">;

/**
 * `findings` name what was found and `reason` says why; neither ever quotes it. Two verdicts do not fit everywhere and
 * then refuse: a call cannot be redacted, for it would do something else than the model asked for, and nobody can be asked
 * about anything but a call.
 */
export type Verdict =
  | { readonly decision: "allow"; readonly findings?: readonly string[] }
  | { readonly decision: "deny"; readonly reason: string; readonly findings?: readonly string[] }
  | { readonly decision: "redact"; readonly replacement: string; readonly findings: readonly string[] }
  | { readonly decision: "ask"; readonly question: string; readonly findings?: readonly string[] };

export interface GateContext {
  readonly runId: string;
  /** Aborts when the run is canceled or the gate's time is up. */
  readonly signal: AbortSignal;
  /** Asks a model; absent where the run has none to ask. */
  readonly ask?: GateAsk;
}

/** One provider call on behalf of a gate, journaled with the purpose `gate` and counted against the run's budget. */
export type GateAsk = (question: GateQuestion, signal: AbortSignal) => Promise<string>;

export interface GateQuestion {
  readonly instructions: string;
  readonly input: string;
  /** What the answer has to look like. */
  readonly answer: { readonly name: string; readonly schema: JsonSchema };
  readonly maxOutputTokens: number;
}

export const allow: Verdict = { decision: "allow" };

export function deny(reason: string, findings?: readonly string[]): Verdict {
  return { decision: "deny", reason, ...(findings && { findings }) };
}

export function redact(replacement: string, findings: readonly string[]): Verdict {
  return { decision: "redact", replacement, findings };
}

export function ask(question: string, findings?: readonly string[]): Verdict {
  return { decision: "ask", question, ...(findings && { findings }) };
}
