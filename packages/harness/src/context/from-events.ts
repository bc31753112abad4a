import type { AssistantMessage, EventOf, Json, Message, RunEvent, ToolCall, ToolMessage } from "@benchtop/protocol";

/**
 * The messages that a run added to its conversation, read from its journal: what it was asked, hints, answers, tool
 * results. Of a run that failed or was canceled it keeps what was said. Every tool call has a result: one that never
 * ran, or whose outcome nobody knows, says so, for a model must not be led to believe otherwise.
 *
 * What was asked is the text that `RunStarted.input` is, or its `prompt` or `task`.
 */
export function messagesFromEvents(events: readonly RunEvent[]): Message[] {
  const messages: Message[] = [];
  const finished = new Map<string, EventOf<"ToolCallFinished">>();
  const requested = new Set<string>();
  for (const event of events) {
    if (event.type === "ToolCallFinished") finished.set(event.callId, event);
    if (event.type === "ToolCallRequested") requested.add(event.callId);
  }

  const partial = new Map<string, string>();
  for (const event of events) {
    switch (event.type) {
      case "RunStarted": {
        const asked = askedIn(event.input);
        if (asked !== undefined) messages.push({ role: "user", content: asked });
        break;
      }
      case "HintInjected":
        messages.push({ role: "user", content: event.text });
        break;
      case "OutputDelta":
        if (event.channel === "text") partial.set(event.callId, (partial.get(event.callId) ?? "") + event.text);
        break;
      case "ProviderCallFinished": {
        const answer = event.message ?? { role: "assistant", content: partial.get(event.callId) ?? "" };
        partial.delete(event.callId);
        messages.push(...answered(answer, requested, finished));
        break;
      }
      default:
    }
  }
  for (const content of partial.values())
    messages.push(...answered({ role: "assistant", content }, requested, finished));
  return messages;
}

function askedIn(input: Json): string | undefined {
  if (typeof input === "string") return input;
  if (typeof input !== "object" || input === null || Array.isArray(input)) return undefined;
  const asked = input["prompt"] ?? input["task"];
  return typeof asked === "string" ? asked : undefined;
}

function answered(
  answer: AssistantMessage,
  requested: ReadonlySet<string>,
  finished: ReadonlyMap<string, EventOf<"ToolCallFinished">>,
): Message[] {
  const calls = answer.toolCalls ?? [];
  if (answer.content === "" && answer.refusal === undefined && calls.length === 0) return [];
  return [answer, ...calls.map((call) => resultOf(call, requested, finished.get(call.callId)))];
}

function resultOf(
  { callId, name }: ToolCall,
  requested: ReadonlySet<string>,
  result: EventOf<"ToolCallFinished"> | undefined,
): ToolMessage {
  if (result) {
    const { content, outcome } = result;
    return { role: "tool", callId, name, content, ...(outcome !== "success" && { isError: true }) };
  }
  const content = requested.has(callId)
    ? "The run was interrupted while this tool ran; nobody knows whether it took effect."
    : "Not executed: the run ended before it came to this call.";
  return { role: "tool", callId, name, content, isError: true };
}
