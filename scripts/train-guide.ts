/**
 * `node scripts/train-guide.ts`: makes the guide from `models/guide/*.jsonl`: trains the model, quantizes it, fits the gate, scores
 * both, and writes `guide.gguf`, `gate.json` and `score.json` beside the questions. Five minutes of two free cores. `model`, `gate` or `score`
 * does that part alone.
 */
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { quantize, train } from "@benchtop/llama";
import { gateReport, writeGate } from "./guide/fit-gate.ts";
import { guideFolder, readTopics, trainingExamples } from "./guide/examples.ts";
import { scoreGuide } from "./guide/score.ts";

const parts = ["model", "gate", "score"];
const asked = process.argv.slice(2);
const wanted = asked.length > 0 ? asked : parts;
if (wanted.some((part) => !parts.includes(part))) {
  console.error(`Say which part: ${parts.join(", ")}; all of them when none is named.`);
  process.exit(2);
}
const signal = new AbortController().signal;
if (wanted.includes("model")) await makeModel();
if (wanted.includes("gate")) {
  writeGate();
  for (const line of gateReport()) console.log(line);
}
if (wanted.includes("score")) await score();

async function makeModel(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "benchtop-guide-"));
  try {
    const data = join(folder, "examples.jsonl");
    writeFileSync(data, trainingExamples(readTopics(), 12, 1));
    const full = join(folder, "guide-f16.gguf");
    let told = 0;
    const result = await train(
      {
        base: { embeddingLength: 192, layers: 4, heads: 3, vocabularySize: 2016, contextTokens: 256 },
        method: { type: "full" },
        data: { path: data },
        outputPath: full,
        // Once through all of them: what is seen again and again is learnt by heart, and other questions worse.
        epochs: 1,
        weightDecay: 0.1,
        learningRate: 0.002,
        batchTokens: 2048,
        precision: "bfloat16",
        threads: 2,
        seed: 1,
        name: "Benchtop guide",
        licence: "Apache-2.0",
        description: "Answers questions about Benchtop, and knows nothing else.",
      },
      {
        onProgress: (progress) => {
          if (progress.type !== "step" || Date.now() - told < 10_000) return;
          told = Date.now();
          const { step, steps, loss, remainingMs } = progress;
          console.log(
            `step ${step} of ${steps}, loss ${loss.toFixed(3)}, ${Math.round(remainingMs / 60_000)} min left`,
          );
        },
      },
      signal,
    );
    console.log(
      `${result.parameters} parameters, loss ${result.loss.toFixed(4)}, ${Math.round(result.elapsedMs / 1000)} s`,
    );
    const small = join(folder, "guide.gguf");
    const manifest = await quantize({ sourcePath: full, outputPath: small, type: "Q8_0" }, {}, signal);
    writeFileSync(join(guideFolder, "guide.gguf"), readFileSync(small));
    console.log(`guide.gguf: ${manifest.output.bytes} bytes, sha256 ${manifest.output.sha256}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function score(): Promise<void> {
  const { score, wrong } = await scoreGuide();
  const path = join(guideFolder, "score.json");
  writeFileSync(`${path}.new`, `${JSON.stringify(score, null, 2)}\n`);
  renameSync(`${path}.new`, path);
  console.log(JSON.stringify(score, null, 2));
  for (const line of wrong) console.log(`wrong: ${line}`);
}
