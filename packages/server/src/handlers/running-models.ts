import { freemem, totalmem } from "node:os";
import type { ModelRuntime, RuntimeModel } from "@benchtop/models";
import type { RunningModel, RuntimeStatus } from "@benchtop/operations";

/** What runs, as surfaces show it: one entry a load, so a model with two contexts is there twice. */
export async function runtimeStatus(fleet: ModelRuntime, signal: AbortSignal): Promise<RuntimeStatus> {
  const [models, metrics] = await Promise.all([fleet.list(signal), fleet.metrics(signal)]);
  const { counts, memory, waiting } = metrics;
  return {
    items: models.flatMap(runningModel),
    memory: {
      usedBytes: memory?.usedBytes ?? 0,
      limitBytes: memory?.limitBytes ?? totalmem(),
      freeBytes: freemem(),
      totalBytes: totalmem(),
    },
    waiting,
    counts: {
      loads: counts.loads ?? 0,
      unloads: counts.unloads ?? 0,
      crashes: counts.crashes ?? 0,
      requests: counts.requests,
      outputTokens: counts.outputTokens,
    },
  };
}

export async function loadedNames(fleet: ModelRuntime, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const models = await fleet.list(signal);
  return new Set(models.filter(({ loads }) => loads.length > 0).map(({ model }) => model));
}

export function runningModel({ model: name, state, loads, failure }: RuntimeModel): RunningModel[] {
  if (loads.length === 0 && state === "failed") return [{ ...nothing, name, state, error: failure ?? null }];
  return loads.map((load) => ({
    ...nothing,
    name,
    state: load.state === "unloading" ? "busy" : load.state,
    memoryBytes: load.memoryBytes ?? null,
    contextTokens: load.contextTokens ?? null,
    device: load.device ?? null,
    adapters: [...(load.adapters ?? [])],
    busy: load.busy ?? 0,
    waiting: load.waiting ?? 0,
    tokensPerSecond: load.tokensPerSecond ?? null,
    firstTokenMs: load.firstTokenMs ?? null,
    loadedAt: load.loadedAt ?? null,
    expiresAt: load.expiresAt ?? null,
  }));
}

const nothing = {
  memoryBytes: null,
  contextTokens: null,
  device: null,
  adapters: [],
  busy: 0,
  waiting: 0,
  tokensPerSecond: null,
  firstTokenMs: null,
  loadedAt: null,
  expiresAt: null,
  error: null,
};
