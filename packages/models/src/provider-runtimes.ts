import type { Egress, EgressContext } from "@benchtop/egress";
import { BenchtopError } from "@benchtop/protocol";
import type { ProvidersTable } from "@benchtop/store";
import type { ModelFacts } from "./catalogue/catalogue.ts";
import { llamaServerRuntime } from "./runtimes/remote/llama-server.ts";
import { lmStudioRuntime } from "./runtimes/remote/lm-studio.ts";
import { ollamaRuntime } from "./runtimes/remote/ollama.ts";
import type { RemoteRuntimeOptions } from "./runtimes/remote/remote-server.ts";
import { parseRestMapping } from "./runtimes/remote/rest-mapping.ts";
import { restRuntime } from "./runtimes/remote/rest.ts";
import { vllmRuntime } from "./runtimes/remote/vllm.ts";
import type { ModelRuntime, RuntimeHealth, RuntimeKind, RuntimeMetrics, RuntimeModel } from "./runtimes/runtime.ts";

/** Servers of models that are known by more than the protocol they answer in. */
export type ServerKind = Exclude<RuntimeKind, "llama.cpp">;

const makers: Readonly<Record<ServerKind, (options: RemoteRuntimeOptions, mapping: string | null) => ModelRuntime>> = {
  ollama: ollamaRuntime,
  vllm: vllmRuntime,
  "llama-server": llamaServerRuntime,
  "lm-studio": lmStudioRuntime,
  rest: (options, mapping) => restRuntime({ ...options, mapping: parseRestMapping(JSON.parse(mapping ?? "null")) }),
};
export const serverKinds: readonly ServerKind[] = ["ollama", "vllm", "llama-server", "lm-studio", "rest"];

export function isServerKind(kind: string): kind is ServerKind {
  return Object.hasOwn(makers, kind);
}

/** As `credentialOf` gives it. */
export type Credential = Pick<RemoteRuntimeOptions, "apiKey" | "headers">;

/**
 * The runtimes of providers that are servers of a known kind: one a provider of a workspace, because what it counts and knows of its
 * models lives in it. A provider that was changed has another.
 */
export class ProviderRuntimes {
  readonly #egress: Egress;
  readonly #opened = new Map<string, { readonly madeOf: string; readonly runtime: ModelRuntime }>();

  constructor(egress: Egress) {
    this.#egress = egress;
  }

  /** Undefined for a provider that is no server of a known kind. Nothing is sent yet. */
  of(row: ProvidersTable, credential: Credential): ModelRuntime | undefined {
    const { kind, base_url: baseUrl, local, secret_ref: secretRef, mapping } = row;
    if (!isServerKind(kind)) return undefined;
    const place = placeOf(row.workspace_id, row.name);
    // Each key that was ever kept has a name of its own.
    const madeOf = JSON.stringify([kind, baseUrl, local, secretRef, mapping]);
    const opened = this.#opened.get(place);
    if (opened?.madeOf === madeOf) return opened.runtime;
    const context = { workspaceId: row.workspace_id, providerId: row.name, local: local === 1 };
    const gated = (purpose: EgressContext["purpose"]) => this.#egress.bind({ ...context, purpose });
    const options = { id: row.name, baseUrl, ...credential, look: gated("model-list"), ask: gated("model-call") };
    const runtime = makers[kind](options, mapping);
    this.#opened.set(place, { madeOf, runtime });
    void opened?.runtime.close();
    return runtime;
  }

  async drop(workspaceId: string, name: string): Promise<void> {
    const place = placeOf(workspaceId, name);
    const opened = this.#opened.get(place);
    this.#opened.delete(place);
    await opened?.runtime.close();
  }

  async close(): Promise<void> {
    const opened = [...this.#opened.values()];
    this.#opened.clear();
    await Promise.all(opened.map(({ runtime }) => runtime.close()));
  }
}

function placeOf(workspaceId: string, name: string): string {
  return `${workspaceId}/${name}`;
}

/** A mapping as it is kept; null where there is none. Throws `VALIDATION_FAILED` for one that is wrong, missing or of no use. */
export function checkedMapping(kind: string, mapping: unknown): string | null {
  if (kind === "rest") {
    if (mapping !== undefined) return JSON.stringify(parseRestMapping(mapping));
    throw invalid("A provider of the kind rest needs a mapping, which says how it is asked and read: --mapping FILE.");
  }
  if (mapping === undefined) return null;
  throw invalid(`A mapping is for providers of the kind rest; this one is of the kind ${kind}.`);
}

/** The models that a server has. Throws `PROVIDER_UNAVAILABLE` when it takes too long. */
export async function listed(runtime: ModelRuntime, timeoutMs: number): Promise<readonly RuntimeModel[]> {
  const timeout = new AbortController();
  const seconds = timeoutMs / 1000;
  const timer = setTimeout(() => {
    const message = `${runtime.id} did not answer within ${seconds} s.`;
    timeout.abort(new BenchtopError("PROVIDER_UNAVAILABLE", message, { phase: "settings", providerId: runtime.id }));
  }, timeoutMs);
  try {
    return await runtime.list(timeout.signal);
  } finally {
    clearTimeout(timer);
  }
}

/** What a server cannot do whatever its models could. What it can is up to the model, and not known. */
export function limitsOf({ capabilities }: ModelRuntime): ModelFacts["capabilities"] {
  const { tools, jsonSchema } = capabilities;
  if (tools && jsonSchema) return undefined;
  return { ...(!tools && { tools }), ...(!jsonSchema && { jsonSchema }) };
}

/** What a server tells of itself. */
export interface ServerStatus {
  readonly kind: ServerKind;
  readonly capabilities: ModelRuntime["capabilities"];
  readonly health: RuntimeHealth;
  /** Absent while it does not answer. */
  readonly metrics?: RuntimeMetrics;
  readonly models: readonly RuntimeModel[];
}

/** Throws what its lists throw, once it says that it takes requests. */
export async function statusOf(runtime: ModelRuntime, kind: ServerKind, signal: AbortSignal): Promise<ServerStatus> {
  const { capabilities } = runtime;
  const health = await runtime.health(signal);
  // One that is still loading may have no lists yet.
  if (!health.ready) return { kind, capabilities, health, models: [] };
  const [models, metrics] = await Promise.all([runtime.list(signal), runtime.metrics(signal)]);
  return { kind, capabilities, health, metrics, models };
}

function invalid(message: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", message, { phase: "settings" });
}
