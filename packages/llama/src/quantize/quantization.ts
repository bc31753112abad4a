import type { Json } from "@benchtop/protocol";

/** The formats that Benchtop quantizes to. Each is a mixture: norms stay as they are, and a `_M` keeps some tensors finer. */
export const quantizationTypes = ["F16", "BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0"] as const;
export type QuantizationType = (typeof quantizationTypes)[number];

export interface QuantizeOptions {
  /** A GGUF file in one piece, with weights of F32, F16 or BF16. */
  readonly sourcePath: string;
  /** Where the result appears, whole or not at all. Nothing may be there yet. */
  readonly outputPath: string;
  readonly type: QuantizationType;
  /** A GGUF file as `computeImportanceMatrix` or llama.cpp's `llama-imatrix` writes it. */
  readonly importanceMatrix?: string;
  /** As many as the machine has cores unless told. The bytes of the result do not depend on it. */
  readonly threads?: number;
  /** Take a source that is quantized already. What it lost stays lost. */
  readonly allowRequantize?: boolean;
}

/** `reading` and `checking` count bytes (the source's, the result's), `quantizing` counts tensors. */
export interface QuantizeProgress {
  readonly phase: "reading" | "quantizing" | "checking";
  readonly done: number;
  readonly total: number;
  readonly tensor?: string;
}

/** How a file came to be: enough to make it again, byte by byte. */
export interface QuantizationManifest {
  readonly source: { readonly sha256: string; readonly bytes: number; readonly quantization: string };
  readonly type: QuantizationType;
  /** Every option that llama.cpp was given, by the names that llama.cpp has for them. */
  readonly parameters: Readonly<Record<string, Json>>;
  readonly importanceMatrix?: ImportanceMatrixFacts;
  readonly library: LibraryFacts;
  readonly output: { readonly sha256: string; readonly bytes: number };
  /** How many tensors of the result have which type: `{ Q4_K: 12, Q6_K: 3, F32: 9 }`. */
  readonly tensors: Readonly<Record<string, number>>;
  /** Tensors whose rows do not fit the type that the mixture has for them, and what they got instead. */
  readonly fallbacks: readonly TensorFallback[];
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly durationMs: number;
}

export interface LibraryFacts {
  readonly name: "llama.cpp";
  readonly version: string;
  /** `@node-llama-cpp/linux-x64 3.22.1`: the package that the library came in. */
  readonly package: string;
}

export interface TensorFallback {
  readonly tensor: string;
  /** Length of its rows. */
  readonly columns: number;
  readonly wanted: string;
  readonly used: string;
}

export interface ImportanceMatrixFacts {
  readonly sha256: string;
  /** Tensors that it knows the importance of. */
  readonly entries: number;
  /** Pieces of text that it was computed from. */
  readonly chunks: number;
}
