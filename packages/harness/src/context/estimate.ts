import type { Attachment, Message } from "@benchtop/protocol";

/** Counts the tokens of a text. */
export interface TokenCounter {
  count(text: string): number;
  /** Whether it is the model's own tokenizer that counts. */
  readonly exact: boolean;
}

/**
 * Tokens of a text without its tokenizer: a quarter of its UTF-8 bytes, which is near for English and code and for
 * scripts of three bytes a character. Where a provider reports usage, that is what counts.
 */
export function estimateTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4);
}

export const estimatingCounter: TokenCounter = { count: estimateTokens, exact: false };

/**
 * Tokens of a message as it is sent again: its text, its calls, what its protocol wants to see once more, its attachments,
 * and the few tokens that any message's frame costs. Reasoning is not sent again.
 */
export function estimateMessageTokens(message: Message, counter: TokenCounter = estimatingCounter): number {
  if (counter !== estimatingCounter) return countMessage(message, counter);
  let known = estimates.get(message);
  if (known === undefined) estimates.set(message, (known = countMessage(message, counter)));
  return known;
}

/** A run asks for the size of its whole conversation at each turn, and messages do not change. */
const estimates = new WeakMap<Message, number>();

function countMessage(message: Message, counter: TokenCounter): number {
  const text = messageFrame + counter.count(message.content);
  if (message.role === "user") return text + sum(message.attachments ?? [], attachmentTokens);
  if (message.role !== "assistant") return text;
  const calls = sum(message.toolCalls ?? [], (call) => messageFrame + counter.count(call.name + argumentsText(call)));
  const continued = message.continuation ? estimateTokens(JSON.stringify(message.continuation.blocks)) : 0;
  return text + calls + continued;
}

const messageFrame = 4;

/**
 * What an attachment is taken to cost. An image: 1,600, what providers count for the largest that they do not shrink. Text:
 * a token for four bytes. A document: a token for sixteen bytes and no less than 1,500, about what a page of PDF costs
 * that is read both as text and as an image. Unknown sizes count as the least of their kind.
 */
export function attachmentTokens({ mediaType, data = "" }: Attachment): number {
  const bytes = Buffer.byteLength(data, "base64");
  if (mediaType.startsWith("image/")) return 1600;
  if (mediaType.startsWith("text/") || mediaType === "application/json") return Math.max(50, Math.ceil(bytes / 4));
  return Math.max(1500, Math.ceil(bytes / 16));
}

function argumentsText(call: { arguments: unknown; invalidArguments?: string | undefined }): string {
  return call.invalidArguments ?? JSON.stringify(call.arguments);
}

function sum<Item>(items: readonly Item[], tokensOf: (item: Item) => number): number {
  return items.reduce((total, item) => total + tokensOf(item), 0);
}
