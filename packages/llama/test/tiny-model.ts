import type { GgufField } from "../src/gguf/field.ts";
import type { GgufContent, GgufTensorContent } from "../src/gguf/write.ts";
import { chatTemplate, toolTemplate } from "./tiny-templates.ts";
import { tinyVocabulary, type TinyVocabulary, type TokenizerKind } from "./tiny-vocabulary.ts";

export interface TinyModelOptions {
  /** `gpt2` unless told. */
  readonly tokenizer?: TokenizerKind;
  readonly name?: string;
  /** The same seed gives the same bytes. */
  readonly seed?: number;
  /** 512 unless told. */
  readonly contextTokens?: number;
  /** 64, 2, 4, 2 and 128 unless told: about 200,000 parameters. K-quants want rows of a multiple of 256. */
  readonly embeddingLength?: number;
  readonly layers?: number;
  readonly heads?: number;
  readonly keyValueHeads?: number;
  readonly feedForwardLength?: number;
  /** The type of the matrices; norms are always F32. F32 unless told. */
  readonly weights?: "F32" | "F16" | "BF16";
  /** A model to embed with: says how to pool. */
  readonly embeds?: boolean;
  /** A template that tells of tools. */
  readonly tools?: boolean;
  readonly vocabulary?: TinyVocabulary;
  /** Metadata beside or instead of what is written otherwise. */
  readonly metadata?: Readonly<Record<string, GgufField>>;
}

/**
 * A llama-architecture model with random weights, small enough to load in milliseconds, that the real llama.cpp runs. What it
 * says is noise, the same for the same seed. To be given to `writeGguf`.
 */
export function tinyModel(options: TinyModelOptions = {}): GgufContent {
  const size = sizeOf(options);
  const vocabulary = options.vocabulary ?? tinyVocabulary(options.tokenizer ?? "gpt2");
  const random = uniform(options.seed ?? 1);
  return tinyLlama(
    options,
    vocabulary,
    (name, shape) => {
      if (name.endsWith("_norm.weight")) return new Float32Array(shape[0] ?? 0).fill(1);
      const [row = 1, rows = 1] = shape;
      // Wide enough that layers change what they get; by the row, so that sums stay near 1 whatever the size.
      const spread = name === "token_embd.weight" ? 1 : Math.sqrt(3 / row) * (name === "output.weight" ? 3 : 1);
      return Float32Array.from({ length: row * rows }, () => spread * random());
    },
    size,
  );
}

export interface TinySize {
  readonly embeddingLength: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly feedForwardLength: number;
  readonly contextTokens: number;
}

/** The file around given weights: every tensor that llama.cpp asks a llama-architecture model for. */
export function tinyLlama(
  options: TinyModelOptions,
  vocabulary: TinyVocabulary,
  weightsOf: (name: string, shape: readonly number[]) => Float32Array,
  size: TinySize,
): GgufContent {
  const matrices = options.weights ?? "F32";
  const tensors = shapesOf(size, vocabulary.tokens.length).map(([name, shape]): GgufTensorContent => {
    const type = shape.length === 1 ? "F32" : matrices;
    return { name, shape, type, data: weightsOf(name, shape) };
  });
  return { metadata: metadataOf(options, size, vocabulary), tensors };
}

export function sizeOf(options: TinyModelOptions): TinySize {
  const heads = options.heads ?? 4;
  return {
    embeddingLength: options.embeddingLength ?? 64,
    layers: options.layers ?? 2,
    heads,
    keyValueHeads: options.keyValueHeads ?? Math.max(1, heads / 2),
    feedForwardLength: options.feedForwardLength ?? 128,
    contextTokens: options.contextTokens ?? 512,
  };
}

/** Numbers between -1 and 1, the same on every machine: only whole-number arithmetic, a 32-bit xorshift-multiply sequence. */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e37_79b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0_aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 31 - 1;
  };
}

function shapesOf(size: TinySize, vocabularySize: number): [name: string, shape: readonly number[]][] {
  const { embeddingLength: width, feedForwardLength: inner } = size;
  const keys = (width / size.heads) * size.keyValueHeads;
  const layers = Array.from({ length: size.layers }, (_, layer): [string, number[]][] => [
    [`blk.${layer}.attn_norm.weight`, [width]],
    [`blk.${layer}.attn_q.weight`, [width, width]],
    [`blk.${layer}.attn_k.weight`, [width, keys]],
    [`blk.${layer}.attn_v.weight`, [width, keys]],
    [`blk.${layer}.attn_output.weight`, [width, width]],
    [`blk.${layer}.ffn_norm.weight`, [width]],
    [`blk.${layer}.ffn_gate.weight`, [width, inner]],
    [`blk.${layer}.ffn_up.weight`, [width, inner]],
    [`blk.${layer}.ffn_down.weight`, [inner, width]],
  ]);
  return [
    ["token_embd.weight", [width, vocabularySize]],
    ...layers.flat(),
    ["output_norm.weight", [width]],
    ["output.weight", [width, vocabularySize]],
  ];
}

function metadataOf(
  options: TinyModelOptions,
  size: TinySize,
  vocabulary: TinyVocabulary,
): Readonly<Record<string, GgufField>> {
  return {
    "general.architecture": text("llama"),
    "general.type": text("model"),
    "general.name": text(options.name ?? "Tiny"),
    "general.license": text("apache-2.0"),
    "general.file_type": u32({ F32: 0, F16: 1, BF16: 32 }[options.weights ?? "F32"]),
    "llama.vocab_size": u32(vocabulary.tokens.length),
    "llama.context_length": u32(size.contextTokens),
    "llama.embedding_length": u32(size.embeddingLength),
    "llama.block_count": u32(size.layers),
    "llama.feed_forward_length": u32(size.feedForwardLength),
    "llama.rope.dimension_count": u32(size.embeddingLength / size.heads),
    "llama.attention.head_count": u32(size.heads),
    "llama.attention.head_count_kv": u32(size.keyValueHeads),
    "llama.attention.layer_norm_rms_epsilon": { type: "f32", value: 1e-5 },
    // 1 is the mean over all tokens.
    ...(options.embeds && { "llama.pooling_type": u32(1) }),
    ...vocabulary.metadata,
    "tokenizer.chat_template": text(options.tools ? toolTemplate : chatTemplate),
    ...options.metadata,
  };
}

function u32(value: number): GgufField {
  return { type: "u32", value };
}

function text(value: string): GgufField {
  return { type: "string", value };
}
