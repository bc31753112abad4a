import type { ModelRuntime, RuntimeMetrics, RuntimeModel } from "../runtime.ts";
import { countOf, fieldsOf, known, listOf, nameOf, textOf } from "./fields.ts";
import { openAiServerRuntime, type OpenAiServer } from "./openai-server.ts";
import { parsePrometheus, sumOf } from "./prometheus.ts";
import type { RemoteRuntimeOptions, RemoteServer } from "./remote-server.ts";

/** vLLM: one model, and adapters of it, that it was started with; many requests share each step. */
export function vllmRuntime(options: RemoteRuntimeOptions): ModelRuntime {
  return openAiServerRuntime(options, vllm);
}

const vllm: OpenAiServer = {
  kind: "vllm",
  capabilities: {
    load: false,
    unload: false,
    keepAlive: false,
    adapters: false,
    tools: true,
    jsonSchema: true,
    grammar: false,
    embeddings: true,
    continuousBatching: true,
  },
  loading: { instead: "vLLM serves the model that it was started with: start it anew to serve another." },
  models,
  // The first of several names that a model is served under names all its answers.
  isSame: (asked, served, models) => asked === served || rootOf(asked, models) === rootOf(served, models),
  async health(server, signal) {
    await server.text("/health", signal);
    const version = textOf(fieldsOf(await server.getIfThere("/version", signal))["version"]);
    return { alive: true, ready: true, ...(version !== undefined && { version }) };
  },
  counted,
};

async function models(server: RemoteServer, signal: AbortSignal): Promise<RuntimeModel[]> {
  const list = listOf(fieldsOf(await server.get("/v1/models", signal))["data"]);
  if (!list) throw server.malformed("list of models. Check its address");
  return list.flatMap(({ id, root, parent, max_model_len: longest }) => {
    const model = nameOf(id);
    if (model === undefined) return [];
    const contextTokens = countOf(longest);
    // An adapter's root is its own path, so it is no other name of the model that it changes.
    const revision = [textOf(root), textOf(parent)].filter((part) => part !== undefined).join(" on ");
    const load = { state: "ready" as const, ...known({ contextTokens }) };
    return [
      {
        model,
        state: "ready" as const,
        loads: [load],
        ...known({ trainedContextTokens: contextTokens }),
        ...(revision !== "" && { revision }),
      },
    ];
  });
}

function rootOf(name: string, models: readonly RuntimeModel[]): string {
  return models.find(({ model }) => model === name)?.revision ?? `the model ${name}`;
}

async function counted(server: RemoteServer, signal: AbortSignal): Promise<Partial<Omit<RuntimeMetrics, "counts">>> {
  const text = await server.textIfThere("/metrics", signal);
  if (text === undefined) return { notes: ["This vLLM has no /metrics: what it counts is not known."] };
  const samples = parsePrometheus(text);
  const firstSeconds = sumOf(samples, "vllm:time_to_first_token_seconds_sum");
  const firstCount = sumOf(samples, "vllm:time_to_first_token_seconds_count") ?? 0;
  return {
    ...known({
      running: countOf(sumOf(samples, "vllm:num_requests_running")),
      waiting: countOf(sumOf(samples, "vllm:num_requests_waiting")),
      // The second name is that of versions before 0.10.
      cacheUsed: sumOf(samples, "vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
      firstTokenMs:
        firstSeconds === undefined || firstCount === 0 ? undefined : Math.round((firstSeconds / firstCount) * 1000),
    }),
  };
}
