import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { never, testFolder } from "../../test/quantize-folder.ts";
import { alphabetModel, tokensIn } from "../../test/quantize-models.ts";
import { tinyModel } from "../../test/tiny-model.ts";
import type { GgufContent } from "../gguf/write.ts";
import { quantize } from "../quantize/quantize.ts";
import { compareQuality, type QualityOptions, type QualityProgress, type QualityReport } from "./quality.ts";

const folder = testFolder();
const model = alphabetModel();
/** 640 bytes, each a token: ten chunks of 64. */
const text = Array.from({ length: 640 }, (_, index) => String.fromCharCode(97 + ((index * index) % 31))).join("");
const chunkTokens = 64;
const [source, blunt, q8, q4] = ["source", "blunt", "Q8_0", "Q4_0"].map((name) => folder.at(`${name}.gguf`));

beforeAll(async () => {
  await folder.write("source.gguf", model.content);
  // Half as sure of everything.
  await folder.write("blunt.gguf", alphabetModel({}, 4).content);
  await Promise.all(
    (["Q8_0", "Q4_0"] as const).map((type) =>
      quantize({ sourcePath: source ?? "", outputPath: folder.at(`${type}.gguf`), type }, {}, never),
    ),
  );
});
afterAll(() => folder[Symbol.dispose]());

const compare = async (
  candidatePath: string | undefined,
  options: Partial<QualityOptions> = {},
  onProgress?: (progress: QualityProgress) => void,
  signal = never,
): Promise<QualityReport> =>
  await compareQuality(
    {
      sourcePath: source ?? "",
      candidatePath: candidatePath ?? "",
      text,
      contextTokens: chunkTokens,
      threads: 1,
      ...options,
    },
    { ...(onProgress && { onProgress }) },
    signal,
  );
const refused = async (candidatePath: string, options?: Partial<QualityOptions>): Promise<unknown> =>
  await compare(candidatePath, options).catch((thrown: unknown) => thrown);

/** What the alphabet models give the tokens that count: those of the second half of each chunk, but its last. */
function workedOut(): { source: number; blunt: number; divergence: number; tokens: number } {
  const tokens = tokensIn(text);
  const totals = { source: 0, blunt: 0, divergence: 0, tokens: 0 };
  for (let chunk = 0; chunk + chunkTokens <= tokens.length; chunk += chunkTokens) {
    for (let at = chunk + chunkTokens / 2; at < chunk + chunkTokens - 1; at++) {
      const logits = model.logitsAfter(tokens[at] ?? 0);
      const came = tokens[at + 1] ?? 0;
      const [sure, half] = [logSoftmax(logits), logSoftmax(logits.map((logit) => logit / 2))];
      totals.source -= sure[came] ?? 0;
      totals.blunt -= half[came] ?? 0;
      totals.divergence += sure.reduce((sum, value, token) => sum + Math.exp(value) * (value - (half[token] ?? 0)), 0);
      totals.tokens++;
    }
  }
  return {
    source: Math.exp(totals.source / totals.tokens),
    blunt: Math.exp(totals.blunt / totals.tokens),
    divergence: totals.divergence / totals.tokens,
    tokens: totals.tokens,
  };
}

function logSoftmax(logits: Float64Array): Float64Array {
  const sum = logits.reduce((total, logit) => total + Math.exp(logit), 0);
  return logits.map((logit) => logit - Math.log(sum));
}

describe("P2.2 the quality of a model against its source", () => {
  test("is what it is when worked out from the weights, token by token", async () => {
    const told: QualityProgress[] = [];
    const report = await compare(blunt, {}, (progress) => told.push(progress));
    const expected = workedOut();
    expect(report).toMatchObject({
      text: { sha256: createHash("sha256").update(text).digest("hex"), bytes: 640 },
      contextTokens: 64,
      chunks: 10,
      tokens: expected.tokens,
      topAgreement: 1,
      library: { name: "llama.cpp", version: "0.5.0-dev" },
    });
    expect(report.source.perplexity / expected.source).toBeCloseTo(1, 4);
    expect(report.candidate.perplexity / expected.blunt).toBeCloseTo(1, 4);
    expect(report.meanKL).toBeCloseTo(expected.divergence, 4);
    expect(report.maxKL).toBeGreaterThanOrEqual(report.meanKL);
    expect(told.map(({ done, total }) => `${done}/${total}`)).toEqual(
      Array.from({ length: 10 }, (_, index) => `${index + 1}/10`),
    );
    expect(told.at(-1)).toMatchObject({ meanKL: report.meanKL, sourcePerplexity: report.source.perplexity });
  });

  test("is better with more bits, and the same every time", async () => {
    const [eight, four, again] = [await compare(q8), await compare(q4), await compare(q4)];
    expect(eight.meanKL).toBeGreaterThan(0);
    expect(eight.meanKL).toBeLessThan(0.001);
    expect(four.meanKL).toBeGreaterThan(10 * eight.meanKL);
    expect(four.meanKL).toBeLessThan(0.5);
    expect({ ...again, durationMs: 0 }).toEqual({ ...four, durationMs: 0 });
  });

  test("of itself is perfect, in as many chunks as are asked for", async () => {
    const report = await compare(source, { chunks: 2, contextTokens: 100 });
    expect(report).toMatchObject({ meanKL: 0, maxKL: 0, topAgreement: 1, chunks: 2, tokens: 98 });
    expect(report.candidate).toEqual(report.source);
  });

  test.for<[string, GgufContent, Partial<QualityOptions>, string]>([
    ["with other tokens", tinyModel({ tokenizer: "llama" }), {}, "same tokens"],
    ["that embeds", tinyModel({ embeds: true }), {}, "write text"],
    ["with too short a text", model.content, { text: "short" }, "The text has 5 tokens and a chunk takes 64."],
    ["with a context longer than it knows", model.content, { contextTokens: 300 }, "between 8 and 256"],
    ["with no chunks", model.content, { chunks: 0 }, "number of chunks"],
  ])("is refused %s", async ([, content, options, message]) => {
    const other = await folder.write("other.gguf", content);
    expect(await refused(other, options)).toMatchObject({
      info: { error_code: "VALIDATION_FAILED" },
      message: expect.stringContaining(message) as unknown,
    });
  });

  test("is refused where weights are no numbers", async () => {
    const broken = {
      ...model.content,
      tensors: model.content.tensors.map((tensor) =>
        tensor.name === "output.weight" ? { ...tensor, data: new Float32Array(259 * 256).fill(Number.NaN) } : tensor,
      ),
    };
    const path = await folder.write("broken.gguf", broken);
    expect(await refused(path)).toMatchObject({
      info: { error_code: "VALIDATION_FAILED" },
      message: expect.stringMatching(/invalid data|no number/) as unknown,
    });
  });

  test("is given up when aborted", async () => {
    const abort = new AbortController();
    const failure = await compare(q8, {}, () => abort.abort(new Error("enough")), abort.signal).catch(
      (thrown: unknown) => thrown,
    );
    expect(failure).toMatchObject({ message: "enough" });
  });
});
