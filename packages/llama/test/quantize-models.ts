import type { GgufContent, GgufTensorContent } from "../src/gguf/write.ts";
import { sizeOf, tinyLlama, uniform, type TinyModelOptions } from "./tiny-model.ts";
import { tinyVocabulary } from "./tiny-vocabulary.ts";

/** Rows of 256 weights, as K-quants want them. */
export const width = 256;

export interface AlphabetModel {
  readonly content: GgufContent;
  /** What it computes behind a token, worked out here: no layer adds anything, so the token alone decides. */
  readonly logitsAfter: (token: number) => Float64Array;
  /** A token as it goes into the first layer. */
  readonly stateOf: (token: number) => Float64Array;
}

/**
 * A model that says the byte after the one it read: `ABC` behind `@`. Its tokens are bytes. The layers hold random weights, of
 * which two are 0, so that what it computes can be worked out in a few lines and held against llama.cpp.
 */
export function alphabetModel(options: TinyModelOptions = {}, sureness = 8): AlphabetModel {
  const vocabulary = tinyVocabulary("gpt2", { words: [] });
  const count = vocabulary.tokens.length;
  const random = uniform(5);
  const embedding = Float32Array.from({ length: count * width }, () => (random() < 0 ? -1 : 1) * (1 + random() / 4));
  const output = new Float32Array(count * width);
  for (let token = 0; token < count; token++) {
    const row = ((token + 1) % count) * width;
    for (let at = 0; at < width; at++) output[row + at] = ((embedding[token * width + at] ?? 0) * sureness) / width;
  }
  const settings: TinyModelOptions = {
    embeddingLength: width,
    feedForwardLength: 512,
    contextTokens: 256,
    vocabulary,
    ...options,
  };
  const content = tinyLlama(
    settings,
    vocabulary,
    (name, [row = 1, rows = 1]) => {
      if (name === "token_embd.weight") return embedding;
      if (name === "output.weight") return output;
      if (name.endsWith("_norm.weight")) return new Float32Array(row).fill(1);
      if (/(?:attn_output|ffn_down)\.weight$/.test(name)) return new Float32Array(row * rows);
      return Float32Array.from({ length: row * rows }, () => random() / 8);
    },
    sizeOf(settings),
  );
  const stateOf = (token: number): Float64Array => {
    const state = Float64Array.from(embedding.subarray(token * width, (token + 1) * width));
    const scale = Math.sqrt(state.reduce((sum, value) => sum + value * value, 0) / width + 1e-5);
    return state.map((value) => value / scale);
  };
  return {
    content,
    stateOf,
    logitsAfter: (token) => {
      const state = stateOf(token);
      return Float64Array.from({ length: count }, (_, row) =>
        state.reduce((sum, value, at) => sum + value * (output[row * width + at] ?? 0), 0),
      );
    },
  };
}

/** The same with four experts in each layer, of which each token goes to two. */
export function expertModel(): { readonly content: GgufContent; readonly chosenFor: (token: number) => number[] } {
  const { content, stateOf } = alphabetModel({
    layers: 1,
    metadata: {
      "llama.expert_count": { type: "u32", value: experts },
      "llama.expert_used_count": { type: "u32", value: 2 },
    },
  });
  const random = uniform(11);
  const weights = (length: number): Float32Array => Float32Array.from({ length }, () => random() / 8);
  const router = weights(width * experts);
  const inner = 512;
  const tensors = content.tensors.flatMap((tensor): GgufTensorContent[] => {
    const [, part] = /\.ffn_(gate|up|down)\.weight$/.exec(tensor.name) ?? [];
    if (part === undefined) return [tensor];
    const shape = part === "down" ? [inner, width, experts] : [width, inner, experts];
    const data = part === "down" ? new Float32Array(inner * width * experts) : weights(inner * width * experts);
    const all = { name: `blk.0.ffn_${part}_exps.weight`, shape, type: "F32", data };
    if (part !== "gate") return [all];
    return [{ name: "blk.0.ffn_gate_inp.weight", shape: [width, experts], type: "F32", data: router }, all];
  });
  return {
    content: {
      metadata: content.metadata,
      tensors,
    },
    chosenFor: (token) => {
      const state = stateOf(token);
      const scores = Array.from({ length: experts }, (_, expert) =>
        state.reduce((sum, value, at) => sum + value * (router[expert * width + at] ?? 0), 0),
      );
      return [0, 1, 2, 3].toSorted((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0)).slice(0, 2);
    },
  };
}

export const experts = 4;

/** 25 million weights, all 0: written at once, and half a second's work to quantize. */
export function slowModel(): GgufContent {
  const vocabulary = tinyVocabulary("gpt2");
  const options: TinyModelOptions = { embeddingLength: width, feedForwardLength: 16_384, weights: "F16" };
  const { metadata, tensors } = tinyLlama(options, vocabulary, () => new Float32Array(), sizeOf(options));
  return {
    metadata,
    tensors: tensors.map((tensor) => {
      const bytes = tensor.shape.reduce((product, length) => product * length, tensor.type === "F32" ? 4 : 2);
      return { ...tensor, data: () => [new Uint8Array(bytes)] };
    }),
  };
}

/** What bytes are as tokens. */
export const tokensIn = (text: string): number[] => [...Buffer.from(text)];
