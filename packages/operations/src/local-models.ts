import { Json } from "@benchtop/protocol";
import { z } from "zod";
import { operation } from "./define.ts";
import { Empty } from "./pagination.ts";
import { ModelRef } from "./providers.ts";
import { RunId, RunIdText } from "./runs.ts";

/** An installed model, as `benchtop/NAME` in references. */
export const LocalModelName = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?$/,
    "lower-case letters, digits, dots, dashes and underscores, 100 at most",
  );

/**
 * Where a model comes from: `hf:OWNER/REPO`, `hf:OWNER/REPO:Q4_K_M`, `hf:OWNER/REPO/FILE.gguf`, each with `@REVISION` if
 * wanted; `ollama:NAME:TAG` of the Ollama library; `https://…`; or a path on the daemon's own machine.
 */
export const ModelSource = z.string().min(1).max(2000);

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "64 hexadecimal digits");

export const LocalModel = z.object({
  name: z.string(),
  /** `benchtop/NAME`. */
  ref: z.string(),
  kind: z.enum(["model", "adapter"]),
  /** In words that `localModels.install` takes, or how it was made. */
  source: z.string(),
  /** The guide, which comes with Benchtop: it counts for no quota and stays. */
  shipped: z.boolean(),
  bytes: z.int(),
  sha256: z.string(),
  architecture: z.string(),
  parameters: z.int(),
  contextTokens: z.int().nullable(),
  quantization: z.string(),
  licence: z.string().nullable(),
  /** Says how a conversation is written for it; without one, a plain form is used. */
  hasChatTemplate: z.boolean(),
  /** Made to turn text into vectors. */
  embeds: z.boolean(),
  pinned: z.boolean(),
  installedAt: z.string(),
  usedAt: z.string().nullable(),
  /** Runs in this moment. */
  loaded: z.boolean(),
});
export type LocalModel = z.infer<typeof LocalModel>;

export const LocalModelDetails = LocalModel.extend({
  files: z.array(z.object({ path: z.string(), bytes: z.int(), sha256: z.string() })),
  chatTemplate: z.string().nullable(),
  /** What loading takes, by the file's own header. */
  memory: z
    .object({
      weightsBytes: z.int(),
      cacheBytes: z.int(),
      computeBytes: z.int(),
      /** Of the process around. */ processBytes: z.int(),
      totalBytes: z.int(),
    })
    .nullable(),
  /** How it was made: source and output hashes, parameters, library; null where it was only copied. */
  manifest: z.record(z.string(), Json).nullable(),
});
export type LocalModelDetails = z.infer<typeof LocalModelDetails>;

/** What the models take of the disk. Nothing is ever deleted to make room; `suggestions` are what one could. */
export const ModelStorage = z.object({
  usedBytes: z.int(),
  quotaBytes: z.int().nullable(),
  freeBytes: z.int(),
  /** Not pinned, the least recently used first. */
  suggestions: z.array(z.object({ name: z.string(), bytes: z.int(), usedAt: z.string().nullable() })),
});
export type ModelStorage = z.infer<typeof ModelStorage>;

export const ModelDownload = z.object({
  downloadId: z.string(),
  /** What the model will be called. */
  name: z.string(),
  source: z.string(),
  state: z.enum(["queued", "running", "paused", "verifying", "failed", "done", "canceled"]),
  bytesDone: z.int(),
  /** Null until the source has told. */
  bytesTotal: z.int().nullable(),
  /** Of the last seconds; null when nothing is coming. */
  bytesPerSecond: z.int().nullable(),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  createdAt: z.string(),
  updatedAt: z.string(),
});
export type ModelDownload = z.infer<typeof ModelDownload>;

/** One file, or one set of files, that a source offers. */
export const ModelChoice = z.object({
  /** What `localModels.install` takes for exactly this one. */
  source: z.string(),
  title: z.string(),
  quantization: z.string().nullable(),
  bytes: z.int().nullable(),
  /** Whether disk and memory of this machine take it; null where its size is not known. */
  fitsDisk: z.boolean().nullable(),
  fitsMemory: z.boolean().nullable(),
});
export type ModelChoice = z.infer<typeof ModelChoice>;

export const ModelSettings = z.object({
  /** For all installed models together; null for no limit. */
  quotaBytes: z.int().positive().nullable(),
  /** For all downloads together; null for no limit. */
  downloadBytesPerSecond: z.int().positive().nullable(),
  /** What loaded models may take together; null for a share of the machine's memory. */
  memoryBytes: z.int().positive().nullable(),
  /** How long an idle model stays loaded; null for ever. */
  keepAliveSeconds: z.int().nonnegative().nullable(),
});
export type ModelSettings = z.infer<typeof ModelSettings>;

const ShownSettings = ModelSettings.extend({
  /** Whether a token for Hugging Face is kept. The token itself is never shown again. */
  hasHuggingFaceToken: z.boolean(),
});

/** A model that runs, is being loaded, or was not able to. */
export const RunningModel = z.object({
  name: z.string(),
  state: z.enum(["loading", "ready", "busy", "failed"]),
  /** Of its process; null while it loads. */
  memoryBytes: z.int().nullable(),
  contextTokens: z.int().nullable(),
  /** `cpu`, `cuda`, `metal`, `vulkan`. */
  device: z.string().nullable(),
  adapters: z.array(z.string()),
  /** Answers on their way, and requests that wait for one of them. */
  busy: z.int(),
  waiting: z.int(),
  /** Of the last answer; null before there was one. */
  tokensPerSecond: z.number().nullable(),
  firstTokenMs: z.number().nullable(),
  loadedAt: z.string().nullable(),
  /** When it is unloaded if nobody asks; null while it is busy, and for one that stays. */
  expiresAt: z.string().nullable(),
  error: z.string().nullable(),
});
export type RunningModel = z.infer<typeof RunningModel>;

export const RuntimeStatus = z.object({
  items: z.array(RunningModel),
  memory: z.object({
    /** What the loaded models take together, and may. */
    usedBytes: z.int(),
    limitBytes: z.int(),
    /** Of the machine. */
    freeBytes: z.int(),
    totalBytes: z.int(),
  }),
  /** Requests that wait for memory. */
  waiting: z.int(),
  counts: z.object({ loads: z.int(), unloads: z.int(), crashes: z.int(), requests: z.int(), outputTokens: z.int() }),
});
export type RuntimeStatus = z.infer<typeof RuntimeStatus>;

export const quantizations = ["F16", "BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0"] as const;
export const Quantization = z.enum(quantizations);
export type Quantization = z.infer<typeof Quantization>;

/** How a model is trained. What is absent is chosen by the size of the data. */
export const TrainingPlan = z.object({
  /** `full` trains every weight; `lora` an adapter beside a model that stays as it is. */
  method: z.enum(["full", "lora"]),
  /** An installed model to start from (F32 or F16); absent, a new one of `size` is made, with a vocabulary of its own. */
  base: LocalModelName.optional(),
  size: z
    .object({
      layers: z.int().min(1).max(48),
      width: z.int().min(32).max(2048),
      heads: z.int().min(1).max(32),
      feedForward: z.int().min(32).max(8192),
      vocabulary: z.int().min(300).max(64_000),
    })
    .optional(),
  contextTokens: z.int().min(16).max(4096).optional(),
  steps: z.int().min(1).max(1_000_000).optional(),
  /** Runs through the examples, where `steps` is absent. */
  epochs: z.int().min(1).max(100_000).optional(),
  /** Tokens of one step, about. */
  batchTokens: z.int().min(16).max(262_144).optional(),
  learningRate: z.number().gt(0).max(1).optional(),
  /** Share of the examples that are kept for evaluation. */
  evaluationShare: z.number().min(0).max(0.5).optional(),
  /** Evaluations without improvement after which training ends; 0 never ends early. */
  patience: z.int().min(0).max(1000).optional(),
  rank: z.int().min(1).max(256).optional(),
  alpha: z.number().gt(0).max(1024).optional(),
  seed: z.int().min(0).max(4_294_967_295).optional(),
});
export type TrainingPlan = z.infer<typeof TrainingPlan>;

const name = { name: LocalModelName };
const StartedJob = z.object({ runId: z.string(), traceId: z.string() });
const jobErrors = ["NOT_FOUND", "RUN_REPLAYED", "DISK_FULL", "FILE_READ_FAILED", "PROVIDER_UNAVAILABLE"] as const;
const networkErrors = [
  "NOT_FOUND",
  "EGRESS_BLOCKED_BY_POLICY",
  "NETWORK_UNAVAILABLE",
  "PROVIDER_UNAVAILABLE",
  "PROVIDER_AUTH_FAILED",
  "PROVIDER_RATE_LIMITED",
] as const;

export const localModelOperations = {
  "localModels.list": operation({
    id: "localModels.list",
    rpc: "LocalModelsList",
    method: "GET",
    path: "/api/v1/local-models",
    permission: "providers:read",
    summary: "Models that are installed on this machine, and what they take of its disk.",
    input: Empty,
    output: z.object({ items: z.array(LocalModel), storage: ModelStorage }),
    errors: [],
  }),
  "localModels.get": operation({
    id: "localModels.get",
    rpc: "LocalModelsGet",
    method: "GET",
    path: "/api/v1/local-models/{name}",
    permission: "providers:read",
    summary: "One installed model: files, template, memory it takes, how it was made.",
    input: z.object(name),
    output: LocalModelDetails,
    errors: ["NOT_FOUND", "FILE_READ_FAILED"],
  }),
  "localModels.choices": operation({
    id: "localModels.choices",
    rpc: "LocalModelsChoices",
    method: "POST",
    path: "/api/v1/local-models/choices",
    permission: "models:write",
    summary: "What a source offers, with sizes, before anything is installed.",
    input: z.object({ source: ModelSource }),
    output: z.object({ items: z.array(ModelChoice) }),
    errors: [...networkErrors, "FILE_READ_FAILED"],
  }),
  "localModels.install": operation({
    id: "localModels.install",
    rpc: "LocalModelsInstall",
    method: "POST",
    path: "/api/v1/local-models",
    permission: "models:write",
    status: 202,
    summary:
      "Install a model from Hugging Face, the Ollama library, a URL, or a file of this machine. Follow it with modelDownloads.list.",
    input: z.object({
      source: ModelSource,
      /** Made from the source when absent. */
      name: LocalModelName.optional(),
      /** What the file has to be; taken from the source where it tells. */
      sha256: sha256.optional(),
      /** Of a URL: further hosts that it may send on to, as releases of GitHub do. Others are refused. */
      redirectHosts: z.array(z.string().min(1).max(255)).max(10).optional(),
    }),
    output: ModelDownload,
    errors: [...networkErrors, "FILE_READ_FAILED", "DISK_FULL"],
  }),
  "localModels.remove": operation({
    id: "localModels.remove",
    rpc: "LocalModelsRemove",
    method: "DELETE",
    path: "/api/v1/local-models/{name}",
    permission: "models:write",
    summary: "Remove an installed model and its files. One that is loaded, pinned, or comes with Benchtop is not.",
    input: z.object(name),
    output: z.object({ freedBytes: z.int() }),
    errors: ["NOT_FOUND", "FILE_WRITE_FAILED"],
  }),
  "localModels.pin": operation({
    id: "localModels.pin",
    rpc: "LocalModelsPin",
    method: "POST",
    path: "/api/v1/local-models/{name}/pin",
    permission: "models:write",
    summary: "Keep a model out of what is suggested for removal, or no longer.",
    input: z.object({ ...name, pinned: z.boolean() }),
    output: LocalModel,
    errors: ["NOT_FOUND"],
  }),
  "localModels.verify": operation({
    id: "localModels.verify",
    rpc: "LocalModelsVerify",
    method: "POST",
    path: "/api/v1/local-models/{name}/verify",
    permission: "models:write",
    summary: "Read every file of a model again and compare its hash.",
    input: z.object(name),
    output: z.object({ intact: z.boolean(), damaged: z.array(z.string()) }),
    errors: ["NOT_FOUND", "FILE_READ_FAILED"],
  }),
  "localModels.export": operation({
    id: "localModels.export",
    rpc: "LocalModelsExport",
    method: "POST",
    path: "/api/v1/local-models/export",
    permission: "host:files",
    summary: "Write models into one bundle, for a machine without a network.",
    input: z.object({ names: z.array(LocalModelName).min(1).max(100), destination: z.string().min(1).max(4096) }),
    output: z.object({ path: z.string(), bytes: z.int() }),
    errors: ["NOT_FOUND", "FILE_READ_FAILED", "FILE_WRITE_FAILED", "DISK_FULL"],
  }),
  "localModels.import": operation({
    id: "localModels.import",
    rpc: "LocalModelsImport",
    method: "POST",
    path: "/api/v1/local-models/import",
    permission: "host:files",
    summary: "Install the models of a bundle.",
    input: z.object({ path: z.string().min(1).max(4096) }),
    output: z.object({ items: z.array(LocalModel) }),
    errors: ["FILE_READ_FAILED", "FILE_WRITE_FAILED", "DISK_FULL"],
  }),
  "localModels.settings": operation({
    id: "localModels.settings",
    rpc: "LocalModelsSettings",
    method: "GET",
    path: "/api/v1/local-models-settings",
    permission: "providers:read",
    summary: "Limits of local models: disk, bandwidth, memory, and how long an idle one stays loaded.",
    input: Empty,
    output: ShownSettings,
    errors: [],
  }),
  "localModels.configure": operation({
    id: "localModels.configure",
    rpc: "LocalModelsConfigure",
    method: "PATCH",
    path: "/api/v1/local-models-settings",
    permission: "models:write",
    summary:
      "Change those limits, or the token for Hugging Face; what is left out stays. They hold from the next moment on.",
    input: ModelSettings.partial().extend({
      /** For gated and private models; null forgets it. Kept with the other secrets. */
      huggingFaceToken: z.string().min(1).max(1000).nullable().optional(),
    }),
    output: ShownSettings,
    errors: ["DISK_FULL"],
  }),
  "localModels.quantize": operation({
    id: "localModels.quantize",
    rpc: "LocalModelsQuantize",
    method: "POST",
    path: "/api/v1/local-models/{name}/quantize",
    permission: "models:write",
    status: 202,
    summary: "Make a smaller copy of an installed model. Follow it with runs.events.",
    input: z.object({
      ...name,
      runId: RunIdText.optional(),
      quantization: Quantization,
      /** What the copy is called; NAME-QUANTIZATION when absent. */
      as: LocalModelName.optional(),
      /** A text to measure by how much the copy answers otherwise (perplexity, KL divergence), and to weigh what matters. */
      text: z.string().max(2_000_000).optional(),
      /** Weigh the parts of the model by what that text uses (an importance matrix). */
      importance: z.boolean().default(false),
    }),
    output: StartedJob,
    errors: jobErrors,
  }),
  "localModels.train": operation({
    id: "localModels.train",
    rpc: "LocalModelsTrain",
    method: "POST",
    path: "/api/v1/local-models/train",
    permission: "models:write",
    status: 202,
    summary: "Train a small model, or an adapter for one, on examples. Follow it with runs.events.",
    input: z.object({
      runId: RunIdText.optional(),
      /** What the model or the adapter is called. */
      name: LocalModelName,
      plan: TrainingPlan,
      /** JSON Lines: `{"messages": […]}`, `{"prompt", "completion"}` or `{"text"}` each. */
      examples: z.string().min(1).max(8_000_000),
      /** Examples of the same form that are only evaluated. */
      evaluation: z.string().max(8_000_000).optional(),
    }),
    output: StartedJob,
    errors: jobErrors,
  }),
  "localModels.resumeTraining": operation({
    id: "localModels.resumeTraining",
    rpc: "LocalModelsResumeTraining",
    method: "POST",
    path: "/api/v1/local-models/train/{runId}/resume",
    permission: "models:write",
    status: 202,
    summary: "Go on with a training that was stopped, where its last checkpoint is, as a run of its own.",
    input: z.object({ runId: RunId }),
    output: StartedJob,
    errors: jobErrors,
  }),
  "modelDownloads.list": operation({
    id: "modelDownloads.list",
    rpc: "ModelDownloadsList",
    method: "GET",
    path: "/api/v1/model-downloads",
    permission: "providers:read",
    summary: "Models that are on their way, and the last ones that came or did not.",
    input: Empty,
    output: z.object({ items: z.array(ModelDownload) }),
    errors: [],
  }),
  "modelDownloads.pause": operation({
    id: "modelDownloads.pause",
    rpc: "ModelDownloadsPause",
    method: "POST",
    path: "/api/v1/model-downloads/{downloadId}/pause",
    permission: "models:write",
    summary: "Stop a download and keep what has come.",
    input: z.object({ downloadId: z.string().max(100) }),
    output: ModelDownload,
    errors: ["NOT_FOUND"],
  }),
  "modelDownloads.resume": operation({
    id: "modelDownloads.resume",
    rpc: "ModelDownloadsResume",
    method: "POST",
    path: "/api/v1/model-downloads/{downloadId}/resume",
    permission: "models:write",
    summary: "Go on with a download that was paused or failed.",
    input: z.object({ downloadId: z.string().max(100) }),
    output: ModelDownload,
    errors: ["NOT_FOUND", "DISK_FULL"],
  }),
  "modelDownloads.cancel": operation({
    id: "modelDownloads.cancel",
    rpc: "ModelDownloadsCancel",
    method: "POST",
    path: "/api/v1/model-downloads/{downloadId}/cancel",
    permission: "models:write",
    summary: "End a download and delete what has come of it.",
    input: z.object({ downloadId: z.string().max(100) }),
    output: ModelDownload,
    errors: ["NOT_FOUND"],
  }),
  "modelRuntimes.status": operation({
    id: "modelRuntimes.status",
    rpc: "ModelRuntimesStatus",
    method: "GET",
    path: "/api/v1/model-runtimes",
    permission: "providers:read",
    summary: "Which models run, what they take of the memory, and what waits.",
    input: Empty,
    output: RuntimeStatus,
    errors: [],
  }),
  "modelRuntimes.load": operation({
    id: "modelRuntimes.load",
    rpc: "ModelRuntimesLoad",
    method: "POST",
    path: "/api/v1/model-runtimes/{name}/load",
    permission: "runs:write",
    summary: "Load a model before anybody asks it.",
    input: z.object({
      ...name,
      contextTokens: z.int().min(16).max(4_194_304).optional(),
      /** LoRA adapters that are installed, applied in this order. */
      adapters: z.array(LocalModelName).max(8).optional(),
      /** How long it stays when idle; null for ever. */
      keepAliveSeconds: z.int().nonnegative().nullable().optional(),
    }),
    output: RunningModel,
    errors: ["NOT_FOUND", "PROVIDER_UNAVAILABLE", "FILE_READ_FAILED"],
  }),
  "modelRuntimes.unload": operation({
    id: "modelRuntimes.unload",
    rpc: "ModelRuntimesUnload",
    method: "POST",
    path: "/api/v1/model-runtimes/{name}/unload",
    permission: "runs:write",
    summary: "Unload a model. Answers that are on their way are finished first.",
    input: z.object(name),
    output: Empty,
    errors: ["NOT_FOUND"],
  }),
  "embeddings.create": operation({
    id: "embeddings.create",
    rpc: "EmbeddingsCreate",
    method: "POST",
    path: "/api/v1/embeddings",
    permission: "runs:write",
    summary:
      "Vectors of texts, by a model of this machine or of a server on it. What was asked before is not asked again.",
    input: z.object({
      model: ModelRef,
      texts: z.array(z.string().min(1).max(200_000)).min(1).max(2048),
      /** To length 1, as comparing by cosine wants it. */
      normalize: z.boolean().default(true),
    }),
    output: z.object({
      model: z.string(),
      dimensions: z.int(),
      normalized: z.boolean(),
      vectors: z.array(z.array(z.number())),
      inputTokens: z.int(),
      /** Texts whose vectors were kept from before. */
      cached: z.int(),
    }),
    errors: [
      "NOT_FOUND",
      "PROVIDER_NOT_CONFIGURED",
      "PROVIDER_AUTH_FAILED",
      "PROVIDER_RATE_LIMITED",
      "PROVIDER_UNAVAILABLE",
      "NETWORK_UNAVAILABLE",
      "EGRESS_BLOCKED_BY_POLICY",
      "CONTEXT_EXHAUSTED",
    ],
  }),
} as const;
