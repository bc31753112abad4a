import type {
  LlamaChatRequest,
  LlamaCompletionRequest,
  LlamaModel,
  LlamaModelOptions,
  LlamaPart,
} from "@benchtop/llama";
import type { ProviderAdapter } from "@benchtop/harness";
import { BenchtopError } from "@benchtop/protocol";
import { throwIfCanceled, unknownModel } from "../runtime.ts";
import type {
  EmbeddedTexts,
  LoadOptions,
  ModelRuntime,
  RuntimeCall,
  RuntimeCapabilities,
  RuntimeHealth,
  RuntimeMetrics,
  RuntimeModel,
} from "../runtime.ts";
import { Tally } from "../tally.ts";
import { fleetAdapter } from "./adapter.ts";
import { CrashGuard } from "./crash-guard.ts";
import type { FleetEvent, FleetListener } from "./fleet-events.ts";
import type { InstalledModel, InstalledModels } from "./installed.ts";
import { failureOf } from "./failure.ts";
import { checkFiles, planLoad, type LoadPlan } from "./load-plan.ts";
import { thisMachine, type MachineMemory, type MemoryBudget } from "./memory.ts";
import { Residents } from "./residents.ts";
import type { Lease } from "./resident.ts";
import { runtimeModelOf } from "./status.ts";

export interface FleetOptions {
  /** The provider's name: `benchtop`. */
  readonly id: string;
  readonly models: InstalledModels;
  /** Bytes that a load will take, by the headers of its files. */
  readonly estimateMemory: (installed: InstalledModel, options: LlamaModelOptions) => Promise<number> | number;
  /** Starts the process of a model: `startLlamaModel`. */
  readonly start: (options: LlamaModelOptions, signal: AbortSignal) => Promise<LlamaModel>;
  /** What loaded models may take together; 0.8 of the memory that others leave unless told. */
  readonly memory?: MemoryBudget;
  /** How long an idle model stays; null for ever. 5 minutes unless told. */
  readonly keepAliveSeconds?: number | null;
  /** Of every load that is told nothing else. */
  readonly defaults?: Omit<LoadOptions, "keepAliveSeconds" | "adapters">;
  /** Requests that may wait at a time; one more is refused. 64 unless told. */
  readonly maxWaiting?: number;
  /** Where packages with GPU builds may lie. */
  readonly packagesDir?: string;
  /** Is told of each use. Must return at once. */
  readonly used?: (installed: InstalledModel) => void;
  readonly machine?: MachineMemory;
  /** After the first crash of a process; doubles with each one that follows. */
  readonly firstRetryDelayMs?: number;
}

const capabilities: RuntimeCapabilities = {
  load: true,
  unload: true,
  keepAlive: true,
  adapters: true,
  tools: true,
  jsonSchema: true,
  grammar: true,
  embeddings: true,
  continuousBatching: true,
};

/**
 * The models of this machine, each in a process of its own, loaded when they are asked and gone when they are not. A request
 * waits for memory in order; what a process was loaded for is checked against its file at every request.
 */
export class Fleet implements ModelRuntime {
  readonly id: string;
  readonly kind = "llama.cpp";
  readonly capabilities = capabilities;
  readonly #options: FleetOptions;
  readonly #guard: CrashGuard;
  readonly #residents: Residents;
  readonly #tally = new Tally();
  readonly #listeners = new Set<FleetListener>();
  /** What `load` told, by model. */
  readonly #settings = new Map<string, LoadOptions>();
  /** Why the last load of a model failed. */
  readonly #failures = new Map<string, string>();
  readonly #counts = { loads: 0, unloads: 0, evictions: 0, crashes: 0 };
  readonly #waits = { count: 0, totalMs: 0, longestMs: 0 };
  #keepAliveSeconds: number | null;

  constructor(options: FleetOptions) {
    this.id = options.id;
    this.#options = options;
    this.#keepAliveSeconds = options.keepAliveSeconds === undefined ? 300 : options.keepAliveSeconds;
    this.#guard = new CrashGuard(options.id, options.firstRetryDelayMs);
    this.#residents = new Residents(
      {
        providerId: options.id,
        machine: options.machine ?? thisMachine,
        guard: this.#guard,
        maxWaiting: options.maxWaiting ?? 64,
        start: (plan, signal) => this.#start(plan, signal),
        events: this.#residentsEvents(),
      },
      options.memory ?? {},
    );
  }

  async list(signal: AbortSignal): Promise<readonly RuntimeModel[]> {
    throwIfCanceled(signal);
    const installed = await this.#options.models.list();
    return installed.filter(({ kind }) => kind === "model").map((model) => this.#describe(model));
  }

  async status(model: string, signal: AbortSignal): Promise<RuntimeModel> {
    throwIfCanceled(signal);
    return this.#describe(await this.#installed(model));
  }

  async load(model: string, options: LoadOptions, signal: AbortSignal): Promise<RuntimeModel> {
    const installed = await this.#installed(model);
    const { embeds } = installed;
    const former = this.#settings.get(model);
    this.#settings.set(model, options);
    try {
      const lease = await this.#lease(model, embeds, undefined, signal);
      lease.release();
      this.#leaveOthers(lease);
    } catch (thrown) {
      if (former) this.#settings.set(model, former);
      else this.#settings.delete(model);
      throw failureOf(thrown, this.id, model, signal);
    }
    return this.#describe(installed);
  }

  async unload(model: string, signal: AbortSignal): Promise<void> {
    this.#settings.delete(model);
    const residents = this.#residents.all.filter(({ plan }) => plan.installed.name === model);
    for (const resident of residents) resident.leave("asked");
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const abort = (): void => reject(BenchtopError.from(signal.reason, "USER_CANCELED"));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    try {
      await Promise.race([Promise.all(residents.map(({ gone }) => gone)), aborted]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Whether a process has the model's file open, or is about to. */
  isLoaded(model: string): boolean {
    return this.#residents.all.some(({ plan }) => plan.installed.name === model);
  }

  adapter(model: string, call: RuntimeCall = {}): ProviderAdapter {
    return fleetAdapter(this, model, call);
  }

  /** As the process says it, for surfaces that need more than an adapter gives: probabilities, times. */
  chat(
    model: string,
    request: LlamaChatRequest,
    signal: AbortSignal,
    load?: LoadOptions,
  ): AsyncGenerator<readonly LlamaPart[]> {
    return this.#generate(model, load, signal, (llama) => llama.chat(request, signal));
  }

  /** A prompt without a template. */
  complete(
    model: string,
    request: LlamaCompletionRequest,
    signal: AbortSignal,
    load?: LoadOptions,
  ): AsyncGenerator<readonly LlamaPart[]> {
    return this.#generate(model, load, signal, (llama) => llama.complete(request, signal));
  }

  async tokenize(model: string, text: string, signal: AbortSignal): Promise<number[]> {
    const { embeds } = await this.#installed(model);
    return await this.#using(model, embeds, undefined, signal, (llama) => llama.tokenize(text));
  }

  async embed(
    model: string,
    texts: readonly string[],
    signal: AbortSignal,
    call: RuntimeCall = {},
  ): Promise<EmbeddedTexts> {
    const count = this.#tally.begin();
    try {
      return await this.#using(model, true, call.load, signal, async (llama, { installed }) => {
        const { vectors, inputTokens } = await llama.embed(texts, signal);
        count.hear([{ type: "usage", usage: { inputTokens, outputTokens: 0 } }]);
        return { vectors, inputTokens, revision: installed.files[0].sha256 };
      });
    } catch (thrown) {
      if (!signal.aborted) count.fail();
      throw thrown;
    } finally {
      count.end();
    }
  }

  async health(signal: AbortSignal): Promise<RuntimeHealth> {
    throwIfCanceled(signal);
    if (this.#residents.isClosed) return { alive: false, ready: false, reason: "It was shut down." };
    return { alive: true, ready: true };
  }

  async metrics(signal: AbortSignal): Promise<RuntimeMetrics> {
    throwIfCanceled(signal);
    const { count, totalMs, longestMs } = this.#waits;
    const residents = this.#residents;
    return {
      counts: { ...this.#tally.counts, ...this.#counts },
      running: residents.all.reduce((sum, { activity }) => sum + (activity?.busy ?? 0), 0),
      waiting: residents.waiting,
      ...(count > 0 && { waitedMs: { mean: Math.round(totalMs / count), longest: Math.round(longestMs) } }),
      ...this.#tally.means,
      memory: { usedBytes: residents.usedBytes, limitBytes: residents.limitBytes },
      loaded: residents.all.filter(({ facts }) => facts).length,
      notes: [],
    };
  }

  /** Calls the listener with all that happens from now on. The function that is returned ends it. */
  watch(listener: FleetListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Holds from now on, for loads that were told nothing else too. What is left out stays. */
  configure(settings: { readonly memory?: MemoryBudget; readonly keepAliveSeconds?: number | null }): void {
    if (settings.memory) this.#residents.budget = settings.memory;
    if (settings.keepAliveSeconds !== undefined) {
      this.#keepAliveSeconds = settings.keepAliveSeconds;
      for (const resident of this.#residents.all) {
        if (resident.plan.options.keepAliveSeconds === undefined) resident.keepFor(settings.keepAliveSeconds);
      }
    }
    this.#residents.trim();
  }

  /** Processes that this does not reach, because the daemon was killed, end by themselves. */
  async close(): Promise<void> {
    await this.#residents.close();
  }

  async *#generate(
    model: string,
    load: LoadOptions | undefined,
    signal: AbortSignal,
    ask: (llama: LlamaModel) => AsyncIterable<readonly LlamaPart[]>,
  ): AsyncGenerator<readonly LlamaPart[]> {
    const count = this.#tally.begin();
    let lease: Lease | undefined;
    try {
      lease = await this.#lease(model, false, load, signal);
      let outputMs: number | undefined;
      for await (const parts of ask(lease.model)) {
        count.hear(parts);
        for (const part of parts) if (part.type === "usage") ({ outputMs } = part);
        yield parts;
      }
      this.#guard.answered(lease.resident.plan.key);
      const times = count.finish(outputMs);
      lease.resident.answered = times;
      this.#emit({ type: "answered", model, ...times });
    } catch (thrown) {
      if (!signal.aborted) count.fail();
      throw failureOf(thrown, this.id, model, signal);
    } finally {
      count.end();
      lease?.release();
    }
  }

  async #using<Result>(
    model: string,
    embeds: boolean,
    load: LoadOptions | undefined,
    signal: AbortSignal,
    use: (llama: LlamaModel, plan: LoadPlan) => Promise<Result>,
  ): Promise<Result> {
    let lease: Lease | undefined;
    try {
      lease = await this.#lease(model, embeds, load, signal);
      return await use(lease.model, lease.resident.plan);
    } catch (thrown) {
      throw failureOf(thrown, this.id, model, signal);
    } finally {
      lease?.release();
    }
  }

  async #lease(model: string, embeds: boolean, load: LoadOptions | undefined, signal: AbortSignal): Promise<Lease> {
    signal.throwIfAborted();
    const { models, defaults, packagesDir, estimateMemory, used } = this.#options;
    const options = { ...defaults, ...this.#settings.get(model), ...load };
    const plan = await this.#plan(model, () => planLoad(models, this.id, model, { embeds, options, packagesDir }));
    if (plan.installed.embeds && !embeds) {
      throw new BenchtopError(
        "VALIDATION_FAILED",
        `${model} was made to turn texts into vectors: it does not answer.`,
        {
          actions: ["switch_model"],
        },
      );
    }
    const { keepAliveSeconds = this.#keepAliveSeconds, pinned = false } = options;
    const estimate = async (): Promise<number> => await estimateMemory(plan.installed, plan.llama);
    const lease = await this.#residents.lease({ plan, keepAliveSeconds, pinned, estimate }, signal);
    used?.(plan.installed);
    return lease;
  }

  /** Loads of a model whose file is no longer what was installed are of no use any more. */
  async #plan(model: string, plan: () => Promise<LoadPlan>): Promise<LoadPlan> {
    try {
      return await plan();
    } catch (thrown) {
      if (BenchtopError.is(thrown) && thrown.code === "PROVIDER_UNAVAILABLE") {
        for (const resident of this.#residents.all) {
          if (resident.plan.installed.name === model) resident.leave("changed");
        }
      }
      throw thrown;
    }
  }

  /** The file is looked at once more when it is open: what came in its place meanwhile is not served. */
  async #start(plan: LoadPlan, signal: AbortSignal): Promise<LlamaModel> {
    const { name } = plan.installed;
    try {
      const llama = await this.#options.start(plan.llama, signal);
      try {
        await checkFiles(plan, this.id);
      } catch (thrown) {
        await llama.close();
        throw thrown;
      }
      return llama;
    } catch (thrown) {
      throw failureOf(thrown, this.id, name, signal);
    }
  }

  /** The loads of the same model with other options than the one that was asked for last. */
  #leaveOthers({ resident }: Lease): void {
    const { installed, embeds } = resident.plan;
    for (const other of this.#residents.all) {
      const isSame = other.plan.installed.name === installed.name && other.plan.embeds === embeds;
      if (isSame && other !== resident) other.leave("replaced");
    }
  }

  async #installed(model: string): Promise<InstalledModel> {
    const installed = await this.#options.models.find(model);
    if (installed?.kind === "model") return installed;
    throw unknownModel(
      this.id,
      model,
      `${model} is not installed on this machine. Install it with: benchtop models install …`,
    );
  }

  #describe(installed: InstalledModel): RuntimeModel {
    const loads = this.#residents.all.filter(({ plan }) => plan.installed.name === installed.name);
    return runtimeModelOf(installed, loads, this.#failures.get(installed.name));
  }

  #residentsEvents(): ConstructorParameters<typeof Residents>[0]["events"] {
    return {
      loading: ({ plan, estimatedBytes }) =>
        this.#emit({ type: "loading", model: plan.installed.name, estimatedBytes }),
      loaded: ({ plan, facts, takenBytes: memoryBytes }) => {
        const model = plan.installed.name;
        this.#counts.loads += 1;
        this.#failures.delete(model);
        const { loadMs = 0, device = "cpu" } = facts ?? {};
        this.#emit({ type: "loaded", model, loadMs, memoryBytes, device });
      },
      loadFailed: ({ plan }, { message, info }) => {
        const model = plan.installed.name;
        this.#failures.set(model, message);
        this.#emit({ type: "failed", model, message, retryable: info.retryable });
      },
      left: ({ plan, facts }, reason) => {
        if (facts) this.#counts[reason === "crashed" ? "crashes" : "unloads"] += 1;
        if (facts && reason === "memory") this.#counts.evictions += 1;
        this.#emit({ type: "left", model: plan.installed.name, reason });
      },
      waits: ({ plan }) =>
        this.#emit({ type: "waiting", model: plan.installed.name, waiting: this.#residents.waiting }),
      waited: (ms) => {
        this.#waits.count += 1;
        this.#waits.totalMs += ms;
        this.#waits.longestMs = Math.max(this.#waits.longestMs, ms);
      },
    };
  }

  /** Told of it later, so that no listener is in the middle of what it hears of. */
  #emit(event: FleetEvent): void {
    for (const listener of this.#listeners) queueMicrotask(() => listener(event));
  }
}
