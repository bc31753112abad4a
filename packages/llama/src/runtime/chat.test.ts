import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answerOf, ask, never, RuntimeModels } from "../../test/runtime-model.ts";
import { tinyScriptedModel } from "../../test/tiny-scripted-model.ts";
import type { LlamaModel } from "./llama-model.ts";

const models = new RuntimeModels();
afterAll(() => models.end());

const greeting = "Grüße 👩‍🚀 an alle! 日本語 <|im fertig";
const numbers = "one two three four five six seven eight nine ten";

describe.each(["gpt2", "llama"] as const)("a chat with a model of the %s tokenizer", (tokenizer) => {
  let model: LlamaModel;
  beforeAll(async () => {
    model = await models.start(
      tinyScriptedModel({
        tokenizer,
        script: greeting,
        answers: [{ after: "COUNT", script: numbers }],
        pieces: tokenizer === "gpt2" ? "bytes" : "words",
      }),
      { parallel: 2 },
    );
  });

  it("says what it is", () => {
    const { contextTokens, memoryBytes, parameters } = model.facts;
    expect(model.facts).toMatchObject({
      trainedContextTokens: 2048,
      embeddingLength: 192,
      device: "cpu",
      hasChatTemplate: true,
      supportsTools: false,
    });
    expect(contextTokens).toBe(2048);
    expect(parameters).toBeGreaterThan(100_000);
    expect(memoryBytes).toBeGreaterThan(10_000_000);
  });

  it("streams whole characters and no marks of the template", async () => {
    const { text, parts, reason, usage } = await ask(model, "hi");
    expect(text).toBe(greeting);
    expect(reason).toBe("stop");
    expect(parts.some((part) => "text" in part && /[\uFFFD\uD800-\uDBFF]$/.test(part.text))).toBe(false);
    expect(usage.usage.outputTokens).toBeGreaterThan(5);
    expect(usage.usage.inputTokens).toBeGreaterThan(5);
  });

  it("begins with an empty batch, and sends the first words alone", async () => {
    const batches: string[][] = [];
    for await (const batch of model.chat({ messages: [{ role: "user", content: "COUNT" }], temperature: 0 }, never)) {
      batches.push(batch.map(({ type }) => type));
    }
    expect(batches[0]).toEqual([]);
    expect(batches[1]).toEqual(["text"]);
    expect(batches.flat().slice(-2)).toEqual(["usage", "finish"]);
  });

  it("ends at a stop text, which is not said, even when it is divided between tokens", async () => {
    expect(await ask(model, "COUNT", { stop: ["five"] })).toMatchObject({
      text: "one two three four ",
      reason: "stop",
    });
    expect(await ask(model, "COUNT", { stop: ["x", "o three f"] })).toMatchObject({ text: "one tw", reason: "stop" });
  });

  it("keeps nothing back at the limit of tokens", async () => {
    const whole = await ask(model, "COUNT", { maxOutputTokens: 4 });
    const held = await ask(model, "COUNT", { maxOutputTokens: 4, stop: [`${whole.text}x`, numbers] });
    expect(whole).toMatchObject({ reason: "length", usage: { usage: { outputTokens: 4 } } });
    expect(numbers.startsWith(whole.text)).toBe(true);
    expect(held).toMatchObject({ text: whole.text, reason: "length" });
  });

  it("evaluates only what is new of a conversation that goes on", async () => {
    const question = { role: "user" as const, content: "What do you say to the people who are here? COUNT" };
    const first = await ask(model, [question]);
    const second = await ask(model, [
      question,
      { role: "assistant", content: first.text },
      { role: "user", content: "Go on" },
    ]);
    const { inputTokens, cachedInputTokens = 0 } = second.usage.usage;
    expect(cachedInputTokens).toBeGreaterThanOrEqual(first.usage.usage.inputTokens);
    expect(inputTokens - cachedInputTokens).toBeLessThan(60);
  });

  it("goes on in the sequence that knows most of the conversation", async () => {
    const [one, other] = ["The first of two long questions. COUNT", "Some other question, as long as that. COUNT"];
    const gates = [one, other].map((content) =>
      model.chat({ messages: [{ role: "user", content }], temperature: 0 }, never),
    );
    await Promise.all(gates.map(answerOf));
    for (const content of [other, one, one, other]) {
      const { inputTokens, cachedInputTokens } = (await ask(model, content)).usage.usage;
      expect(cachedInputTokens).toBe(inputTokens - 1);
    }
  });

  it("says in generations at once what it says in each alone", async () => {
    const questions = ["COUNT", "hi", "hi", "COUNT", "COUNT"];
    const answers = await Promise.all(questions.map((content) => ask(model, content)));
    expect(answers.map(({ text }) => text)).toEqual(
      questions.map((content) => (content === "hi" ? greeting : numbers)),
    );
  });

  it("completes a text as it is", async () => {
    const prompt = "<|im_start|>user\nCOUNT<|im_end|>\n<|im_start|>assistant\n";
    const chatted = await ask(model, "COUNT");
    const { text, reason, usage } = await answerOf(model.complete({ prompt, temperature: 0 }, never));
    expect({ text, reason }).toEqual({ text: numbers, reason: "stop" });
    expect(usage.usage.inputTokens).toBe(chatted.usage.usage.inputTokens);
  });

  it("counts tokens", async () => {
    const tokens = await model.tokenize("the world");
    expect(tokens.length).toBeGreaterThan(1);
    expect(tokens.every((token) => token >= 0 && token < model.facts.vocabularySize)).toBe(true);
    expect(await model.tokenize("")).toEqual([]);
  });
});
