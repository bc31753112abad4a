import { isEncoder } from "./facts.ts";
import type { GgufHeader } from "./gguf.ts";
import { padded } from "./layout.ts";
import { numberIn, numbersIn, textIn } from "./metadata.ts";

export interface MemoryQuestion {
  /** Tokens of one conversation. */
  readonly contextTokens: number;
  /** Conversations at once, each with a cache of its own. 1 unless told. */
  readonly parallel?: number;
  /** LoRA adapters that are loaded beside. */
  readonly adapters?: readonly GgufHeader[];
  /** Attention that keeps no scores; llama.cpp has it for nearly all models. True unless told. */
  readonly flashAttention?: boolean;
}

/** Bytes. */
export interface MemoryEstimate {
  /** Of the model and its adapters. They are mapped from the file, so that processes share them and the system may drop them. */
  readonly weightsBytes: number;
  /** Keys and values of every token of every conversation, in 16 bits, and the states of recurrent layers. */
  readonly cacheBytes: number;
  /** What a batch of 512 tokens needs at the end of a full context. */
  readonly computeBytes: number;
  /** The process around: Node, llama.cpp, the vocabulary. */
  readonly processBytes: number;
  readonly totalBytes: number;
}

/**
 * How much memory a model takes on the CPU once its contexts are full. Weights and cache are counted, and llama.cpp allots
 * exactly that; the rest is a rule that was fitted to the resident memory of random models of 0.2 to 460 million parameters,
 * where the total was between 12 % too low (Q4_0) and 4 % too high. Not counted: some processors keep a second, rearranged copy of
 * weights in Q4_0 and alike (then the mapped first one can be dropped), and what images or a GPU need. Where the header names
 * a sliding window that llama.cpp does not use, or one that is unknown here, the estimate is too high.
 *
 * All of it is taken from the file: a header that lies gives a number that lies, and nothing worse.
 */
export function estimateMemory(header: GgufHeader, question: MemoryQuestion): MemoryEstimate {
  const model = shapeOf(header);
  const parallel = question.parallel ?? 1;
  const weightsBytes = [header, ...(question.adapters ?? [])].reduce((sum, each) => sum + tensorBytes(each), 0);
  const cacheBytes = parallel * (attentionCache(header, model, question.contextTokens) + recurrentState(header, model));
  const computeBytes = computeOf(header, model, question);
  const processBytes = plainProcess + bytesForToken * model.vocabulary;
  return {
    weightsBytes,
    cacheBytes,
    computeBytes,
    processBytes,
    totalBytes: weightsBytes + cacheBytes + computeBytes + processBytes,
  };
}

/** Tokens that llama.cpp computes at once. */
const batchTokens = 512;
/** Caches come in steps of so many tokens. */
const cacheStep = 256;
const cachedBytes = 2;
/** Resident memory of Node with llama.cpp loaded and no model. */
const plainProcess = 105 * 2 ** 20;
/** A token's text and its places in the tables of llama.cpp. */
const bytesForToken = 750;

interface ModelShape {
  readonly architecture: string;
  readonly layers: number;
  readonly width: number;
  /** By layer. */
  readonly heads: readonly number[];
  readonly keyHeads: readonly number[];
  readonly vocabulary: number;
}

function shapeOf(header: GgufHeader): ModelShape {
  const architecture = textIn(header, "general.architecture") ?? "";
  const layers = numberIn(header, `${architecture}.block_count`) ?? 0;
  const heads = numbersIn(header, `${architecture}.attention.head_count`, layers) ?? [];
  const tokens = header.metadata.get("tokenizer.ggml.tokens");
  return {
    architecture,
    layers,
    width: numberIn(header, `${architecture}.embedding_length`) ?? 0,
    heads,
    keyHeads: numbersIn(header, `${architecture}.attention.head_count_kv`, layers) ?? heads,
    vocabulary: typeof tokens === "object" ? tokens.length : 0,
  };
}

function tensorBytes(header: GgufHeader): number {
  return header.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
}

/** Of one conversation. Grouped queries share keys and values: there are as many as there are heads of keys. */
function attentionCache(header: GgufHeader, model: ModelShape, contextTokens: number): number {
  // What only embeds looks at a text once.
  if (isEncoder(model.architecture)) return 0;
  const key = (name: string): number | undefined => numberIn(header, `${model.architecture}.${name}`);
  const slides = slidingLayers(header, model);
  const all = padded(contextTokens, cacheStep);
  const inWindow = Math.min(all, padded((key("attention.sliding_window") ?? 0) + batchTokens, cacheStep));
  // Latent attention (DeepSeek) caches one vector that keys and values are both made from.
  const latent = key("attention.key_length_mla") !== undefined;
  const withCache = model.layers - (key("attention.shared_kv_layers") ?? 0);
  const interval = key("full_attention_interval") ?? 1;
  let bytes = 0;
  for (let layer = 0; layer < withCache; layer++) {
    if ((layer + 1) % interval !== 0) continue;
    const heads = model.keyHeads[layer] ?? 0;
    const plain = model.width / Math.max(1, model.heads[layer] ?? 1);
    const suffix = slides(layer) && key("attention.key_length_swa") !== undefined ? "_swa" : "";
    const keys = key(`attention.key_length${suffix}`) ?? plain;
    const values = latent ? 0 : (key(`attention.value_length${suffix}`) ?? plain);
    bytes += heads * (keys + values) * (slides(layer) ? inWindow : all) * cachedBytes;
  }
  return bytes;
}

/** Which layers look back no further than the window: by a list, by every how many one looks back to the start, or by architecture. */
function slidingLayers(header: GgufHeader, { architecture }: ModelShape): (layer: number) => boolean {
  if (numberIn(header, `${architecture}.attention.sliding_window`) === undefined) return () => false;
  const pattern = header.metadata.get(`${architecture}.attention.sliding_window_pattern`);
  if (Array.isArray(pattern)) return (layer) => Boolean(pattern[layer]);
  const every = typeof pattern === "number" ? pattern : slidingEvery[architecture];
  return every === undefined ? () => false : (layer) => every === 0 || layer % every < every - 1;
}

/** As llama.cpp sets it for files that do not say. */
const slidingEvery: Readonly<Record<string, number>> = {
  gemma2: 2,
  gemma3: 6,
  gemma3n: 5,
  "gpt-oss": 2,
  cohere2: 4,
  llama4: 4,
  olmo2: 4,
  exaone4: 4,
};

/** Of one conversation: layers without attention (Mamba, RWKV) keep a state of fixed size, in 32 bits. */
function recurrentState(header: GgufHeader, model: ModelShape): number {
  const key = (name: string): number => numberIn(header, `${model.architecture}.${name}`) ?? 0;
  const interval = key("full_attention_interval");
  const recurrent = Array.from({ length: model.layers }, (_, layer) =>
    interval > 0
      ? (layer + 1) % interval !== 0
      : (model.keyHeads[layer] ?? 0) === 0 || model.architecture === "falcon-h1",
  ).filter(Boolean).length;
  const inner = key("ssm.inner_size");
  const state = key("ssm.state_size");
  const convolution = Math.max(0, key("ssm.conv_kernel") - 1) * (inner + 2 * key("ssm.group_count") * state);
  const weighted = key("wkv.head_size") * model.width + (key("token_shift_count") || 2) * model.width;
  return recurrent * 4 * (inner > 0 ? convolution + state * inner : key("wkv.head_size") > 0 ? weighted : 0);
}

function computeOf(header: GgufHeader, model: ModelShape, question: MemoryQuestion): number {
  const key = (name: string): number => numberIn(header, `${model.architecture}.${name}`) ?? 0;
  const inner = Math.max(
    ...(numbersIn(header, `${model.architecture}.feed_forward_length`, model.layers) ?? [0]),
    key("expert_feed_forward_length") * key("expert_used_count"),
  );
  const context = padded(question.contextTokens, cacheStep);
  const activations = batchTokens * (2 * inner + 6 * model.width) * 4;
  const logits = (question.parallel ?? 1) * model.vocabulary * 4;
  if (question.flashAttention ?? true) return activations + logits + batchTokens * context * 2;
  // Scores in 32 bits, once more in 16 to multiply with the values, and a mask.
  const scores = batchTokens * context * (Math.max(0, ...model.heads) * 6 + 4);
  return activations + logits + scores;
}
