import { cannot, type LoadOptions, type ModelRuntime, type RuntimeModel } from "../runtime.ts";
import { countOf, fieldsOf, known, listOf, nameOf, textOf, type Fields } from "./fields.ts";
import { openAiServerRuntime, type OpenAiServer } from "./openai-server.ts";
import type { RemoteRuntimeOptions, RemoteServer } from "./remote-server.ts";

/** LM Studio: its models in all states by `/api/v0`, loaded and unloaded by `/api/v1` (from 0.4 on), asked by `/v1`. */
export function lmStudioRuntime(options: RemoteRuntimeOptions): ModelRuntime {
  return openAiServerRuntime(options, lmStudio);
}

const lmStudio: OpenAiServer = {
  kind: "lm-studio",
  capabilities: {
    load: true,
    unload: true,
    keepAlive: false,
    adapters: false,
    tools: true,
    jsonSchema: true,
    grammar: false,
    embeddings: true,
    continuousBatching: false,
  },
  loading: { load, unload },
  models,
  // Further loads of the same model are numbered.
  isSame: (asked, served) => asked === served || served.replace(/:\d+$/, "") === asked,
  async health(server, signal) {
    await models(server, signal);
    return { alive: true, ready: true };
  },
  async counted() {
    return { notes: ["LM Studio does not tell what it is busy with: only what went through here is counted."] };
  },
};

async function models(server: RemoteServer, signal: AbortSignal): Promise<RuntimeModel[]> {
  const list = listOf(fieldsOf(await server.get("/api/v0/models", signal))["data"]);
  if (!list) throw server.malformed("list of models. Check its address");
  return list.flatMap((entry) => {
    const model = nameOf(entry["id"]);
    return model === undefined ? [] : [modelOf(model, entry)];
  });
}

function modelOf(model: string, entry: Fields): RuntimeModel {
  const state = ({ loaded: "ready", loading: "loading" } as const)[textOf(entry["state"]) ?? ""] ?? "unloaded";
  const contextTokens = countOf(entry["loaded_context_length"]);
  return {
    model,
    state,
    loads: state === "unloaded" ? [] : [{ state, ...known({ contextTokens }) }],
    embeds: entry["type"] === "embeddings",
    ...known({
      architecture: textOf(entry["arch"]),
      quantization: textOf(entry["quantization"]),
      trainedContextTokens: countOf(entry["max_context_length"]),
    }),
  };
}

async function load(server: RemoteServer, model: string, options: LoadOptions, signal: AbortSignal): Promise<void> {
  const { contextTokens, ...others } = options;
  const [told] = Object.entries(others).find(([, value]) => value !== undefined) ?? [];
  if (told !== undefined) throw cannot(lmStudioOf(server), `set ${told}`, "Set it in LM Studio itself.");
  await instancesOf(server, model, signal);
  const body = { model, ...(contextTokens !== undefined && { context_length: contextTokens }) };
  await server.post("/api/v1/models/load", body, signal, { modelId: model });
}

async function unload(server: RemoteServer, model: string, signal: AbortSignal): Promise<void> {
  for (const id of await instancesOf(server, model, signal)) {
    await server.post("/api/v1/models/unload", { instance_id: id }, signal, { modelId: model });
  }
}

/** The loads of a model. Throws where LM Studio is too old to be told. */
async function instancesOf(server: RemoteServer, model: string, signal: AbortSignal): Promise<string[]> {
  const list = await server.getIfThere("/api/v1/models", signal);
  if (list === undefined) {
    throw cannot(
      lmStudioOf(server),
      "load and unload models",
      "It is older than 0.4: do it in its window, or with lms load.",
    );
  }
  const entry = listOf(fieldsOf(list)["models"])?.find(({ key }) => key === model);
  return (listOf(entry?.["loaded_instances"]) ?? []).flatMap(({ id }) => textOf(id) ?? []);
}

function lmStudioOf({ id }: RemoteServer): Pick<ModelRuntime, "id" | "kind"> {
  return { id, kind: "lm-studio" };
}
