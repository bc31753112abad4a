import { availableParallelism } from "node:os";
import { realpath } from "node:fs/promises";
import { resolve } from "node:path";
import { BenchtopError } from "@benchtop/protocol/errors";
import { ggufFacts } from "../gguf/facts.ts";
import { defaultAlignment } from "../gguf/layout.ts";
import { readGgufHeader } from "../gguf/read.ts";
import type { GgufHeader } from "../gguf/gguf.ts";
import { checkResult, checkSource } from "./check-model.ts";
import { runNativeTask } from "../ffi/native-task.ts";
import { openPartialOutput } from "./partial-output.ts";
import type { QuantizationManifest, QuantizeOptions, QuantizeProgress } from "./quantization.ts";
import type { QuantizeInput, QuantizeTask } from "./quantize-process.ts";

/**
 * Makes a smaller (or, to F16 and BF16, another) copy of a model by llama.cpp's `llama_model_quantize`, in a process of its
 * own. The metadata of the source (tokenizer, chat template, licence) stays, and where the file comes from is added to it as
 * `benchtop.quantization.*`. The same source, type and importance matrix give the same bytes, with any number of threads.
 *
 * `outputPath` appears whole (fsync, rename) when this resolves, and not at all otherwise.
 *
 * Throws `VALIDATION_FAILED` for a source that cannot be quantized or an output that exists, `DISK_FULL` before anything is
 * written where it can be known, `FILE_READ_FAILED`, `FILE_WRITE_FAILED`, `PROVIDER_UNAVAILABLE` where llama.cpp's library is
 * not installed or its process was killed, and the signal's reason.
 */
export async function quantize(
  options: QuantizeOptions,
  { onProgress }: { readonly onProgress?: (progress: QuantizeProgress) => void },
  signal: AbortSignal,
): Promise<QuantizationManifest> {
  const startedAt = new Date();
  const threads = threadsOf(options);
  const sourcePath = await sourceOf(options);
  const header = await readGgufHeader(sourcePath, signal);
  const facts = ggufFacts(header);
  checkSource(header, facts, options);
  const { quantization } = facts;
  const partial = await openPartialOutput(options.outputPath);
  try {
    const input: QuantizeInput = {
      sourcePath,
      partialPath: partial.path,
      type: options.type,
      threads,
      allowRequantize: options.allowRequantize ?? false,
      importanceMatrix: options.importanceMatrix,
      sourceQuantization: quantization,
      headerBytes: header.dataOffset + 64 * header.tensors.length + 2 ** 16,
      metadata: metadataToChange(header),
    };
    const result = await runNativeTask<QuantizeTask>(
      new URL("./quantize-process.ts", import.meta.url),
      input,
      onProgress,
      signal,
    );
    const tensors = checkResult(header, await readGgufHeader(partial.path, signal));
    await partial.publish();
    const { source, output, parameters, importanceMatrix, library, fallbacks } = result;
    return {
      source: { ...source, quantization },
      type: options.type,
      parameters,
      ...(importanceMatrix && { importanceMatrix }),
      library,
      output,
      tensors,
      fallbacks,
      startedAt: startedAt.toISOString(),
      durationMs: Date.now() - startedAt.getTime(),
    };
  } finally {
    await partial.discard();
  }
}

function threadsOf({ threads = availableParallelism() }: QuantizeOptions): number {
  if (Number.isInteger(threads) && threads >= 1 && threads <= 512) return threads;
  throw new BenchtopError("VALIDATION_FAILED", "Give a number of threads between 1 and 512.", { phase: "job" });
}

/** Free of links, so that what is compared, read and hashed is one file. */
async function sourceOf({ sourcePath, outputPath }: QuantizeOptions): Promise<string> {
  const source = await existing(sourcePath);
  if (source === undefined) {
    throw new BenchtopError("NOT_FOUND", `There is no file ${sourcePath}.`, {
      phase: "job",
      detail: { path: sourcePath },
    });
  }
  if (source === (await existing(outputPath)) || resolve(sourcePath) === resolve(outputPath)) {
    throw new BenchtopError(
      "VALIDATION_FAILED",
      "The result would replace its own source. Choose another name for it.",
      {
        phase: "job",
        detail: { path: outputPath },
      },
    );
  }
  return source;
}

async function existing(path: string): Promise<string | undefined> {
  return await realpath(path).catch(() => undefined);
}

/** llama.cpp aligns what it writes to 32 bytes, and copies what the source says of its own alignment. */
function metadataToChange({ metadata }: GgufHeader): ReadonlyMap<string, number> {
  const alignment = metadata.get("general.alignment");
  const same = alignment === undefined || Number(alignment) === defaultAlignment;
  return new Map(same ? [] : [["general.alignment", defaultAlignment]]);
}
