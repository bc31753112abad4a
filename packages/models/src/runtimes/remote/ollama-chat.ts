import { BenchtopError } from "@benchtop/protocol";
import { fieldsOf, listOf, textOf, type Fields } from "./fields.ts";
import type { ChatBody, ChatEvent, ChatTranslation } from "./translated-chat.ts";

/** What an Ollama request says of how its model is loaded, beside the conversation. */
export interface OllamaLoad {
  /** Seconds; below 0 for ever. */
  readonly keep_alive?: number;
  readonly options: Readonly<Record<string, number>>;
}

/** `/api/chat` of Ollama: https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-chat-completion */
export function ollamaChat(load: OllamaLoad): ChatTranslation {
  return { path: "/api/chat", framing: "lines", bodyOf: (request) => bodyOf(request, load), read };
}

function bodyOf(request: ChatBody, load: OllamaLoad): object {
  const { model, messages, tools, maxOutputTokens, temperature, topP, seed, schema } = request;
  const options = {
    ...load.options,
    ...(maxOutputTokens !== undefined && { num_predict: maxOutputTokens }),
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { top_p: topP }),
    ...(seed !== undefined && { seed }),
  };
  const names = new Map<unknown, string>();
  return {
    model,
    messages: messages.map((message) => wireMessage(message, names)),
    ...(tools && { tools }),
    ...(schema !== undefined && { format: schema }),
    ...(Object.keys(options).length > 0 && { options }),
    ...(load.keep_alive !== undefined && { keep_alive: load.keep_alive }),
    stream: true,
  };
}

/** Ollama wants pictures beside the text, arguments as objects, and the result of a tool under its name. */
function wireMessage(message: Fields, names: Map<unknown, string>): object {
  const { role, content } = message;
  if (role === "tool") {
    const callId = message["tool_call_id"];
    return { role, content, tool_call_id: callId, tool_name: names.get(callId) };
  }
  if (role === "assistant") {
    const calls = (listOf(message["tool_calls"]) ?? []).map((call) => {
      const { name, arguments: text } = fieldsOf(call["function"]);
      names.set(call["id"], textOf(name) ?? "");
      return { id: call["id"], type: "function", function: { name, arguments: argumentsOf(text) } };
    });
    return { role, content: content ?? "", ...(calls.length > 0 && { tool_calls: calls }) };
  }
  return Array.isArray(content) ? { role, ...partsOf(content) } : { role, content };
}

function argumentsOf(text: unknown): object {
  try {
    const value: unknown = JSON.parse(textOf(text) ?? "{}");
    return fieldsOf(value);
  } catch {
    // What the model wrote was no JSON; it is shown to it again as text.
    return { text };
  }
}

function partsOf(content: readonly unknown[]): { readonly content: string; readonly images?: readonly string[] } {
  const texts: string[] = [];
  const images: string[] = [];
  for (const part of content.map(fieldsOf)) {
    const url = textOf(fieldsOf(part["image_url"])["url"]);
    const image = url === undefined ? undefined : /^data:[^,]*;base64,(.*)$/s.exec(url)?.[1];
    if (part["type"] === "text") texts.push(textOf(part["text"]) ?? "");
    else if (image !== undefined) images.push(image);
    else {
      throw new BenchtopError(
        "VALIDATION_FAILED",
        "An attachment cannot be sent to Ollama, which reads text and images (PNG, JPEG, GIF, WebP).",
        { actions: ["switch_model"] },
      );
    }
  }
  return { content: texts.join("\n\n"), ...(images.length > 0 && { images }) };
}

function read(document: Fields): ChatEvent {
  if (document["error"] !== undefined) return { error: document["error"] };
  const message = fieldsOf(document["message"]);
  const isDone = document["done"] === true;
  return {
    model: textOf(document["model"]),
    text: textOf(message["content"]),
    reasoning: textOf(message["thinking"]),
    toolCalls: (listOf(message["tool_calls"]) ?? []).map(callOf),
    ...(isDone && {
      usage: { inputTokens: document["prompt_eval_count"], outputTokens: document["eval_count"] },
      finish: finishOf(textOf(document["done_reason"])),
    }),
  };
}

/** Each call is whole. Its index is left out: a name without one begins another call, and not every version counts right. */
function callOf(call: Fields): object {
  const { name, arguments: input } = fieldsOf(call["function"]);
  return { id: textOf(call["id"]) ?? "", function: { name, arguments: input } };
}

function finishOf(reason: string | undefined): string {
  return reason === "length" ? "length" : "stop";
}
