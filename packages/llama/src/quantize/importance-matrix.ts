import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { BenchtopError } from "@benchtop/protocol/errors";
import type { GgufHeader, GgufTensor } from "../gguf/gguf.ts";
import { readGgufHeader } from "../gguf/read.ts";
import { writeGguf, type GgufTensorContent } from "../gguf/write.ts";
import type { ImportanceMatrixFacts } from "./quantization.ts";

/** How much each column of a model's matrices matters: the mean square of what it is multiplied with. */
export interface ImportanceMatrix {
  /** By tensor, `columns × matrices` values (more than one matrix where experts lie in one tensor). */
  readonly values: ReadonlyMap<string, Float32Array>;
  readonly facts: ImportanceMatrixFacts;
}

/** What was counted of one tensor: sums of squares by matrix and column, and by matrix the rows that went into them. */
export interface ImportanceSums {
  readonly squares: Float64Array;
  readonly rows: Float64Array;
}

/**
 * Reads the GGUF that `writeImportanceMatrix` and llama.cpp's `llama-imatrix` write. Throws `VALIDATION_FAILED` for any other
 * file (the older `.dat` too) and for numbers that no activations give.
 */
export async function readImportanceMatrix(path: string): Promise<ImportanceMatrix> {
  const header = await readGgufHeader(path);
  if (header.metadata.get("general.type") !== "imatrix") {
    throw refusal("This file is no importance matrix in the GGUF format.", path);
  }
  const file = await open(path, "r");
  try {
    const tensors = new Map(header.tensors.map((tensor) => [tensor.name, tensor]));
    const values = new Map<string, Float32Array>();
    for (const [name, sums] of tensors) {
      if (!name.endsWith(squaresSuffix)) continue;
      const tensor = name.slice(0, -squaresSuffix.length);
      const rows = tensors.get(`${tensor}${rowsSuffix}`);
      if (rows === undefined) throw refusal("This importance matrix is damaged: it lacks counts.", path);
      values.set(tensor, means(await floatsOf(file, header, sums), await floatsOf(file, header, rows), path));
    }
    if (values.size === 0) throw refusal("This importance matrix is empty.", path);
    const chunks = header.metadata.get(chunkCountKey);
    return {
      values,
      facts: { sha256: await sha256Of(path), entries: values.size, chunks: typeof chunks === "number" ? chunks : 0 },
    };
  } finally {
    await file.close();
  }
}

/** As `llama-imatrix` writes it: tensors in the order of their names, sums and counts apart, so that matrices can be added up. */
export async function writeImportanceMatrix(
  path: string,
  sums: ReadonlyMap<string, ImportanceSums>,
  { chunks, chunkTokens, dataset }: { readonly chunks: number; readonly chunkTokens: number; readonly dataset: string },
  signal: AbortSignal,
): Promise<{ readonly sha256: string; readonly bytes: number }> {
  const tensors = [...sums]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, { squares, rows }]): GgufTensorContent[] => [
      {
        name: `${name}${squaresSuffix}`,
        shape: [squares.length / rows.length, rows.length],
        type: "F32",
        data: Float32Array.from(squares),
      },
      { name: `${name}${rowsSuffix}`, shape: [1, rows.length], type: "F32", data: Float32Array.from(rows) },
    ]);
  return await writeGguf(
    path,
    {
      metadata: {
        "general.type": { type: "string", value: "imatrix" },
        "imatrix.datasets": { type: "string[]", value: [dataset] },
        [chunkCountKey]: { type: "u32", value: chunks },
        "imatrix.chunk_size": { type: "u32", value: chunkTokens },
      },
      tensors,
    },
    signal,
  );
}

const squaresSuffix = ".in_sum2";
const rowsSuffix = ".counts";
const chunkCountKey = "imatrix.chunk_count";

/** A matrix that nothing went through (an expert that was never chosen) has columns of equal weight. */
function means(squares: Float32Array, rows: Float32Array, path: string): Float32Array {
  const columns = squares.length / rows.length;
  if (!Number.isInteger(columns) || columns === 0)
    throw refusal("This importance matrix is damaged: its counts do not fit.", path);
  return squares.map((sum, index) => {
    const count = rows[Math.floor(index / columns)] ?? 0;
    const mean = count > 0 ? sum / count : 1;
    if (!(mean >= 0 && Number.isFinite(mean)))
      throw refusal("This importance matrix holds values that are no numbers.", path);
    return mean;
  });
}

async function floatsOf(file: FileHandle, { dataOffset }: GgufHeader, tensor: GgufTensor): Promise<Float32Array> {
  if (tensor.type !== "F32") throw refusal("This importance matrix holds values that are no F32.");
  const floats = new Float32Array(tensor.bytes / 4);
  await file.read(new Uint8Array(floats.buffer), 0, tensor.bytes, dataOffset + tensor.offset);
  return floats;
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(path)) hash.update(part as Buffer);
  return hash.digest("hex");
}

function refusal(message: string, path?: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", message, {
    phase: "job",
    ...(path !== undefined && { detail: { path } }),
  });
}
