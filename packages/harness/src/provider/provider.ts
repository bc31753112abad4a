import type { Continuation, FinishReason, Message, Usage } from "@benchtop/protocol";
import type { JsonSchema, ToolSpec } from "../tools/tool.ts";

/** The name a provider goes by in model references: the part before the first slash of `provider/model`. */
export type ProviderId = string;

/** One question to a model, independent of any wire format. */
export interface ProviderRequest {
  readonly modelId: string;
  readonly messages: readonly Message[];
  readonly tools?: readonly ToolSpec[];
  readonly maxOutputTokens?: number;
  readonly temperature?: number;
  /** The smallest set of next tokens with this share of the probability; 0 to 1. */
  readonly topP?: number;
  readonly seed?: number;
  /** How long a model that can reason should; others ignore it. */
  readonly reasoningEffort?: "low" | "medium" | "high";
  /** The answer has to be JSON of this schema. The loop checks it, whatever the provider promises. */
  readonly output?: OutputSchema;
}

export interface OutputSchema {
  /** 1 to 64 letters, digits, dashes or underscores. */
  readonly name: string;
  readonly schema: JsonSchema;
}

export type ProviderPart =
  | { readonly type: "text" | "reasoning" | "refusal"; readonly text: string }
  /** A whole tool call. `arguments` is the model's own text; `callId` may be missing or repeated, the loop sees to that. */
  | { readonly type: "tool-call"; readonly callId?: string; readonly name: string; readonly arguments: string }
  | { readonly type: "response"; readonly responseId: string }
  /** What the protocol wants to see again with this message. */
  | { readonly type: "continuation"; readonly continuation: Continuation }
  | { readonly type: "usage"; readonly usage: Usage }
  | { readonly type: "finish"; readonly reason: FinishReason };

/**
 * Speaks one provider's protocol. Every adapter passes the suite in `conformance.ts`.
 *
 * The stream yields batches: first an empty one, as soon as the provider has accepted the request (its response began); then
 * the parts decoded from each network chunk, adjacent text joined. It ends after exactly one
 * `finish`; everything else is thrown as a `BenchtopError` (`PROVIDER_UNAVAILABLE` when the stream ends early,
 * `USER_CANCELED` when the signal aborts). Leaving the iteration or aborting the signal closes the connection.
 */
export interface ProviderAdapter {
  readonly id: ProviderId;
  stream(request: ProviderRequest, signal: AbortSignal): AsyncIterable<readonly ProviderPart[]>;
}
