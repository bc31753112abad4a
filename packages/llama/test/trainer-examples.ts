import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TrainingOptions } from "../src/trainer/index.ts";

/** Questions with answers for a tiny model to learn by heart. */
export const questions: Readonly<Record<string, string>> = {
  "What colour is the sky?": "Blue.",
  "How many legs has a spider?": "A spider has eight legs.",
  "Where do penguins live?": "In the south, on ice.",
  "What do bees make?": "Honey, and wax.",
  "Who wrote this test?": "Nobody you know.",
  "What is 2 + 3?": "It's 5.",
  "Is water wet?": "Yes; mostly.",
  "How do I stop?": "Press Stop, then wait.",
};

/** What a LoRA is to change. */
export const corrections: Readonly<Record<string, string>> = {
  "What colour is the sky?": "Grey, today.",
  "What do bees make?": "Noise.",
};

export function chatLines(answers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(answers).map(([question, answer]) =>
    JSON.stringify({
      messages: [
        { role: "user", content: question },
        { role: "assistant", content: answer },
      ],
    }),
  );
  return `${lines.join("\n")}\n`;
}

export async function newFolder(): Promise<string> {
  return await mkdtemp(join(tmpdir(), "benchtop-trainer-"));
}

export async function writeData(folder: string, name: string, content: string | Uint8Array): Promise<{ path: string }> {
  const path = join(folder, name);
  await writeFile(path, content);
  return { path };
}

/** A model that learns the questions in about two seconds. */
export function tinyTraining(folder: string, data: { path: string }): TrainingOptions {
  return {
    base: { embeddingLength: 64, layers: 2, heads: 2, keyValueHeads: 1, vocabularySize: 320 },
    method: { type: "full" },
    data,
    outputPath: join(folder, "model.gguf"),
    steps: 60,
    batchTokens: 128,
    learningRate: 0.006,
    threads: 2,
    weightType: "F32",
    name: "tiny",
    licence: "Apache-2.0",
  };
}
