import { afterAll, beforeAll, expect, it } from "vitest";
import { ask, never, RuntimeModels } from "../../test/runtime-model.ts";
import { tinyModel } from "../../test/tiny-model.ts";
import type { LlamaModel } from "./llama-model.ts";

const models = new RuntimeModels();
afterAll(() => models.end());
let model: LlamaModel;
beforeAll(async () => {
  model = await models.start(tinyModel({ embeds: true, contextTokens: 128 }), { embeds: true });
});

it("gives one vector a text, in order, whatever else is embedded", async () => {
  const texts = ["the world", "some other people", "the world"];
  const [all, alone] = await Promise.all([model.embed(texts, never), model.embed(texts.slice(1, 2), never)]);
  expect(all.vectors).toHaveLength(3);
  expect(all.vectors.every((vector) => vector instanceof Float32Array && vector.length === 64)).toBe(true);
  expect(all.vectors[0]).toEqual(all.vectors[2]);
  expect(all.vectors[1]).toEqual(alone.vectors[0]);
  expect(all.vectors[0]).not.toEqual(all.vectors[1]);
  expect(all.inputTokens).toBeGreaterThan(3);
  expect(model.facts.embeddingLength).toBe(64);
  expect(await model.embed([], never)).toEqual({ vectors: [], inputTokens: 0 });
});

it("does not shorten a text that is too long", async () => {
  await expect(model.embed(["short", "word ".repeat(200)], never)).rejects.toMatchObject({
    code: "CONTEXT_EXHAUSTED",
    info: { detail: { index: 1, contextTokens: 128 } },
  });
});

it("refuses nothing, too much, and work of another kind", async () => {
  await expect(model.embed(["one", ""], never)).rejects.toMatchObject({
    message: expect.stringContaining("Text 2 of 2") as string,
  });
  await expect(model.embed(Array<string>(3000).fill("x"), never)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
  await expect(ask(model, "Hi")).rejects.toMatchObject({
    code: "VALIDATION_FAILED",
    message: expect.stringContaining("to embed") as string,
  });
});

it("stops between texts when it is aborted", async () => {
  const controller = new AbortController();
  const embedding = model.embed(Array<string>(2000).fill("some words to embed"), controller.signal);
  controller.abort(new Error("Enough."));
  await expect(embedding).rejects.toThrow("Enough.");
  expect((await model.embed(["one"], never)).vectors).toHaveLength(1);
});
