import type { ProviderAdapter } from "@benchtop/harness";
import { BenchtopError } from "@benchtop/protocol";

/** What runs a model: llama.cpp in processes of ours, or a server that speaks one of these protocols. */
export const runtimeKinds = ["llama.cpp", "ollama", "vllm", "llama-server", "lm-studio", "rest"] as const;
export type RuntimeKind = (typeof runtimeKinds)[number];

/** What a kind of runtime can do at all. A server may still refuse, for how it was started or how old it is; it then says so. */
export interface RuntimeCapabilities {
  /** Models come and go while it runs. */
  readonly load: boolean;
  readonly unload: boolean;
  /** An idle model leaves by itself after a time that may be told with `load`. */
  readonly keepAlive: boolean;
  /** LoRA adapters, told with `load`. */
  readonly adapters: boolean;
  readonly tools: boolean;
  /** Answers in JSON of a schema. */
  readonly jsonSchema: boolean;
  /** Answers that follow a GBNF grammar (`RuntimeCall.grammar`). */
  readonly grammar: boolean;
  readonly embeddings: boolean;
  /** Generations of one model share their steps, so that two take less than twice as long. */
  readonly continuousBatching: boolean;
}

/** How a model is loaded. What is absent is the runtime's own. */
export interface LoadOptions {
  /** Tokens of one conversation. */
  readonly contextTokens?: number;
  /** Generations at once. */
  readonly parallel?: number;
  /** LoRA adapters by the names that the runtime has for them, applied in this order. */
  readonly adapters?: readonly LoadedAdapter[];
  /** How long it stays when nobody asks it: 0 leaves with its last answer, null stays for ever. */
  readonly keepAliveSeconds?: number | null;
  /** Never unloaded to make room for another. */
  readonly pinned?: boolean;
  readonly gpuLayers?: number | "auto";
  readonly threads?: number;
}

export interface LoadedAdapter {
  readonly model: string;
  readonly scale?: number;
}

/** On whose behalf a call is made. */
export interface RuntimeCall {
  /** The gated `fetch` of a run or a request, with its consent. Runtimes of this machine's own processes send nothing. */
  readonly fetch?: typeof globalThis.fetch;
  /** A GBNF grammar that the answer follows. */
  readonly grammar?: string;
  /** How the model is to be loaded for this call; another load of it may run beside. */
  readonly load?: LoadOptions;
}

/**
 * `unloaded`: it is there, and asking loads it. `unloading` ends its last answers and takes no more. `failed`: the last
 * attempt to load it did not work.
 */
export type RuntimeModelState = "unloaded" | "loading" | "ready" | "busy" | "unloading" | "failed";

/** A model that a runtime has. What a runtime does not tell is absent. */
export interface RuntimeModel {
  /** As it is asked for. */
  readonly model: string;
  readonly state: RuntimeModelState;
  /** Of its files. */
  readonly bytes?: number;
  /** Identifies its content: a sha256 or a digest. */
  readonly revision?: string;
  readonly architecture?: string;
  readonly quantization?: string;
  /** The longest context it takes. */
  readonly trainedContextTokens?: number;
  readonly embeds?: boolean;
  /** Present while it is loaded or being loaded; one entry a load. */
  readonly loads: readonly RuntimeLoad[];
  /** Why it is `failed`. */
  readonly failure?: string;
}

export interface RuntimeLoad {
  readonly state: Exclude<RuntimeModelState, "unloaded">;
  readonly loadedAt?: string;
  /** When it leaves if nobody asks; null for one that stays. Absent while it is busy. */
  readonly expiresAt?: string | null;
  readonly contextTokens?: number;
  readonly parallel?: number;
  readonly memoryBytes?: number;
  /** `cpu`, `cuda`, `metal`, `vulkan`. */
  readonly device?: string;
  readonly adapters?: readonly string[];
  readonly embeds?: boolean;
  readonly pinned?: boolean;
  /** Answers on their way, and requests that wait for one of them to end. */
  readonly busy?: number;
  readonly waiting?: number;
  /** Of its last answer. */
  readonly tokensPerSecond?: number;
  readonly firstTokenMs?: number;
}

export interface RuntimeHealth {
  /** It answers. */
  readonly alive: boolean;
  /** It takes requests now. */
  readonly ready: boolean;
  readonly version?: string;
  /** Why it does not, in words for a person. */
  readonly reason?: string;
}

/** What a runtime counts. Of servers, what they tell; counts of tokens and answers are then those that went through here. */
export interface RuntimeMetrics {
  /** Since the runtime was opened here, or as the server counts. */
  readonly counts: {
    readonly requests: number;
    readonly failed: number;
    readonly inputTokens: number;
    readonly outputTokens: number;
    /** Part of the input that was still in a cache. */
    readonly cachedInputTokens: number;
    readonly loads?: number;
    readonly unloads?: number;
    /** Loads that left to make room, among the unloads. */
    readonly evictions?: number;
    readonly crashes?: number;
  };
  readonly running: number;
  /** Requests that wait for memory or for a place in a model. */
  readonly waiting: number;
  /** Of those that waited for memory: the mean, and the longest. */
  readonly waitedMs?: { readonly mean: number; readonly longest: number };
  /** Means over the last answers. */
  readonly tokensPerSecond?: number;
  readonly firstTokenMs?: number;
  readonly memory?: { readonly usedBytes: number; readonly limitBytes?: number };
  /** Share of the cache of conversations that is in use, 0 to 1. */
  readonly cacheUsed?: number;
  /** Models that are loaded. */
  readonly loaded: number;
  /** What could not be found out, and what would help. */
  readonly notes: readonly string[];
}

export interface EmbeddedTexts {
  /** One a text, in order, as the model gives them. */
  readonly vectors: readonly Float32Array[];
  /** As the runtime counts them; absent where it does not. */
  readonly inputTokens?: number;
  /** Identifies what made them, where the runtime tells: see `RuntimeModel.revision`. */
  readonly revision?: string;
}

/**
 * Something that runs models. Every implementation passes the suite in `conformance.ts`.
 *
 * Errors: `PROVIDER_NOT_CONFIGURED` for a model that the runtime does not have, or that it would answer for with another;
 * `PROVIDER_UNAVAILABLE` when it is down, is loading, or its process ended (retryable), or cannot take the model at all (not
 * retryable); `PROVIDER_RATE_LIMITED` when too many wait already; `NETWORK_UNAVAILABLE` when nothing listens;
 * `CONTEXT_EXHAUSTED` for what is too long; `VALIDATION_FAILED` for what the runtime cannot do. All of them let a plan go on
 * with its next model. Aborting throws `USER_CANCELED`, and ends what was being computed.
 */
export interface ModelRuntime {
  /** The name of the provider that it is known under. */
  readonly id: string;
  readonly kind: RuntimeKind;
  readonly capabilities: RuntimeCapabilities;
  list(signal: AbortSignal): Promise<readonly RuntimeModel[]>;
  status(model: string, signal: AbortSignal): Promise<RuntimeModel>;
  /** Resolves once the model answers. What is told here holds for later requests too, until it is told otherwise or unloaded. */
  load(model: string, options: LoadOptions, signal: AbortSignal): Promise<RuntimeModel>;
  /** Resolves once its memory is free. Answers on their way are finished first. A model that is not loaded is no error. */
  unload(model: string, signal: AbortSignal): Promise<void>;
  /** Asks this one model; a request that names another fails. Nothing happens before the first request. */
  adapter(model: string, call?: RuntimeCall): ProviderAdapter;
  embed(model: string, texts: readonly string[], signal: AbortSignal, call?: RuntimeCall): Promise<EmbeddedTexts>;
  /** Never rejects but for the signal. */
  health(signal: AbortSignal): Promise<RuntimeHealth>;
  metrics(signal: AbortSignal): Promise<RuntimeMetrics>;
  /** Ends what runs here. Requests afterwards fail. */
  close(): Promise<void>;
}

/** The refusal of something that a kind of runtime has no way to do. `instead` says what a person can do. */
export function cannot(runtime: Pick<ModelRuntime, "id" | "kind">, what: string, instead: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", `${runtime.id} (${runtime.kind}) cannot ${what}. ${instead}`, {
    phase: "settings",
    providerId: runtime.id,
    actions: ["switch_model", "open_settings"],
    detail: { runtime: runtime.kind, cannot: what },
  });
}

/** The refusal of a model that a runtime does not have. */
export function unknownModel(providerId: string, modelId: string, what: string): BenchtopError {
  return new BenchtopError("PROVIDER_NOT_CONFIGURED", what, { providerId, modelId });
}

/** An adapter asks the model that it was made for, and no other. */
export function checkAsked(providerId: string, model: string, asked: string): void {
  if (asked === model) return;
  throw unknownModel(providerId, asked, `This is the model ${model} alone, and ${asked} was asked.`);
}

/** Throws `USER_CANCELED`, or the signal's reason where that is of the taxonomy. */
export function throwIfCanceled(signal: AbortSignal): void {
  if (signal.aborted) throw BenchtopError.from(signal.reason, "USER_CANCELED");
}
