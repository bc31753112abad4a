import type { IncomingHttpHeaders } from "node:http";
import { finishOf, interleaved, type Dialect, type Fragment, type ScriptedAnswer } from "./dialect.ts";
import { attachmentQuestion } from "./script.ts";

/** Chat completions, in the form of OpenAI's own servers. */
export const openaiChatDialect: Dialect = {
  name: "openai-chat",
  isNumbered: false,
  trailing: 1,
  apiKeyOf: bearerOf,
  events(answer) {
    const head = { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "loopback" };
    const delta = (delta: object, finish: string | null = null) =>
      JSON.stringify({ ...head, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] });
    const events = [delta({ role: "assistant", content: "" })];
    for (const text of answer.reasoning ?? []) events.push(delta({ reasoning_content: text }));
    for (const text of answer.text ?? []) events.push(delta({ content: text }));
    for (const text of answer.refusal ?? []) events.push(delta({ refusal: text }));
    for (const fragment of interleaved(answer)) events.push(delta({ tool_calls: [chatFragment(fragment)] }));
    events.push(delta({}, chatFinish[finishOf(answer)]));
    if (answer.usage) events.push(JSON.stringify({ ...head, choices: [], usage: chatUsage(answer.usage) }));
    events.push("[DONE]");
    return events;
  },
  errorEvent: (message, code) => JSON.stringify({ error: { message, type: code, code } }),
  conversationOf: (body) =>
    (body["messages"] as WireMessage[]).flatMap(({ role, content, tool_call_id: callId, tool_calls: calls = [] }) => [
      ...(content === null ? [] : [`${role}${callId === undefined ? "" : `(${callId})`}: ${content}`]),
      ...calls.map((call) => `call(${call.id}): ${call.function.name} ${call.function.arguments}`),
    ]),
  attachmentsOf: (body) => {
    const { content } = (body["messages"] as WireMessage[]).at(-1) ?? {};
    return (content as unknown as ChatPart[]).flatMap(({ type, text = "", image_url: image, file }) => {
      if (type === "text") return text === attachmentQuestion ? [] : [text];
      return image ? [`image ${image.url}`] : [`file ${file?.filename} ${file?.file_data}`];
    });
  },
  outputSchemaOf: (body) => (body["response_format"] as { json_schema: { schema: unknown } }).json_schema.schema,
};

/** The Responses API. */
export const openaiResponsesDialect: Dialect = {
  name: "openai-responses",
  isNumbered: true,
  trailing: 0,
  apiKeyOf: bearerOf,
  events(answer) {
    const events: string[] = [];
    const say = (type: string, fields: object) =>
      events.push(JSON.stringify({ type, sequence_number: events.length, ...fields }));
    const response = {
      id: "resp_1",
      object: "response",
      created_at: 1,
      model: "loopback",
      status: "in_progress",
      output: [],
    };
    say("response.created", { response });
    say("response.in_progress", { response });
    const reasoning = answer.reasoning ?? [];
    const said = [...(answer.text ?? []), ...(answer.refusal ?? [])];
    let index = 0;
    if (reasoning.length > 0) {
      const item = { id: "rs_1", type: "reasoning", summary: [] };
      say("response.output_item.added", { output_index: index, item });
      for (const delta of reasoning) {
        say("response.reasoning_summary_text.delta", { item_id: "rs_1", output_index: index, summary_index: 0, delta });
      }
      say("response.output_item.done", { output_index: index, item });
      index += 1;
    }
    if (said.length > 0) {
      const place = { item_id: "msg_1", output_index: index, content_index: 0 };
      say("response.output_item.added", { output_index: index, item: { id: "msg_1", type: "message", content: [] } });
      for (const delta of answer.text ?? []) say("response.output_text.delta", { ...place, delta, logprobs: [] });
      for (const delta of answer.refusal ?? []) say("response.refusal.delta", { ...place, delta });
      if (answer.text) say("response.output_text.done", { ...place, text: answer.text.join("") });
      const content = [
        ...(answer.text ? [{ type: "output_text", text: answer.text.join("") }] : []),
        ...(answer.refusal ? [{ type: "refusal", refusal: answer.refusal.join("") }] : []),
      ];
      say("response.output_item.done", { output_index: index, item: { id: "msg_1", type: "message", content } });
      index += 1;
    }
    sayToolCalls(answer, index, say);
    const { usage } = answer;
    const finish = finishOf(answer);
    const incomplete = finish === "length" || finish === "content-filter";
    say(incomplete ? "response.incomplete" : "response.completed", {
      response: {
        ...response,
        status: incomplete ? "incomplete" : "completed",
        incomplete_details: incomplete
          ? { reason: finish === "length" ? "max_output_tokens" : "content_filter" }
          : null,
        usage: usage && {
          input_tokens: usage.inputTokens,
          input_tokens_details: { cached_tokens: usage.cachedInputTokens ?? 0 },
          output_tokens: usage.outputTokens,
          output_tokens_details: { reasoning_tokens: usage.reasoningTokens ?? 0 },
        },
      },
    });
    return events;
  },
  errorEvent: (message, code) => JSON.stringify({ type: "error", sequence_number: 1000, code, message, param: null }),
  conversationOf: (body) => [
    ...(typeof body["instructions"] === "string" ? [`system: ${body["instructions"]}`] : []),
    ...(body["input"] as WireItem[]).map((item) => {
      if (item.type === "function_call") return `call(${item.call_id}): ${item.name} ${item.arguments}`;
      return item.type === "function_call_output"
        ? `tool(${item.call_id}): ${item.output}`
        : `${item.role}: ${item.content}`;
    }),
  ],
  attachmentsOf: (body) => {
    const { content } = (body["input"] as WireItem[]).at(-1) ?? {};
    return (content as unknown as ResponsesPart[]).flatMap(({ type, text = "", image_url: image, ...file }) => {
      if (type === "input_text") return text === attachmentQuestion ? [] : [text];
      return image === undefined ? [`file ${file.filename} ${file.file_data}`] : [`image ${image}`];
    });
  },
  outputSchemaOf: (body) => (body["text"] as { format: { schema: unknown } }).format.schema,
};

function bearerOf({ authorization }: IncomingHttpHeaders): string | undefined {
  return /^Bearer (.+)$/.exec(authorization ?? "")?.[1];
}

function chatFragment({ index, id, name, isFirst, text }: Fragment): object {
  if (!isFirst) return { index, function: { arguments: text } };
  return { index, id, type: "function", function: { name, arguments: text } };
}

function sayToolCalls(answer: ScriptedAnswer, firstIndex: number, say: (type: string, fields: object) => void): void {
  for (const { index, id, name, isFirst, text } of interleaved(answer)) {
    const place = { item_id: `fc_${index}`, output_index: firstIndex + index };
    const item = { id: `fc_${index}`, type: "function_call", call_id: id, name, arguments: "" };
    if (isFirst) say("response.output_item.added", { output_index: firstIndex + index, item });
    say("response.function_call_arguments.delta", { ...place, delta: text });
  }
  for (const [index, { id, name, pieces }] of (answer.toolCalls ?? []).entries()) {
    const item = {
      id: `fc_${index}`,
      type: "function_call",
      call_id: id,
      name,
      arguments: pieces.join(""),
      status: "completed",
    };
    say("response.function_call_arguments.done", {
      item_id: item.id,
      output_index: firstIndex + index,
      arguments: item.arguments,
    });
    say("response.output_item.done", { output_index: firstIndex + index, item });
  }
}

const chatFinish = {
  stop: "stop",
  length: "length",
  "tool-calls": "tool_calls",
  "content-filter": "content_filter",
} as const;

function chatUsage(usage: NonNullable<ScriptedAnswer["usage"]>): object {
  return {
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: usage.inputTokens + usage.outputTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedInputTokens ?? 0 },
    completion_tokens_details: { reasoning_tokens: usage.reasoningTokens ?? 0 },
  };
}

interface WireMessage {
  readonly role: string;
  readonly content: string | null;
  readonly tool_call_id?: string;
  readonly tool_calls?: readonly { id: string; function: { name: string; arguments: string } }[];
}
interface WireItem {
  readonly type?: string;
  readonly role?: string;
  readonly content?: string;
  readonly call_id?: string;
  readonly name?: string;
  readonly arguments?: string;
  readonly output?: string;
}
interface ChatPart {
  readonly type: string;
  readonly text?: string;
  readonly image_url?: { readonly url: string };
  readonly file?: { readonly filename: string; readonly file_data: string };
}
interface ResponsesPart {
  readonly type: string;
  readonly text?: string;
  readonly image_url?: string;
  readonly filename?: string;
  readonly file_data?: string;
}
