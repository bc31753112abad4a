import type { Message } from "@benchtop/protocol";

/**
 * Tokens of a text without its tokenizer: a quarter of its UTF-8 bytes, which is near for English and code and for
 * scripts of three bytes a character. Where a provider reports usage, that is what counts.
 */
export function estimateTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4);
}

/** The same for a message, with the few tokens that any message's frame costs. */
export function estimateMessageTokens(message: Message): number {
  const frame = 4;
  if (message.role !== "assistant") return frame + estimateTokens(message.content);
  const calls = message.toolCalls ?? [];
  return (
    frame +
    estimateTokens(message.content) +
    calls.reduce((sum, call) => sum + frame + estimateTokens(call.name + argumentsText(call)), 0)
  );
}

function argumentsText(call: { arguments: unknown; invalidArguments?: string | undefined }): string {
  return call.invalidArguments ?? JSON.stringify(call.arguments);
}
