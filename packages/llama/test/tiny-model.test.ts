import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gguf } from "@huggingface/gguf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { estimateMemory } from "../src/gguf/estimate.ts";
import { readGgufHeader } from "../src/gguf/read.ts";
import { writeGguf, type GgufContent } from "../src/gguf/write.ts";
import { inLlama, type WorkerResult, type WorkerTask } from "./gguf-in-llama.ts";
import { tinyModel } from "./tiny-model.ts";
import { tinyScriptedModel } from "./tiny-scripted-model.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiny-model-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function written(name: string, content: GgufContent): Promise<string> {
  const path = join(folder, `${name}.gguf`);
  await writeGguf(path, content);
  return path;
}

const kinds = ["gpt2", "llama"] as const;
const hard = "Hello world, naïve 😀\n\tthe  people";
const script =
  '<think>Hm, hm, hm.\nLet me see.</think>\n\nHello! aaaaaaaaaaaaaaaa {"a": 1, "a": [1, 1]}\n\nDer Bär: 😀😀 naïve.\n';
const call = '<tool_call>\n{"name": "weather_now", "arguments": {"city": "Bern"}}\n</tool_call>';
const answers = [
  { after: "weather", script: call },
  { after: "sunny", script: "It is sunny in Bern." },
];

/** One process for all of them: to start one takes longer than what a model does. */
const runs: Record<string, Omit<WorkerTask, "path"> & { content: GgufContent }> = {
  gpt2: { content: tinyModel(), prompts: ["Hello there"], maxTokens: 12, tokenize: hard },
  gpt2Again: { content: tinyModel(), prompts: ["Hello there"], maxTokens: 12, tokenize: hard },
  llama: { content: tinyModel({ tokenizer: "llama" }), prompts: ["Hello there"], maxTokens: 12, tokenize: hard },
  half: { content: tinyModel({ weights: "F16", tools: true }), prompts: ["Hello"], maxTokens: 5 },
  brain: {
    content: tinyModel({ weights: "BF16", keyValueHeads: 4, contextTokens: 1024 }),
    prompts: ["Hello"],
    maxTokens: 5,
  },
  embeds: { content: tinyModel({ embeds: true, tokenizer: "llama" }), embed: "Hello world" },
  embedsOther: { content: tinyModel({ embeds: true, tokenizer: "llama" }), embed: "something else" },
  ...Object.fromEntries(
    kinds.flatMap((tokenizer) => [
      [
        `script ${tokenizer}`,
        {
          content: tinyScriptedModel({ tokenizer, script }),
          prompts: ["Hello", "And\nnow?"],
          temperature: 1,
          contextTokens: 1024,
        },
      ],
      [
        `answers ${tokenizer}`,
        {
          content: tinyScriptedModel({ tokenizer, script: "Hello, ask me.", answers }),
          prompts: [
            "Who are you?",
            "How is the weather?",
            "It is sunny.",
            "And the weather in the sunny south?",
            "weather",
          ],
          contextTokens: 2048,
          temperature: 0.8,
        },
      ],
    ]),
  ),
  bytes: {
    content: tinyScriptedModel({ script, pieces: "bytes", weights: "F16" }),
    prompts: ["😀"],
    contextTokens: 1024,
  },
  endless: {
    content: tinyScriptedModel({ script: "one two three ", endless: true }),
    prompts: ["Count"],
    maxTokens: 60,
  },
};

const results: Record<string, WorkerResult> = {};
beforeAll(async () => {
  const tasks: WorkerTask[] = [];
  for (const [name, { content, ...task }] of Object.entries(runs))
    tasks.push({ ...task, path: await written(name, content) });
  const all = await inLlama(tasks);
  for (const [index, name] of Object.keys(runs).entries()) results[name] = all[index] ?? {};
});

describe("Tiny models", () => {
  test("of both kinds of tokenizers are loaded by llama.cpp, spell everything, and say the same each time", () => {
    for (const kind of kinds) {
      expect(results[kind]).toMatchObject({ text: hard });
      expect(results[kind]?.answers?.[0]?.length).toBeGreaterThan(0);
    }
    expect(results["gpt2Again"]).toEqual(results["gpt2"]);
    expect(results["llama"]?.answers).not.toEqual(results["gpt2"]?.answers);
  });

  test("of all types of weights, with tools and to embed with, are loaded too", () => {
    expect(results["half"]?.answers?.[0]?.length).toBeGreaterThan(0);
    expect(results["brain"]?.answers?.[0]?.length).toBeGreaterThan(0);
    expect(results["embeds"]?.vector).toHaveLength(64);
    expect(results["embeds"]?.vector).not.toEqual(results["embedsOther"]?.vector);
  });

  test.each(kinds)("of the kind %s read the same by @huggingface/gguf", async (tokenizer) => {
    const path = await written(`peer-${tokenizer}`, tinyModel({ tokenizer, weights: "BF16" }));
    const theirs = await gguf(path, { allowLocalFile: true });
    const ours = await readGgufHeader(path);
    expect(theirs.tensorDataOffset).toBe(BigInt(ours.dataOffset));
    expect(
      theirs.tensorInfos.map(({ name, shape, offset }) => ({ name, shape: shape.map(Number), offset: Number(offset) })),
    ).toEqual(ours.tensors.map(({ name, shape, offset }) => ({ name, shape, offset })));
    const { version, tensor_count, kv_count, ...metadata } = theirs.metadata;
    expect([version, Number(tensor_count), Number(kv_count)]).toEqual([3, ours.tensors.length, ours.metadata.size]);
    expect(metadata).toEqual(Object.fromEntries(ours.metadata));
  });
});

describe("Scripted models", () => {
  test("say exactly their script and end, at any temperature, whatever they are asked", () => {
    for (const kind of kinds) expect(results[`script ${kind}`]?.answers).toEqual([script, script]);
    expect(results["bytes"]?.answers).toEqual([script]);
  });

  test("answer by the last of the words that stands in the conversation", () => {
    const expected = ["Hello, ask me.", call, "It is sunny in Bern.", "It is sunny in Bern.", call];
    for (const kind of kinds) expect(results[`answers ${kind}`]?.answers).toEqual(expected);
  });

  test("go on without end where they are asked to", () => {
    expect(results["endless"]?.answers?.[0]).toMatch(/^(one two three ){15,}/);
  });
});

function u32(value: number) {
  return { type: "u32", value } as const;
}

describe("Files that the reader accepts though they are odd", () => {
  const tokens = tinyModel().metadata as unknown as Record<string, { value: string[] }>;
  const vocabulary = tokens["tokenizer.ggml.tokens"]?.value ?? [];
  const odd = {
    "a page of alignment": { "general.alignment": u32(65_536) },
    "an endless context": { "llama.context_length": u32(0xffff_ffff) },
    "no context": { "llama.context_length": u32(0) },
    "positions that are no numbers": { "llama.rope.freq_base": { type: "f32", value: NaN } },
    "special tokens that are not there": { "tokenizer.ggml.eos_token_id": u32(0xffff_ffff) },
    "merges that merge nothing": {
      "tokenizer.ggml.merges": { type: "string[]", value: ["", "a", "  ", "x y z", "\0"] },
    },
    "types of tokens that there are not": {
      "tokenizer.ggml.token_type": { type: "i32[]", value: vocabulary.map((_, index) => index * 77_777) },
    },
    "many tokens that are nothing": {
      "tokenizer.ggml.tokens": {
        type: "string[]",
        value: vocabulary.map((token, at) => (at > 300 && at < 400 ? "" : token)),
      },
    },
    "a token of a million letters": {
      "tokenizer.ggml.tokens": {
        type: "string[]",
        value: vocabulary.map((token, at) => (at === 500 ? "x".repeat(1e6) : token)),
      },
    },
    "a broken template": { "tokenizer.chat_template": { type: "string", value: "{% for %}{{" } },
    "an unknown way to pool": { "llama.pooling_type": u32(77) },
    "heads that divide nothing": { "llama.attention.head_count_kv": u32(3) },
    "another width": { "llama.embedding_length": u32(0xffff_ffff) },
    "an unknown architecture": { "general.architecture": { type: "string", value: "nonsense" } },
    "an unknown tokenizer": { "tokenizer.ggml.model": { type: "string", value: "nonsense" } },
    "a part alone": { "split.count": { type: "u16", value: 3 } },
  } as const;

  test("are loaded or refused by llama.cpp, and neither crash nor hang it", async () => {
    const tasks = [];
    for (const [name, metadata] of Object.entries(odd)) {
      const path = await written(name.replaceAll(" ", "-"), tinyModel({ metadata }));
      await readGgufHeader(path);
      tasks.push({ path, prompts: ["Hello"], maxTokens: 3 });
    }
    const results = await inLlama(tasks);
    const outcomes = results.map((result: WorkerResult) => (result.error === undefined ? "loaded" : "refused"));
    expect(outcomes).toEqual([...Array<string>(11).fill("loaded"), ...Array<string>(5).fill("refused")]);
  });
});

test("the estimate of a model's weights and cache is what llama.cpp takes for them", async () => {
  const size = { embeddingLength: 256, layers: 8, heads: 8, keyValueHeads: 4, feedForwardLength: 1024 };
  const path = await written("medium", tinyModel({ ...size, contextTokens: 4096 }));
  const [result] = await inLlama([{ path, contextTokens: 4096, asksMemory: true }]);
  const estimate = estimateMemory(await readGgufHeader(path), { contextTokens: 4096 });
  const { weightsBytes = 0, cacheBytes = 0 } = result?.took ?? {};
  // Told in hundredths of a MiB.
  expect(Math.abs(weightsBytes - estimate.weightsBytes)).toBeLessThan(2 ** 20 / 50);
  expect(Math.abs(cacheBytes - estimate.cacheBytes)).toBeLessThan(2 ** 20 / 50);
});
