import type { FinishReason, Message, Usage } from "@benchtop/protocol";
import { complaintIn, failureOfFrame, type FailureContext } from "../errors/provider-failure.ts";
import { contextOf, streamEvents, type EventReader, type ProviderOptions } from "./event-stream.ts";
import {
  argumentsTextOf,
  endedEarly,
  maxArgumentsLength,
  parseEvent,
  pushText,
  stringOf,
  tooMuch,
  usageOf,
} from "./openai-wire.ts";
import type { ProviderAdapter, ProviderPart, ProviderRequest } from "./provider.ts";

/**
 * The Responses API of OpenAI, without state on its side (`store: false`): every call sends the conversation.
 * Events: https://developers.openai.com/api/reference/resources/responses/streaming-events
 */
export function openaiResponses(options: ProviderOptions): ProviderAdapter {
  return {
    id: options.id,
    stream: (request, signal) =>
      streamEvents(
        options,
        "/responses",
        bodyOf(request),
        request,
        new ResponsesReader(contextOf(options, request)),
        signal,
      ),
  };
}

/** Smaller limits are refused by OpenAI. */
const leastOutputTokens = 16;

function bodyOf({ modelId, messages, tools, maxOutputTokens, temperature }: ProviderRequest): Record<string, unknown> {
  const [first, ...rest] = messages;
  const instructions = first?.role === "system" ? first.content : undefined;
  return {
    model: modelId,
    ...(instructions !== undefined && { instructions }),
    input: (instructions === undefined ? messages : rest).flatMap(wireItems),
    ...(tools && {
      tools: tools.map(({ name, description, inputSchema }) => ({
        type: "function",
        name,
        description,
        parameters: inputSchema,
        strict: false,
      })),
    }),
    ...(maxOutputTokens !== undefined && { max_output_tokens: Math.max(maxOutputTokens, leastOutputTokens) }),
    ...(temperature !== undefined && { temperature }),
    stream: true,
    store: false,
  };
}

function wireItems(message: Message): Record<string, unknown>[] {
  if (message.role === "tool") {
    return [{ type: "function_call_output", call_id: message.callId, output: message.content }];
  }
  if (message.role !== "assistant") return [{ role: message.role, content: message.content }];
  const said = message.content || message.refusal;
  const calls = (message.toolCalls ?? []).map((call) => ({
    type: "function_call",
    call_id: call.callId,
    name: call.name,
    arguments: argumentsTextOf(call),
  }));
  return said ? [{ role: "assistant", content: said }, ...calls] : calls;
}

/** An item of the answer while its events come in. */
interface Item {
  type: string;
  callId: string;
  name: string;
  arguments: string;
  /** Text of it was given out already, so that its final form has nothing to add. */
  hasText: boolean;
}

class ResponsesReader implements EventReader {
  readonly #context: FailureContext;
  readonly #items = new Map<number, Item>();
  #argumentsLength = 0;
  #lastSequence = -1;
  #responseId: string | undefined;
  #usage: Usage | undefined;
  #finish: FinishReason | undefined;

  constructor(context: FailureContext) {
    this.#context = context;
  }

  get isDone(): boolean {
    return this.#finish !== undefined;
  }

  read(data: string, parts: ProviderPart[]): void {
    if (data === "[DONE]") return;
    const event: ResponsesEvent = parseEvent(data, this.#context);
    if (this.isDone || this.#isRepeated(event)) return;
    switch (event.type) {
      case "response.output_text.delta":
        return this.#readText("text", event, parts);
      case "response.refusal.delta":
        return this.#readText("refusal", event, parts);
      case "response.reasoning_summary_text.delta":
      case "response.reasoning_text.delta":
        return this.#readText("reasoning", event, parts);
      case "response.function_call_arguments.delta":
        this.#argumentsLength += stringOf(event.delta).length;
        if (this.#argumentsLength > maxArgumentsLength) throw tooMuch(this.#context);
        this.#item(event).arguments += stringOf(event.delta);
        return;
      case "response.function_call_arguments.done":
        this.#item(event).arguments = stringOf(event.arguments) || this.#item(event).arguments;
        return;
      case "response.output_item.added":
      case "response.output_item.done":
        return this.#readItem(event.item, this.#item(event), parts);
      case "response.created":
      case "response.in_progress":
        this.#responseId ??= stringOf(event.response?.id) || undefined;
        return;
      case "response.completed":
      case "response.incomplete":
        return this.#readEnd(event, parts);
      case "response.failed":
      case "error":
        throw failureOfFrame(complaintIn(event.response ?? event) ?? {}, this.#context);
      case undefined: {
        const complaint = complaintIn(event);
        if (complaint) throw failureOfFrame(complaint, this.#context);
        return;
      }
      default:
    }
  }

  end(parts: ProviderPart[]): void {
    if (this.#finish === undefined) throw endedEarly(this.#context);
    const calls = [...this.#items].filter(([, item]) => item.type === "function_call");
    for (const [, item] of calls.sort(([left], [right]) => left - right)) {
      const { callId, name, arguments: text } = item;
      parts.push({ type: "tool-call", ...(callId !== "" && { callId }), name, arguments: text });
    }
    if (this.#responseId !== undefined) parts.push({ type: "response", responseId: this.#responseId });
    if (this.#usage) parts.push({ type: "usage", usage: this.#usage });
    const reason = this.#finish === "stop" && calls.length > 0 ? "tool-calls" : this.#finish;
    parts.push({ type: "finish", reason });
  }

  /** A frame that a proxy sent twice has the number of the one before. */
  #isRepeated({ sequence_number: number }: ResponsesEvent): boolean {
    if (typeof number !== "number") return false;
    if (number <= this.#lastSequence) return true;
    this.#lastSequence = number;
    return false;
  }

  #item({ output_index: index }: ResponsesEvent): Item {
    const key = typeof index === "number" ? index : 0;
    let item = this.#items.get(key);
    if (!item) {
      item = { type: "", callId: "", name: "", arguments: "", hasText: false };
      this.#items.set(key, item);
    }
    return item;
  }

  #readText(type: "text" | "reasoning" | "refusal", event: ResponsesEvent, parts: ProviderPart[]): void {
    const text = stringOf(event.delta);
    if (text === "") return;
    this.#item(event).hasText = true;
    pushText(parts, type, text);
  }

  /** The first and the last event of an item carry it whole, as far as it goes; servers differ in which fields are filled. */
  #readItem(wire: ResponsesItem | undefined, item: Item, parts: ProviderPart[]): void {
    item.type = stringOf(wire?.type) || item.type;
    item.callId = stringOf(wire?.call_id) || item.callId;
    item.name = stringOf(wire?.name) || item.name;
    item.arguments = stringOf(wire?.arguments) || item.arguments;
    if (item.hasText || item.type !== "message") return;
    for (const content of wire?.content ?? []) {
      const refusal = stringOf(content?.refusal);
      const text = stringOf(content?.text);
      if (text !== "") pushText(parts, "text", text);
      if (refusal !== "") pushText(parts, "refusal", refusal);
      item.hasText ||= text !== "" || refusal !== "";
    }
  }

  #readEnd({ type, response }: ResponsesEvent, parts: ProviderPart[]): void {
    this.#responseId ??= stringOf(response?.id) || undefined;
    for (const [index, wire] of (response?.output ?? []).entries()) {
      if (wire?.type === "message" || wire?.type === "function_call") {
        this.#readItem(wire, this.#item({ output_index: index }), parts);
      }
    }
    const usage = response?.usage;
    this.#usage = usageOf(usage?.input_tokens, usage?.output_tokens, {
      cached: usage?.input_tokens_details?.cached_tokens,
      reasoning: usage?.output_tokens_details?.reasoning_tokens,
    });
    this.#finish =
      type === "response.completed"
        ? "stop"
        : (incompleteReasons[stringOf(response?.incomplete_details?.reason)] ?? "other");
  }
}

const incompleteReasons: Readonly<Record<string, FinishReason>> = {
  max_output_tokens: "length",
  content_filter: "content-filter",
};

/** The fields that are read of an event. Nothing is sure about any of them. */
interface ResponsesEvent {
  readonly type?: string;
  readonly sequence_number?: unknown;
  readonly output_index?: unknown;
  readonly delta?: unknown;
  readonly arguments?: unknown;
  readonly item?: ResponsesItem;
  readonly response?: {
    readonly id?: unknown;
    readonly output?: readonly (ResponsesItem | null)[];
    readonly incomplete_details?: { readonly reason?: unknown } | null;
    readonly usage?: {
      readonly input_tokens?: unknown;
      readonly output_tokens?: unknown;
      readonly input_tokens_details?: { readonly cached_tokens?: unknown } | null;
      readonly output_tokens_details?: { readonly reasoning_tokens?: unknown } | null;
    } | null;
  };
}
interface ResponsesItem {
  readonly type?: unknown;
  readonly call_id?: unknown;
  readonly name?: unknown;
  readonly arguments?: unknown;
  readonly content?: readonly ({ readonly text?: unknown; readonly refusal?: unknown } | null)[];
}
