import type { Identity, providerOperations, ProviderStatus, ServedModel } from "@benchtop/operations";
import { withPreset, type RuntimeModel, type ServerStatus } from "@benchtop/models";
import { BenchtopError } from "@benchtop/protocol";
import type { HandlersOf } from "../api/handler.ts";
import type { Services } from "./services.ts";

export function providerHandlers({ providers, catalogue }: Services): HandlersOf<typeof providerOperations> {
  return {
    "providers.list": async (_, { identity }) => ({ items: await providers.list(identity.workspaceId) }),
    "providers.catalogue": async () => ({ items: [...(await catalogue()).providers] }),
    "providers.add": async (input, { identity }) => {
      const provider = withPreset(input, await catalogue());
      if (provider.local === true) requireHost(identity);
      return await providers.add(identity.workspaceId, provider);
    },
    "providers.test": ({ name }, { identity }) => providers.test(identity.workspaceId, name),
    "providers.status": async ({ name }, { identity, signal }) =>
      shownStatus(name, await providers.status(identity.workspaceId, name, signal)),
    "providers.loadModel": async ({ name, model, contextTokens, keepAliveSeconds }, { identity, signal }) => {
      const asked = {
        model,
        ...(contextTokens !== undefined && { contextTokens }),
        ...(keepAliveSeconds !== undefined && { keepAliveSeconds }),
      };
      return servedModel(name, await providers.loadModel(identity.workspaceId, name, asked, signal));
    },
    "providers.unloadModel": async ({ name, model }, { identity, signal }) => {
      await providers.unloadModel(identity.workspaceId, name, model, signal);
      return {};
    },
    "providers.remove": async ({ name }, { identity }) => {
      await providers.remove(identity.workspaceId, name);
      return {};
    },
    "models.list": (_, { identity }) => providers.models(identity.workspaceId),
  };
}

function shownStatus(name: string, { kind, capabilities, health, metrics, models }: ServerStatus): ProviderStatus {
  const { load, unload, embeddings } = capabilities;
  const { alive, ready, version = null, reason = null } = health;
  return {
    name,
    kind,
    can: { load, unload, embeddings },
    health: { alive, ready, version, reason },
    metrics: metrics
      ? {
          requests: metrics.counts.requests,
          failed: metrics.counts.failed,
          inputTokens: metrics.counts.inputTokens,
          outputTokens: metrics.counts.outputTokens,
          running: metrics.running,
          waiting: metrics.waiting,
          tokensPerSecond: metrics.tokensPerSecond ?? null,
          firstTokenMs: metrics.firstTokenMs ?? null,
          memoryBytes: metrics.memory?.usedBytes ?? null,
          cacheUsed: metrics.cacheUsed ?? null,
          notes: [...metrics.notes],
        }
      : null,
    models: models.map((model) => servedModel(name, model)),
  };
}

/** Servers load a model once; of several loads, the first is shown. */
function servedModel(provider: string, served: RuntimeModel): ServedModel {
  const { model, state, bytes, quantization, embeds, failure, loads } = served;
  const [load] = loads;
  return {
    ref: `${provider}/${model}`,
    model,
    state,
    bytes: bytes ?? null,
    quantization: quantization ?? null,
    embeds: embeds ?? null,
    memoryBytes: load?.memoryBytes ?? null,
    contextTokens: load?.contextTokens ?? null,
    device: load?.device ?? null,
    expiresAt: load?.expiresAt ?? null,
    error: failure ?? null,
  };
}

/** What listens on the daemon's own loopback is not a workspace's to reach: its admins are people elsewhere. */
function requireHost({ permissions }: Identity): void {
  if (permissions.includes("host:files")) return;
  throw new BenchtopError(
    "PERMISSION_DENIED",
    "A provider on the daemon's own machine is added by its operator (this needs the permission host:files).",
    { phase: "settings", detail: { permission: "host:files" } },
  );
}
