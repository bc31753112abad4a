import type { GgufScalarType } from "./layout.ts";

export { estimateMemory, type MemoryEstimate, type MemoryQuestion } from "./estimate.ts";
export { ggufFacts } from "./facts.ts";
export type { GgufField } from "./field.ts";
export { ggufLimits } from "./limits.ts";
export { readGgufModel, splitParts } from "./parts.ts";
export { readGgufFields, readGgufHeader } from "./read.ts";
export { encodeWeights } from "./weights.ts";
export { writeGguf, type GgufContent, type GgufTensorContent } from "./write.ts";
export type { GgufScalarType } from "./layout.ts";

/** What a GGUF file says of itself. Nothing of it is trusted: it was checked against the file and against what llama.cpp reads. */
export interface GgufHeader {
  readonly version: 2 | 3;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly GgufTensor[];
  /** Where the data of the tensors begins, in bytes from the start of the file. */
  readonly dataOffset: number;
  readonly fileBytes: number;
}

/** Integers of 64 bits are `bigint`; all other numbers are `number`. Long arrays stay in the file. */
export type GgufValue = string | number | bigint | boolean | readonly GgufValue[] | GgufLongArray;

/** An array that is too long to be kept for a look at the header: the tokens of a vocabulary. `readGgufFields` reads it. */
export interface GgufLongArray {
  readonly elements: GgufScalarType;
  readonly length: number;
}

export interface GgufTensor {
  readonly name: string;
  /** The fastest-moving dimension first, as ggml has it. */
  readonly shape: readonly number[];
  /** `F32`, `F16`, `Q4_K`, … */
  readonly type: string;
  /** From `dataOffset`. */
  readonly offset: number;
  readonly bytes: number;
}

/** The facts of a model that a person or a plan asks for. Texts are clipped, and safe to show in a terminal. */
export interface GgufFacts {
  /** `model`, `adapter` for a LoRA, or `other`: a projector for images, an importance matrix, a vocabulary alone. */
  readonly kind: "model" | "adapter" | "other";
  /** `llama`, `qwen2`, … */
  readonly architecture: string;
  readonly name: string | undefined;
  readonly licence: string | undefined;
  readonly parameters: number;
  /** Tokens it was trained with; undefined where the file does not say. */
  readonly contextTokens: number | undefined;
  readonly embeddingLength: number | undefined;
  readonly layers: number | undefined;
  /** `Q4_K_M`, `F16`, …; from `general.file_type`, else the type that most weights have. */
  readonly quantization: string;
  readonly vocabularySize: number | undefined;
  /** `llama` (SPM), `gpt2` (BPE), … */
  readonly tokenizer: string | undefined;
  readonly chatTemplate: string | undefined;
  /** True for models made to embed (`pooling_type`, or architectures such as `bert`). */
  readonly embeds: boolean;
}
