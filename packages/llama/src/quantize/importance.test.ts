import { open } from "node:fs/promises";
import { writeFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { never, testFolder } from "../../test/quantize-folder.ts";
import { alphabetModel, expertModel, experts, tokensIn, width } from "../../test/quantize-models.ts";
import { tinyModel } from "../../test/tiny-model.ts";
import { readGgufHeader } from "../gguf/read.ts";
import { compareQuality } from "../quality/quality.ts";
import { computeImportanceMatrix } from "./importance.ts";
import { readImportanceMatrix } from "./importance-matrix.ts";
import { quantize } from "./quantize.ts";

const folder = testFolder();
afterAll(() => folder[Symbol.dispose]());

const text = Array.from({ length: 200 }, (_, index) => String.fromCharCode(97 + ((index * 7) % 26))).join("");
const textPath = folder.at("text.txt");
writeFileSync(textPath, text);

const refused = async (work: Promise<unknown>): Promise<unknown> => await work.catch((thrown: unknown) => thrown);

describe("P2.2 an importance matrix", () => {
  test("counts what goes into each matrix, as worked out from the weights", async () => {
    const model = alphabetModel();
    const modelPath = await folder.write("alphabet.gguf", model.content);
    const outputPath = folder.at("importance.gguf");
    const told: string[] = [];
    const facts = await computeImportanceMatrix(
      { modelPath, textPath, outputPath, contextTokens: 64, threads: 1 },
      { onProgress: ({ done, total }) => told.push(`${done}/${total}`) },
      never,
    );
    expect(facts).toMatchObject({ entries: 14, chunks: 3 });
    expect(told).toEqual(["1/3", "2/3", "3/3"]);

    const header = await readGgufHeader(outputPath);
    expect(Object.fromEntries(header.metadata)).toMatchObject({
      "general.type": "imatrix",
      "imatrix.chunk_count": 3,
      "imatrix.chunk_size": 64,
    });
    expect(header.tensors.map(({ name }) => name)).toContain("blk.1.ffn_down.weight.in_sum2");
    const { values, facts: read } = await readImportanceMatrix(outputPath);
    expect(read).toEqual({ sha256: facts.sha256, entries: 14, chunks: 3 });

    const expected = new Float64Array(width);
    const tokens = tokensIn(text).slice(0, 3 * 64);
    for (const token of tokens) {
      for (const [at, value] of model.stateOf(token).entries())
        expected[at] = (expected[at] ?? 0) + value ** 2 / tokens.length;
    }
    for (const name of ["blk.0.attn_q.weight", "blk.1.ffn_up.weight"]) {
      for (const [at, value] of (values.get(name) ?? []).entries()) expect(value).toBeCloseTo(expected[at] ?? 0, 4);
    }
  });

  test("counts each expert of a mixture for itself", async () => {
    const { content, chosenFor } = expertModel();
    const modelPath = await folder.write("experts.gguf", content);
    const outputPath = folder.at("experts-importance.gguf");
    await computeImportanceMatrix(
      { modelPath, textPath, outputPath, contextTokens: 64, chunks: 2, threads: 1 },
      {},
      never,
    );
    const rows = await floatsOf(outputPath, "blk.0.ffn_up_exps.weight.counts");
    const expected = Array.from({ length: experts }, () => 0);
    for (const token of tokensIn(text).slice(0, 2 * 64)) {
      for (const expert of chosenFor(token)) expected[expert] = (expected[expert] ?? 0) + 1;
    }
    expect([...rows]).toEqual(expected);
    expect(await floatsOf(outputPath, "blk.0.ffn_down_exps.weight.in_sum2")).toHaveLength(512 * experts);

    const result = folder.at("experts-Q4_K_M.gguf");
    const options = {
      sourcePath: modelPath,
      outputPath: result,
      type: "Q4_K_M",
      importanceMatrix: outputPath,
    } as const;
    expect((await quantize(options, {}, never)).importanceMatrix).toMatchObject({ entries: 8, chunks: 2 });
  });

  test("brings a quantized model nearer to its source", async () => {
    const sourcePath = await folder.write("source.gguf", tinyModel({ embeddingLength: 256, feedForwardLength: 512 }));
    const longPath = folder.at("long.txt");
    const long = Array.from({ length: 300 }, (_, index) => `The ${index}th word is of water, light and stone. `).join(
      "",
    );
    writeFileSync(longPath, long);
    const importance = folder.at("source-importance.gguf");
    const computed = {
      modelPath: sourcePath,
      textPath: longPath,
      outputPath: importance,
      contextTokens: 128,
      chunks: 4,
    };
    const { sha256 } = await computeImportanceMatrix(computed, {}, never);
    const reports = await Promise.all(
      [undefined, importance].map(async (importanceMatrix) => {
        const candidatePath = folder.at(`Q4_0-${importanceMatrix !== undefined}.gguf`);
        const options = { sourcePath, outputPath: candidatePath, type: "Q4_0" } as const;
        const manifest = await quantize({ ...options, ...(importanceMatrix && { importanceMatrix }) }, {}, never);
        expect(manifest.importanceMatrix?.sha256).toBe(importanceMatrix && sha256);
        const compared = { sourcePath, candidatePath, text: long, contextTokens: 128, chunks: 4, threads: 1 };
        return await compareQuality(compared, {}, never);
      }),
    );
    const [without, with_] = reports.map(({ meanKL }) => meanKL);
    expect(with_).toBeLessThan(without ?? 0);
    const { metadata } = await readGgufHeader(folder.at("Q4_0-true.gguf"));
    expect(Object.fromEntries(metadata)).toMatchObject({
      "benchtop.quantization.importance_matrix.sha256": sha256,
      "quantize.imatrix.entries_count": 14,
      "quantize.imatrix.chunks_count": 4,
    });
  });

  test("is refused where it does not fit", async () => {
    const sourcePath = await folder.write("narrow.gguf", tinyModel());
    const outputPath = folder.at("no.gguf");
    const options = { sourcePath, outputPath, type: "Q4_0" } as const;
    const other = quantize({ ...options, importanceMatrix: folder.at("importance.gguf") }, {}, never);
    expect(await refused(other)).toMatchObject({
      info: { error_code: "VALIDATION_FAILED" },
      message: "The importance matrix was computed for another model.",
    });
    for (const [path, message] of [
      [sourcePath, "no importance matrix"],
      [textPath, "GGUF"],
    ] as const) {
      expect(await refused(readImportanceMatrix(path))).toMatchObject({
        info: { error_code: "VALIDATION_FAILED" },
        message: expect.stringContaining(message) as unknown,
      });
    }
    expect(folder.names()).not.toContain("no.gguf");
  });

  test("is not computed of too short a text, nor in place of a file", async () => {
    const modelPath = folder.at("narrow.gguf");
    const options = { modelPath, textPath, outputPath: folder.at("no.gguf") };
    expect(await refused(computeImportanceMatrix(options, {}, never))).toMatchObject({
      message: expect.stringContaining("a chunk takes 512") as unknown,
    });
    expect(await refused(computeImportanceMatrix({ ...options, outputPath: textPath }, {}, never))).toMatchObject({
      message: expect.stringContaining("exists already") as unknown,
    });
  });
});

async function floatsOf(path: string, name: string): Promise<Float32Array> {
  const { tensors, dataOffset } = await readGgufHeader(path);
  const tensor = tensors.find((each) => each.name === name);
  const floats = new Float32Array((tensor?.bytes ?? 0) / 4);
  await using file = await open(path);
  await file.read(new Uint8Array(floats.buffer), 0, floats.byteLength, dataOffset + (tensor?.offset ?? 0));
  return floats;
}
