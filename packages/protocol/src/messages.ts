import { z } from "zod";

/** Free-form JSON, as tools and providers exchange it. */
export const Json: z.ZodType<Json> = z.json();
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** A call that a model asks for. `arguments` is what the model wrote, parsed; `null` when it was not JSON. */
export const ToolCall = z.object({
  callId: z.string(),
  name: z.string(),
  arguments: Json,
  /** The model's own text, kept when it could not be parsed. */
  invalidArguments: z.string().optional(),
});
export type ToolCall = z.infer<typeof ToolCall>;

export const SystemMessage = z.object({ role: z.literal("system"), content: z.string() });
/** An image or a document beside a message's text: its bytes in base64, or the hash of a blob that holds them. */
export const Attachment = z.object({
  mediaType: z.string(),
  name: z.string().optional(),
  data: z.string().optional(),
  sha256: z.string().optional(),
});
export type Attachment = z.infer<typeof Attachment>;

export const UserMessage = z.object({
  role: z.literal("user"),
  content: z.string(),
  attachments: z.array(Attachment).optional(),
});
/**
 * What a protocol wants to see again, unread, in the next request: signed thinking, encrypted reasoning. Only an adapter of
 * the same protocol sends it back; to every other the message is its text and its calls.
 */
export const Continuation = z.object({ protocol: z.string(), blocks: z.array(Json) });
export type Continuation = z.infer<typeof Continuation>;

export const AssistantMessage = z.object({
  role: z.literal("assistant"),
  content: z.string(),
  reasoning: z.string().optional(),
  refusal: z.string().optional(),
  toolCalls: z.array(ToolCall).optional(),
  continuation: Continuation.optional(),
});
export const ToolMessage = z.object({
  role: z.literal("tool"),
  callId: z.string(),
  name: z.string(),
  content: z.string(),
  isError: z.boolean().optional(),
});

/** One entry of a conversation, independent of any provider's wire format. */
export const Message = z.discriminatedUnion("role", [SystemMessage, UserMessage, AssistantMessage, ToolMessage]);
export type Message = z.infer<typeof Message>;
export type UserMessage = z.infer<typeof UserMessage>;
export type AssistantMessage = z.infer<typeof AssistantMessage>;
export type ToolMessage = z.infer<typeof ToolMessage>;

/** Tokens as the provider reported them; `estimated` when it reported none and they were counted from the text. */
export const Usage = z.object({
  inputTokens: z.int().nonnegative(),
  outputTokens: z.int().nonnegative(),
  /** Part of the input that was read from the provider's prompt cache, and part that was written to it. */
  cachedInputTokens: z.int().nonnegative().optional(),
  cacheWriteInputTokens: z.int().nonnegative().optional(),
  reasoningTokens: z.int().nonnegative().optional(),
  estimated: z.boolean().optional(),
});
export type Usage = z.infer<typeof Usage>;

/** The budget of a run. Every limit is enforced; one that is absent takes the default of the daemon. */
export const Contract = z.object({
  /** Provider calls of the loop. */
  maxSteps: z.int().positive().optional(),
  /** Input + output tokens over the whole run. */
  maxTotalTokens: z.int().positive().optional(),
  /** Cost in micro-dollars (1 USD = 1,000,000) over the whole run. */
  maxCostMicros: z.int().nonnegative().optional(),
  maxDurationMs: z.int().positive().optional(),
});
export type Contract = z.infer<typeof Contract>;

export const FinishReason = z.enum(["stop", "tool-calls", "length", "content-filter", "other"]);
export type FinishReason = z.infer<typeof FinishReason>;
