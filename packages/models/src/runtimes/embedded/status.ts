import type { RuntimeLoad, RuntimeModel, RuntimeModelState } from "../runtime.ts";
import type { InstalledModel } from "./installed.ts";
import type { Resident } from "./resident.ts";

/** What surfaces show of a model: how it is installed and how it runs. */
export function runtimeModelOf(
  installed: InstalledModel,
  residents: readonly Resident[],
  failure: string | undefined,
): RuntimeModel {
  const { name, files, architecture, quantization, trainedContextTokens, embeds } = installed;
  const loads = residents.map(loadOf);
  return {
    model: name,
    state: stateOf(loads, failure),
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    revision: files[0].sha256,
    ...(architecture !== undefined && { architecture }),
    ...(quantization !== undefined && { quantization }),
    ...(trainedContextTokens !== undefined && { trainedContextTokens }),
    embeds,
    loads,
    ...(failure !== undefined && { failure }),
  };
}

/** The one that says most about whether it answers now. */
function stateOf(loads: readonly RuntimeLoad[], failure: string | undefined): RuntimeModelState {
  const states = new Set(loads.map(({ state }) => state));
  const state = (["busy", "ready", "loading", "unloading"] as const).find((candidate) => states.has(candidate));
  return state ?? (failure === undefined ? "unloaded" : "failed");
}

function loadOf(resident: Resident): RuntimeLoad {
  const { state, plan, facts, activity, leases, loadedAt, expiresAt, keepAliveSeconds, pinned, answered } = resident;
  const parallel = plan.options.parallel ?? 1;
  const isIdle = leases === 0 && facts !== undefined;
  return {
    state,
    ...(loadedAt !== undefined && { loadedAt }),
    ...(isIdle && keepAliveSeconds === null && { expiresAt: null }),
    ...(isIdle && expiresAt !== undefined && { expiresAt: new Date(expiresAt).toISOString() }),
    ...(facts && { contextTokens: facts.contextTokens, device: facts.device }),
    parallel,
    memoryBytes: activity?.memoryBytes ?? resident.estimatedBytes,
    adapters: plan.adapters.map(({ installed }) => installed.name),
    embeds: plan.embeds,
    pinned,
    busy: activity?.busy ?? 0,
    waiting: activity ? Math.max(activity.waiting, leases - parallel) : leases,
    ...(answered?.tokensPerSecond !== undefined && { tokensPerSecond: answered.tokensPerSecond }),
    ...(answered?.firstTokenMs !== undefined && { firstTokenMs: answered.firstTokenMs }),
  };
}
