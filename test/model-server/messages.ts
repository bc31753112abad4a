import type { Move } from "./agent.ts";
import { list, record, roleOf, text, textOf, type Fields, type ModelRequest, type Turn } from "./conversation.ts";
import { data, newId, piecesOf, tokensOf, usageOf } from "./wire.ts";

/** `POST /v1/messages` of Anthropic: what is asked, and the agent's move as this protocol says it. Throws on a body that is not one. */
export function parseMessages(body: string): ModelRequest {
  const request = record(JSON.parse(body));
  if (typeof request["max_tokens"] !== "number") throw new Error("max_tokens: Field required");
  const system: Turn[] = list(request["system"]).map((block) => ({
    role: "system",
    text: text(record(block)["text"]),
  }));
  return {
    model: text(request["model"]),
    stream: request["stream"] === true,
    includeUsage: true,
    turns: [...system, ...list(request["messages"]).flatMap((message) => turnsOf(record(message)))],
    tools: list(request["tools"]).map((tool) => {
      const { name, input_schema: schema } = record(tool);
      return { name: text(name), parameters: Object.keys(record(record(schema ?? {})["properties"] ?? {})) };
    }),
  };
}

function turnsOf({ role, content }: Fields): Turn[] {
  if (typeof content === "string") return [{ role: roleOf(role), text: content }];
  return list(content).map((entry): Turn => {
    const block = record(entry);
    if (block["type"] === "tool_use") {
      return {
        role: "call",
        callId: text(block["id"]),
        name: text(block["name"]),
        arguments: JSON.stringify(block["input"]),
      };
    }
    if (block["type"] === "tool_result") {
      return { role: "result", callId: text(block["tool_use_id"]), text: textOf(block["content"] ?? "") };
    }
    return { role: roleOf(role), text: text(block["text"]) };
  });
}

export function messagesReply(asked: ModelRequest, move: Move): unknown {
  const content = [
    ...(move.text === "" ? [] : [{ type: "text", text: move.text }]),
    ...move.calls.map((call) => ({ ...toolUse(call), input: JSON.parse(call.arguments) as unknown })),
  ];
  const { inputTokens, outputTokens } = usageOf(asked, move);
  const usage = { input_tokens: inputTokens, output_tokens: outputTokens };
  return { ...head(asked), content, stop_reason: stopReason(move), usage };
}

export function* messagesStream(asked: ModelRequest, move: Move): Generator<string> {
  const { inputTokens, outputTokens } = usageOf(asked, move);
  const usage = {
    input_tokens: inputTokens,
    cache_read_input_tokens: 0,
    cache_creation_input_tokens: 0,
    output_tokens: 1,
  };
  yield event("message_start", { message: { ...head(asked), content: [], stop_reason: null, usage } });
  yield event("ping");
  let index = 0;
  if (move.text !== "") {
    yield event("content_block_start", { index, content_block: { type: "text", text: "" } });
    for (const token of tokensOf(move.text)) {
      yield event("content_block_delta", { index, delta: { type: "text_delta", text: token } });
    }
    yield event("content_block_stop", { index });
    index += 1;
  }
  for (const call of move.calls) {
    yield event("content_block_start", { index, content_block: toolUse(call) });
    for (const piece of piecesOf(call.arguments)) {
      yield event("content_block_delta", { index, delta: { type: "input_json_delta", partial_json: piece } });
    }
    yield event("content_block_stop", { index });
    index += 1;
  }
  const delta = { stop_reason: stopReason(move), stop_sequence: null };
  yield event("message_delta", { delta, usage: { output_tokens: outputTokens } });
  yield event("message_stop");
}

function event(type: string, fields: object = {}): string {
  return `event: ${type}\n${data({ type, ...fields })}`;
}

function head({ model }: ModelRequest) {
  return { id: newId("msg"), type: "message", role: "assistant", model, stop_sequence: null };
}

function toolUse({ callId, name }: Move["calls"][number]) {
  return { type: "tool_use", id: callId, name, input: {} };
}

function stopReason({ calls }: Move): string {
  return calls.length > 0 ? "tool_use" : "end_turn";
}
