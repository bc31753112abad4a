import { mkdtemp, open, rm, type FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BenchtopError } from "@benchtop/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { rawGguf } from "../../test/gguf-hostile.ts";
import { tinyModel, uniform } from "../../test/tiny-model.ts";
import { tinyVocabulary } from "../../test/tiny-vocabulary.ts";
import { estimateMemory } from "./estimate.ts";
import { ggufFacts } from "./facts.ts";
import { readGgufFields, readGgufHeader } from "./read.ts";
import { writeGguf } from "./write.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gguf-fuzz-"));
});
afterAll(() => rm(folder, { recursive: true }));

const rounds = 3000;

test(`${rounds} mutated headers are read or refused in words, within bounds of time and memory`, async () => {
  const random = uniform(20_261_121);
  const below = (limit: number): number => Math.floor(((random() + 1) / 2) * limit);
  const seeds = [rawGguf(), await headerOf("gpt2"), await headerOf("llama")];
  const path = join(folder, "mutated.gguf");
  const file = await open(path, "w+");
  const before = process.memoryUsage.rss();
  const outcomes = { read: 0, refused: 0 };
  const wrong: Error[] = [];
  const started = performance.now();
  for (let round = 0; round < rounds; round++) {
    const bytes = mutated(seeds[round % seeds.length] ?? seeds[0] ?? Buffer.alloc(0), below);
    await replace(file, bytes);
    const outcome = await readOrRefused(path);
    if (outcome instanceof Error) wrong.push(outcome);
    else outcomes[outcome] += 1;
  }
  const took = performance.now() - started;
  await file.close();
  expect(wrong).toEqual([]);
  // Both happen: else only the first bytes would be tried, or nothing would be broken.
  expect(outcomes.read).toBeGreaterThan(rounds / 50);
  expect(outcomes.refused).toBeGreaterThan(rounds / 4);
  expect(process.memoryUsage.rss() - before).toBeLessThan(300 * 2 ** 20);
  // 1 to 2 s where nothing else runs.
  expect(took).toBeLessThan(20_000);
});

/** A model's header without its weights, which is refused, and with room for them, which is not. */
async function headerOf(tokenizer: "gpt2" | "llama"): Promise<Buffer> {
  const path = join(folder, `${tokenizer}.gguf`);
  const vocabulary = tinyVocabulary(tokenizer, { words: [" the"] });
  const size = { embeddingLength: 4, heads: 1, keyValueHeads: 1, feedForwardLength: 4, layers: 1 };
  const { bytes } = await writeGguf(path, tinyModel({ vocabulary, ...size }));
  const file = await open(path, "r");
  const { buffer } = await file.read(Buffer.alloc(bytes), 0, bytes, 0);
  await file.close();
  return buffer;
}

/** Bits, bytes, numbers and stretches of a file, changed as damage and malice would. */
function mutated(seed: Buffer, below: (limit: number) => number): Buffer {
  let bytes = Buffer.from(seed);
  for (let change = below(4); change >= 0; change--) {
    // Most of what matters is at the beginning, and where tensors are described.
    if (bytes.length === 0) break;
    const at = below(below(3) === 0 ? Math.min(bytes.length, 64) : bytes.length);
    const kind = below(8);
    if (kind === 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8));
    else if (kind === 1) bytes[at] = below(256);
    else if (kind === 2 && at + 4 <= bytes.length) bytes.writeUInt32LE(numbers32[below(numbers32.length)] ?? 0, at);
    else if (kind === 3 && at + 8 <= bytes.length) bytes.writeBigUInt64LE(numbers64[below(numbers64.length)] ?? 0n, at);
    else if (kind === 4) bytes = bytes.subarray(0, at);
    else if (kind === 5) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + below(40))]);
    else if (kind === 6)
      bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at, at + below(80)), bytes.subarray(at)]);
    else if (kind === 7) bytes.fill(below(2) * 255, at, Math.min(bytes.length, at + below(16)));
  }
  return bytes;
}

const numbers32 = [0, 1, 8, 9, 12, 13, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
const numbers64 = [0n, 1n, 2n ** 24n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n];

async function replace(file: FileHandle, bytes: Buffer): Promise<void> {
  await file.truncate(bytes.length);
  await file.write(bytes, 0, bytes.length, 0);
}

async function readOrRefused(path: string): Promise<"read" | "refused" | Error> {
  try {
    const header = await readGgufHeader(path);
    await readGgufFields(path);
    const { totalBytes } = estimateMemory(header, { contextTokens: 4096 });
    if (!Number.isFinite(totalBytes) || totalBytes < 0) return new Error(`The estimate is ${totalBytes}.`);
    ggufFacts(header);
    return "read";
  } catch (thrown) {
    if (BenchtopError.is(thrown) && thrown.code === "VALIDATION_FAILED" && shownAnywhere.test(thrown.message)) {
      return "refused";
    }
    return new Error("Something else was thrown.", { cause: thrown });
  }
}

/** Nothing of the file that a terminal would act on. */
const shownAnywhere = /^[\x20-\x7e…]{20,400}$/;
