import { isDeepStrictEqual } from "node:util";
import { BenchtopError } from "@benchtop/protocol/errors";
import type { GgufFacts, GgufHeader } from "../gguf/gguf.ts";
import type { QuantizeOptions } from "./quantization.ts";

/** Throws `VALIDATION_FAILED` for what is no model in one piece, or was quantized already. */
export function checkSource(
  { metadata, tensors }: GgufHeader,
  { kind }: GgufFacts,
  { allowRequantize }: QuantizeOptions,
): void {
  const count = Number(metadata.get("split.count") ?? 1);
  if (count > 1) {
    const part = Number(metadata.get("split.no") ?? 0) + 1;
    throw refusal(
      `This is part ${part} of ${count} of a model. Join the parts to one file first; llama.cpp's llama-gguf-split does it with --merge.`,
    );
  }
  if (tensors.length === 0) throw refusal("This file holds a vocabulary and no weights.");
  if (kind !== "model") {
    throw refusal(
      `This file is ${kind === "adapter" ? "a LoRA adapter" : "no language model"}; only models are quantized.`,
    );
  }
  const quantized = tensors.find(({ type }) => !exactTypes.has(type));
  if (quantized !== undefined && allowRequantize !== true) {
    throw refusal(
      `This model is quantized already (${quantized.type}), and every further time loses more. Take the F16, BF16 or F32 file of it, or allow it explicitly.`,
    );
  }
}

/** Everything that is neither a float of at least 16 bits nor a whole number has lost something. */
const exactTypes: ReadonlySet<string> = new Set(["F32", "F16", "BF16", "F64", "I8", "I16", "I32", "I64"]);

/**
 * Holds the result against its source: the same tensors in their shapes, the same metadata but for what quantizing changes.
 * Gives how many tensors have which type. Throws `FILE_WRITE_FAILED`.
 */
export function checkResult(source: GgufHeader, result: GgufHeader): Record<string, number> {
  const shapes = new Map(result.tensors.map(({ name, shape }) => [name, shape]));
  const lost = source.tensors.find(({ name, shape }) => !isDeepStrictEqual(shapes.get(name), shape));
  if (lost !== undefined || source.tensors.length !== result.tensors.length) {
    throw wrongResult("its tensors are not those of the source", lost?.name);
  }
  for (const [key, value] of source.metadata) {
    if (changing.test(key)) continue;
    if (!isDeepStrictEqual(result.metadata.get(key), value)) throw wrongResult("it lost metadata of the source", key);
  }
  const counts: Record<string, number> = {};
  for (const { type } of result.tensors) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}

const changing =
  /^(?:general\.(?:file_type|quantization_version|alignment)|split\.(?:no|count|tensors\.count)|quantize\.imatrix\..+|benchtop\.quantization\..+)$/;

function wrongResult(why: string, name: string | undefined): BenchtopError {
  return new BenchtopError("FILE_WRITE_FAILED", `llama.cpp wrote a file that was thrown away: ${why}.`, {
    phase: "job",
    retryable: false,
    ...(name !== undefined && { detail: { name } }),
  });
}

function refusal(message: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", message, { phase: "job" });
}
