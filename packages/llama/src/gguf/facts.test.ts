import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tinyModel, type TinyModelOptions } from "../../test/tiny-model.ts";
import { ggufFacts } from "./facts.ts";
import type { GgufField } from "./field.ts";
import type { GgufFacts } from "./gguf.ts";
import { readGgufHeader } from "./read.ts";
import { writeGguf, type GgufContent } from "./write.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gguf-facts-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function factsOf(content: GgufContent): Promise<GgufFacts> {
  const path = join(folder, "facts.gguf");
  await writeGguf(path, content);
  return ggufFacts(await readGgufHeader(path));
}

function tiny(options: TinyModelOptions = {}): Promise<GgufFacts> {
  return factsOf(tinyModel(options));
}

function text(value: string): GgufField {
  return { type: "string", value };
}

const model = tinyModel();

describe("The facts of a model", () => {
  test("are what a person asks for", async () => {
    const { chatTemplate, ...facts } = await tiny({ weights: "F16" });
    expect(facts).toEqual({
      kind: "model",
      architecture: "llama",
      name: "Tiny",
      licence: "apache-2.0",
      parameters: model.tensors.reduce((sum, { shape }) => sum + shape.reduce((one, other) => one * other, 1), 0),
      contextTokens: 512,
      embeddingLength: 64,
      layers: 2,
      quantization: "F16",
      vocabularySize: 632,
      tokenizer: "gpt2",
      embeds: false,
    });
    expect(chatTemplate).toContain("<|im_start|>assistant\n");
  });

  test("take the commonest type of weights where the file does not name its own", async () => {
    const { "general.file_type": _, ...metadata } = model.metadata as Record<string, GgufField>;
    expect(await factsOf({ ...model, metadata })).toMatchObject({ quantization: "F32" });
    const named = { ...metadata, "general.file_type": { type: "u32", value: 15 } } as const;
    expect(await factsOf({ ...model, metadata: named })).toMatchObject({ quantization: "Q4_K_M" });
  });

  test("tell adapters, and files that nothing can be run with", async () => {
    const adapter = {
      "general.architecture": text("llama"),
      "general.type": text("adapter"),
      "adapter.type": text("lora"),
    };
    expect(await factsOf({ ...model, metadata: adapter })).toMatchObject({ kind: "adapter" });
    const projector = { "general.architecture": text("clip"), "general.type": text("mmproj") };
    expect(await factsOf({ ...model, metadata: projector })).toMatchObject({ kind: "other" });
    const matrix = { "general.type": text("imatrix") };
    expect(await factsOf({ ...model, metadata: matrix })).toMatchObject({ kind: "other", architecture: "unknown" });
    expect(await factsOf({ ...model, tensors: [] })).toMatchObject({ kind: "other", parameters: 0 });
  });

  test("tell models to embed with, and not models to rank with", async () => {
    expect(await tiny({ embeds: true })).toMatchObject({ embeds: true });
    const ranks = { "llama.pooling_type": { type: "u32", value: 4 } } as const;
    expect(await tiny({ metadata: ranks })).toMatchObject({ embeds: false });
    const encoder = { "general.architecture": text("nomic-bert") };
    expect(await factsOf({ ...model, metadata: encoder })).toMatchObject({ embeds: true });
  });

  test("are refused where no architecture is named", async () => {
    await expect(factsOf({ ...model, metadata: {} })).rejects.toMatchObject({
      code: "VALIDATION_FAILED",
      message: expect.stringContaining("architecture") as string,
    });
  });

  test("show nothing that a terminal or a page would act on, and no more than a line", async () => {
    const facts = await tiny({
      metadata: {
        "general.name": text("\u001b]0;mine\u0007 Good\r\n\tmodel \u202eflip\u200b \ud800"),
        "general.license": text("x".repeat(10_000)),
        "tokenizer.chat_template": text("{{ a }}\n\t\u001b[2J\u009b31m{{ b }}"),
      },
    });
    expect(facts.name).toBe("]0;mine Good model flip �");
    expect(facts.licence).toBe(`${"x".repeat(199)}…`);
    expect(facts.chatTemplate).toBe("{{ a }}\n\t[2J31m{{ b }}");
  });

  test("are not there where they are of another type than they should be", async () => {
    const facts = await tiny({
      metadata: {
        "general.name": { type: "u32", value: 7 },
        "llama.context_length": text("many"),
        "llama.embedding_length": { type: "f32", value: 0.5 },
      },
    });
    expect(facts).toMatchObject({ name: undefined, contextTokens: undefined, embeddingLength: undefined });
  });
});
