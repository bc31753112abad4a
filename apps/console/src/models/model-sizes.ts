import type { TrainingPlan } from "@benchtop/operations";

type Size = NonNullable<TrainingPlan["size"]>;

/** Models that a plain processor trains in minutes, and in an hour. */
export const modelSizes = {
  small: { layers: 4, width: 128, heads: 4, feedForward: 352, vocabulary: 2048 },
  medium: { layers: 6, width: 256, heads: 8, feedForward: 704, vocabulary: 4096 },
} as const satisfies Readonly<Record<string, Size>>;

/** Weights of a llama of this size: one matrix for tokens in and out, four of attention and three of the rest in each layer. */
export function parametersOf({ layers, width, feedForward, vocabulary }: Size): number {
  const layer = 4 * width * width + 3 * width * feedForward + 2 * width;
  return vocabulary * width + layers * layer + width;
}
