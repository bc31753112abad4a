/** What training tells while it goes. */
export type TrainingProgress =
  | { readonly type: "phase"; readonly phase: "reading" | "vocabulary" | "building" | "training" | "exporting" }
  /** Told once, when everything is decided. */
  | { readonly type: "plan"; readonly plan: TrainingPlan }
  | {
      readonly type: "step";
      readonly step: number;
      readonly steps: number;
      readonly epoch: number;
      /** Cross entropy a token, of this step's batch, before the step. */
      readonly loss: number;
      readonly gradientNorm: number;
      readonly learningRate: number;
      /** Of the last steps, with all that is between them. */
      readonly tokensPerSecond: number;
      readonly stepMs: number;
      readonly remainingMs: number;
    }
  | { readonly type: "evaluation"; readonly step: number; readonly loss: number; readonly best: boolean }
  | { readonly type: "checkpoint"; readonly step: number; readonly bytes: number };

export interface TrainingPlan {
  readonly parameters: number;
  readonly trainedParameters: number;
  readonly vocabularySize: number;
  readonly examples: number;
  readonly evaluationExamples: number;
  /** Of one run through the data, and of them those that are learnt. */
  readonly epochTokens: number;
  readonly learntTokens: number;
  readonly contextTokens: number;
  readonly rowsPerStep: number;
  readonly steps: number;
  /** The step that an interrupted run goes on from; 0 for a new one. */
  readonly resumedAt: number;
  readonly memoryBytes: number;
}

export interface TrainingResult {
  readonly outputPath: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly parameters: number;
  readonly trainedParameters: number;
  readonly steps: number;
  /** Of the last step's batch. */
  readonly loss: number;
  /** Of the weights that were written, where there is something to measure by. */
  readonly evaluationLoss: number | undefined;
  /** The step whose weights were written: the best one by evaluation, else the last. */
  readonly writtenStep: number;
  readonly stoppedEarly: boolean;
  readonly elapsedMs: number;
}
