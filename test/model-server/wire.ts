import type { Move } from "./agent.ts";
import type { ModelRequest } from "./conversation.ts";

/** The agent's move as the two protocols of OpenAI say it. Field names and event order as the official API references give them. */

export function chatReply(asked: ModelRequest, move: Move): unknown {
  const message = {
    role: "assistant",
    content: move.text === "" ? null : move.text,
    ...(move.calls.length > 0 && { tool_calls: move.calls.map(chatCall) }),
  };
  const finish_reason = move.calls.length > 0 ? "tool_calls" : "stop";
  return {
    ...chatHead(asked, "chat.completion"),
    choices: [{ index: 0, message, finish_reason }],
    usage: chatUsage(asked, move),
  };
}

export function* chatStream(asked: ModelRequest, move: Move): Generator<string> {
  const head = chatHead(asked, "chat.completion.chunk");
  const chunk = (delta: unknown, finish_reason: string | null = null) =>
    data({ ...head, choices: [{ index: 0, delta, finish_reason }] });
  yield chunk({ role: "assistant", content: "" });
  for (const token of tokensOf(move.text)) yield chunk({ content: token });
  for (const [index, call] of move.calls.entries()) {
    const { id, type, function: called } = chatCall(call);
    yield chunk({ tool_calls: [{ index, id, type, function: { name: called.name, arguments: "" } }] });
    for (const piece of piecesOf(call.arguments)) {
      yield chunk({ tool_calls: [{ index, function: { arguments: piece } }] });
    }
  }
  yield chunk({}, move.calls.length > 0 ? "tool_calls" : "stop");
  if (asked.includeUsage) yield data({ ...head, choices: [], usage: chatUsage(asked, move) });
  yield "data: [DONE]\n\n";
}

export function responsesReply(asked: ModelRequest, move: Move): unknown {
  return responseObject(asked, move, "completed", outputItems(move));
}

export function* responsesStream(asked: ModelRequest, move: Move): Generator<string> {
  let sequence = 0;
  const event = (type: string, fields: object) =>
    `event: ${type}\n${data({ type, sequence_number: sequence++, ...fields })}`;
  yield event("response.created", { response: responseObject(asked, move, "in_progress", []) });
  const items = outputItems(move);
  for (const [output_index, item] of items.entries()) {
    if (item.type === "message") {
      const place = { item_id: item.id, output_index, content_index: 0 };
      yield event("response.output_item.added", {
        output_index,
        item: { ...item, status: "in_progress", content: [] },
      });
      yield event("response.content_part.added", {
        ...place,
        part: { type: "output_text", text: "", annotations: [] },
      });
      for (const token of tokensOf(move.text)) yield event("response.output_text.delta", { ...place, delta: token });
      yield event("response.output_text.done", { ...place, text: move.text });
      yield event("response.content_part.done", { ...place, part: item.content[0] });
    } else {
      const place = { item_id: item.id, output_index };
      yield event("response.output_item.added", {
        output_index,
        item: { ...item, status: "in_progress", arguments: "" },
      });
      for (const piece of piecesOf(item.arguments)) {
        yield event("response.function_call_arguments.delta", { ...place, delta: piece });
      }
      yield event("response.function_call_arguments.done", { ...place, arguments: item.arguments });
    }
    yield event("response.output_item.done", { output_index, item });
  }
  yield event("response.completed", { response: responseObject(asked, move, "completed", items) });
}

type OutputItem =
  | {
      readonly type: "message";
      readonly id: string;
      readonly status: "completed";
      readonly role: "assistant";
      readonly content: readonly { readonly type: "output_text"; readonly text: string; readonly annotations: [] }[];
    }
  | {
      readonly type: "function_call";
      readonly id: string;
      readonly status: "completed";
      readonly call_id: string;
      readonly name: string;
      readonly arguments: string;
    };

function outputItems(move: Move): OutputItem[] {
  const items: OutputItem[] = [];
  if (move.text !== "") {
    const content = [{ type: "output_text" as const, text: move.text, annotations: [] as [] }];
    items.push({ type: "message", id: newId("msg"), status: "completed", role: "assistant", content });
  }
  for (const call of move.calls) {
    const { callId: call_id, name, arguments: text } = call;
    items.push({ type: "function_call", id: newId("fc"), status: "completed", call_id, name, arguments: text });
  }
  return items;
}

function responseObject(asked: ModelRequest, move: Move, status: string, output: readonly OutputItem[]): unknown {
  const { inputTokens, outputTokens } = usageOf(asked, move);
  return {
    id: newId("resp"),
    object: "response",
    created_at: Math.floor(Date.now() / 1000),
    status,
    model: asked.model,
    output,
    error: null,
    incomplete_details: null,
    usage:
      status === "completed"
        ? {
            input_tokens: inputTokens,
            input_tokens_details: { cached_tokens: 0 },
            output_tokens: outputTokens,
            output_tokens_details: { reasoning_tokens: 0 },
            total_tokens: inputTokens + outputTokens,
          }
        : null,
  };
}

function chatHead(asked: ModelRequest, object: string) {
  return { id: newId("chatcmpl"), object, created: Math.floor(Date.now() / 1000), model: asked.model };
}

function chatCall(call: Move["calls"][number]) {
  return { id: call.callId, type: "function", function: { name: call.name, arguments: call.arguments } };
}

function chatUsage(asked: ModelRequest, move: Move) {
  const { inputTokens, outputTokens } = usageOf(asked, move);
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    prompt_tokens_details: { cached_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0 },
  };
}

/** One token for four characters, as rules of thumb go. */
export function usageOf(asked: ModelRequest, move: Move): { inputTokens: number; outputTokens: number } {
  const said = move.text.length + move.calls.reduce((sum, call) => sum + call.name.length + call.arguments.length, 0);
  const heard = asked.turns.reduce((sum, turn) => sum + ("text" in turn ? turn.text : turn.arguments).length, 0);
  return { inputTokens: Math.ceil(heard / 4), outputTokens: Math.ceil(said / 4) };
}

/** Words with the space before them, the way models stream. */
export function tokensOf(text: string): string[] {
  return text.match(/\s*\S+\s*$|\s*\S+|\s+$/g) ?? [];
}

export function piecesOf(text: string): string[] {
  return text.match(/[\s\S]{1,24}/gu) ?? [];
}

export function data(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

let counter = 0;

export function newId(prefix: string): string {
  return `${prefix}_loopback${(++counter).toString().padStart(8, "0")}`;
}
