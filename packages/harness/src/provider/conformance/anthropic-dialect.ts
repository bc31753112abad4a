import type { Usage } from "@benchtop/protocol";
import { finishOf, interleaved, type Dialect } from "./dialect.ts";
import { attachmentQuestion } from "./script.ts";

/** The Messages API of Anthropic. */
export const anthropicMessagesDialect: Dialect = {
  name: "anthropic-messages",
  isNumbered: false,
  trailing: 1,
  apiKeyOf: (headers) => headers["x-api-key"] as string | undefined,
  events(answer) {
    const events: string[] = [];
    const say = (type: string, fields: object = {}) => events.push(JSON.stringify({ type, ...fields }));
    const message = { id: "msg_1", type: "message", role: "assistant", model: "loopback", content: [] };
    say("message_start", {
      message: { ...message, stop_reason: null, ...(answer.usage && { usage: startUsage(answer.usage) }) },
    });
    say("ping");
    let index = 0;
    const sayBlock = (block: object, deltas: readonly object[]) => {
      say("content_block_start", { index, content_block: block });
      for (const delta of deltas) say("content_block_delta", { index, delta });
      say("content_block_stop", { index });
      index += 1;
    };
    if (answer.reasoning) {
      const deltas = answer.reasoning.map((thinking) => ({ type: "thinking_delta", thinking }));
      sayBlock({ type: "thinking", thinking: "", signature: "" }, [
        ...deltas,
        { type: "signature_delta", signature: "c2ln" },
      ]);
    }
    if (answer.text)
      sayBlock(
        { type: "text", text: "" },
        answer.text.map((text) => ({ type: "text_delta", text })),
      );
    for (const { index: call, id, name, isFirst, text } of interleaved(answer)) {
      const place = { index: index + call };
      const block = { type: "tool_use", id, name, input: {}, caller: { type: "direct" } };
      if (isFirst) say("content_block_start", { ...place, content_block: block });
      say("content_block_delta", { ...place, delta: { type: "input_json_delta", partial_json: text } });
    }
    for (const call of (answer.toolCalls ?? []).keys()) say("content_block_stop", { index: index + call });
    say("message_delta", {
      delta: {
        stop_reason: answer.refusal ? "refusal" : stopReasons[finishOf(answer)],
        stop_sequence: null,
        stop_details: answer.refusal ? { type: "refusal", category: null, explanation: answer.refusal.join("") } : null,
      },
      ...(answer.usage && { usage: endUsage(answer.usage) }),
    });
    say("message_stop");
    return events;
  },
  errorEvent: (message, code) => {
    const type = errorTypes[code] ?? "invalid_request_error";
    const said = code === "context_length_exceeded" ? "prompt is too long: 210000 tokens > 200000 maximum" : message;
    return JSON.stringify({ type: "error", error: { type, message: said }, request_id: "req_1" });
  },
  conversationOf: (body) => [
    ...((body["system"] ?? []) as WireBlock[]).map(({ text }) => `system: ${text}`),
    ...(body["messages"] as WireTurn[]).flatMap(({ role, content }) =>
      content.map((block) => {
        if (block.type === "tool_use") return `call(${block.id}): ${block.name} ${JSON.stringify(block.input)}`;
        return block.type === "tool_result" ? `tool(${block.tool_use_id}): ${block.content}` : `${role}: ${block.text}`;
      }),
    ),
  ],
  attachmentsOf: (body) => {
    const { content = [] } = (body["messages"] as WireTurn[]).at(-1) ?? {};
    return content.flatMap(({ type, text, source, title }) => {
      if (type === "text") return text === attachmentQuestion ? [] : [text ?? ""];
      return type === "image" ? [`image ${source?.data}`] : [`file ${title} ${source?.data}`];
    });
  },
  outputSchemaOf: (body) => (body["output_config"] as { format: { schema: unknown } }).format.schema,
};

const stopReasons = {
  stop: "end_turn",
  length: "max_tokens",
  "tool-calls": "tool_use",
  "content-filter": "refusal",
} as const;

const errorTypes: Readonly<Record<string, string>> = {
  server_error: "overloaded_error",
  rate_limit_exceeded: "rate_limit_error",
};

/** What is known at the start: the input, apart by its way through the cache, and the first token. */
function startUsage({ inputTokens, cachedInputTokens = 0, cacheWriteInputTokens = 0 }: Usage): object {
  return {
    input_tokens: inputTokens - cachedInputTokens - cacheWriteInputTokens,
    cache_read_input_tokens: cachedInputTokens,
    cache_creation_input_tokens: cacheWriteInputTokens,
    output_tokens: 1,
    service_tier: "standard",
  };
}

function endUsage({ outputTokens, reasoningTokens = 0 }: Usage): object {
  return {
    input_tokens: null,
    output_tokens: outputTokens,
    output_tokens_details: { thinking_tokens: reasoningTokens },
  };
}

interface WireTurn {
  readonly role: string;
  readonly content: readonly WireBlock[];
}
interface WireBlock {
  readonly type: string;
  readonly text?: string;
  readonly id?: string;
  readonly name?: string;
  readonly input?: unknown;
  readonly tool_use_id?: string;
  readonly content?: string;
  readonly source?: { readonly data: string };
  readonly title?: string;
}
