import { afterAll, expect, it } from "vitest";
import { ask, RuntimeModels } from "../../test/runtime-model.ts";
import { tinyModel, uniform } from "../../test/tiny-model.ts";
import type { GgufContent } from "../gguf/gguf.ts";

const models = new RuntimeModels();
afterAll(() => models.end());

/** A LoRA of rank 2 for every query of a tiny model, too strong to be overlooked. */
function adapter(): GgufContent {
  const random = uniform(3);
  const numbers = (length: number): Float32Array => Float32Array.from({ length }, () => 2 * random());
  return {
    metadata: {
      "general.architecture": { type: "string", value: "llama" },
      "general.type": { type: "string", value: "adapter" },
      "adapter.type": { type: "string", value: "lora" },
      "adapter.lora.alpha": { type: "f32", value: 2 },
    },
    tensors: [0, 1].flatMap((layer) => [
      { name: `blk.${layer}.ffn_down.weight.lora_a`, shape: [128, 2], type: "F32", data: numbers(256) },
      { name: `blk.${layer}.ffn_down.weight.lora_b`, shape: [2, 64], type: "F32", data: numbers(128) },
    ]),
  };
}

it("applies adapters as strongly as told, also to a model without a template", async () => {
  // No template: a plain transcript, "### Human" above what people say.
  const plain = tinyModel({ metadata: { "tokenizer.chat_template": { type: "string", value: "" } } });
  const path = await models.write(adapter());
  const [none, full] = await Promise.all(
    [[{ path, scale: 0 }], [{ path }]].map(async (adapters) => {
      const model = await models.start(plain, { adapters });
      expect(model.facts).toMatchObject({ hasChatTemplate: false, supportsTools: false });
      return await ask(model, "Well?", { maxOutputTokens: 20 });
    }),
  );
  expect(full?.text).not.toBe(none?.text);
  expect(none?.usage.usage.inputTokens).toBeGreaterThan("### Human\n".length);
});
