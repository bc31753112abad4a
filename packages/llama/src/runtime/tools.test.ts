import type { Message } from "@benchtop/protocol";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ask, RuntimeModels } from "../../test/runtime-model.ts";
import { tinyScriptedModel } from "../../test/tiny-scripted-model.ts";
import { toolTemplate } from "../../test/tiny-templates.ts";
import type { LlamaModel } from "./llama-model.ts";

const models = new RuntimeModels();
afterAll(() => models.end());

const call = '<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call>';
const thought = "Let me see. ";
let model: LlamaModel;
beforeAll(async () => {
  // As models that think have it: what is between these marks is no part of the answer.
  const template = `${toolTemplate}{#- <think> </think> -#}`;
  model = await models.start(
    tinyScriptedModel({
      script: "I can tell you the weather.",
      tools: true,
      pieces: "bytes",
      answers: [
        { after: "CALL", script: call },
        { after: "RAIN", script: "It rains." },
        { after: "THINK", script: `<think>${thought}</think>The answer is 42.` },
      ],
      metadata: { "tokenizer.chat_template": { type: "string", value: template } },
    }),
  );
});

const weather = {
  name: "weather",
  description: "The weather of a city",
  inputSchema: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
  },
};
const question: Message = { role: "user", content: "What is it like in Oslo? CALL" };
const asked: Message = {
  role: "assistant",
  content: "",
  toolCalls: [{ callId: "call_1", name: "weather", arguments: { city: "Oslo" } }],
};
const result = (content: string, callId = "call_1"): Message => ({ role: "tool", callId, name: "weather", content });

it("asks for a call and ends, executing nothing", async () => {
  const { text, calls, reason } = await ask(model, [question], { tools: [weather] });
  expect(model.facts.supportsTools).toBe(true);
  expect(text).toBe("");
  expect(calls).toMatchObject([{ name: "weather", arguments: '{"city":"Oslo"}' }]);
  expect(calls[0]?.callId).toMatch(/^call_.{8,}/);
  expect(reason).toBe("tool-calls");
});

it("says something else than a call when it has nothing to call for", async () => {
  expect(await ask(model, "Hello", { tools: [weather] })).toMatchObject({
    text: "I can tell you the weather.",
    calls: [],
    reason: "stop",
  });
});

it("goes on after the result of a call", async () => {
  const messages = [question, asked, result('{"rain":"RAIN"}')];
  const { text, reason, usage } = await ask(model, messages, { tools: [weather] });
  expect({ text, reason }).toEqual({ text: "It rains.", reason: "stop" });
  const { inputTokens, cachedInputTokens = 0 } = usage.usage;
  expect(cachedInputTokens).toBeGreaterThan(inputTokens / 2);
});

it("takes results of calls that failed, and results that are no JSON", async () => {
  for (const message of [result("no such city RAIN"), { ...result("[RAIN"), isError: true }]) {
    expect((await ask(model, [question, asked, message], { tools: [weather] })).text).toBe("It rains.");
  }
});

it("refuses a result of a call that was never made", async () => {
  await expect(ask(model, [question, asked, result("{}", "call_2")], { tools: [weather] })).rejects.toMatchObject({
    code: "VALIDATION_FAILED",
    message: expect.stringContaining("not the call that it answers"),
  });
});

it("gives up a call that the limit of tokens cuts off", async () => {
  const { calls, reason, text } = await ask(model, [question], { tools: [weather], maxOutputTokens: 20 });
  expect({ calls, reason, text }).toEqual({ calls: [], reason: "length", text: "" });
});

it("tells what it thinks apart from what it says", async () => {
  const { reasoning, text, usage } = await ask(model, "THINK");
  expect({ reasoning: reasoning.trim(), text }).toEqual({ reasoning: thought.trim(), text: "The answer is 42." });
  expect(usage.usage.reasoningTokens).toBeGreaterThan(1);
});

it("keeps earlier thoughts where the template has no place for them out of what is said", async () => {
  const { text } = await ask(model, [
    { role: "user", content: "Hello" },
    { role: "assistant", content: "Hi", reasoning: "RAIN" },
    { role: "user", content: "Well?" },
  ]);
  expect(text).not.toContain("think");
});

it("refuses what is no text", async () => {
  const picture = { mediaType: "image/png", data: "AAAA" };
  await expect(ask(model, [{ role: "user", content: "What is it?", attachments: [picture] }])).rejects.toMatchObject({
    code: "VALIDATION_FAILED",
    message: "A local model reads text only; it was given image/png.",
  });
});
