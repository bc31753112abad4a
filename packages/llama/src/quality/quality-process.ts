/** A process that reads a text with two models side by side and compares what each expects next. */
import { BenchtopError } from "@benchtop/protocol/errors";
import { openForLongCalls, serveNativeTask } from "../ffi/native-process.ts";
import { compareDistributions } from "./distribution.ts";
import { openEvaluator, type EvaluatedModel } from "./evaluation.ts";
import type { QualityProgress } from "./quality.ts";
import { asText, chunksOf, tokensOf } from "./text-chunks.ts";

export interface QualityInput {
  readonly sourcePath: string;
  readonly candidatePath: string;
  readonly text: string;
  readonly contextTokens: number;
  readonly chunks: number | undefined;
  readonly threads: number;
}

export interface QualityResult {
  readonly chunks: number;
  readonly tokens: number;
  readonly sourcePerplexity: number;
  readonly candidatePerplexity: number;
  readonly meanKL: number;
  readonly maxKL: number;
  readonly topAgreement: number;
  readonly llamaVersion: string;
}

export interface QualityTask {
  readonly input: QualityInput;
  readonly progress: QualityProgress;
  readonly result: QualityResult;
}

serveNativeTask<QualityTask>(compare);

async function compare(input: QualityInput, report: (progress: QualityProgress) => void): Promise<QualityResult> {
  const libraries = await openForLongCalls();
  const evaluator = openEvaluator(libraries);
  const { threads, contextTokens } = input;
  const source = await evaluator.open({ path: input.sourcePath, threads, contextTokens });
  const candidate = await evaluator.open({ path: input.candidatePath, threads, contextTokens });
  const tokens = tokensOf(source, input.text, contextTokens);
  refuseOtherTokens(source, candidate, tokens, input.text);
  const totals = new Totals();
  const chunks = chunksOf(tokens, contextTokens, input.chunks);
  for (const [index, chunk] of chunks.entries()) {
    await compareChunk(source, candidate, chunk, totals);
    report({ done: index + 1, total: chunks.length, ...totals.means() });
  }
  source.close();
  candidate.close();
  return {
    chunks: chunks.length,
    tokens: totals.tokens,
    ...totals.means(),
    maxKL: totals.maxKL,
    topAgreement: totals.agreed / totals.tokens,
    llamaVersion: libraries.version,
  };
}

/** The first half of a chunk is read to know what it is about; what is expected behind each token of the second counts. */
async function compareChunk(
  source: EvaluatedModel,
  candidate: EvaluatedModel,
  chunk: Int32Array,
  totals: Totals,
): Promise<void> {
  const first = Math.floor(chunk.length / 2);
  const batchTokens = Math.min(source.batchTokens, candidate.batchTokens);
  const { vocabularySize } = source;
  const read = asText(source, chunk);
  source.forget();
  candidate.forget();
  for (let start = 0; start < chunk.length; start += batchTokens) {
    const batch = read.slice(start, start + batchTokens);
    const wanted = Array.from(batch, (_, index) => start + index >= first && start + index < chunk.length - 1);
    const expected = await source.read(batch, wanted);
    const given = await candidate.read(batch, wanted);
    let row = 0;
    for (const [index, isWanted] of wanted.entries()) {
      if (!isWanted) continue;
      const from = row++ * vocabularySize;
      totals.add(
        compareDistributions(
          expected.subarray(from, from + vocabularySize),
          given.subarray(from, from + vocabularySize),
          chunk[start + index + 1] ?? 0,
        ),
      );
    }
  }
}

class Totals {
  tokens = 0;
  agreed = 0;
  maxKL = 0;
  #sourceSurprise = 0;
  #candidateSurprise = 0;
  #divergence = 0;

  add({ sourceSurprise, candidateSurprise, divergence, agree }: ReturnType<typeof compareDistributions>): void {
    if (!Number.isFinite(sourceSurprise + candidateSurprise + divergence)) {
      throw new BenchtopError("VALIDATION_FAILED", "One of the models computes what is no number: it is damaged.", {
        phase: "job",
      });
    }
    this.tokens++;
    this.#sourceSurprise += sourceSurprise;
    this.#candidateSurprise += candidateSurprise;
    this.#divergence += divergence;
    this.maxKL = Math.max(this.maxKL, divergence);
    if (agree) this.agreed++;
  }

  means() {
    return {
      sourcePerplexity: Math.exp(this.#sourceSurprise / this.tokens),
      candidatePerplexity: Math.exp(this.#candidateSurprise / this.tokens),
      // Rounding can bring equal distributions below 0.
      meanKL: Math.max(0, this.#divergence / this.tokens),
    };
  }
}

function refuseOtherTokens(source: EvaluatedModel, candidate: EvaluatedModel, tokens: Int32Array, text: string): void {
  const same =
    source.vocabularySize === candidate.vocabularySize &&
    Buffer.compare(bytesOf(tokens), bytesOf(candidate.tokenize(text))) === 0;
  if (same) return;
  throw new BenchtopError(
    "VALIDATION_FAILED",
    "These models do not have the same tokens, so they cannot be compared.",
    {
      phase: "job",
    },
  );
}

const bytesOf = (tokens: Int32Array): Uint8Array => new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength);
