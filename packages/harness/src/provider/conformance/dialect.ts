import type { IncomingHttpHeaders } from "node:http";
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
  /** How many of the last events an answer is complete without: those after its finish reason. */
  readonly trailing: number;
  /** The key that a request was made with. */
  apiKeyOf(headers: IncomingHttpHeaders): string | undefined;
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

/** A fragment of a tool call: the first of a call names it. Calls that go on at the same time take turns. */
export interface Fragment {
  readonly index: number;
  readonly id: string;
  readonly name: string;
  readonly isFirst: boolean;
  readonly text: string;
}

export function interleaved({ toolCalls = [] }: ScriptedAnswer): Fragment[] {
  const longest = Math.max(0, ...toolCalls.map((call) => call.pieces.length));
  return Array.from({ length: longest }, (_, turn) =>
    toolCalls.flatMap(({ id, name, pieces }, index) => {
      const text = pieces[turn];
      return text === undefined ? [] : [{ index, id, name, isFirst: turn === 0, text }];
    }),
  ).flat();
}

export function finishOf({ finish, toolCalls = [] }: ScriptedAnswer): Exclude<FinishReason, "other"> {
  return finish ?? (toolCalls.length > 0 ? "tool-calls" : "stop");
}
