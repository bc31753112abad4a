import type { FinishReason, Message, Usage, UserMessage } from "@benchtop/protocol";
import { complaintIn, failureOfFrame, noComplaint, type FailureContext } from "../errors/provider-failure.ts";
import { attachmentsOf, dataUrl, quotedFile, type WireAttachment } from "./attachment.ts";
import { continuationOf, piecesOf, type Block, type Origin, type Piece, type Place } from "./continuation.ts";
import { endedEarly, KeptText, parseEvent, pushText, stringOf, usageOf, type EventReader } from "./event-reader.ts";
import { eventStreamAdapter, type ProviderOptions } from "./event-stream.ts";
import { argumentsTextOf, isOpenAiReasoning, isStrictSchema } from "./openai-request.ts";
import type { ProviderAdapter, ProviderPart, ProviderRequest } from "./provider.ts";

/**
 * The Responses API of OpenAI, without state on its side (`store: false`): every call sends the conversation, and the
 * reasoning behind earlier answers goes back encrypted as it came. It has no `seed`.
 * Events: https://developers.openai.com/api/reference/resources/responses/streaming-events
 */
export function openaiResponses(options: ProviderOptions): ProviderAdapter {
  const originOf = ({ modelId }: ProviderRequest): Origin => ({
    protocol: "openai-responses",
    providerId: options.id,
    modelId,
  });
  return eventStreamAdapter(options, {
    path: "/responses",
    bodyOf: (request) => bodyOf(request, originOf(request)),
    readerOf: (request, context) => new ResponsesReader(originOf(request), context),
  });
}

/** Smaller limits are refused by OpenAI. */
const leastOutputTokens = 16;

function bodyOf(request: ProviderRequest, origin: Origin): object {
  const { modelId, messages, tools, maxOutputTokens, temperature, topP, reasoningEffort, output } = request;
  const [first, ...rest] = messages;
  const instructions = first?.role === "system" ? first.content : undefined;
  const reasons = isOpenAiReasoning(modelId);
  return {
    model: modelId,
    ...(instructions !== undefined && { instructions }),
    input: (instructions === undefined ? messages : rest).flatMap((message) => wireItems(message, origin)),
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
    ...(temperature !== undefined && reasons !== true && { temperature }),
    ...(topP !== undefined && reasons !== true && { top_p: topP }),
    ...(reasoningEffort !== undefined && reasons !== false && { reasoning: { effort: reasoningEffort } }),
    ...(output && {
      text: {
        format: {
          type: "json_schema",
          name: output.name,
          schema: output.schema,
          strict: isStrictSchema(output.schema),
        },
      },
    }),
    stream: true,
    store: false,
    ...(reasons === true && { include: ["reasoning.encrypted_content"] }),
  };
}

function wireItems(message: Message, origin: Origin): object[] {
  if (message.role === "tool") {
    return [{ type: "function_call_output", call_id: message.callId, output: message.content }];
  }
  if (message.role === "assistant") return piecesOf(message, origin).map(itemOf);
  const hasAttachments = message.role === "user" && message.attachments?.length;
  return [{ role: message.role, content: hasAttachments ? userContent(message) : message.content }];
}

/** Attachments come first: a question about a document is answered better below it. */
function userContent(message: UserMessage): object[] {
  const kinds = ["image", "pdf", "text", "document"] as const;
  const attachments = attachmentsOf(message, "the Responses API", kinds).map(wireAttachment);
  return message.content === "" ? attachments : [...attachments, { type: "input_text", text: message.content }];
}

function wireAttachment(attachment: WireAttachment): object {
  if (attachment.kind === "text") return { type: "input_text", text: quotedFile(attachment) };
  return attachment.kind === "image"
    ? { type: "input_image", image_url: dataUrl(attachment), detail: "auto" }
    : { type: "input_file", filename: attachment.name, file_data: dataUrl(attachment) };
}

function itemOf(piece: Piece): object {
  if (piece.kind === "block") return piece.block;
  if (piece.kind === "text") {
    return { role: "assistant", content: piece.text, ...piece.extra };
  }
  const { call } = piece;
  return { type: "function_call", call_id: call.callId, name: call.name, arguments: argumentsTextOf(call) };
}

/** An item of the answer while its events come in. */
interface Item {
  type: string;
  callId: string;
  name: string;
  arguments: string;
  /** Text of it was given out already, so that its final form has nothing to add. */
  hasText: boolean;
  textLength: number;
  /** Of messages: commentary or final answer. OpenAI wants to see it again. */
  phase: string;
  /** Of reasoning: the whole item, to be sent back. */
  reasoning: Block | undefined;
}

class ResponsesReader implements EventReader {
  readonly #context: FailureContext;
  readonly #origin: Origin;
  readonly #items = new Map<number, Item>();
  readonly #kept: KeptText;
  #lastSequence = -1;
  #responseId: string | undefined;
  #usage: Usage | undefined;
  #finish: FinishReason | undefined;

  constructor(origin: Origin, context: FailureContext) {
    this.#origin = origin;
    this.#context = context;
    this.#kept = new KeptText(context);
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
        this.#item(event).arguments += this.#kept.add(stringOf(event.delta));
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
        throw failureOfFrame(complaintIn(event.response ?? event) ?? noComplaint, this.#context);
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
    const items = [...this.#items].sort(([left], [right]) => left - right).map(([, item]) => item);
    const calls = items.filter((item) => item.type === "function_call");
    for (const { callId, name, arguments: text } of calls) {
      parts.push({ type: "tool-call", ...(callId !== "" && { callId }), name, arguments: text });
    }
    if (items.some((item) => item.reasoning ?? item.phase)) {
      parts.push({ type: "continuation", continuation: continuationOf(this.#origin, items.flatMap(placesOf)) });
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
      this.#kept.addPiece();
      item = { ...newItem };
      this.#items.set(key, item);
    }
    return item;
  }

  #readText(type: "text" | "reasoning" | "refusal", event: ResponsesEvent, parts: ProviderPart[]): void {
    const text = stringOf(event.delta);
    if (text === "") return;
    const item = this.#item(event);
    item.hasText = true;
    if (type === "text") item.textLength += text.length;
    pushText(parts, type, text);
  }

  /** The first and the last event of an item carry it whole, as far as it goes; servers differ in which fields are filled. */
  #readItem(wire: ResponsesItem | undefined, item: Item, parts: ProviderPart[]): void {
    item.type = stringOf(wire?.type) || item.type;
    item.callId = stringOf(wire?.call_id) || item.callId;
    item.name = stringOf(wire?.name) || item.name;
    item.arguments = stringOf(wire?.arguments) || item.arguments;
    item.phase = stringOf(wire?.phase) || item.phase;
    if (item.type === "reasoning" && wire) item.reasoning = this.#reasoning(wire) ?? item.reasoning;
    if (item.hasText || item.type !== "message") return;
    for (const content of wire?.content ?? []) {
      const refusal = stringOf(content?.refusal);
      const text = stringOf(content?.text);
      if (text !== "") pushText(parts, "text", text);
      if (refusal !== "") pushText(parts, "refusal", refusal);
      item.hasText ||= text !== "" || refusal !== "";
      item.textLength += text.length;
    }
  }

  /** A reasoning item in the form in which it may be sent back; nothing when it came without its encrypted content. */
  #reasoning({ id, summary, encrypted_content: encrypted }: ResponsesItem): Block | undefined {
    if (typeof encrypted !== "string" || encrypted === "") return undefined;
    this.#kept.add(encrypted);
    return {
      type: "reasoning",
      ...(typeof id === "string" && { id }),
      summary: (Array.isArray(summary) ? summary : []).flatMap((part: { text?: unknown } | null) =>
        typeof part?.text === "string" ? [{ type: "summary_text", text: part.text }] : [],
      ),
      encrypted_content: encrypted,
    };
  }

  #readEnd({ type, response }: ResponsesEvent, parts: ProviderPart[]): void {
    this.#responseId ??= stringOf(response?.id) || undefined;
    for (const [index, wire] of (response?.output ?? []).entries()) {
      if (wire?.type === "message" || wire?.type === "function_call" || wire?.type === "reasoning") {
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

const newItem: Item = {
  type: "",
  callId: "",
  name: "",
  arguments: "",
  hasText: false,
  textLength: 0,
  phase: "",
  reasoning: undefined,
};

function placesOf({ type, reasoning, textLength, phase }: Item): Place[] {
  if (type === "reasoning") return reasoning ? [{ kind: "block", block: reasoning }] : [];
  if (type === "function_call") return [{ kind: "call" }];
  return type === "message" ? [{ kind: "text", length: textLength, ...(phase !== "" && { extra: { phase } }) }] : [];
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
  readonly id?: unknown;
  readonly phase?: unknown;
  readonly summary?: unknown;
  readonly encrypted_content?: unknown;
  readonly call_id?: unknown;
  readonly name?: unknown;
  readonly arguments?: unknown;
  readonly content?: readonly ({ readonly text?: unknown; readonly refusal?: unknown } | null)[];
}
