import type { TrainingSettings } from "./options.ts";

export interface Schedule {
  readonly steps: number;
  readonly warmupSteps: number;
}

/** The learning rate of a step, counted from 1. */
export function learningRateAt(
  step: number,
  { learningRate, schedule }: Pick<TrainingSettings, "learningRate" | "schedule">,
  { steps, warmupSteps }: Schedule,
): number {
  if (step <= warmupSteps) return (learningRate * step) / (warmupSteps + 1);
  if (schedule === "constant") return learningRate;
  const progress = (step - warmupSteps - 1) / Math.max(steps - warmupSteps - 1, 1);
  const lowest = learningRate / 10;
  return lowest + ((learningRate - lowest) * (1 + Math.cos(Math.PI * progress))) / 2;
}
