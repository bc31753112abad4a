import { availableParallelism } from "node:os";
import { setTimeout } from "node:timers/promises";
import { BenchtopError } from "@benchtop/protocol/errors";
import type * as library from "node-llama-cpp";
import type { LlamaContextSequence, LlamaEmbeddingContext, LlamaModel as NativeModel, Llama } from "node-llama-cpp";
import { ggufFacts, readGgufHeader, readGgufModel, type GgufHeader } from "../gguf/gguf.ts";
import { resolveTemplate, type Template } from "./chat-template.ts";
import { FreeCores } from "./free-cores.ts";
import { offerGpuPackages } from "./gpu-packages.ts";
import { defaultContextTokens, defaultEmbeddingTokens } from "./limits.ts";
import type { LlamaModelFacts, LlamaModelOptions } from "./llama-model.ts";

export type LlamaLibrary = typeof library;

/** A model in this process, ready. */
export interface LoadedModel {
  readonly library: LlamaLibrary;
  readonly llama: Llama;
  readonly model: NativeModel;
  readonly header: GgufHeader;
  readonly template: Template;
  /** One for each generation at a time; empty for a model that embeds. */
  readonly sequences: readonly LlamaContextSequence[];
  readonly embedding: LlamaEmbeddingContext | undefined;
  readonly cores: FreeCores;
  readonly facts: LlamaModelFacts;
}

/** Loads a model as told. Throws `PROVIDER_UNAVAILABLE` where this machine cannot, and what the file is refused for. */
export async function loadModel(options: LlamaModelOptions, report: () => void): Promise<LoadedModel> {
  const started = performance.now();
  const { signal } = new AbortController();
  const hasGpuPackage = offerGpuPackages(options.packagesDir);
  const [library, { header }] = await Promise.all([importLibrary(), readGgufModel(options.modelPath, signal)]);
  for (const { path } of options.adapters ?? []) await readGgufHeader(path, signal);
  report();
  const complaints = new Complaints();
  try {
    const llama = await library.getLlama({
      build: "never",
      skipDownload: true,
      usePrebuiltBinaries: true,
      progressLogs: false,
      // A processor's build for Macs with Apple's own processors does not exist.
      gpu: hasGpuPackage && (options.gpuLayers !== 0 || process.platform === "darwin") ? "auto" : false,
      logLevel: library.LlamaLogLevel.warn,
      logger: (level, message) => complaints.hear(level, message),
    });
    report();
    // Two threads on one core that calls itself two get in each other's way.
    const most = Math.min(options.threads ?? llama.cpuMathCores, availableParallelism());
    llama.maxThreads = most;
    const cores = new FreeCores(most, (threads) => (llama.maxThreads = threads));
    const model = await llama.loadModel({
      modelPath: options.modelPath,
      ...(options.gpuLayers !== undefined && { gpuLayers: options.gpuLayers }),
      onLoadProgress: report,
    });
    const context = options.embeds
      ? await embeddingContext(model, options, most)
      : await generatingContext(model, options, most);
    report();
    const template = options.embeds ? noTemplate : resolveTemplate(library, model, header);
    cores.follow();
    cores.rest();
    const facts: LlamaModelFacts = {
      contextTokens: context.contextTokens,
      trainedContextTokens: model.trainContextSize,
      vocabularySize: ggufFacts(header).vocabularySize ?? 0,
      embeddingLength: model.embeddingVectorSize,
      parameters: ggufFacts(header).parameters,
      memoryBytes: process.memoryUsage.rss(),
      loadMs: performance.now() - started,
      device: llama.gpu === false || model.gpuLayers === 0 ? "cpu" : llama.gpu,
      supportsTools: template.supportsTools,
      hasChatTemplate: template.ofFile,
    };
    return { library, llama, model, header, template, cores, facts, ...context };
  } catch (thrown) {
    throw await notLoaded(thrown, complaints);
  }
}

const noTemplate: Template = { wrapper: undefined, problem: undefined, ofFile: false, supportsTools: false };

async function importLibrary(): Promise<LlamaLibrary> {
  try {
    return await import("node-llama-cpp");
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    throw new BenchtopError(
      "PROVIDER_UNAVAILABLE",
      "Local models need node-llama-cpp, which is not installed: npm leaves it out where it does not support the system. Run `npm install` again, or use a model of another provider.",
      { retryable: false, actions: ["switch_model"], cause },
    );
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND";
}

interface Context {
  readonly contextTokens: number;
  readonly sequences: readonly LlamaContextSequence[];
  readonly embedding: LlamaEmbeddingContext | undefined;
}

async function generatingContext(model: NativeModel, options: LlamaModelOptions, threads: number): Promise<Context> {
  const adapters = (options.adapters ?? []).map(({ path, scale }) => ({
    filePath: path,
    ...(scale !== undefined && { scale }),
  }));
  const parallel = options.parallel ?? 1;
  const context = await model.createContext({
    contextSize: options.contextTokens ?? Math.min(model.trainContextSize, defaultContextTokens),
    sequences: parallel,
    threads,
    // Less than what was asked for is another context than the caller counts on.
    failedCreationRemedy: false,
    ...(adapters.length > 0 && { lora: { adapters } }),
  });
  const sequences = Array.from({ length: parallel }, () => context.getSequence());
  return { contextTokens: context.contextSize, sequences, embedding: undefined };
}

async function embeddingContext(model: NativeModel, options: LlamaModelOptions, threads: number): Promise<Context> {
  const contextSize = options.contextTokens ?? Math.min(model.trainContextSize, defaultEmbeddingTokens);
  // A text is looked at as a whole.
  const embedding = await model.createEmbeddingContext({ contextSize, batchSize: contextSize, threads });
  return { contextTokens: contextSize, sequences: [], embedding };
}

/** The last things that llama.cpp complained of: while a model is loaded they are about the file and the machine. */
class Complaints {
  #last: string[] = [];

  hear(level: string, message: string): void {
    if (level === "error" || level === "fatal") this.#last = [...this.#last, message.trim()].slice(-20);
  }

  /** The one that tells most, fit to be shown. */
  get reason(): string | undefined {
    const told =
      this.#last.findLast((line) => line.includes("error loading model: ")) ??
      this.#last.findLast((line) => !line.includes("failed to load model"));
    const words = told?.replace(/^.*error loading model: |^\w+: /, "").replaceAll(/[^\x20-\x7E]+/g, " ");
    return words?.slice(0, 300).trim().replace(/[.:]$/, "");
  }
}

async function notLoaded(thrown: unknown, complaints: Complaints): Promise<BenchtopError> {
  if (BenchtopError.is(thrown)) return thrown;
  // llama.cpp's words come from another thread, a little later than its failure.
  await setTimeout(20);
  const name = thrown instanceof Error ? thrown.constructor.name : "";
  const { reason } = complaints;
  const detail = reason === undefined ? {} : { detail: { reason } };
  if (name === "InsufficientMemoryError" || /out of memory|failed to allocate|unable to allocate/i.test(reason ?? "")) {
    return new BenchtopError(
      "PROVIDER_UNAVAILABLE",
      "There is not enough free memory for this model with this context. Unload another model, or ask for fewer context tokens or parallel generations.",
      { ...detail, actions: ["retry", "switch_model"], cause: thrown },
    );
  }
  if (name === "NoBinaryFoundError") {
    return new BenchtopError(
      "PROVIDER_UNAVAILABLE",
      `There is no build of llama.cpp for this system (${process.platform} ${process.arch}). Use a model of another provider.`,
      { retryable: false, actions: ["switch_model"], cause: thrown },
    );
  }
  return new BenchtopError(
    "PROVIDER_UNAVAILABLE",
    `llama.cpp cannot load this model${reason === undefined ? "" : `: ${reason}`}. It may be damaged, or of a kind that this version does not know.`,
    { ...detail, retryable: false, actions: ["switch_model"], cause: thrown },
  );
}
