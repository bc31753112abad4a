import { createHash } from "node:crypto";
import type { GgufField } from "../../gguf/field.ts";
import type { Example } from "../data/examples.ts";
import type { NewModel } from "../options.ts";
import { randomFrom } from "../random.ts";
import { chatMlTemplate, newTokenizer } from "../tokenizer/tokenizer.ts";
import { specialTokens, trainVocabulary, type Vocabulary } from "../tokenizer/vocabulary.ts";
import type { Architecture } from "./architecture.ts";
import type { Base } from "./base.ts";
import { start } from "./store.ts";

/** The size that vocabularies get unless told: 63 · 32, since memory is slow at exact powers of two. */
const vocabularySize = 2016;

/** A model from nothing. `examples` and `more` are what its vocabulary is learnt from. */
export function newBase(model: NewModel, examples: readonly Example[], more: readonly Example[], seed: number): Base {
  const texts = [...examples, ...more].flatMap(textsOf);
  const vocabulary = trainVocabulary(texts, { size: model.vocabularySize ?? vocabularySize });
  const architecture = architectureOf(model, vocabulary);
  return {
    architecture,
    tokenizer: newTokenizer(vocabulary),
    load: async (_ggml, store) => start(store, randomFrom(seed, 0x6d6f64)),
    metadata: metadataOf(architecture, vocabulary),
    fingerprint: createHash("sha256")
      .update(JSON.stringify([architecture, vocabulary]))
      .digest("hex"),
  };
}

/** The architecture once it is known how long the examples are. */
export function withContext(base: Base, contextTokens: number): Base {
  const architecture = { ...base.architecture, contextTokens };
  const metadata = new Map(base.metadata);
  metadata.set("llama.context_length", { type: "u32", value: contextTokens });
  return { ...base, architecture, metadata };
}

function architectureOf(model: NewModel, vocabulary: Vocabulary): Architecture {
  return {
    vocabularySize: vocabulary.tokens.length,
    embeddingLength: model.embeddingLength,
    layers: model.layers,
    heads: model.heads,
    keyValueHeads: model.keyValueHeads ?? model.heads,
    feedForwardLength: model.feedForwardLength ?? Math.max(Math.round((model.embeddingLength * 8) / 3 / 32), 1) * 32,
    contextTokens: model.contextTokens ?? 0,
    ropeBase: model.ropeBase ?? 10_000,
    normEpsilon: 1e-5,
    tiedOutput: model.tiedOutput ?? true,
  };
}

function textsOf(example: Example): string[] {
  if (example.kind === "text") return [example.text];
  if (example.kind === "completion") return [example.prompt, example.completion];
  // As `chatMl` cuts them.
  return example.messages.flatMap(({ role, content }) =>
    role === "assistant" ? [`${role}\n`, content, "\n"] : [`${role}\n${content}`, "\n"],
  );
}

function metadataOf(architecture: Architecture, vocabulary: Vocabulary): Map<string, GgufField> {
  const id = (token: string): GgufField => u32(vocabulary.tokens.indexOf(token));
  return new Map<string, GgufField>([
    ["general.architecture", { type: "string", value: "llama" }],
    ["general.type", { type: "string", value: "model" }],
    ["llama.vocab_size", u32(architecture.vocabularySize)],
    ["llama.context_length", u32(architecture.contextTokens)],
    ["llama.embedding_length", u32(architecture.embeddingLength)],
    ["llama.block_count", u32(architecture.layers)],
    ["llama.feed_forward_length", u32(architecture.feedForwardLength)],
    ["llama.attention.head_count", u32(architecture.heads)],
    ["llama.attention.head_count_kv", u32(architecture.keyValueHeads)],
    ["llama.attention.layer_norm_rms_epsilon", { type: "f32", value: architecture.normEpsilon }],
    ["llama.rope.dimension_count", u32(architecture.embeddingLength / architecture.heads)],
    ["llama.rope.freq_base", { type: "f32", value: architecture.ropeBase }],
    ["tokenizer.ggml.model", { type: "string", value: "gpt2" }],
    ["tokenizer.ggml.pre", { type: "string", value: "qwen2" }],
    ["tokenizer.ggml.tokens", { type: "string[]", value: vocabulary.tokens }],
    [
      "tokenizer.ggml.token_type",
      { type: "i32[]", value: vocabulary.tokens.map((_, at) => tokenType(vocabulary, at)) },
    ],
    ["tokenizer.ggml.merges", { type: "string[]", value: vocabulary.merges }],
    ["tokenizer.ggml.bos_token_id", id(specialTokens.endOfText)],
    ["tokenizer.ggml.eos_token_id", id(specialTokens.end)],
    ["tokenizer.ggml.eot_token_id", id(specialTokens.end)],
    ["tokenizer.ggml.padding_token_id", id(specialTokens.endOfText)],
    ["tokenizer.ggml.add_bos_token", { type: "bool", value: false }],
    ["tokenizer.ggml.add_eos_token", { type: "bool", value: false }],
    ["tokenizer.chat_template", { type: "string", value: chatMlTemplate }],
  ]);
}

function u32(value: number): GgufField {
  return { type: "u32", value };
}

/** `LLAMA_TOKEN_TYPE_…` of llama.cpp: normal 1, control 3, unused 5. */
function tokenType({ tokens, specials, unused }: Vocabulary, at: number): number {
  if (at < specials) return 3;
  return at >= tokens.length - unused ? 5 : 1;
}
