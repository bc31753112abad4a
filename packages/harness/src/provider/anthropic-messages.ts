import type { FinishReason } from "@benchtop/protocol";
import { complaintIn, failureOfFrame, noComplaint, type FailureContext } from "../errors/provider-failure.ts";
import { anthropicBody, type AnthropicRequestOptions } from "./anthropic-request.ts";
import { continuationOf, type Origin, type Place } from "./continuation.ts";
import { DeltaTemplate } from "./delta-template.ts";
import {
  endedEarly,
  isCount,
  KeptText,
  parseEvent,
  pushText,
  stringOf,
  usageOf,
  type EventReader,
} from "./event-reader.ts";
import { eventStreamAdapter, type ProviderOptions } from "./event-stream.ts";
import type { ProviderAdapter, ProviderPart, ProviderRequest } from "./provider.ts";

export interface AnthropicMessagesOptions extends ProviderOptions, AnthropicRequestOptions {}

/**
 * The Messages API of Anthropic, also spoken by gateways and by servers of other models. Thinking goes back signed as it
 * came. It has no `seed`.
 * Events: https://platform.claude.com/docs/en/build-with-claude/streaming
 */
export function anthropicMessages(options: AnthropicMessagesOptions): ProviderAdapter {
  const originOf = ({ modelId }: ProviderRequest): Origin => ({
    protocol: "anthropic-messages",
    providerId: options.id,
    modelId,
  });
  return eventStreamAdapter(options, {
    path: "/messages",
    headers: anthropicHeaders(),
    authorization: anthropicHeaders,
    bodyOf: (request) => anthropicBody(request, originOf(request), options),
    readerOf: (request, context) => new MessagesReader(originOf(request), context),
  });
}

/** What every request to Anthropic says besides its body, the list of models included. */
export function anthropicHeaders(apiKey?: string): Record<string, string> {
  return { "anthropic-version": "2023-06-01", ...(apiKey !== undefined && { "x-api-key": apiKey }) };
}

/** A content block of the answer while its events come in. */
interface ContentBlock {
  readonly type: string;
  readonly id: string;
  readonly name: string;
  /** Of a call: its arguments as given at the start, for servers that stream none. */
  readonly input: unknown;
  /** Of redacted thinking. */
  readonly data: string;
  /** Arguments or thinking. */
  text: string;
  textLength: number;
  signature: string;
}

class MessagesReader implements EventReader {
  readonly #context: FailureContext;
  readonly #origin: Origin;
  readonly #template = new DeltaTemplate("text");
  #templateBlock: ContentBlock | undefined;
  readonly #blocks = new Map<number, ContentBlock>();
  readonly #kept: KeptText;
  #usage: MessagesUsage = {};
  #responseId: string | undefined;
  #finish: FinishReason | undefined;
  isDone = false;

  constructor(origin: Origin, context: FailureContext) {
    this.#origin = origin;
    this.#context = context;
    this.#kept = new KeptText(context);
  }

  read(data: string, parts: ProviderPart[]): void {
    if (this.isDone) return;
    const known = this.#templateBlock && this.#template.match(data);
    if (known !== undefined) return this.#readText(this.#templateBlock as ContentBlock, known, parts);
    const event: MessagesEvent = parseEvent(data, this.#context);
    switch (event.type) {
      case "content_block_delta":
        return this.#readDelta(data, event, parts);
      case "content_block_start":
        return this.#readStart(event, parts);
      case "message_start":
        this.#responseId = stringOf(event.message?.id) || undefined;
        this.#addUsage(event.message?.usage);
        return;
      case "message_delta":
        this.#addUsage(event.usage);
        return this.#readEnd(event.delta, parts);
      case "message_stop":
        this.isDone = true;
        return;
      case "error":
        throw failureOfFrame(complaintIn(event) ?? noComplaint, this.#context);
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
    const blocks = [...this.#blocks].sort(([left], [right]) => left - right).map(([, block]) => block);
    for (const block of blocks) {
      if (block.type !== "tool_use") continue;
      const { id, name } = block;
      parts.push({ type: "tool-call", ...(id !== "" && { callId: id }), name, arguments: argumentsOf(block) });
    }
    const places = blocks.flatMap(placesOf);
    if (places.some(({ kind }) => kind === "block")) {
      parts.push({ type: "continuation", continuation: continuationOf(this.#origin, places) });
    }
    if (this.#responseId !== undefined) parts.push({ type: "response", responseId: this.#responseId });
    const usage = wholeUsageOf(this.#usage);
    if (usage) parts.push({ type: "usage", usage });
    parts.push({ type: "finish", reason: this.#finish });
  }

  #readStart({ index, content_block: wire }: MessagesEvent, parts: ProviderPart[]): void {
    const block: ContentBlock = {
      type: stringOf(wire?.type),
      id: stringOf(wire?.id),
      name: stringOf(wire?.name),
      input: wire?.input,
      data: this.#kept.add(stringOf(wire?.data)),
      text: "",
      textLength: 0,
      signature: stringOf(wire?.signature),
    };
    this.#kept.addPiece();
    this.#blocks.set(typeof index === "number" ? index : this.#blocks.size, block);
    if (block.type === "text") this.#readText(block, stringOf(wire?.text), parts);
    if (block.type === "thinking") this.#readThinking(block, stringOf(wire?.thinking), parts);
  }

  #readDelta(data: string, { index, delta }: MessagesEvent, parts: ProviderPart[]): void {
    const block = this.#blocks.get(typeof index === "number" ? index : this.#blocks.size - 1);
    if (!block) return;
    switch (delta?.type) {
      case "text_delta": {
        const text = stringOf(delta.text);
        this.#readText(block, text, parts);
        if (this.#template.learn(data, text)) this.#templateBlock = block;
        return;
      }
      case "thinking_delta":
        return this.#readThinking(block, stringOf(delta.thinking), parts);
      case "signature_delta":
        block.signature += this.#kept.add(stringOf(delta.signature));
        return;
      case "input_json_delta":
        block.text += this.#kept.add(stringOf(delta.partial_json));
        return;
      default:
    }
  }

  #readText(block: ContentBlock, text: string, parts: ProviderPart[]): void {
    if (text === "") return;
    block.textLength += text.length;
    pushText(parts, "text", text);
  }

  #readThinking(block: ContentBlock, text: string, parts: ProviderPart[]): void {
    if (text === "") return;
    block.text += this.#kept.add(text);
    pushText(parts, "reasoning", text);
  }

  #readEnd(delta: MessagesDelta | undefined, parts: ProviderPart[]): void {
    const reason = delta?.stop_reason;
    if (typeof reason !== "string" || this.#finish !== undefined) return;
    this.#finish = finishReasons[reason] ?? "other";
    const explanation = reason === "refusal" ? stringOf(delta?.stop_details?.explanation) : "";
    if (explanation !== "") pushText(parts, "refusal", explanation);
  }

  /** Numbers are totals so far, not additions; each event repeats those that it knows. */
  #addUsage(usage: MessagesUsage | null | undefined): void {
    for (const [name, value] of Object.entries(usage ?? {})) {
      if (value !== null) this.#usage = { ...this.#usage, [name]: value };
    }
  }
}

function argumentsOf({ text, input }: ContentBlock): string {
  if (text !== "" || typeof input !== "object" || input === null) return text;
  return JSON.stringify(input);
}

/** Thinking without a signature is some other model's: no server wants to see it again. */
function placesOf({ type, text, textLength, signature, data }: ContentBlock): Place[] {
  if (type === "text") return [{ kind: "text", length: textLength }];
  if (type === "tool_use") return [{ kind: "call" }];
  if (type === "thinking" && signature !== "") return [{ kind: "block", block: { type, thinking: text, signature } }];
  return type === "redacted_thinking" && data !== "" ? [{ kind: "block", block: { type, data } }] : [];
}

/** Input tokens of the wire are only those that the prompt cache had nothing to do with. */
function wholeUsageOf(usage: MessagesUsage) {
  const { input_tokens: fresh, cache_read_input_tokens: cached, cache_creation_input_tokens: cacheWrite } = usage;
  const input = [fresh, cached ?? 0, cacheWrite ?? 0];
  return usageOf(input.every(isCount) ? input.reduce((sum, count) => sum + count, 0) : undefined, usage.output_tokens, {
    cached,
    cacheWrite,
    reasoning: usage.output_tokens_details?.thinking_tokens,
  });
}

const finishReasons: Readonly<Record<string, FinishReason>> = {
  end_turn: "stop",
  stop_sequence: "stop",
  tool_use: "tool-calls",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  refusal: "content-filter",
};

/** The fields that are read of an event. Nothing is sure about any of them. */
interface MessagesEvent {
  readonly type?: string;
  readonly index?: unknown;
  readonly message?: { readonly id?: unknown; readonly usage?: MessagesUsage | null };
  readonly content_block?: Readonly<Record<string, unknown>>;
  readonly delta?: MessagesDelta;
  readonly usage?: MessagesUsage | null;
}
interface MessagesDelta {
  readonly type?: unknown;
  readonly text?: unknown;
  readonly thinking?: unknown;
  readonly signature?: unknown;
  readonly partial_json?: unknown;
  readonly stop_reason?: unknown;
  readonly stop_details?: { readonly explanation?: unknown } | null;
}
interface MessagesUsage {
  readonly input_tokens?: unknown;
  readonly output_tokens?: unknown;
  readonly cache_read_input_tokens?: unknown;
  readonly cache_creation_input_tokens?: unknown;
  readonly output_tokens_details?: { readonly thinking_tokens?: unknown } | null;
}
