import { describe, expect, test } from "vitest";
import { estimateMemory } from "./estimate.ts";
import type { GgufHeader, GgufValue } from "./gguf.ts";

/** A header that says what models that people know say, without their weights. */
function headerOf(architecture: string, values: Readonly<Record<string, GgufValue>>, bytes = 0): GgufHeader {
  const metadata = new Map<string, GgufValue>([["general.architecture", architecture]]);
  for (const [key, value] of Object.entries(values)) metadata.set(`${architecture}.${key}`, value);
  metadata.set("tokenizer.ggml.tokens", { elements: "string", length: 100_000 });
  const tensors = [{ name: "w", shape: [1], type: "F32", offset: 0, bytes }];
  return { version: 3, metadata, tensors, dataOffset: 0, fileBytes: 0 };
}

const llama3 = {
  block_count: 32,
  embedding_length: 4096,
  feed_forward_length: 14_336,
  "attention.head_count": 32,
  "attention.head_count_kv": 8,
};
const mebibyte = 2 ** 20;

function cache(header: GgufHeader, contextTokens: number, parallel = 1): number {
  return estimateMemory(header, { contextTokens, parallel }).cacheBytes / mebibyte;
}

describe("The cache of a model", () => {
  test("is what llama.cpp says for Llama 3 8B: 1 GiB for 8192 tokens", () => {
    expect(cache(headerOf("llama", llama3), 8192)).toBe(1024);
    expect(cache(headerOf("llama", llama3), 8192, 4)).toBe(4096);
  });

  test("is as large as all heads ask where none share keys, and comes in steps of 256 tokens", () => {
    const { "attention.head_count_kv": _, ...all } = llama3;
    expect(cache(headerOf("llama", all), 8192)).toBe(4096);
    expect(cache(headerOf("llama", llama3), 1)).toBe(32);
  });

  test("is cut to the window in layers that look no further", () => {
    const gemma2 = {
      block_count: 26,
      embedding_length: 2304,
      "attention.head_count": 8,
      "attention.head_count_kv": 4,
      "attention.key_length": 256,
      "attention.value_length": 256,
      "attention.sliding_window": 4096,
    };
    // 13 layers with all 8192 tokens, 13 with the window and one batch.
    expect(cache(headerOf("gemma2", gemma2), 8192)).toBe(13 * 32 + 13 * 18);
    // Said by the file itself, and in a way that is not known.
    const listed = { ...gemma2, "attention.sliding_window_pattern": Array.from({ length: 26 }, (_, at) => at > 0) };
    expect(cache(headerOf("new", listed), 8192)).toBe(32 + 25 * 18);
    expect(cache(headerOf("new", { ...gemma2, "attention.sliding_window_pattern": 6 }), 8192)).toBe(4 * 32 + 22 * 18);
    expect(cache(headerOf("new", gemma2), 8192)).toBe(26 * 32);
  });

  test("holds one vector a token where attention is latent", () => {
    const deepseek = {
      block_count: 27,
      embedding_length: 2048,
      "attention.head_count": 16,
      "attention.head_count_kv": 1,
      "attention.key_length": 576,
      "attention.value_length": 512,
      "attention.key_length_mla": 192,
    };
    expect(cache(headerOf("deepseek2", deepseek), 4096)).toBe((27 * 576 * 4096 * 2) / mebibyte);
  });

  test("is a state of fixed size in recurrent layers, beside the cache of the others", () => {
    const mamba = {
      block_count: 48,
      embedding_length: 1536,
      "attention.head_count": 0,
      "ssm.conv_kernel": 4,
      "ssm.inner_size": 3072,
      "ssm.state_size": 16,
    };
    const state = 4 * (3 * 3072 + 16 * 3072);
    expect(cache(headerOf("mamba", mamba), 1_000_000, 2) * mebibyte).toBe(2 * 48 * state);
    const heads = Array.from({ length: 48 }, (_, layer) => (layer % 8 === 0 ? 8 : 0));
    const hybrid = { ...mamba, "attention.head_count": 12, "attention.head_count_kv": heads };
    expect(cache(headerOf("jamba", hybrid), 4096) * mebibyte).toBe(42 * state + 6 * 8 * 2 * 128 * 4096 * 2);
  });

  test("is not there in models that only embed", () => {
    expect(cache(headerOf("bert", llama3), 512)).toBe(0);
  });
});

describe("The whole", () => {
  test("is the sum of its parts, adapters among them", () => {
    const question = { contextTokens: 4096, adapters: [headerOf("llama", {}, 300)] };
    const estimate = estimateMemory(headerOf("llama", llama3, 5000), question);
    expect(estimate.weightsBytes).toBe(5300);
    const { totalBytes, ...parts } = estimate;
    expect(totalBytes).toBe(Object.values(parts).reduce((sum, bytes) => sum + bytes, 0));
  });

  test("has room for the scores of attention only where they are kept", () => {
    const header = headerOf("llama", llama3);
    const quick = estimateMemory(header, { contextTokens: 32_768 });
    const plain = estimateMemory(header, { contextTokens: 32_768, flashAttention: false });
    expect(plain.computeBytes - quick.computeBytes).toBeGreaterThan(3 * 2 ** 30);
  });

  test("is a number whatever the header says", () => {
    const huge = Object.fromEntries(Object.keys(llama3).map((key) => [key, 2n ** 64n - 1n]));
    for (const header of [headerOf("llama", huge), headerOf("llama", {}), headerOf("", { block_count: 0.5 })]) {
      const { totalBytes } = estimateMemory(header, { contextTokens: 4096 });
      expect(Number.isFinite(totalBytes) && totalBytes > 0).toBe(true);
    }
  });
});
