import { fork } from "node:child_process";
import { once } from "node:events";
import { copyFile, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BenchtopError } from "@benchtop/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chatLines, corrections, newFolder, questions, tinyTraining, writeData } from "../../test/trainer-examples.ts";
import { infer } from "../../test/trainer-inference.ts";
import { readGgufFields, readGgufHeader } from "../gguf/read.ts";
import { writeGguf } from "../gguf/write.ts";
import { train, type TrainingOptions, type TrainingProgress, type TrainingResult } from "./index.ts";

let folder: string;
let options: TrainingOptions;
let result: TrainingResult;
let losses: readonly number[];
const signal = new AbortController().signal;
const awkward = [
  "It's  5.\n\n\tYes — naïve ‘x’ 12345 ./run --all …",
  " a",
  "  b\n",
  "日本語 😀",
  "don't WE'LL 'S",
  "a\r\n\r\nb",
  "  ",
  "€ 3.50!?\n",
];

beforeAll(async () => {
  folder = await newFolder();
  const data = await writeData(folder, "questions.jsonl", chatLines(questions));
  options = { ...tinyTraining(folder, data), evaluation: data, evaluateEvery: 60 };
  ({ result, losses } = await trained(options));
});

afterAll(async () => await rm(folder, { recursive: true, force: true }));

describe("a model from nothing", () => {
  test("learns the questions, and answers them through llama.cpp", async () => {
    const { answers } = await infer({ modelPath: result.outputPath, questions: Object.keys(questions) });
    expect(answers).toEqual(Object.values(questions));
  });

  test("has a forward computation that is llama.cpp's", async () => {
    const [tokens, from] = await answerTokens("What is 2 + 3?", "It's 5.");
    const untrained = { ...options, steps: 1, learningRate: 1e-8, outputPath: join(folder, "untrained.gguf") };
    const data = await writeData(folder, "one.jsonl", chatLines({ "What is 2 + 3?": "It's 5." }));
    const { result: raw } = await trained({ ...untrained, evaluation: data });
    const { losses: judged } = await infer({ modelPath: raw.outputPath, judge: [{ tokens, from }] });
    // Keys and values are kept in half precision at inference.
    expect((judged[0] ?? 0) / (tokens.length - from)).toBeCloseTo(raw.evaluationLoss ?? 0, 2);
    expect(raw.evaluationLoss).toBeGreaterThan(2);
  });

  test("comes as a GGUF file that says what it is", async () => {
    const { metadata, tensors } = await readGgufHeader(result.outputPath);
    expect(metadata.get("general.name")).toBe("tiny");
    expect(metadata.get("general.license")).toBe("Apache-2.0");
    expect(metadata.get("tokenizer.chat_template")).toContain("<|im_start|>");
    expect(metadata.get("benchtop.training.steps")).toBe(60);
    expect(tensors).toHaveLength(20);
  });

  test("is the same to the last bit when it is trained again", async () => {
    const again = await trained({ ...options, outputPath: join(folder, "again.gguf") });
    expect(again.losses).toEqual(losses);
    expect(again.result.sha256).toBe(result.sha256);
  });
});

describe("a LoRA", () => {
  test("changes the answers that it was trained to change, and keeps the others", async () => {
    const wanted = { ...questions, ...corrections };
    const data = await writeData(folder, "corrected.jsonl", chatLines(wanted));
    const { result: adapter } = await trained({
      ...options,
      base: { modelPath: result.outputPath },
      method: { type: "lora", rank: 4 },
      data,
      outputPath: join(folder, "adapter.gguf"),
      steps: 60,
    });
    expect(adapter.trainedParameters).toBeLessThan(adapter.parameters / 5);
    const asked = { modelPath: result.outputPath, questions: Object.keys(wanted) };
    const { answers } = await infer({ ...asked, adapterPath: adapter.outputPath });
    expect(answers).toEqual(Object.values(wanted));
    // The model itself is as it was.
    expect((await infer(asked)).answers).toEqual(Object.values(questions));
  });

  test("is refused for what is no model, a quantized model, and more context than the model has", async () => {
    const lora: TrainingOptions = { ...options, method: { type: "lora" }, outputPath: join(folder, "refused.gguf") };
    const noModel = await writeData(folder, "no-model.gguf", "GGUF?");
    await expect(trained({ ...lora, base: { modelPath: noModel.path } })).rejects.toMatchObject({
      code: "VALIDATION_FAILED",
    });
    const quantized = join(folder, "quantized.gguf");
    await rewrite(quantized, { embeddingType: "Q8_0" });
    await expect(trained({ ...lora, base: { modelPath: quantized } })).rejects.toThrow(/is quantized \(Q8_0\)/);
    await expect(trained({ ...lora, base: { modelPath: result.outputPath }, contextTokens: 4096 })).rejects.toThrow(
      /context of \d+ tokens/,
    );
  });
});

test("full training goes on from a model that there is, with a chat template that llama.cpp writes", async () => {
  const modelPath = join(folder, "zephyr.gguf");
  await rewrite(modelPath, { template: "{{ '<|user|>' }} … <|endoftext|>" });
  const progress: TrainingProgress[] = [];
  const lines = `${chatLines({ "a b": "c d" })}{"prompt":"e","completion":"f"}\n{"text":"g h"}`;
  const data = await writeData(folder, "mixed.jsonl", lines);
  const { evaluation: _evaluation, ...rest } = options;
  const run = { ...rest, base: { modelPath }, data, steps: 2, outputPath: join(folder, "went-on.gguf") };
  const { result: wentOn } = await trained({ ...run, weightType: "F16", precision: "bfloat16" }, (each) =>
    progress.push(each),
  );
  const { tokens } = await infer({ modelPath, tokenize: ["c d", "f", "g h"] });
  // Each with the token that ends it; of a text, the first token has nothing before it.
  const learnt = tokens.reduce((sum, answer) => sum + answer.length + 1, 0) - 1;
  expect(progress.find((each) => each.type === "plan")?.plan.learntTokens).toBe(learnt);
  expect((await readGgufHeader(wentOn.outputPath)).tensors.map(({ type }) => type)).toContain("F16");
});

describe("a run that was ended", () => {
  test("by a kill goes on with the same losses", async () => {
    const run: TrainingOptions = {
      ...options,
      outputPath: join(folder, "resumed.gguf"),
      checkpointDirectory: join(folder, "killed"),
      checkpointEvery: 7,
    };
    const before = await killedAfter(run, 25);
    expect(before.length).toBeGreaterThanOrEqual(25);
    const progress: TrainingProgress[] = [];
    const after = await trained(run, (each) => progress.push(each));
    const plan = progress.find((each) => each.type === "plan");
    expect(plan?.plan.resumedAt).toBeGreaterThanOrEqual(21);
    expect(before).toEqual(losses.slice(0, before.length));
    expect(after.losses).toEqual(losses.slice(plan?.plan.resumedAt));
    expect(after.result.sha256).toBe(result.sha256);
    // Nothing is left of it.
    expect(await readdir(join(folder, "killed"))).toEqual([]);
  });

  test("by an abort leaves its checkpoint whole, and is refused with other settings", async () => {
    const run: TrainingOptions = {
      ...options,
      outputPath: join(folder, "aborted.gguf"),
      checkpointDirectory: join(folder, "aborted"),
      checkpointEvery: 5,
    };
    const controller = new AbortController();
    const reason = new BenchtopError("USER_CANCELED", "Canceled.");
    const ended = train(
      run,
      { onProgress: (each) => each.type === "checkpoint" && controller.abort(reason) },
      controller.signal,
    );
    await expect(ended).rejects.toBe(reason);
    expect(await readdir(join(folder, "aborted"))).toEqual(["checkpoint.bin"]);
    expect(await readdir(folder)).not.toContain("aborted.gguf");
    await expect(trained({ ...run, learningRate: 0.001 })).rejects.toThrow(/other data or settings/);

    const file = join(folder, "aborted", "checkpoint.bin");
    await copyFile(file, join(folder, "checkpoint"));
    const bytes = await readFile(file);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    await writeFile(file, bytes);
    await expect(trained(run)).rejects.toMatchObject({ code: "CHECKPOINT_RESTORE_FAILED" });
  });
});

test("training stops when evaluations get no better, and writes the best weights", async () => {
  const evaluation = await writeData(folder, "other.jsonl", chatLines({ "What colour is a rose?": "Red, I think." }));
  const { result: stopped } = await trained({
    ...options,
    evaluation,
    evaluateEvery: 5,
    patience: 2,
    outputPath: join(folder, "stopped.gguf"),
  });
  expect(stopped.stoppedEarly).toBe(true);
  expect(stopped.writtenStep).toBe(stopped.steps - 10);
});

test("text is cut into the tokens that llama.cpp cuts it into", async () => {
  const { newBase } = await import("./model/new-base.ts");
  const { readExamples } = await import("./data/examples.ts");
  const base = newBase(
    { embeddingLength: 64, layers: 1, heads: 1, vocabularySize: 320 },
    await readExamples(options.data),
    [],
    1,
  );
  const texts = [...awkward, ...Object.keys(questions), ...Object.values(questions)];
  const { tokens } = await infer({ modelPath: result.outputPath, tokenize: texts });
  expect(texts.map((text) => base.tokenizer.encode(text))).toEqual(tokens);
});

test("an example that is too long is refused by its line, unless it may be cut", async () => {
  const data = await writeData(
    folder,
    "long.jsonl",
    chatLines({ "Why?": "Because.", "Why not?": "word ".repeat(600) }),
  );
  const long = { ...options, data, steps: 1, outputPath: join(folder, "long.gguf") };
  await expect(trained(long)).rejects.toThrow(/Line 2 .* has \d+ tokens, and 512 fit/);
  await expect(trained({ ...long, tooLong: "cut", contextTokens: 64 })).resolves.toBeDefined();
});

/** Writes the trained model again, with weights of zeros, another chat template, or an embedding of another type. */
async function rewrite(
  path: string,
  { template, embeddingType }: { template?: string; embeddingType?: string },
): Promise<void> {
  const metadata = new Map(await readGgufFields(result.outputPath));
  if (template !== undefined) metadata.set("tokenizer.chat_template", { type: "string", value: template });
  const { tensors } = await readGgufHeader(result.outputPath);
  const written = tensors.map(({ name, shape, type, bytes }) => {
    if (embeddingType === undefined || name !== "token_embd.weight")
      return { name, shape, type, data: new Uint8Array(bytes) };
    // 32 weights of Q8_0 take 34 bytes.
    return { name, shape, type: embeddingType, data: new Uint8Array((bytes / 4 / 32) * 34) };
  });
  await writeGguf(path, { metadata, tensors: written });
}

async function trained(
  run: TrainingOptions,
  onProgress?: (progress: TrainingProgress) => void,
): Promise<{ result: TrainingResult; losses: number[] }> {
  const seen: number[] = [];
  const ended = await train(
    run,
    {
      onProgress(progress) {
        if (progress.type === "step") seen.push(progress.loss);
        onProgress?.(progress);
      },
    },
    signal,
  );
  return { result: ended, losses: seen };
}

/** Runs in a process that is killed once it told of so many steps, and the trainer with it. Returns the losses till then. */
async function killedAfter(run: TrainingOptions, steps: number): Promise<number[]> {
  const child = fork(new URL("../../test/trainer-run-process.ts", import.meta.url), { execArgv: [] });
  const seen: number[] = [];
  child.on("message", (loss: number) => {
    seen.push(loss);
    if (seen.length === steps) child.kill("SIGKILL");
  });
  child.send(run);
  await once(child, "close");
  return seen;
}

/** The tokens of a question with its answer, and where the answer begins. */
async function answerTokens(question: string, answer: string): Promise<[number[], number]> {
  const texts = [`user\n${question}`, "\n", "assistant\n", answer];
  const { tokens } = await infer({ modelPath: result.outputPath, tokenize: texts });
  const [asked = [], line = [], role = [], answered = []] = tokens;
  const [start, end] = [1, 2];
  const prompt = [start, ...asked, end, ...line, start, ...role];
  return [[...prompt, ...answered, end], prompt.length];
}
