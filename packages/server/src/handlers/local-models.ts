import { resolve } from "node:path";
import {
  machineProvider,
  parseModelRequest,
  sourceText,
  type Download,
  type LocalModel,
  type ModelRequest,
} from "@benchtop/models";
import type { Identity, localModelOperations, ModelSettings } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol";
import type { HandlersOf } from "../api/handler.ts";
import { loadedNames, runningModel, runtimeStatus } from "./running-models.ts";
import type { Services } from "./services.ts";

/** Models of this machine: they belong to no workspace, so whoever may read providers sees them, and the operator changes them. */
export function localModelHandlers({
  localModels,
  providers,
  secrets,
}: Services): HandlersOf<typeof localModelOperations> {
  const { registry, downloads, fleet, jobs } = localModels;
  const shown = async (model: LocalModel, signal: AbortSignal) => shownModel(model, await loadedNames(fleet, signal));
  const withToken = async (settings: ModelSettings) => ({
    ...settings,
    hasHuggingFaceToken: (await secrets.get(huggingFaceSecret)) !== undefined,
  });
  return {
    "localModels.list": async (_, { signal }) => {
      const { usedBytes, quotaBytes, freeBytes, suggestions } = await registry.usage();
      const loaded = await loadedNames(fleet, signal);
      const items = (await registry.list()).map((model) => shownModel(model, loaded));
      return { items, storage: { usedBytes, quotaBytes, freeBytes, suggestions: [...suggestions] } };
    },
    "localModels.get": async ({ name }, { signal }) => {
      const model = await registry.get(name);
      const { chatTemplate, memory } = await localModels.describe(name);
      return {
        ...(await shown(model, signal)),
        files: model.files.map(({ path, bytes, sha256 }) => ({ path, bytes, sha256 })),
        chatTemplate,
        memory,
        manifest: model.manifest === null ? null : { ...model.manifest },
      };
    },
    "localModels.choices": async ({ source }, { identity, signal }) => {
      const request = admitted(source, identity);
      const choices = await downloads.choices(request, { workspaceId: identity.workspaceId }, signal);
      return {
        items: choices.map(({ source, title, quantization, bytes, fitsDisk, fitsMemory }) => ({
          source,
          title,
          quantization,
          bytes,
          fitsDisk,
          fitsMemory,
        })),
      };
    },
    "localModels.install": async ({ source, name, sha256, redirectHosts }, { identity, signal }) => {
      const { workspaceId, userId } = identity;
      const request = withHosts(admitted(source, identity), redirectHosts);
      const chosen = { ...(name !== undefined && { name }), ...(sha256 !== undefined && { sha256 }) };
      return shownDownload(await downloads.start(request, { ...chosen, workspaceId, userId }, signal));
    },
    "localModels.remove": ({ name }) => registry.remove(name, (asked) => fleet.isLoaded(asked)),
    "localModels.pin": async ({ name, pinned }, { signal }) => shown(await registry.pin(name, pinned), signal),
    "localModels.verify": ({ name }, { signal }) => registry.verify(name, {}, signal),
    "localModels.export": ({ names, destination }, { signal }) =>
      registry.exportBundle(names, absolute(destination), {}, signal),
    "localModels.import": async ({ path }, { signal }) => {
      const models = await registry.importBundle(absolute(path), {}, signal);
      return { items: await Promise.all(models.map((model) => shown(model, signal))) };
    },
    "localModels.settings": async () => withToken(registry.settings),
    "localModels.configure": async ({ huggingFaceToken: token, ...change }) => {
      if (token === null) await secrets.delete(huggingFaceSecret);
      if (typeof token === "string") await secrets.set(huggingFaceSecret, token.trim());
      return withToken(await localModels.configure(given(change)));
    },
    "localModels.quantize": (input, { identity }) => jobs.quantize({ ...input, ...whose(identity) }),
    "localModels.train": (input, { identity }) => jobs.train({ ...input, ...whose(identity) }),
    "localModels.resumeTraining": ({ runId }, { identity }) => jobs.resumeTraining({ runId, ...whose(identity) }),
    "modelDownloads.list": async () => ({ items: downloads.list().map(shownDownload) }),
    "modelDownloads.pause": async ({ downloadId }) => shownDownload(await downloads.pause(downloadId)),
    "modelDownloads.resume": async ({ downloadId }) => shownDownload(await downloads.resume(downloadId)),
    "modelDownloads.cancel": async ({ downloadId }) => shownDownload(await downloads.cancel(downloadId)),
    "modelRuntimes.status": (_, { signal }) => runtimeStatus(fleet, signal),
    "modelRuntimes.load": async ({ name, adapters, ...options }, { signal }) => {
      await registry.get(name);
      const asked = { ...given(options), ...(adapters && { adapters: adapters.map((model) => ({ model })) }) };
      const loaded = await fleet.load(name, asked, signal);
      // What it was loaded with before may still be on its way out.
      const loads = loaded.loads.filter(({ state }) => state !== "unloading");
      const running = runningModel({ ...loaded, loads }).at(-1);
      if (running) return running;
      throw new BenchtopError("PROVIDER_UNAVAILABLE", `${name} was unloaded again at once.`, { phase: "settings" });
    },
    "modelRuntimes.unload": async ({ name }, { signal }) => {
      await registry.get(name);
      await fleet.unload(name, signal);
      return {};
    },
    "embeddings.create": async ({ model, texts, normalize }, { identity, signal }) => {
      const { workspaceId } = identity;
      // What was asked before is told to the same workspace alone.
      const options = { normalized: normalize, scope: workspaceId };
      const name = installedName(model);
      const { vectors, dimensions, normalized, inputTokens, cached } =
        name === undefined
          ? await localModels.embeddings.embed(await providers.embedding(workspaceId, model), texts, options, signal)
          : await localModels.embed(name, texts, options, signal);
      return { model, dimensions, normalized, vectors: vectors.map((vector) => [...vector]), inputTokens, cached };
    },
  };
}

/** Undefined for a model of a provider. */
function installedName(ref: string): string | undefined {
  const prefix = `${machineProvider}/`;
  return ref.startsWith(prefix) ? ref.slice(prefix.length) : undefined;
}

/** What the token is called among the secrets. */
export const huggingFaceSecret = "hugging-face";

function shownModel(model: LocalModel, loaded: ReadonlySet<string>) {
  const { name, kind, source, shipped, bytes, sha256, architecture, parameters, contextTokens, quantization } = model;
  const { licence, hasChatTemplate, embeds, pinned, installedAt, usedAt } = model;
  return {
    name,
    ref: `${machineProvider}/${name}`,
    kind,
    source: sourceText(source),
    shipped,
    bytes,
    sha256,
    architecture,
    parameters,
    contextTokens,
    quantization,
    licence,
    hasChatTemplate,
    embeds,
    pinned,
    installedAt,
    usedAt,
    loaded: loaded.has(name),
  };
}

function shownDownload({ id, name, source, state, bytesDone, bytesTotal, bytesPerSecond, ...rest }: Download) {
  const { error, createdAt, updatedAt } = rest;
  return { downloadId: id, name, source, state, bytesDone, bytesTotal, bytesPerSecond, error, createdAt, updatedAt };
}

/** Throws `VALIDATION_FAILED` for words that name no source, `PERMISSION_DENIED` for a file of the machine of somebody who may not read it. */
function admitted(source: string, { permissions }: Identity): ModelRequest {
  const request = parseModelRequest(source);
  const ofHost = request.type === "file" || request.type === "ollama-library";
  if (!ofHost || permissions.includes("host:files")) return request;
  throw new BenchtopError(
    "PERMISSION_DENIED",
    "A file of the daemon's own machine is installed by its operator (this needs the permission host:files).",
    { phase: "settings", detail: { permission: "host:files" } },
  );
}

function withHosts(request: ModelRequest, redirectHosts: readonly string[] | undefined): ModelRequest {
  if (redirectHosts === undefined) return request;
  if (request.type === "url") return { ...request, redirectHosts };
  throw new BenchtopError("VALIDATION_FAILED", "Only a URL may send on to other hosts.", {
    phase: "settings",
    detail: { fields: ["redirectHosts"] },
  });
}

function absolute(path: string): string {
  if (path.startsWith("/") || /^[A-Za-z]:[\\/]/.test(path)) return resolve(path);
  throw new BenchtopError("VALIDATION_FAILED", "Give an absolute path of the daemon's machine.", { phase: "settings" });
}

/** Without what was left out. */
function given<Fields extends object>(fields: Fields) {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [Name in keyof Fields]: Exclude<Fields[Name], undefined> };
}

function whose({ userId, workspaceId }: Identity): { userId: string; workspaceId: string } {
  return { userId, workspaceId };
}
