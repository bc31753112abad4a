import type { AssistantMessage, Json, Message, ToolMessage } from "@benchtop/protocol";
import type { ChatHistoryItem, ChatModelFunctionCall, ChatModelResponse } from "node-llama-cpp";
import { refused } from "./check-request.ts";

/**
 * A conversation as node-llama-cpp's templates take it. There a turn of the model is one item from the user's word to the
 * next: its texts, its calls with their results, and what it said after them. The last item is the turn to go on with. Throws
 * `VALIDATION_FAILED` for a result of a call that was never made, and for what is no text.
 */
export function chatHistoryOf(messages: readonly Message[]): ChatHistoryItem[] {
  const history: ChatHistoryItem[] = [];
  const calls = new Map<string, ChatModelFunctionCall>();
  for (const message of messages) {
    switch (message.role) {
      case "system":
        history.push({ type: "system", text: message.content });
        break;
      case "user": {
        const [attachment] = message.attachments ?? [];
        if (attachment) throw refused(`A local model reads text only; it was given ${attachment.mediaType}.`);
        history.push({ type: "user", text: message.content });
        break;
      }
      case "assistant":
        say(turnAt(history), message, calls);
        break;
      case "tool":
        give(message, calls);
        break;
    }
  }
  turnAt(history);
  return history;
}

/** The model's turn at the end of the conversation, which begins when there is none. */
function turnAt(history: ChatHistoryItem[]): ChatModelResponse {
  const last = history.at(-1);
  if (last?.type === "model") return last;
  const turn: ChatModelResponse = { type: "model", response: [] };
  history.push(turn);
  return turn;
}

function say(turn: ChatModelResponse, message: AssistantMessage, calls: Map<string, ChatModelFunctionCall>): void {
  if (message.reasoning) {
    turn.response.push({ type: "segment", segmentType: "thought", text: message.reasoning, ended: true });
  }
  if (message.content !== "") turn.response.push(message.content);
  for (const [index, { callId, name, arguments: given }] of (message.toolCalls ?? []).entries()) {
    const call: ChatModelFunctionCall = {
      type: "functionCall",
      name,
      params: given ?? {},
      result: "",
      // Calls of one message were asked for together.
      startsNewChunk: index === 0,
    };
    turn.response.push(call);
    calls.set(callId, call);
  }
}

function give({ callId, content, isError }: ToolMessage, calls: ReadonlyMap<string, ChatModelFunctionCall>): void {
  const call = calls.get(callId);
  if (!call) throw refused("The conversation holds a tool's result, but not the call that it answers.");
  const result = parsed(content);
  call.result = isError ? { error: result } : result;
}

/** Templates write results as JSON: what is JSON already is not to become a text of JSON. */
function parsed(content: string): Json {
  if (!/^\s*[[{]/.test(content)) return content;
  try {
    return JSON.parse(content) as Json;
  } catch {
    return content;
  }
}
