import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answerOf, ask, never, RuntimeModels } from "../../test/runtime-model.ts";
import { tinyModel } from "../../test/tiny-model.ts";
import { tinyScriptedModel } from "../../test/tiny-scripted-model.ts";
import type { LlamaChatRequest, LlamaModel, LlamaPart } from "./llama-model.ts";

const models = new RuntimeModels();
afterAll(() => models.end());

const endless: LlamaChatRequest = { messages: [{ role: "user", content: "Hello" }], temperature: 0 };
const short: LlamaChatRequest = { ...endless, maxOutputTokens: 3 };

/** A generation that is going: its first words have come. */
async function begun(
  model: LlamaModel,
  request: LlamaChatRequest,
  signal: AbortSignal,
): Promise<AsyncIterator<readonly LlamaPart[]>> {
  const iterator = model.chat(request, signal)[Symbol.asyncIterator]();
  for (let batch = await iterator.next(); batch.value?.length === 0;) batch = await iterator.next();
  return iterator;
}

describe("requests beyond those at once", () => {
  let model: LlamaModel;
  beforeAll(async () => {
    model = await models.start(tinyScriptedModel({ script: "again and again ", endless: true, contextTokens: 4096 }));
  });

  it("wait in order", async () => {
    const done: number[] = [];
    const all = [1, 2, 3, 4].map(async (each) => {
      await answerOf(model.chat(short, never));
      done.push(each);
    });
    expect(model.state).toMatchObject({ busy: 1, waiting: 3 });
    await Promise.all(all);
    expect(done).toEqual([1, 2, 3, 4]);
    expect(model.state).toMatchObject({ busy: 0, waiting: 0 });
    expect(model.state.memoryBytes).toBeGreaterThan(10_000_000);
  });

  it("are aborted while they wait, at once and with the reason of the signal", async () => {
    const going = new AbortController();
    const running = await begun(model, endless, going.signal);
    const waiting = new AbortController();
    const second = answerOf(model.chat(short, waiting.signal));
    const third = answerOf(model.chat(short, never));
    const reason = new Error("Enough.");
    waiting.abort(reason);
    await expect(second).rejects.toBe(reason);
    expect(model.state).toMatchObject({ busy: 1, waiting: 1 });
    going.abort(reason);
    await expect(running.next()).rejects.toBe(reason);
    expect((await third).reason).toBe("length");
  });

  it("get their turn when somebody leaves the iteration", async () => {
    for await (const parts of model.chat(endless, never)) {
      if (parts.length > 0) break;
    }
    expect((await answerOf(model.chat(short, never))).reason).toBe("length");
  });

  it("do not begin where the signal is aborted already", async () => {
    const reason = new Error("Never.");
    await expect(answerOf(model.chat(short, AbortSignal.abort(reason)))).rejects.toBe(reason);
    expect(model.state.busy).toBe(0);
  });

  it("do not keep others from counting tokens", async () => {
    const controller = new AbortController();
    await begun(model, endless, controller.signal);
    expect((await model.tokenize("Hello world")).length).toBeGreaterThan(0);
    controller.abort();
  });
});

describe("a prompt that takes long", () => {
  it("is left at once when it is aborted, and its place is free soon", async () => {
    const model = await models.start(
      tinyModel({ contextTokens: 4096, embeddingLength: 256, layers: 6, feedForwardLength: 1024 }),
    );
    const content = "word ".repeat(3000 / 5);
    const controller = new AbortController();
    const started = performance.now();
    const request: LlamaChatRequest = { messages: [{ role: "user", content }], maxOutputTokens: 1 };
    const iterator = model.chat(request, controller.signal)[Symbol.asyncIterator]();
    expect(await iterator.next()).toMatchObject({ value: [] });
    const whole = iterator.next();
    controller.abort(new Error("Too long."));
    await expect(whole).rejects.toThrow("Too long.");
    await ask(model, "Hi", { maxOutputTokens: 1 });
    const aborted = performance.now() - started;
    const again = performance.now();
    await ask(model, content, { maxOutputTokens: 1 });
    expect(aborted).toBeLessThan(Math.max(500, performance.now() - again));
  });
});
