import { join, resolve } from "node:path";
import type { ProviderAdapter } from "@benchtop/harness";
import { defaultContextTokens, startLlamaModel, type LlamaModelOptions } from "@benchtop/llama";
import { estimateMemory, ggufFacts, readGgufHeader, type MemoryEstimate } from "@benchtop/llama/gguf";
import { BenchtopError } from "@benchtop/protocol";
import type { Runs } from "@benchtop/runs";
import type { Store } from "@benchtop/store";
import type { DownloadGate } from "./downloads/download-gate.ts";
import { ModelDownloads } from "./downloads/downloads.ts";
import { storeEmbeddingCache } from "./embeddings/cache.ts";
import { Embeddings, type Embedded, type EmbedOptions } from "./embeddings/embeddings.ts";
import { runtimeBackend } from "./embeddings/runtime-backend.ts";
import { Guide, guideName } from "./guide/guide.ts";
import { ModelJobs } from "./jobs/model-jobs.ts";
import { machineProvider, type MachineModel, type MachineModels } from "./machine-models.ts";
import type { LocalModel } from "./registry/descriptor.ts";
import { ModelRegistry } from "./registry/registry.ts";
import type { ModelSettings } from "./registry/settings.ts";
import { Fleet } from "./runtimes/embedded/fleet.ts";
import type { InstalledModel, InstalledModels } from "./runtimes/embedded/installed.ts";
import type { Secret } from "./secret.ts";

/** The model that comes with Benchtop, as it lies in the repository and in every package of it. */
const guideFolder = resolve(import.meta.dirname, "../../../models/guide");

export interface LocalModelsOptions {
  readonly store: Store;
  readonly runs: Runs;
  /** `$BENCHTOP_HOME`. */
  readonly home: string;
  readonly gate: DownloadGate;
  /** The token for Hugging Face, where the operator has given one. */
  readonly readToken?: () => Promise<Secret | undefined>;
}

/** The models of this machine: which are installed, which are coming, which run, and how new ones are made. They belong to no workspace. */
export class LocalModels implements MachineModels {
  readonly registry: ModelRegistry;
  readonly downloads: ModelDownloads;
  readonly fleet: Fleet;
  readonly embeddings: Embeddings;
  readonly jobs: ModelJobs;
  readonly #guide: Guide;

  private constructor(parts: {
    registry: ModelRegistry;
    downloads: ModelDownloads;
    fleet: Fleet;
    embeddings: Embeddings;
    jobs: ModelJobs;
  }) {
    this.registry = parts.registry;
    this.downloads = parts.downloads;
    this.fleet = parts.fleet;
    this.embeddings = parts.embeddings;
    this.jobs = parts.jobs;
    this.#guide = new Guide(parts.fleet, guideFolder);
  }

  /** Finishes or cleans what a crash left, and goes on with the downloads. No model is loaded. */
  static async open({ store, runs, home, gate, readToken }: LocalModelsOptions): Promise<LocalModels> {
    const shipped = [{ name: guideName, path: join(guideFolder, "guide.gguf") }];
    const registry = await ModelRegistry.open({ store, home, shipped });
    const downloads = await ModelDownloads.open({ store, registry, gate, ...(readToken && { readToken }) });
    const { keepAliveSeconds, memoryBytes } = registry.settings;
    const fleet = new Fleet({
      id: machineProvider,
      models: installedIn(registry),
      estimateMemory: async (installed, options) => (await memoryOf(installed, options)).totalBytes,
      start: async (options, signal) => await startLlamaModel(await withOwnAdapters(registry, options), signal),
      // Two answers at a time share their steps; more would take more memory for what few machines use.
      defaults: { parallel: 2 },
      keepAliveSeconds,
      ...(memoryBytes !== null && { memory: { bytes: memoryBytes } }),
      packagesDir: join(home, "llama/node_modules"),
      used: ({ name }) => registry.touch(name),
    });
    const embeddings = new Embeddings({ cache: storeEmbeddingCache(store) });
    const jobs = new ModelJobs({ registry, store, runs, home });
    await jobs.clean();
    return new LocalModels({ registry, downloads, fleet, embeddings, jobs });
  }

  async list(): Promise<MachineModel[]> {
    return (await this.registry.list()).filter(answers).map(machineModel);
  }

  async resolve(name: string): Promise<MachineModel & { adapter(): ProviderAdapter }> {
    const model = (await this.registry.list()).find((each) => each.name === name);
    if (model === undefined) throw notInstalled(name);
    if (!answers(model)) throw doesNotAnswer(model);
    const adapter = (): ProviderAdapter =>
      name === guideName && model.shipped ? this.#guide.adapter() : this.fleet.adapter(name);
    return { ...machineModel(model), adapter };
  }

  /** Vectors of texts by a model of this machine. Throws `PROVIDER_NOT_CONFIGURED` for one that is not installed. */
  async embed(name: string, texts: readonly string[], options: EmbedOptions, signal: AbortSignal): Promise<Embedded> {
    return await this.embeddings.embed(runtimeBackend(this.fleet, name), texts, options, signal);
  }

  /** The template a model is asked with, and what loading it takes. */
  async describe(name: string): Promise<{ chatTemplate: string | null; memory: MemoryEstimate | null }> {
    const { kind } = await this.registry.get(name);
    const { weights } = await this.registry.paths(name);
    const header = await readGgufHeader(weights);
    const { chatTemplate, contextTokens } = ggufFacts(header);
    const memory = kind === "adapter" ? null : estimateMemory(header, { contextTokens: loadedContext(contextTokens) });
    return { chatTemplate: chatTemplate ?? null, memory };
  }

  async configure(change: Partial<ModelSettings>): Promise<ModelSettings> {
    const settings = await this.registry.configure(change);
    const { keepAliveSeconds, memoryBytes } = settings;
    this.fleet.configure({ keepAliveSeconds, memory: memoryBytes === null ? {} : { bytes: memoryBytes } });
    return settings;
  }

  /** Ends every process and every download; the next start goes on with the downloads. */
  async close(): Promise<void> {
    await Promise.all([this.fleet.close(), this.downloads.close()]);
    await this.registry.close();
  }
}

const answers = ({ kind, embeds }: LocalModel): boolean => kind === "model" && !embeds;

/** What is known of a model for plans: the guide knows no tools and keeps no form, whatever its template could. */
function machineModel({ name, contextTokens, shipped }: LocalModel): MachineModel {
  const isGuide = name === guideName && shipped;
  return {
    name,
    facts: {
      // The guide is asked the last question alone, so what else is said does not have to fit.
      ...(contextTokens !== null && !isGuide && { contextTokens }),
      capabilities: isGuide
        ? { tools: false, jsonSchema: false, vision: false, pdf: false }
        : { vision: false, pdf: false },
    },
  };
}

function installedIn(registry: ModelRegistry): InstalledModels {
  const find = async (name: string): Promise<InstalledModel | undefined> => {
    const model = (await registry.list()).find((each) => each.name === name);
    return model && (await installed(registry, model));
  };
  const list = async (): Promise<InstalledModel[]> => {
    const models = (await registry.list()).map(async (model) => {
      try {
        return await installed(registry, model);
      } catch (thrown) {
        // One that is on its way out, or whose files are damaged, does not keep the others from being listed.
        if (BenchtopError.is(thrown) && ["NOT_FOUND", "FILE_READ_FAILED"].includes(thrown.code)) return [];
        throw thrown;
      }
    });
    return (await Promise.all(models)).flat();
  };
  return { find, list };
}

/** As the fleet checks it before each load. Throws what `ModelRegistry.paths` throws for files that are missing or damaged. */
async function installed(registry: ModelRegistry, model: LocalModel): Promise<InstalledModel> {
  const [first, ...rest] = (await registry.paths(model.name)).files;
  const { name, kind, embeds, architecture, quantization, contextTokens } = model;
  if (first === undefined) throw new BenchtopError("FILE_READ_FAILED", `${name} has no files.`, { phase: "settings" });
  return {
    name,
    kind,
    files: [first, ...rest],
    embeds,
    architecture,
    quantization,
    ...(contextTokens !== null && { trainedContextTokens: contextTokens }),
  };
}

/** Some models of Ollama's library are another one's weights with an adapter of their own, which is a part of them. */
async function withOwnAdapters(registry: ModelRegistry, options: LlamaModelOptions): Promise<LlamaModelOptions> {
  for (const { name, files } of await registry.list()) {
    if (!files.some(({ role }) => role === "adapter")) continue;
    const { weights, adapters } = await registry.paths(name);
    if (weights !== options.modelPath || adapters.length === 0) continue;
    return { ...options, adapters: [...adapters.map((path) => ({ path })), ...(options.adapters ?? [])] };
  }
  return options;
}

async function memoryOf({ files }: InstalledModel, options: LlamaModelOptions): Promise<MemoryEstimate> {
  const header = await readGgufHeader(files[0].path);
  const contextTokens = options.contextTokens ?? loadedContext(ggufFacts(header).contextTokens);
  const { parallel } = options;
  return estimateMemory(header, { contextTokens, ...(parallel !== undefined && { parallel }) });
}

/** What a model is loaded with where nobody says otherwise. */
function loadedContext(trained: number | undefined): number {
  return Math.min(trained ?? defaultContextTokens, defaultContextTokens);
}

function notInstalled(name: string): BenchtopError {
  return new BenchtopError(
    "PROVIDER_NOT_CONFIGURED",
    `No model named “${name}” is installed on this machine. \`benchtop models installed\` lists them, \`benchtop models install\` adds one.`,
    { phase: "settings", providerId: machineProvider, modelId: name },
  );
}

function doesNotAnswer({ name, kind }: LocalModel): BenchtopError {
  const what =
    kind === "adapter" ? "is an adapter: load it with a model" : "turns texts into vectors and answers nothing";
  return new BenchtopError("VALIDATION_FAILED", `${name} ${what}.`, {
    phase: "settings",
    providerId: machineProvider,
    modelId: name,
    actions: ["switch_model"],
  });
}
