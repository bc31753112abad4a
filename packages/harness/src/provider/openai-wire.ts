import { BenchtopError, type ToolCall, type Usage } from "@benchtop/protocol";
import type { FailureContext } from "../errors/provider-failure.ts";
import type { ProviderPart } from "./provider.ts";

/** What both protocols of OpenAI share. */

/** Adds text to a batch, joined to the text before it. */
export function pushText(parts: ProviderPart[], type: "text" | "reasoning" | "refusal", text: string): void {
  const last = parts.at(-1);
  if (last?.type === type) parts[parts.length - 1] = { type, text: last.text + text };
  else parts.push({ type, text });
}

/** The JSON object of an event. Throws `PROVIDER_UNAVAILABLE` for anything else. */
export function parseEvent(data: string, context: FailureContext): object {
  let event: unknown;
  try {
    event = JSON.parse(data);
  } catch {
    throw malformed(context);
  }
  if (typeof event !== "object" || event === null) throw malformed(context);
  return event;
}

export function endedEarly({ providerId, modelId }: FailureContext): BenchtopError {
  return new BenchtopError("PROVIDER_UNAVAILABLE", `The stream of ${providerId} ended early.`, { providerId, modelId });
}

/** Usage as reported; nothing when the numbers are not whole and positive. */
export function usageOf(
  inputTokens: unknown,
  outputTokens: unknown,
  { cached, reasoning }: { readonly cached: unknown; readonly reasoning: unknown },
): Usage | undefined {
  if (!isCount(inputTokens) || !isCount(outputTokens)) return undefined;
  return {
    inputTokens,
    outputTokens,
    ...(isCount(cached) && cached > 0 && { cachedInputTokens: cached }),
    ...(isCount(reasoning) && reasoning > 0 && { reasoningTokens: reasoning }),
  };
}

/** Characters of tool arguments that one answer may hold: they are kept until it ends, and a server may never end it. */
export const maxArgumentsLength = 16 * 1024 * 1024;

export function tooMuch({ providerId, modelId }: FailureContext): BenchtopError {
  return new BenchtopError("PROVIDER_UNAVAILABLE", `${providerId} sent tool arguments without end.`, {
    providerId,
    modelId,
    retryable: false,
  });
}

export function stringOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** A call's arguments as the model wrote them. */
export function argumentsTextOf(call: ToolCall): string {
  return call.invalidArguments ?? JSON.stringify(call.arguments);
}

function malformed({ providerId, modelId }: FailureContext): BenchtopError {
  return new BenchtopError("PROVIDER_UNAVAILABLE", `${providerId} sent something that is not the protocol's JSON.`, {
    providerId,
    modelId,
  });
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
