import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { BenchtopError } from "@benchtop/protocol/errors";
import { openVocabulary } from "../../ffi/vocabulary.ts";
import type { NativeLibraries } from "../../ffi/library.ts";
import type { GgufHeader, GgufTensor } from "../../gguf/gguf.ts";
import { readGgufFields, readGgufHeader } from "../../gguf/read.ts";
import { refusal } from "../data/refusal.ts";
import { nativeTokenizer } from "../tokenizer/native-tokenizer.ts";
import { headLength, parametersOf, type Architecture } from "./architecture.ts";
import type { Base } from "./base.ts";
import type { ParameterStore } from "./store.ts";

/**
 * A model that there is. Throws `VALIDATION_FAILED`, saying why, for one that cannot be trained: of another architecture, with
 * parts that the trainer does not compute, or quantized.
 */
export async function existingBase(libraries: NativeLibraries, path: string): Promise<Base> {
  const header = await readGgufHeader(path);
  const architecture = architectureOf(header);
  const tensors = checkTensors(header, architecture);
  const template = header.metadata.get("tokenizer.chat_template");
  return {
    architecture,
    tokenizer: nativeTokenizer(openVocabulary(libraries, path), typeof template === "string" ? template : undefined),
    load: async (_ggml, store) => await loadWeights(libraries, path, header, tensors, store),
    metadata: await readGgufFields(path),
    fingerprint: await digestOf(path),
  };
}

function architectureOf({ metadata, tensors }: GgufHeader): Architecture {
  const name = metadata.get("general.architecture");
  if (name !== "llama") {
    throw refusal(`Only models of the llama architecture can be trained, and this one is ${readable(name)}.`);
  }
  const number = (key: string, fallback?: number): number => {
    const value = metadata.get(`llama.${key}`) ?? fallback;
    if (typeof value !== "number") throw refusal(`The model does not say its \`llama.${key}\`, or not in a number.`);
    return value;
  };
  const heads = number("attention.head_count");
  const embedding = tensors.find((tensor) => tensor.name === "token_embd.weight");
  const architecture: Architecture = {
    vocabularySize: embedding?.shape[1] ?? 0,
    embeddingLength: number("embedding_length"),
    layers: number("block_count"),
    heads,
    keyValueHeads: number("attention.head_count_kv", heads),
    feedForwardLength: number("feed_forward_length"),
    contextTokens: number("context_length"),
    ropeBase: number("rope.freq_base", 10_000),
    normEpsilon: number("attention.layer_norm_rms_epsilon"),
    tiedOutput: !tensors.some((tensor) => tensor.name === "output.weight"),
  };
  const length = headLength(architecture);
  for (const key of ["rope.dimension_count", "attention.key_length", "attention.value_length"]) {
    if (number(key, length) !== length) throw unknownPart(`\`llama.${key}\` of its own`);
  }
  const scaling = metadata.get("llama.rope.scaling.type");
  if (scaling !== undefined && scaling !== "none") throw unknownPart("a stretched context");
  if (number("attention.scale", 0) !== 0) throw unknownPart("an attention scale of its own");
  return architecture;
}

/** Every weight that the trainer computes with, in the shape that it expects, and none that it does not know. */
function checkTensors({ tensors }: GgufHeader, architecture: Architecture): ReadonlyMap<string, GgufTensor> {
  const found = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const expected = parametersOf(architecture);
  for (const { name, shape } of expected) {
    const tensor = found.get(name);
    if (!tensor) throw refusal(`The model lacks the weights ${name}.`);
    if (!["F32", "F16", "BF16"].includes(tensor.type)) {
      throw refusal(
        `The model is quantized (${tensor.type}), and training needs its weights in F32, F16 or BF16. Train the model that it was made from, then quantize the result.`,
        { type: tensor.type },
      );
    }
    const same = shape.every((size, at) => tensor.shape[at] === size) && (tensor.shape[shape.length] ?? 1) === 1;
    if (!same) throw refusal(`The weights ${name} are not of the size that the model says.`);
  }
  const known = new Set(expected.map(({ name }) => name));
  const other = tensors.find(({ name }) => !known.has(name));
  if (other) throw unknownPart(`the weights ${readable(other.name)}`);
  return found;
}

async function loadWeights(
  { base, koffi }: NativeLibraries,
  path: string,
  { dataOffset }: GgufHeader,
  tensors: ReadonlyMap<string, GgufTensor>,
  store: ParameterStore,
): Promise<void> {
  const widen = (name: string): ((...values: unknown[]) => void) =>
    base.func(name, "void", ["void *", koffi.out(koffi.pointer("float")), "int64_t"]);
  const halves = widen("ggml_fp16_to_fp32_row");
  const brains = widen("ggml_bf16_to_fp32_row");
  await using file = await open(path).catch((error: unknown) => {
    throw BenchtopError.from(error, "FILE_READ_FAILED", { phase: "job", detail: { path } });
  });
  for (const { name } of store.parameters) {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`no tensor ${name}`);
    const bytes = new Uint8Array(tensor.bytes);
    for (let at = 0; at < bytes.length;) {
      const { bytesRead } = await file.read(bytes, at, bytes.length - at, dataOffset + tensor.offset + at);
      if (bytesRead === 0) throw refusal("The model file ends before its weights do. Get it again.");
      at += bytesRead;
    }
    const values = store.values(name);
    if (tensor.type === "F32") values.set(new Float32Array(bytes.buffer));
    else {
      const wide = new Float32Array(values.length);
      (tensor.type === "F16" ? halves : brains)(bytes, wide, wide.length);
      values.set(wide);
    }
  }
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(path)) hash.update(part as Buffer);
  return hash.digest("hex");
}

function unknownPart(what: string): BenchtopError {
  return refusal(`The model has ${what}, which the trainer does not know. Take a plain llama model.`);
}

/** Names from files may be anything. */
function readable(value: unknown): string {
  return typeof value === "string" ? value.replace(/[^\w.-]/g, "?").slice(0, 80) : "unknown";
}
