import { BenchtopError, type Usage } from "@benchtop/protocol";
import type { FailureContext } from "../errors/provider-failure.ts";
import type { ProviderPart } from "./provider.ts";

/** Reads the events of one response. Made anew for each call. */
export interface EventReader {
  /** Reads the data of one event and adds the parts that it completes. Throws the provider's own error. */
  read(data: string, parts: ProviderPart[]): void;
  /** True once nothing more is expected. */
  readonly isDone: boolean;
  /** Adds what is only known at the end, `finish` last. Throws when the answer is not complete. */
  end(parts: ProviderPart[]): void;
}

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

/** Parts of the usage that not every provider reports. */
export interface UsageDetails {
  readonly cached?: unknown;
  readonly cacheWrite?: unknown;
  readonly reasoning?: unknown;
}

/** Usage as reported; nothing when the numbers are not whole and positive. `inputTokens` is all input, cached or not. */
export function usageOf(inputTokens: unknown, outputTokens: unknown, details: UsageDetails): Usage | undefined {
  const { cached, cacheWrite, reasoning } = details;
  if (!isCount(inputTokens) || !isCount(outputTokens)) return undefined;
  return {
    inputTokens,
    outputTokens,
    ...(isCount(cached) && cached > 0 && { cachedInputTokens: cached }),
    ...(isCount(cacheWrite) && cacheWrite > 0 && { cacheWriteInputTokens: cacheWrite }),
    ...(isCount(reasoning) && reasoning > 0 && { reasoningTokens: reasoning }),
  };
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/**
 * Counts what a reader has to keep until the answer ends (tool calls and their arguments, signed blocks), because a server
 * may never end it. Throws above 16 Mi characters, and above 1,000 calls or blocks.
 */
export class KeptText {
  readonly #context: FailureContext;
  #length = 0;
  #pieces = 0;

  constructor(context: FailureContext) {
    this.#context = context;
  }

  add(text: string): string {
    this.#length += text.length;
    if (this.#length > mostKept) throw this.#tooMuch("tool arguments or reasoning");
    return text;
  }

  /** One more call or block is kept. */
  addPiece(): void {
    this.#pieces += 1;
    if (this.#pieces > mostPieces) throw this.#tooMuch("tool calls");
  }

  #tooMuch(what: string): BenchtopError {
    const { providerId, modelId } = this.#context;
    return new BenchtopError("PROVIDER_UNAVAILABLE", `${providerId} sent ${what} without end.`, {
      providerId,
      modelId,
      retryable: false,
    });
  }
}

const mostKept = 16 * 1024 * 1024;
const mostPieces = 1000;

export function stringOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function malformed({ providerId, modelId }: FailureContext): BenchtopError {
  return new BenchtopError("PROVIDER_UNAVAILABLE", `${providerId} sent something that is not the protocol's JSON.`, {
    providerId,
    modelId,
  });
}
