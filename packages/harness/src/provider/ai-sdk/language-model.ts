/**
 * A language model of the AI SDK, as far as it is used here: specifications v2 (AI SDK 5), v3 (6) and v4 (7). Written down
 * instead of imported, so that the harness needs no package of the SDK and takes models of any of its versions.
 */
export interface AiSdkModel {
  readonly specificationVersion: string;
  /** For example `openai.chat`. */
  readonly provider: string;
  readonly modelId: string;
  doStream(options: AiSdkCall): PromiseLike<{ readonly stream: ReadableStream<AiSdkPart> }>;
}

/** What makes models by name: `createOpenAI()`, `createAnthropic()`, a provider registry. */
export interface AiSdkProvider {
  languageModel(modelId: string): AiSdkModel;
}

export interface AiSdkCall {
  readonly prompt: readonly unknown[];
  readonly maxOutputTokens?: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly seed?: number;
  readonly responseFormat?: unknown;
  readonly tools?: readonly unknown[];
  readonly abortSignal?: AbortSignal;
  readonly providerOptions?: unknown;
}

/** A part of a stream. Nothing is sure about any of its fields. */
export interface AiSdkPart {
  readonly type: string;
  readonly id?: unknown;
  readonly delta?: unknown;
  readonly toolCallId?: unknown;
  readonly toolName?: unknown;
  readonly input?: unknown;
  readonly usage?: unknown;
  readonly finishReason?: unknown;
  readonly providerExecuted?: unknown;
  readonly providerMetadata?: unknown;
  readonly error?: unknown;
}
