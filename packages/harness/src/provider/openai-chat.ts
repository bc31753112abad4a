import type { AssistantMessage, FinishReason, Message, Usage, UserMessage } from "@benchtop/protocol";
import { complaintIn, failureOfFrame, type FailureContext } from "../errors/provider-failure.ts";
import { attachmentsOf, dataUrl, quotedFile, type WireAttachment } from "./attachment.ts";
import { DeltaTemplate } from "./delta-template.ts";
import { endedEarly, KeptText, parseEvent, pushText, stringOf, usageOf, type EventReader } from "./event-reader.ts";
import { eventStreamAdapter, type ProviderOptions } from "./event-stream.ts";
import { argumentsTextOf, isOpenAiReasoning, isStrictSchema } from "./openai-request.ts";
import type { ProviderAdapter, ProviderPart, ProviderRequest } from "./provider.ts";

export interface OpenAiChatOptions extends ProviderOptions {
  /** What the limit of output tokens is called. OpenAI itself wants the second name, most compatible servers know the first. */
  readonly maxTokensField?: "max_tokens" | "max_completion_tokens";
}

/**
 * Chat completions as OpenAI defined them and Ollama, vLLM, llama-server, LM Studio and gateways speak them, with the
 * liberties that these take: no usage, no ids, repeated indexes, arguments as objects, `reasoning_content`.
 */
export function openaiChat(options: OpenAiChatOptions): ProviderAdapter {
  return eventStreamAdapter(options, {
    path: "/chat/completions",
    bodyOf: (request) => bodyOf(request, options),
    readerOf: (_request, context) => new ChatReader(context),
  });
}

function bodyOf(request: ProviderRequest, options: OpenAiChatOptions): object {
  const { modelId, messages, tools, maxOutputTokens, temperature, topP, seed, reasoningEffort, output } = request;
  const isOpenAi = new URL(options.baseUrl).hostname === "api.openai.com";
  const maxTokensField = options.maxTokensField ?? (isOpenAi ? "max_completion_tokens" : "max_tokens");
  const reasons = isOpenAiReasoning(modelId);
  return {
    model: modelId,
    messages: messages.map(wireMessage),
    ...(tools && {
      tools: tools.map(({ name, description, inputSchema }) => ({
        type: "function",
        function: { name, description, parameters: inputSchema },
      })),
    }),
    ...(maxOutputTokens !== undefined && { [maxTokensField]: maxOutputTokens }),
    ...(temperature !== undefined && reasons !== true && { temperature }),
    ...(topP !== undefined && reasons !== true && { top_p: topP }),
    ...(seed !== undefined && { seed }),
    ...(reasoningEffort !== undefined && reasons !== false && { reasoning_effort: reasoningEffort }),
    ...(output && {
      response_format: {
        type: "json_schema",
        json_schema: { name: output.name, schema: output.schema, strict: isStrictSchema(output.schema) },
      },
    }),
    stream: true,
    stream_options: { include_usage: true },
  };
}

function wireMessage(message: Message): object {
  if (message.role === "tool") return { role: "tool", tool_call_id: message.callId, content: message.content };
  if (message.role === "assistant") return wireAnswer(message);
  const hasAttachments = message.role === "user" && message.attachments?.length;
  return { role: message.role, content: hasAttachments ? userContent(message) : message.content };
}

/** Attachments come first: a question about a document is answered better below it. */
function userContent(message: UserMessage): object[] {
  const attachments = attachmentsOf(message, "chat completions", ["image", "pdf", "text"]).map(wireAttachment);
  return message.content === "" ? attachments : [...attachments, { type: "text", text: message.content }];
}

function wireAttachment(attachment: WireAttachment): object {
  if (attachment.kind === "text") return { type: "text", text: quotedFile(attachment) };
  const url = dataUrl(attachment);
  return attachment.kind === "image"
    ? { type: "image_url", image_url: { url } }
    : { type: "file", file: { filename: attachment.name, file_data: url } };
}

function wireAnswer({ content, refusal, toolCalls: calls = [] }: AssistantMessage): object {
  return {
    role: "assistant",
    content: content || refusal || (calls.length > 0 ? null : ""),
    ...(calls.length > 0 && {
      tool_calls: calls.map((call) => ({
        id: call.callId,
        type: "function",
        function: { name: call.name, arguments: argumentsTextOf(call) },
      })),
    }),
  };
}

/** A tool call while its fragments come in. */
interface Fragments {
  id: string;
  name: string;
  arguments: string;
}

class ChatReader implements EventReader {
  readonly #context: FailureContext;
  readonly #template = new DeltaTemplate("content");
  readonly #calls = new Map<number, Fragments>();
  readonly #kept: KeptText;
  #lastCall = -1;
  #responseId: string | undefined;
  #usage: Usage | undefined;
  #finish: FinishReason | undefined;
  #saidAnything = false;
  isDone = false;

  constructor(context: FailureContext) {
    this.#context = context;
    this.#kept = new KeptText(context);
  }

  read(data: string, parts: ProviderPart[]): void {
    const known = this.#finish === undefined ? this.#template.match(data) : undefined;
    if (known !== undefined) return this.#readText("text", known, parts);
    if (data === "[DONE]") {
      this.isDone = true;
      return;
    }
    const chunk: ChatChunk = parseEvent(data, this.#context);
    const choice = chunk.choices?.[0];
    if (chunk.error != null || (!choice && chunk.usage == null)) this.#throwComplaint(chunk);
    this.#responseId ??= typeof chunk.id === "string" ? chunk.id : undefined;
    if (chunk.usage != null) {
      this.#usage = usageOf(chunk.usage.prompt_tokens, chunk.usage.completion_tokens, {
        cached: chunk.usage.prompt_tokens_details?.cached_tokens,
        reasoning: chunk.usage.completion_tokens_details?.reasoning_tokens,
      });
    }
    if (!choice || this.#finish !== undefined) return;
    const delta = choice.delta ?? choice.message ?? {};
    this.#readDelta(delta, parts);
    if (saysOnlyContent(chunk, choice, delta)) this.#template.learn(data, delta.content);
    if (typeof choice.finish_reason === "string") this.#finish = finishReasons[choice.finish_reason] ?? "other";
  }

  end(parts: ProviderPart[]): void {
    const finish = this.#finish ?? (this.isDone && this.#saidAnything ? "other" : undefined);
    if (finish === undefined) throw endedEarly(this.#context);
    for (const index of [...this.#calls.keys()].sort((left, right) => left - right)) {
      const { id, name, arguments: text } = this.#calls.get(index) as Fragments;
      parts.push({ type: "tool-call", ...(id !== "" && { callId: id }), name, arguments: text });
    }
    if (this.#responseId !== undefined) parts.push({ type: "response", responseId: this.#responseId });
    if (this.#usage) parts.push({ type: "usage", usage: this.#usage });
    parts.push({ type: "finish", reason: finish });
  }

  #throwComplaint(chunk: unknown): void {
    const complaint = complaintIn(chunk);
    if (complaint) throw failureOfFrame(complaint, this.#context);
  }

  #readDelta(delta: ChatDelta, parts: ProviderPart[]): void {
    this.#readText("text", textOf(delta.content), parts);
    this.#readText("reasoning", delta.reasoning_content ?? delta.reasoning, parts);
    this.#readText("refusal", delta.refusal, parts);
    for (const call of delta.tool_calls ?? []) this.#readCall(call);
  }

  #readText(type: "text" | "reasoning" | "refusal", text: unknown, parts: ProviderPart[]): void {
    if (typeof text !== "string" || text === "") return;
    this.#saidAnything = true;
    pushText(parts, type, text);
  }

  /** A fragment belongs to the call of its index, unless it brings an id or, without an index, a name of its own. */
  #readCall(fragment: ChatToolCall): void {
    const id = stringOf(fragment.id);
    const name = stringOf(fragment.function?.name);
    let index = typeof fragment.index === "number" ? fragment.index : this.#lastCall;
    const known = this.#calls.get(index);
    const isOther = !known || (id !== "" && known.id !== "" && known.id !== id);
    if (isOther || (fragment.index === undefined && name !== "")) {
      if (known || index < 0) index = Math.max(-1, ...this.#calls.keys()) + 1;
      this.#kept.addPiece();
      this.#calls.set(index, { id: "", name: "", arguments: "" });
    }
    this.#lastCall = index;
    this.#saidAnything = true;
    const call = this.#calls.get(index) as Fragments;
    if (call.id === "") call.id = id;
    if (call.name === "") call.name = name;
    const given = fragment.function?.arguments;
    const text = typeof given === "object" && given !== null ? JSON.stringify(given) : stringOf(given);
    call.arguments += this.#kept.add(text);
  }
}

const finishReasons: Readonly<Record<string, FinishReason>> = {
  stop: "stop",
  length: "length",
  tool_calls: "tool-calls",
  function_call: "tool-calls",
  content_filter: "content-filter",
};

/** True for an event that adds text and nothing else, as nearly all do. */
function saysOnlyContent(
  { usage }: ChatChunk,
  { finish_reason: finish }: ChatChoice,
  delta: ChatDelta,
): delta is ChatDelta & { content: string } {
  return (
    typeof delta.content === "string" &&
    usage == null &&
    finish == null &&
    Object.values(delta).every((value) => value == null || value === delta.content || value === "assistant")
  );
}

function textOf(content: unknown): unknown {
  if (!Array.isArray(content)) return content;
  return content.map((part: { text?: unknown }) => (typeof part?.text === "string" ? part.text : "")).join("");
}

/** The fields that are read of a chunk. Nothing is sure about any of them. */
interface ChatChunk {
  readonly id?: unknown;
  /** Gateways report an upstream failure in a chunk that otherwise looks like any. */
  readonly error?: unknown;
  readonly choices?: readonly ChatChoice[];
  readonly usage?: {
    readonly prompt_tokens?: unknown;
    readonly completion_tokens?: unknown;
    readonly prompt_tokens_details?: { readonly cached_tokens?: unknown } | null;
    readonly completion_tokens_details?: { readonly reasoning_tokens?: unknown } | null;
  } | null;
}
interface ChatChoice {
  readonly delta?: ChatDelta;
  readonly message?: ChatDelta;
  readonly finish_reason?: unknown;
}
interface ChatDelta {
  readonly content?: unknown;
  readonly reasoning_content?: unknown;
  readonly reasoning?: unknown;
  readonly refusal?: unknown;
  readonly tool_calls?: readonly ChatToolCall[] | null;
}
interface ChatToolCall {
  readonly index?: unknown;
  readonly id?: unknown;
  readonly function?: { readonly name?: unknown; readonly arguments?: unknown };
}
