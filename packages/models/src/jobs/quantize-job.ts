import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RunScope } from "@benchtop/harness";
import {
  compareQuality,
  computeImportanceMatrix,
  quantize,
  type QualityReport,
  type QuantizationManifest,
  type QuantizationType,
} from "@benchtop/llama";
import { BenchtopError, type Json } from "@benchtop/protocol";
import type { RunOutcome } from "@benchtop/harness";
import { keepArtifact, Phases, type JobParts } from "./job.ts";

export interface QuantizeRequest {
  /** An installed model of F32, F16 or BF16 weights. */
  readonly name: string;
  readonly quantization: QuantizationType;
  /** What the copy is called. */
  readonly as: string;
  /** Read with both models to tell how far the copy is from its source; nothing is measured without it. */
  readonly text: string | undefined;
  /** Weigh the matrices by what that text uses. */
  readonly importance: boolean;
}

/** Makes the copy beside its source and installs it; the run's result is its manifest, with the measure where there is a text. */
export async function quantizeInRun(run: RunScope, request: QuantizeRequest, parts: JobParts): Promise<RunOutcome> {
  const { registry } = parts;
  const { name, quantization, as, text } = request;
  const { weights } = await registry.paths(name);
  const { contextTokens } = await registry.get(name);
  const folder = await registry.workFolder();
  const outputPath = join(folder, `${as}.gguf`);
  const phases = new Phases(run);
  const importanceMatrix = await weigh(run, request, { modelPath: weights, contextTokens, folder });
  const made = await quantize(
    {
      sourcePath: weights,
      outputPath,
      type: quantization,
      ...(importanceMatrix !== undefined && { importanceMatrix }),
    },
    { onProgress: ({ phase, done, total }) => phases.tell(phase, done, total) },
    run.signal,
  );
  const quality = await measure(run, text, contextTokens, [weights, outputPath]);
  const manifest = { ...made, from: name, ...(quality && { quality }) } as unknown as Record<string, Json>;
  run.signal.throwIfAborted();
  const model = await registry.adopt(
    [outputPath],
    { name: as, source: { type: "quantized", from: name }, manifest },
    run.signal,
  );
  await keepArtifact(run, parts.store, "manifest.json", manifest);
  return { output: inWords(name, as, made, quality), result: { ...manifest, name: model.name, bytes: model.bytes } };
}

async function weigh(
  run: RunScope,
  { importance, text }: QuantizeRequest,
  { modelPath, contextTokens, folder }: { modelPath: string; contextTokens: number | null; folder: string },
): Promise<string | undefined> {
  if (!importance) return undefined;
  if (text === undefined) {
    throw new BenchtopError("VALIDATION_FAILED", "Weighing what matters needs a text that the model is used for.", {
      phase: "job",
      detail: { fields: ["text"] },
    });
  }
  const phases = new Phases(run);
  const textPath = join(folder, "importance.txt");
  const outputPath = join(folder, "importance.gguf");
  await writeFile(textPath, text);
  const onProgress = ({ done, total }: { done: number; total: number }) => phases.tell("weighing", done, total);
  await computeImportanceMatrix(
    { modelPath, textPath, outputPath, contextTokens: chunkTokens(text, contextTokens) },
    { onProgress },
    run.signal,
  );
  return outputPath;
}

async function measure(
  run: RunScope,
  text: string | undefined,
  contextTokens: number | null,
  [sourcePath, candidatePath]: readonly [string, string],
): Promise<QualityReport | undefined> {
  if (text === undefined) return undefined;
  const phases = new Phases(run);
  const report = await compareQuality(
    { sourcePath, candidatePath, text, contextTokens: chunkTokens(text, contextTokens) },
    {
      onProgress: ({ done, total, meanKL }) => {
        phases.tell("measuring", done, total);
        run.write({ type: "MetricLogged", name: "KL divergence", value: meanKL, step: done });
      },
    },
    run.signal,
  );
  run.write({ type: "MetricLogged", name: "perplexity of the source", value: report.source.perplexity });
  run.write({ type: "MetricLogged", name: "perplexity", value: report.candidate.perplexity });
  run.write({ type: "MetricLogged", name: "same next token", value: report.topAgreement });
  return report;
}

/**
 * Tokens that are read at a time: 512, as others measure, and less where the text is too short for two such pieces. A token has
 * four characters or more in most texts.
 */
function chunkTokens(text: string, contextTokens: number | null): number {
  return Math.max(16, Math.min(512, contextTokens ?? 512, Math.floor(text.length / 8)));
}

/** Four that count; a model that expects something else altogether has a perplexity of very many. */
const digits = (value: number): string => String(Number(value.toPrecision(4)));

function inWords(name: string, as: string, made: QuantizationManifest, quality: QualityReport | undefined): string {
  const { source, output, type } = made;
  const share = ((100 * output.bytes) / source.bytes).toFixed(0);
  const measured =
    quality === undefined
      ? ""
      : ` On the given text its perplexity is ${digits(quality.candidate.perplexity)} (the source's ${digits(quality.source.perplexity)}), ` +
        `and both find the same next token most likely in ${(100 * quality.topAgreement).toFixed(1)} % of places.`;
  return `${as} is ${name} as ${type}, with ${share} % of its size.${measured}`;
}
