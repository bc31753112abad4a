import { expect, test } from "vitest";
import { settingsOf, type TrainingOptions } from "./options.ts";

const options: TrainingOptions = {
  base: { embeddingLength: 64, layers: 1, heads: 2 },
  method: { type: "full" },
  data: { path: "x.jsonl" },
  outputPath: "x.gguf",
};

test("what is not said has a default", () => {
  expect(settingsOf(options)).toMatchObject({ batchTokens: 2048, schedule: "cosine", precision: "float32", seed: 1 });
});

test.each<[Partial<TrainingOptions>, RegExp]>([
  [{ steps: 0 }, /`steps`/],
  [{ steps: 1.5 }, /`steps` has to be a whole number/],
  [{ steps: 1, epochs: 1 }, /not in both/],
  [{ learningRate: Number.NaN }, /`learningRate`/],
  [{ threads: 0 }, /`threads`/],
  [{ seed: -1 }, /`seed`/],
  [{ evaluation: { share: 0.9 } }, /`share`/],
  [{ base: { embeddingLength: 64, layers: 1, heads: 3 } }, /divisible by twice the `heads`/],
  [{ base: { embeddingLength: 64, layers: 1, heads: 4, keyValueHeads: 3 } }, /divisible by the `keyValueHeads`/],
  [{ base: { embeddingLength: 64, layers: 0, heads: 4 } }, /`layers`/],
  [{ base: { embeddingLength: 64, layers: 1, heads: 4, vocabularySize: 100 } }, /`vocabularySize`/],
  [{ method: { type: "lora" } }, /by its `modelPath`/],
  [{ base: { modelPath: "m" }, method: { type: "lora", rank: 0 } }, /`rank`/],
  [{ base: { modelPath: "m" }, method: { type: "lora", targets: [] } }, /`targets`/],
])("%j is refused, and the setting is named", (wrong, message) => {
  expect(() => settingsOf({ ...options, ...wrong })).toThrow(message);
});
