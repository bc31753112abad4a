import type { Json, Message, ToolCall, UserMessage } from "@benchtop/protocol";
import type { ToolSpec } from "../tools/tool.ts";
import { anthropicModel, type AnthropicModel } from "./anthropic-models.ts";
import { decodableSchema } from "./anthropic-schema.ts";
import { attachmentsOf, type WireAttachment } from "./attachment.ts";
import { piecesOf, type Origin, type Piece } from "./continuation.ts";
import type { OutputSchema, ProviderRequest } from "./provider.ts";

export interface AnthropicRequestOptions {
  /**
   * How long the provider keeps what it has read of the prompt, so that the next call does not pay for all of it again.
   * Writing costs a quarter more than reading afresh (twice as much for an hour), what is read again costs a tenth.
   */
  readonly promptCache?: "off" | "5m" | "1h";
}

/** The body of a call of the Messages API. Throws `VALIDATION_FAILED` for an attachment that it cannot carry. */
export function anthropicBody(request: ProviderRequest, origin: Origin, options: AnthropicRequestOptions): object {
  const { modelId, tools, temperature, topP, output } = request;
  const model = anthropicModel(modelId);
  const maxTokens = request.maxOutputTokens ?? model.maxOutputTokens;
  const thinking = thinkingOf(request, model, maxTokens, origin);
  const schema = output && model.takesSchema ? decodableSchema(output.schema) : undefined;
  const effort = thinking?.["type"] === "adaptive" ? request.reasoningEffort : undefined;
  const system = systemOf(request.messages, schema ? undefined : output);
  const turns = turnsOf(request.messages, origin);
  const cacheControl = cacheControlOf(options);
  return {
    model: modelId,
    max_tokens: maxTokens,
    ...(system.length > 0 && { system: marked(system, cacheControl) }),
    messages: withMarkedTurns(turns, cacheControl),
    ...(tools && { tools: marked(tools.map(wireTool), cacheControl) }),
    ...(thinking && { thinking }),
    ...((schema ?? effort) && {
      output_config: { ...(effort && { effort }), ...(schema && { format: { type: "json_schema", schema } }) },
    }),
    ...(temperature !== undefined && model.takesTemperature && !thinking && { temperature }),
    // One of the two: newer models refuse both.
    ...(topP !== undefined && temperature === undefined && model.takesTemperature && !thinking && { top_p: topP }),
    stream: true,
  };
}

type WireBlock = { readonly type: string } & Readonly<Record<string, unknown>>;

interface Turn {
  readonly role: "user" | "assistant";
  readonly content: WireBlock[];
}

const effortTokens = { low: 2048, medium: 8192, high: 24_576 } as const;
const leastThinkingTokens = 1024;

/** Nothing is said about thinking where nobody asked: each model then does what its maker recommends. */
function thinkingOf(request: ProviderRequest, model: AnthropicModel, maxTokens: number, origin: Origin) {
  const { reasoningEffort } = request;
  if (reasoningEffort === undefined || model.thinking === "none") return undefined;
  if (model.thinking === "effort") return { type: "adaptive", display: "summarized" };
  const budget = Math.min(effortTokens[reasoningEffort], maxTokens - leastThinkingTokens);
  if (budget < leastThinkingTokens || isInsideForeignTurn(request.messages, origin)) return undefined;
  return { type: "enabled", budget_tokens: budget };
}

/** These models refuse to start thinking between the tool calls of a turn that another model, without thoughts to show, began. */
function isInsideForeignTurn(messages: readonly Message[], origin: Origin): boolean {
  const answer = messages.at(-1)?.role === "tool" ? messages.findLast(({ role }) => role === "assistant") : undefined;
  return answer?.role === "assistant" && piecesOf(answer, origin)[0]?.kind !== "block";
}

/** The instructions at the head of the conversation. A form of the answer that nothing guarantees is asked for here. */
function systemOf(messages: readonly Message[], output: OutputSchema | undefined): WireBlock[] {
  const first = messages.findIndex(({ role }) => role !== "system");
  const head = messages.slice(0, first === -1 ? messages.length : first);
  const texts = head.map(({ content }) => content);
  if (output) {
    texts.push(
      `Answer with JSON alone, without a code fence, that follows this JSON Schema:\n${JSON.stringify(output.schema)}`,
    );
  }
  return texts.filter(isVisible).map(textBlock);
}

/** The conversation after its head. What the user says and what tools return becomes one turn of the user. */
function turnsOf(messages: readonly Message[], origin: Origin): Turn[] {
  const turns: Turn[] = [];
  let isHead = true;
  for (const message of messages) {
    isHead &&= message.role === "system";
    if (isHead) continue;
    const content = blocksOf(message, origin);
    if (content.length === 0) continue;
    const role = message.role === "assistant" ? "assistant" : "user";
    const last = turns.at(-1);
    if (last?.role === role) last.content.push(...content);
    else turns.push({ role, content });
  }
  return turns;
}

function blocksOf(message: Message, origin: Origin): WireBlock[] {
  switch (message.role) {
    case "system":
      return isVisible(message.content) ? [textBlock(message.content)] : [];
    case "user":
      return userBlocks(message);
    case "assistant":
      return piecesOf(message, origin).flatMap(answerBlock);
    default:
      return [
        {
          type: "tool_result",
          tool_use_id: wireId(message.callId),
          ...(message.content !== "" && { content: message.content }),
          ...(message.isError === true && { is_error: true }),
        },
      ];
  }
}

/** Attachments come first: a question about a document is answered better below it. */
function userBlocks(message: UserMessage): WireBlock[] {
  const attachments = attachmentsOf(message, "the Messages API", ["image", "pdf", "text"]).map(wireAttachment);
  return isVisible(message.content) ? [...attachments, textBlock(message.content)] : attachments;
}

function wireAttachment(attachment: WireAttachment): WireBlock {
  const { kind, name } = attachment;
  if (kind === "text") {
    return { type: "document", source: { type: "text", media_type: "text/plain", data: attachment.text }, title: name };
  }
  const source = { type: "base64", media_type: attachment.mediaType, data: attachment.data };
  return kind === "image" ? { type: "image", source } : { type: "document", source, title: name };
}

function answerBlock(piece: Piece): WireBlock[] {
  if (piece.kind === "block") return [piece.block as WireBlock];
  if (piece.kind === "text") return isVisible(piece.text) ? [textBlock(piece.text)] : [];
  const { call } = piece;
  return [{ type: "tool_use", id: wireId(call.callId), name: call.name, input: inputOf(call) }];
}

/** Arguments have to be an object, whatever the model wrote. */
function inputOf({ arguments: input, invalidArguments }: ToolCall): Json {
  if (typeof input === "object" && input !== null && !Array.isArray(input)) return input;
  return { invalid_arguments: invalidArguments ?? input };
}

/** Ids of other providers may hold what this one refuses. */
function wireId(callId: string): string {
  return callId.replaceAll(/[^a-zA-Z0-9_-]/g, "_");
}

/** A text of white space alone is refused. */
function isVisible(text: string): boolean {
  return text.trim() !== "";
}

function textBlock(text: string): WireBlock {
  return { type: "text", text };
}

function wireTool({ name, description, inputSchema }: ToolSpec): WireBlock {
  return { type: "custom", name, description, input_schema: inputSchema };
}

type CacheControl = { readonly type: "ephemeral"; readonly ttl?: "1h" };

function cacheControlOf({ promptCache = "5m" }: AnthropicRequestOptions): CacheControl | undefined {
  if (promptCache === "off") return undefined;
  return { type: "ephemeral", ...(promptCache === "1h" && { ttl: promptCache }) };
}

/** Everything up to and including the last block is kept. */
function marked(blocks: readonly WireBlock[], cacheControl: CacheControl | undefined): WireBlock[] {
  const last = blocks.at(-1);
  return last && cacheControl ? [...blocks.slice(0, -1), { ...last, cache_control: cacheControl }] : [...blocks];
}

/**
 * The last two turns of the user are marked: what the call before wrote is read, and what this one adds is written. With the
 * tools and the instructions that makes four marks, as many as are taken.
 */
function withMarkedTurns(turns: readonly Turn[], cacheControl: CacheControl | undefined): Turn[] {
  const marks = new Set(turns.filter(({ role }) => role === "user").slice(-2));
  return turns.map((turn) => (marks.has(turn) ? { ...turn, content: marked(turn.content, cacheControl) } : turn));
}
