import type { FinishReason, Usage } from "@benchtop/protocol";

/** What a model says in one answer, independent of how a protocol frames it. */
export interface ScriptedAnswer {
  readonly reasoning?: readonly string[];
  readonly text?: readonly string[];
  readonly refusal?: readonly string[];
  readonly toolCalls?: readonly ScriptedToolCall[];
  readonly usage?: Usage;
  readonly finish?: Exclude<FinishReason, "other">;
}

export interface ScriptedToolCall {
  readonly id: string;
  readonly name: string;
  /** The arguments' text, in the pieces in which it is streamed. */
  readonly pieces: readonly string[];
}

/** A protocol, from the server's side. The conformance suite says everything through this. */
export interface Dialect {
  readonly name: string;
  /** Events carry their number, so that one that arrives twice can be told from two. */
  readonly isNumbered: boolean;
  /** Data of the events of a whole answer, in order. The last one of them makes it complete. */
  events(answer: ScriptedAnswer): string[];
  /** Data of an event that reports an error in the middle of a stream. */
  errorEvent(message: string, code: string): string;
  /** The roles and texts of a request's conversation, tool calls and their results included, as the server sees them. */
  conversationOf(body: WireBody): string[];
  /** Attachments of the last message, as `type name base64`; text files as they stand in the prompt. */
  attachmentsOf(body: WireBody): string[];
  /** The JSON Schema that the answer has to follow. */
  outputSchemaOf(body: WireBody): unknown;
}

export type WireBody = { readonly [member: string]: unknown };

/** Server-sent events from their data. */
export function frames(events: Iterable<string>, lineEnd = "\n"): string {
  let text = "";
  for (const data of events) text += `data: ${data}${lineEnd}${lineEnd}`;
  return text;
}
