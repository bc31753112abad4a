import { setTimeout as wait } from "node:timers/promises";
import { BenchtopError } from "@benchtop/protocol";
import {
  cannot,
  throwIfCanceled,
  type LoadOptions,
  type ModelRuntime,
  type RuntimeMetrics,
  type RuntimeModel,
  type RuntimeModelState,
} from "../runtime.ts";
import { countOf, fieldsOf, known, listOf, nameOf, textOf, type Fields } from "./fields.ts";
import { openAiServerRuntime, type OpenAiServer } from "./openai-server.ts";
import { parsePrometheus, sumOf } from "./prometheus.ts";
import type { RemoteRuntimeOptions, RemoteServer } from "./remote-server.ts";

/**
 * llama-server of llama.cpp. Started with a model, it serves that one; started without (router), it loads and unloads those
 * that it finds. Adapters are those that it was started with; `load` chooses among them.
 */
export function llamaServerRuntime(options: RemoteRuntimeOptions): ModelRuntime {
  return openAiServerRuntime(options, llamaServer);
}

const llamaServer: OpenAiServer = {
  kind: "llama-server",
  capabilities: {
    load: true,
    unload: true,
    keepAlive: false,
    adapters: true,
    tools: true,
    jsonSchema: true,
    grammar: true,
    embeddings: true,
    continuousBatching: true,
  },
  loading: { load, unload },
  models,
  isSame: (asked, served) => fileNameOf(asked) === fileNameOf(served),
  async health(server, signal) {
    try {
      await server.text("/health", signal);
    } catch (thrown) {
      const isLoading = BenchtopError.is(thrown) && thrown.info.detail?.["status"] === 503;
      if (!isLoading) throw thrown;
      return { alive: true, ready: false, reason: "It is loading its model." };
    }
    const version = textOf(fieldsOf(await server.getIfThere("/props", signal).catch(() => undefined))["build_info"]);
    return { alive: true, ready: true, ...(version !== undefined && { version }) };
  },
  counted,
};

async function models(server: RemoteServer, signal: AbortSignal): Promise<RuntimeModel[]> {
  const list = listOf(fieldsOf(await server.get("/v1/models", signal))["data"]);
  if (!list) throw server.malformed("list of models. Check its address");
  return list.flatMap((entry) => {
    const model = nameOf(entry["id"]);
    return model === undefined ? [] : [modelOf(model, entry)];
  });
}

function modelOf(model: string, entry: Fields): RuntimeModel {
  const meta = fieldsOf(entry["meta"]);
  const state = stateOf(entry);
  const contextTokens = countOf(meta["n_ctx"]);
  return {
    model,
    state,
    loads: state === "unloaded" || state === "failed" ? [] : [{ state, ...known({ contextTokens }) }],
    ...known({ bytes: countOf(meta["size"]), trainedContextTokens: countOf(meta["n_ctx_train"]) }),
    ...(state === "failed" && { failure: "Its process ended while it was loaded." }),
  };
}

/** A server of one model has no states: it lists what it has loaded. */
function stateOf(entry: Fields): Exclude<RuntimeModelState, "busy" | "unloading"> {
  const status = fieldsOf(entry["status"]);
  const value = textOf(status["value"]);
  if (value === undefined || value === "loaded") return "ready";
  if (value === "loading") return "loading";
  return status["failed"] === true ? "failed" : "unloaded";
}

async function load(server: RemoteServer, model: string, options: LoadOptions, signal: AbortSignal): Promise<void> {
  const { adapters, ...others } = options;
  const [told] = Object.entries(others).find(([, value]) => value !== undefined) ?? [];
  const runtime = { id: server.id, kind: "llama-server" } as const;
  if (told !== undefined) throw cannot(runtime, `set ${told}`, "Give it to llama-server when it is started.");
  if (await isRouter(server, signal)) {
    await server.post("/models/load", { model }, signal, { modelId: model });
    await untilState(server, model, signal, ({ state }) => state !== "loading");
  }
  if (adapters) await chooseAdapters(server, adapters, signal);
}

async function unload(server: RemoteServer, model: string, signal: AbortSignal): Promise<void> {
  if (!(await isRouter(server, signal))) {
    throw cannot(
      { id: server.id, kind: "llama-server" },
      "unload its model",
      "It was started with one model: end it, or start it without one to load several.",
    );
  }
  await server.post("/models/unload", { model }, signal, { modelId: model });
  await untilState(server, model, signal, ({ loads }) => loads.length === 0);
}

/** A router says in which state each of its models is. */
async function isRouter(server: RemoteServer, signal: AbortSignal): Promise<boolean> {
  const list = listOf(fieldsOf(await server.get("/v1/models", signal))["data"]) ?? [];
  return list.some(({ status }) => fieldsOf(status)["value"] !== undefined);
}

const pollMs = 200;

async function untilState(
  server: RemoteServer,
  model: string,
  signal: AbortSignal,
  isReached: (model: RuntimeModel) => boolean,
): Promise<void> {
  for (;;) {
    const found = (await models(server, signal)).find((one) => one.model === model);
    if (!found || isReached(found)) return;
    await wait(pollMs, undefined, { signal }).catch(() => throwIfCanceled(signal));
  }
}

/** Sets how much each adapter counts; those that are not named count nothing. */
async function chooseAdapters(
  server: RemoteServer,
  adapters: NonNullable<LoadOptions["adapters"]>,
  signal: AbortSignal,
): Promise<void> {
  const there = listOf(await server.get("/lora-adapters", signal)) ?? [];
  const scales = there.map(({ id, path }) => {
    const name = fileNameOf(textOf(path) ?? "");
    return { id, name, scale: adapters.find(({ model }) => fileNameOf(model) === name)?.scale };
  });
  for (const { model } of adapters) {
    if (scales.some(({ name }) => name === fileNameOf(model))) continue;
    throw cannot(
      { id: server.id, kind: "llama-server" },
      `apply the adapter ${model}`,
      "Start llama-server with it: --lora FILE.",
    );
  }
  const body = scales.map(({ id, name, scale }) => ({
    id,
    scale: adapters.some(({ model }) => fileNameOf(model) === name) ? (scale ?? 1) : 0,
  }));
  await server.post("/lora-adapters", body, signal);
}

async function counted(server: RemoteServer, signal: AbortSignal): Promise<Partial<Omit<RuntimeMetrics, "counts">>> {
  const text = await server.textIfThere("/metrics", signal);
  if (text !== undefined) {
    const samples = parsePrometheus(text);
    return {
      ...known({
        running: countOf(sumOf(samples, "llamacpp:requests_processing")),
        waiting: countOf(sumOf(samples, "llamacpp:requests_deferred")),
        cacheUsed: sumOf(samples, "llamacpp:kv_cache_usage_ratio"),
      }),
    };
  }
  const notes = ["Start llama-server with --metrics to see what waits."];
  const slots = listOf(await server.getIfThere("/slots", signal));
  if (!slots) return { notes };
  return { running: slots.filter(({ is_processing: isProcessing }) => isProcessing === true).length, notes };
}

/** A server names a model by its path, its file or an alias. */
function fileNameOf(name: string): string {
  return name.slice(Math.max(name.lastIndexOf("/"), name.lastIndexOf("\\")) + 1).replace(/\.gguf$/i, "");
}
