import { train, type TrainingOptions } from "../src/trainer/index.ts";

/** Trains, and tells each loss, until it is killed. */
process.once("message", (options: TrainingOptions) => {
  void train(
    options,
    { onProgress: (progress) => void (progress.type === "step" && process.send?.(progress.loss)) },
    new AbortController().signal,
  );
});
