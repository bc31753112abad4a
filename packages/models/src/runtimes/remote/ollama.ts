import { setTimeout as wait } from "node:timers/promises";
import type { ProviderAdapter } from "@benchtop/harness";
import { BenchtopError } from "@benchtop/protocol";
import {
  cannot,
  checkAsked,
  throwIfCanceled,
  unknownModel,
  type EmbeddedTexts,
  type LoadOptions,
  type ModelRuntime,
  type RuntimeCall,
  type RuntimeCapabilities,
  type RuntimeHealth,
  type RuntimeLoad,
  type RuntimeMetrics,
  type RuntimeModel,
} from "../runtime.ts";
import { Tally } from "../tally.ts";
import { countOf, fieldsOf, known, listOf, nameOf, textOf, type Fields } from "./fields.ts";
import { ollamaChat, type OllamaLoad } from "./ollama-chat.ts";
import { RemoteServer, type RemoteRuntimeOptions } from "./remote-server.ts";
import { checkServed, type ExpectedModel } from "./served-model.ts";
import { translatedChat } from "./translated-chat.ts";
import { vectorsOf } from "./vectors.ts";

const capabilities: RuntimeCapabilities = {
  load: true,
  unload: true,
  keepAlive: true,
  adapters: false,
  tools: true,
  jsonSchema: true,
  grammar: false,
  embeddings: true,
  continuousBatching: false,
};

/** Ollama by its own protocol: https://github.com/ollama/ollama/blob/main/docs/api.md */
export function ollamaRuntime(options: RemoteRuntimeOptions): ModelRuntime {
  return new OllamaRuntime(new RemoteServer(options));
}

class OllamaRuntime implements ModelRuntime {
  readonly id: string;
  readonly kind = "ollama";
  readonly capabilities = capabilities;
  readonly #server: RemoteServer;
  readonly #tally = new Tally();
  /** What `load` told, by model: a request that does not repeat it would load the model anew. */
  readonly #settings = new Map<string, OllamaLoad>();

  constructor(server: RemoteServer) {
    this.id = server.id;
    this.#server = server;
  }

  async list(signal: AbortSignal): Promise<readonly RuntimeModel[]> {
    const [tags, running] = await Promise.all([
      this.#server.get("/api/tags", signal),
      this.#server.get("/api/ps", signal),
    ]);
    const there = listOf(fieldsOf(tags)["models"]);
    if (!there) throw this.#server.malformed("list of models. Check its address");
    const loaded = listOf(fieldsOf(running)["models"]) ?? [];
    return there.flatMap((entry) => {
      const model = nameOf(entry["name"]) ?? nameOf(entry["model"]);
      if (model === undefined) return [];
      return [
        modelOf(
          model,
          entry,
          loaded.filter(({ name }) => isSame(model, textOf(name) ?? "")),
        ),
      ];
    });
  }

  async status(model: string, signal: AbortSignal): Promise<RuntimeModel> {
    const found = (await this.list(signal)).find((one) => isSame(model, one.model));
    if (found) return found;
    throw unknownModel(
      this.id,
      model,
      `${this.id} does not have the model ${model}. Fetch it with: ollama pull ${model}`,
    );
  }

  async load(model: string, options: LoadOptions, signal: AbortSignal): Promise<RuntimeModel> {
    const { model: name } = await this.status(model, signal);
    const settings = this.#loadOf(options);
    const body = { model: name, ...settings, stream: false };
    // A model that is made to embed refuses to generate, even nothing.
    if (await this.#embeds(name, signal)) await this.#post("/api/embed", { ...body, input: [] }, signal, name);
    else await this.#post("/api/generate", body, signal, name);
    this.#settings.set(fullName(name), settings);
    return await this.status(name, signal);
  }

  async unload(model: string, signal: AbortSignal): Promise<void> {
    const { model: name } = await this.status(model, signal);
    this.#settings.delete(fullName(name));
    await this.#post("/api/generate", { model: name, keep_alive: 0, stream: false }, signal, name);
    // It answers before the memory is free.
    await this.#untilGone(name, signal);
  }

  adapter(model: string, call: RuntimeCall = {}): ProviderAdapter {
    if (call.grammar !== undefined) throw cannot(this, "follow a grammar", "Give it a JSON schema instead.");
    const settings = call.load && this.#loadOf(call.load);
    const { id } = this;
    const { apiKey, headers, ask } = this.#server.options;
    const options = { id, root: this.#server.root, apiKey, headers, fetch: call.fetch ?? ask };
    const load = (): OllamaLoad => settings ?? this.#settingsOf(model);
    return this.#tally.counting({
      id,
      async *stream(request, signal) {
        checkAsked(id, model, request.modelId);
        yield* translatedChat(options, ollamaChat(load()), expectedOf(id, model)).stream(request, signal);
      },
    });
  }

  async embed(
    model: string,
    texts: readonly string[],
    signal: AbortSignal,
    call: RuntimeCall = {},
  ): Promise<EmbeddedTexts> {
    const count = this.#tally.begin();
    try {
      const settings = call.load ? this.#loadOf(call.load) : this.#settingsOf(model);
      // A text that is too long is refused: a vector of its beginning would pass for one of the whole.
      const body = { model, input: texts, truncate: false, ...settings };
      const answer = fieldsOf(await this.#post("/api/embed", body, signal, model, call.fetch));
      checkServed(answer["model"], expectedOf(this.id, model));
      const values = answer["embeddings"];
      if (!Array.isArray(values)) throw this.#server.malformed("list of vectors");
      const vectors = vectorsOf(this.#server, values, texts);
      const inputTokens = countOf(answer["prompt_eval_count"]);
      if (inputTokens !== undefined) count.hear([{ type: "usage", usage: { inputTokens, outputTokens: 0 } }]);
      return { vectors, ...known({ inputTokens }) };
    } catch (thrown) {
      if (!signal.aborted) count.fail();
      throw thrown;
    } finally {
      count.end();
    }
  }

  async health(signal: AbortSignal): Promise<RuntimeHealth> {
    try {
      const version = textOf(fieldsOf(await this.#server.get("/api/version", signal))["version"]);
      return { alive: true, ready: true, ...known({ version }) };
    } catch (thrown) {
      throwIfCanceled(signal);
      return { alive: false, ready: false, reason: BenchtopError.from(thrown).message };
    }
  }

  async metrics(signal: AbortSignal): Promise<RuntimeMetrics> {
    const loaded = (await this.list(signal)).flatMap(({ loads }) => loads);
    const usedBytes = loaded.reduce((sum, { memoryBytes = 0 }) => sum + memoryBytes, 0);
    return {
      counts: this.#tally.counts,
      running: this.#tally.running,
      waiting: 0,
      ...this.#tally.means,
      memory: { usedBytes },
      loaded: loaded.length,
      notes: ["Ollama does not tell what it is busy with: only what went through here is counted."],
    };
  }

  async close(): Promise<void> {}

  #settingsOf(model: string): OllamaLoad {
    return this.#settings.get(fullName(model)) ?? { options: {} };
  }

  #loadOf(options: LoadOptions): OllamaLoad {
    const { contextTokens, gpuLayers, threads, keepAliveSeconds, parallel, adapters = [], pinned } = options;
    if (adapters.length > 0) throw cannot(this, "load adapters", "Make a model of them with ADAPTER in a Modelfile.");
    if (parallel !== undefined) throw cannot(this, "set parallel", "Start Ollama with OLLAMA_NUM_PARALLEL.");
    if (pinned === true) throw cannot(this, "pin a model", "Let it stay for ever: keepAliveSeconds null.");
    return {
      options: known<Record<string, number>>({
        num_ctx: contextTokens,
        num_gpu: typeof gpuLayers === "number" ? gpuLayers : undefined,
        num_thread: threads,
      }) as Record<string, number>,
      ...(keepAliveSeconds !== undefined && { keep_alive: keepAliveSeconds ?? -1 }),
    };
  }

  async #embeds(model: string, signal: AbortSignal): Promise<boolean> {
    const { capabilities: can } = fieldsOf(await this.#post("/api/show", { model }, signal, model));
    return Array.isArray(can) && can.includes("embedding") && !can.includes("completion");
  }

  async #untilGone(model: string, signal: AbortSignal): Promise<void> {
    for (let waitMs = 20; (await this.status(model, signal)).loads.length > 0; waitMs = Math.min(500, waitMs * 2)) {
      await wait(waitMs, undefined, { signal }).catch(() => throwIfCanceled(signal));
    }
  }

  #post(path: string, body: object, signal: AbortSignal, modelId: string, fetch?: typeof globalThis.fetch) {
    return this.#server.post(path, body, signal, { modelId, fetch });
  }
}

function modelOf(model: string, entry: Fields, running: readonly Fields[]): RuntimeModel {
  const details = fieldsOf(entry["details"]);
  return {
    model,
    state: running.length > 0 ? "ready" : "unloaded",
    loads: running.map(loadOf),
    ...known({
      bytes: countOf(entry["size"]),
      revision: textOf(entry["digest"]),
      architecture: textOf(details["family"]),
      quantization: textOf(details["quantization_level"]),
    }),
  };
}

function loadOf(entry: Fields): RuntimeLoad {
  const size = countOf(entry["size"]);
  const onGpu = countOf(entry["size_vram"]) ?? 0;
  return {
    state: "ready",
    ...known({ memoryBytes: size, contextTokens: countOf(entry["context_length"]) }),
    ...expiryOf(textOf(entry["expires_at"])),
    ...(onGpu === 0 && { device: "cpu" }),
  };
}

/** “For ever” is a date that is centuries away. */
function expiryOf(text: string | undefined): Pick<RuntimeLoad, "expiresAt"> {
  const date = Date.parse(text ?? "");
  if (Number.isNaN(date)) return {};
  const years = (date - Date.now()) / (365 * 24 * 60 * 60 * 1000);
  return { expiresAt: years > 50 ? null : new Date(date).toISOString() };
}

function expectedOf(providerId: string, modelId: string): ExpectedModel {
  return { providerId, modelId, isSame: (served) => isSame(modelId, served) };
}

function isSame(asked: string, served: string): boolean {
  return fullName(asked) === fullName(served);
}

/** A name without a tag means `latest`. */
function fullName(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1).includes(":") ? name : `${name}:latest`;
}
