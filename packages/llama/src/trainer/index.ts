export { parseLines, readExamples, type ChatMessage, type DataFile, type Example } from "./data/examples.ts";
export { loraTargets, type LoraTarget } from "./model/architecture.ts";
export type { ExistingModel, FullTraining, LoraTraining, NewModel, TrainingOptions } from "./options.ts";
export type { TrainingPlan, TrainingProgress, TrainingResult } from "./progress.ts";
export { train } from "./train.ts";
