import type { FinishReason, Json, Message, Usage } from "@benchtop/protocol";

/** How a model is loaded. */
export interface LlamaModelOptions {
  readonly modelPath: string;
  /** LoRA adapters (GGUF), applied in order. */
  readonly adapters?: readonly { readonly path: string; readonly scale?: number }[];
  /** Tokens of one conversation. What the model was trained with, at most `defaultContextTokens`, unless told. */
  readonly contextTokens?: number;
  /** Generations at once; they share one batch at every step (continuous batching). 1 unless told. */
  readonly parallel?: number;
  /** Threads of computation. Never more than the cores that are free. */
  readonly threads?: number;
  /** Layers on the GPU: `auto`, 0 for none. `auto` unless told; nothing where there is no GPU build. */
  readonly gpuLayers?: number | "auto";
  /** Load to embed texts instead of generating. */
  readonly embeds?: boolean;
  /** Where packages with GPU builds may lie (`node_modules`), beside the one that is installed with Benchtop. */
  readonly packagesDir?: string;
  /** How long the process may say nothing (`silentMs`), or compute nothing (`stalledMs`), while it has work, before it is ended. */
  readonly patience?: { readonly silentMs?: number; readonly stalledMs?: number };
}

/** What a loaded model turned out to be. */
export interface LlamaModelFacts {
  readonly contextTokens: number;
  readonly trainedContextTokens: number;
  readonly vocabularySize: number;
  readonly embeddingLength: number;
  readonly parameters: number;
  /** Resident, of the whole process, after loading. */
  readonly memoryBytes: number;
  readonly loadMs: number;
  /** `cpu`, `cuda`, `metal`, `vulkan`. */
  readonly device: string;
  readonly supportsTools: boolean;
  readonly hasChatTemplate: boolean;
}

export interface SamplingOptions {
  readonly maxOutputTokens?: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly minP?: number;
  readonly repeatPenalty?: number;
  readonly seed?: number;
  readonly stop?: readonly string[];
}

export interface LlamaChatRequest extends SamplingOptions {
  readonly messages: readonly Message[];
  readonly tools?: readonly { readonly name: string; readonly description: string; readonly inputSchema: Json }[];
  /** The answer is JSON of this schema, by a grammar. */
  readonly schema?: Json;
  /** The answer follows this GBNF grammar. */
  readonly grammar?: string;
  /** With each text its probability under the model: what a gate on confidence asks for. */
  readonly confidence?: boolean;
}

export interface LlamaCompletionRequest extends SamplingOptions {
  /** As it is: no template. */
  readonly prompt: string;
  readonly grammar?: string;
}

export type LlamaPart =
  | { readonly type: "text" | "reasoning"; readonly text: string; readonly logProbability?: number }
  | { readonly type: "tool-call"; readonly callId: string; readonly name: string; readonly arguments: string }
  | { readonly type: "usage"; readonly usage: Usage; readonly promptMs: number; readonly outputMs: number }
  | { readonly type: "finish"; readonly reason: FinishReason };

/** What the process is doing, for metrics and the memory meter. */
export interface LlamaModelState {
  readonly busy: number;
  readonly waiting: number;
  readonly memoryBytes: number;
}

/**
 * One model in one process of its own. A native crash ends that process and nothing else: what was going rejects with
 * `PROVIDER_UNAVAILABLE` (retryable), and `exited` tells. More requests than `parallel` wait their turn, in order.
 */
export interface LlamaModel {
  readonly pid: number;
  readonly facts: LlamaModelFacts;
  readonly state: LlamaModelState;
  /** Resolves once the process is gone, for whatever reason; never rejects. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  /**
   * Batches of parts: an empty one when the generation begins, then parts as they come, then one `usage` and one `finish`. Throws
   * `CONTEXT_EXHAUSTED` when the prompt does not fit, `VALIDATION_FAILED` for what the model cannot do, and the signal's reason.
   * Leaving the iteration stops the generation.
   */
  chat(request: LlamaChatRequest, signal: AbortSignal): AsyncIterable<readonly LlamaPart[]>;
  complete(request: LlamaCompletionRequest, signal: AbortSignal): AsyncIterable<readonly LlamaPart[]>;
  /** One vector a text, in order, as the model gives it (not normalised). */
  embed(texts: readonly string[], signal: AbortSignal): Promise<{ vectors: Float32Array[]; inputTokens: number }>;
  tokenize(text: string): Promise<number[]>;
  /** Waits for nothing: generations end with `USER_CANCELED`. The process is gone when it resolves. */
  close(): Promise<void>;
}
