export type {
  LlamaChatRequest,
  LlamaCompletionRequest,
  LlamaModel,
  LlamaModelFacts,
  LlamaModelOptions,
  LlamaModelState,
  LlamaPart,
  SamplingOptions,
} from "./runtime/llama-model.ts";
export { defaultContextTokens, defaultEmbeddingTokens } from "./runtime/limits.ts";
export { startLlamaModel } from "./runtime/start.ts";
export { compareQuality, type QualityOptions, type QualityProgress, type QualityReport } from "./quality/quality.ts";
export { computeImportanceMatrix, type ImportanceOptions, type ImportanceProgress } from "./quantize/importance.ts";
export {
  mlxAvailability,
  mlxQuantize,
  type MlxAvailability,
  type MlxManifest,
  type MlxQuantizeOptions,
} from "./quantize/mlx.ts";
export {
  quantizationTypes,
  type QuantizationManifest,
  type QuantizationType,
  type QuantizeOptions,
  type QuantizeProgress,
} from "./quantize/quantization.ts";
export { quantize } from "./quantize/quantize.ts";
export type { TrainingOptions } from "./trainer/options.ts";
export type { TrainingPlan, TrainingProgress, TrainingResult } from "./trainer/progress.ts";
export { train } from "./trainer/train.ts";
