import type { LocalModel, LocalModelDetails } from "@benchtop/operations";
import type { Caller } from "../api/caller.ts";

/** What is installed, as `/api/tags` lists it. Adapters are no models that can be asked. */
export async function installedModels(caller: Caller, signal: AbortSignal): Promise<object[]> {
  const { items } = await caller.call("localModels.list", {}, signal);
  return items
    .filter(({ kind }) => kind === "model")
    .map((model) => ({
      name: tagged(model.name),
      model: tagged(model.name),
      modified_at: model.installedAt,
      size: model.bytes,
      digest: model.sha256,
      details: detailsOf(model),
    }));
}

/** What runs, as `/api/ps` lists it. */
export async function runningModels(caller: Caller, signal: AbortSignal): Promise<object[]> {
  const [{ items: running }, { items: installed }] = await Promise.all([
    caller.call("modelRuntimes.status", {}, signal),
    caller.call("localModels.list", {}, signal),
  ]);
  return running
    .filter(({ state }) => state === "ready" || state === "busy")
    .flatMap(({ name, memoryBytes, device, expiresAt, contextTokens }) => {
      const model = installed.find((each) => each.name === name);
      if (model === undefined) return [];
      return {
        name: tagged(name),
        model: tagged(name),
        size: memoryBytes ?? model.bytes,
        digest: model.sha256,
        details: detailsOf(model),
        expires_at: expiresAt ?? forEver,
        size_vram: device === "cpu" ? 0 : (memoryBytes ?? 0),
        context_length: contextTokens ?? 0,
      };
    });
}

/** Clients read a time here, also of a model that stays. */
const forEver = "2318-01-01T00:00:00Z";

/** One model, as `/api/show` describes it. Throws `NOT_FOUND`. */
export async function modelDetails(caller: Caller, name: string, signal: AbortSignal): Promise<object> {
  const model = await caller.call("localModels.get", { name }, signal);
  const { items } = await caller.call("models.list", {}, signal);
  const capabilities = items.find(({ ref }) => ref === model.ref)?.capabilities;
  return {
    license: model.licence ?? "",
    modelfile: modelfileOf(model),
    parameters: "",
    template: model.chatTemplate ?? "",
    details: detailsOf(model),
    model_info: {
      "general.architecture": model.architecture,
      "general.parameter_count": model.parameters,
      ...(model.contextTokens !== null && { [`${model.architecture}.context_length`]: model.contextTokens }),
    },
    capabilities: [
      ...(model.embeds ? ["embedding"] : ["completion"]),
      ...(capabilities?.tools === true ? ["tools"] : []),
    ],
    modified_at: model.installedAt,
  };
}

function detailsOf({ architecture, parameters, quantization }: LocalModel): object {
  return {
    parent_model: "",
    format: "gguf",
    family: architecture,
    families: [architecture],
    parameter_size: parameterSize(parameters),
    quantization_level: quantization,
  };
}

function modelfileOf({ name, source, chatTemplate }: LocalModelDetails): string {
  const template = chatTemplate === null ? "" : `TEMPLATE """${chatTemplate.replaceAll('"""', '\\"""')}"""\n`;
  return `# ${tagged(name)}, from ${source.replaceAll("\n", " ")}\nFROM ${name}\n${template}`;
}

const tagged = (name: string): string => `${name}:latest`;

/** `7.6B`, `3.2M`. */
function parameterSize(parameters: number): string {
  if (parameters >= 1e9) return `${(parameters / 1e9).toFixed(1)}B`;
  return parameters >= 1e6 ? `${(parameters / 1e6).toFixed(1)}M` : `${Math.round(parameters / 1e3)}K`;
}
