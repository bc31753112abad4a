import { randomUUID } from "node:crypto";
import {
  approvableHost,
  checkProviderUrl,
  withApproval,
  type Egress,
  type EgressContext,
  type Place,
} from "@benchtop/egress";
import {
  anthropicMessages,
  openaiChat,
  openaiResponses,
  parseModelRef,
  type Prices,
  type ProviderAdapter,
  type ProviderOptions,
} from "@benchtop/harness";
import { BenchtopError, firstWorkspaceId, type Usage } from "@benchtop/protocol";
import type { ProvidersTable, Store } from "@benchtop/store";
import { entryFor, factsOf, type Catalogue, type ModelFacts } from "./catalogue/catalogue.ts";
import type { CatalogueProvider } from "./catalogue/entry.ts";
import { credentialOf } from "./catalogue/credential.ts";
import type { EmbeddingBackend } from "./embeddings/backend.ts";
import { EgressExceptions } from "./egress-exceptions.ts";
import type { EgressLog } from "./egress-log.ts";
import { machineProvider, type MachineModels } from "./machine-models.ts";
import { listModels } from "./model-list.ts";
import {
  checkedMapping,
  isServerKind,
  limitsOf,
  listed,
  ProviderRuntimes,
  serverKinds,
  statusOf,
  type ServerKind,
  type ServerStatus,
} from "./provider-runtimes.ts";
import { vectorsBy } from "./provider-vectors.ts";
import type { LoadOptions, ModelRuntime, RuntimeModel } from "./runtimes/runtime.ts";
import type { Secret } from "./secret.ts";
import type { Secrets } from "./secrets.ts";

/** The protocols that a provider may speak, and what speaks them. */
const adapters = {
  "openai-responses": openaiResponses,
  "openai-chat": openaiChat,
  "anthropic-messages": anthropicMessages,
} as const satisfies Record<string, (options: ProviderOptions) => ProviderAdapter>;
export type WireKind = keyof typeof adapters;
/** A protocol, or a server of a kind that is known by more than the protocol it answers in. */
export type ProviderKind = WireKind | ServerKind;
export const providerKinds: readonly ProviderKind[] = [...(Object.keys(adapters) as WireKind[]), ...serverKinds];

/** A provider as surfaces show it. The key itself is never shown again. */
export interface Provider {
  readonly name: string;
  readonly kind: ProviderKind;
  /** Without a slash at its end. */
  readonly baseUrl: string;
  /** On this machine's loopback: no consent needed, nothing leaves. */
  readonly local: boolean;
  readonly hasApiKey: boolean;
  readonly prices: Prices | null;
  readonly createdAt: string;
}

export interface NewProvider {
  readonly name: string;
  readonly kind: ProviderKind;
  readonly baseUrl: string;
  readonly apiKey?: string | undefined;
  readonly local?: boolean | undefined;
  readonly prices?: Prices | undefined;
  /** Of the kind `rest`: how it is asked and read, as `parseRestMapping` has it. */
  readonly mapping?: unknown;
}

export interface Model {
  readonly ref: string;
  readonly providerId: string;
  readonly modelId: string;
  readonly local: boolean;
  readonly contextTokens?: number;
  readonly maxOutputTokens?: number;
  /** What its calls are counted with. */
  readonly prices?: Prices;
  readonly capabilities?: ModelFacts["capabilities"];
}

export interface ModelList {
  readonly items: Model[];
  readonly unavailable: { readonly providerId: string; readonly message: string }[];
}

/** A model that can be called. */
export interface ResolvedModel {
  readonly workspaceId: string;
  readonly providerId: string;
  readonly modelId: string;
  readonly local: boolean;
  /** As consent shows it: the host, with the port where it is not the scheme's own. */
  readonly host: string;
  /** The operator's own; else those of the catalogue; nothing for a model of this machine. */
  readonly prices: Prices | null;
  /** What the catalogue knows of it. */
  readonly facts?: ModelFacts | undefined;
  /** An adapter whose every request passes the egress gate on behalf of this run. */
  adapter(context: {
    readonly runId: string;
    readonly workbenchId?: string;
    readonly scopeHash: string;
    /** Files in that scope. */
    readonly fileCount?: number;
  }): ProviderAdapter;
}

/**
 * The providers that each workspace has configured: rows of the table `providers`, their keys in the secrets file by
 * reference. Two workspaces may each have one of the same name; they have nothing in common.
 *
 * `allowedHosts()` is what the egress policy lets through for a workspace. It holds the hosts of the providers read last, so it follows every
 * change made here at once, and a provider that another process removed is gone from it the next time it is asked for.
 */
export class Providers {
  readonly #store: Pick<Store, "db" | "flush">;
  readonly #secrets: Secrets;
  readonly #egress: Egress;
  readonly #catalogue: () => Promise<Catalogue>;
  readonly #exceptions: Pick<EgressExceptions, "isApproved">;
  readonly #egressLog: Pick<EgressLog, "counted"> | undefined;
  readonly #machine: MachineModels | undefined;
  readonly #runtimes: ProviderRuntimes;
  /** By workspace, then by name. */
  readonly #hosts = new Map<string, Map<string, string>>();
  /** Adding and removing touch the row and the keys; one at a time, so that neither drops what the other has just kept. */
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(options: {
    readonly store: Pick<Store, "db" | "flush">;
    readonly secrets: Secrets;
    readonly egress: Egress;
    /** What is known of providers and models; nothing when absent. */
    readonly catalogue?: () => Promise<Catalogue>;
    /** Is told what providers count. */
    readonly egressLog?: Pick<EgressLog, "counted">;
    /** The models of this machine; none when absent. */
    readonly machine?: MachineModels;
  }) {
    this.#store = options.store;
    this.#secrets = options.secrets;
    this.#egress = options.egress;
    this.#catalogue = options.catalogue ?? (async () => ({ providers: [] }));
    this.#exceptions = new EgressExceptions(options);
    this.#egressLog = options.egressLog;
    this.#machine = options.machine;
    this.#runtimes = new ProviderRuntimes(options.egress);
  }

  /** Hosts by provider name, for `EgressPolicy.allowedHosts`. */
  allowedHosts(workspaceId: string): ReadonlyMap<string, string> {
    return this.#hostsOf(workspaceId);
  }

  async list(workspaceId: string): Promise<Provider[]> {
    return (await this.#rows(workspaceId)).map(toProvider);
  }

  /**
   * Adds or replaces a provider, wholly: without `apiKey` it has none, also where it had one, because a key must not
   * follow a changed address. When host or kind of address changes, persisted consents to the provider end.
   *
   * Throws `VALIDATION_FAILED`, `EGRESS_BLOCKED_BY_POLICY`, or what the secrets file throws.
   */
  async add(workspaceId: string, input: NewProvider): Promise<Provider> {
    const row = this.#checked(workspaceId, input, await this.#placeOf(workspaceId, input));
    return this.#change(() => this.#replace(row, input.apiKey));
  }

  /** Removes a provider, its key and every persisted consent to it. Throws `PROVIDER_NOT_CONFIGURED`. */
  async remove(workspaceId: string, name: string): Promise<void> {
    await this.#change(async () => {
      const row = await this.#row(workspaceId, name);
      this.#hostsOf(workspaceId).delete(name);
      // The key first: a crash in between leaves a provider that asks for its key again, never a key without a provider.
      await this.#dropKeys(row, null);
      await this.#store.db.transaction().execute(async (transaction) => {
        await endConsents(transaction, row);
        await transaction
          .deleteFrom("providers")
          .where("workspace_id", "=", workspaceId)
          .where("name", "=", name)
          .execute();
      });
      await this.#store.flush();
      await this.#runtimes.drop(workspaceId, name);
    });
  }

  /** Asks for the provider's list of models: proves host, certificate and key without sending any content. */
  async test(workspaceId: string, name: string): Promise<{ ok: true; models: string[]; latencyMs: number }> {
    const row = await this.#row(workspaceId, name);
    const started = performance.now();
    const runtime = await this.#runtime(row);
    const models = runtime
      ? (await listed(runtime, testTimeoutMs)).map(({ model }) => model)
      : await listModels(this.#egress, await this.#listing(row), "provider-test", testTimeoutMs);
    return { ok: true, models, latencyMs: Math.round(performance.now() - started) };
  }

  /** The models of this machine, then those of every provider that answers in time; the others are named with the reason. */
  async models(workspaceId: string): Promise<ModelList> {
    const rows = await this.#rows(workspaceId);
    const machine = (await this.#machine?.list()) ?? [];
    const answers = await Promise.all(
      rows.map(async (row) => {
        try {
          const entry = await this.#entry(row);
          const runtime = await this.#runtime(row);
          if (runtime) {
            const there = (await listed(runtime, listTimeoutMs)).filter(({ embeds }) => embeds !== true);
            const items = there.map(({ model }) => toModel(row, model, entry, limitsOf(runtime)));
            return { items, unavailable: [] };
          }
          const ids =
            entry?.listsModels === false && entry.models.length > 0
              ? entry.models.map(({ id }) => id)
              : await listModels(this.#egress, await this.#listing(row), "model-list", listTimeoutMs);
          return { items: ids.map((modelId) => toModel(row, modelId, entry)), unavailable: [] };
        } catch (error) {
          return { items: [], unavailable: [{ providerId: row.name, message: BenchtopError.from(error).message }] };
        }
      }),
    );
    return {
      items: [
        ...machine.map(({ name, facts }) => ofMachine(name, facts)),
        ...answers.flatMap((answer) => answer.items),
      ],
      unavailable: answers.flatMap((answer) => answer.unavailable),
    };
  }

  /**
   * The model that `provider/model` names in a workspace, ready to be called. Whether the provider has it shows with the first call.
   * Throws `VALIDATION_FAILED` for a malformed reference, `PROVIDER_NOT_CONFIGURED`, or what the secrets file throws.
   */
  async resolve(workspaceId: string, modelRef: string): Promise<ResolvedModel> {
    const { providerId, modelId } = parseModelRef(modelRef);
    if (providerId === machineProvider && this.#machine)
      return await ofThisMachine(workspaceId, modelId, this.#machine);
    const row = await this.#row(workspaceId, providerId, modelId);
    const apiKey = await this.#key(row);
    const local = row.local === 1;
    const entry = await this.#entry(row);
    const runtime = await this.#runtime(row);
    const facts = withLimits(factsOf(entry, modelId), runtime && limitsOf(runtime));
    return {
      workspaceId,
      providerId,
      modelId,
      local,
      host: hostOf(row),
      prices: pricesOf(row) ?? facts?.prices ?? (local ? free : null),
      facts,
      adapter: (context) =>
        this.#counting(providerId, (call) => {
          const where: EgressContext = { workspaceId, providerId, modelId, local, purpose: "model-call", call };
          const fetch = this.#egress.bind({ ...context, ...where });
          if (runtime) return runtime.adapter(modelId, { fetch });
          const kind = row.kind as WireKind;
          const credential = credentialOf(kind, entry, apiKey?.reveal());
          return adapters[kind]({ id: providerId, baseUrl: row.base_url, ...credential, fetch });
        }),
    };
  }

  /**
   * How a server is, what it counts, and in which state its models are. Throws `PROVIDER_NOT_CONFIGURED`, `VALIDATION_FAILED` for a
   * provider that is known by its protocol alone, and what the lists of the server throw.
   */
  async status(workspaceId: string, name: string, signal: AbortSignal): Promise<ServerStatus> {
    const row = await this.#row(workspaceId, name);
    const runtime = await this.#runtime(row);
    if (!runtime || !isServerKind(row.kind)) throw knownByProtocol(row);
    return await statusOf(runtime, row.kind, signal);
  }

  /** Resolves once the model answers. Throws what `ModelRuntime.load` throws, and `VALIDATION_FAILED` for a server elsewhere. */
  async loadModel(
    workspaceId: string,
    name: string,
    { model, ...options }: { readonly model: string } & Pick<LoadOptions, "contextTokens" | "keepAliveSeconds">,
    signal: AbortSignal,
  ): Promise<RuntimeModel> {
    return await (await this.#runtimeHere(workspaceId, name)).load(model, options, signal);
  }

  /** Resolves once its memory is free. Throws what `ModelRuntime.unload` throws, and `VALIDATION_FAILED` for a server elsewhere. */
  async unloadModel(workspaceId: string, name: string, model: string, signal: AbortSignal): Promise<void> {
    await (await this.#runtimeHere(workspaceId, name)).unload(model, signal);
  }

  /**
   * What makes vectors by a model of a provider on this machine. Throws `PROVIDER_NOT_CONFIGURED`, also for a provider elsewhere,
   * and `VALIDATION_FAILED` for one whose protocol has no vectors.
   */
  async embedding(workspaceId: string, modelRef: string): Promise<EmbeddingBackend> {
    const { providerId, modelId } = parseModelRef(modelRef);
    const row = await this.#row(workspaceId, providerId, modelId);
    const runtime = await this.#runtime(row);
    const key = await this.#key(row);
    const credential = credentialOf(row.kind as ProviderKind, await this.#entry(row), key?.reveal());
    return vectorsBy({ row, runtime, credential, egress: this.#egress, log: this.#egressLog }, modelId);
  }

  async close(): Promise<void> {
    await this.#runtimes.close();
  }

  /** Of a server of a known kind; undefined for a provider that is known by its protocol alone. */
  async #runtime(row: ProvidersTable): Promise<ModelRuntime | undefined> {
    if (!isServerKind(row.kind)) return undefined;
    const key = await this.#key(row);
    return this.#runtimes.of(row, credentialOf(row.kind, await this.#entry(row), key?.reveal()));
  }

  /** One whose models may be loaded and unloaded. What is sent elsewhere takes a consent, which is to a model and its files. */
  async #runtimeHere(workspaceId: string, name: string): Promise<ModelRuntime> {
    const row = await this.#row(workspaceId, name);
    const runtime = await this.#runtime(row);
    if (!runtime) throw knownByProtocol(row);
    if (row.local === 1) return runtime;
    throw invalid(`“${name}” is not on this machine. Load and unload its models where it runs.`, name);
  }

  /** The adapter, made anew for each call, so that what the provider counts goes to the record of that call's request. */
  #counting(id: string, make: (call: object) => ProviderAdapter): ProviderAdapter {
    const log = this.#egressLog;
    return {
      id,
      async *stream(request, signal) {
        const call = {};
        let usage: Usage | undefined;
        try {
          for await (const parts of make(call).stream(request, signal)) {
            usage = parts.findLast((part) => part.type === "usage")?.usage ?? usage;
            yield parts;
          }
        } finally {
          if (usage) log?.counted(call, { inputTokens: usage.inputTokens, outputTokens: usage.outputTokens });
        }
      },
    };
  }

  async #placeOf(workspaceId: string, { baseUrl, local }: NewProvider): Promise<Place> {
    if (local === true) return "this-machine";
    const url = URL.parse(baseUrl.trim());
    const host = url && approvableHost(url);
    if (!host) return "elsewhere";
    return (await this.#exceptions.isApproved(workspaceId, host)) ? "local-network" : "elsewhere";
  }

  #checked(workspaceId: string, input: NewProvider, place: Place): ProvidersTable {
    if (!namePattern.test(input.name)) {
      throw invalid(
        "A provider's name has lower-case letters, digits and dashes, 40 at most, and starts with no dash.",
      );
    }
    if (input.name === machineProvider) {
      throw invalid(`“${machineProvider}” stands for the models of this machine. Give the provider another name.`);
    }
    if (!providerKinds.includes(input.kind)) throw invalid(`A provider's kind is one of ${providerKinds.join(", ")}.`);
    if (input.apiKey !== undefined) checkedKey(input.apiKey);
    const mapping = checkedMapping(input.kind, input.mapping);
    const url = checkedUrl(input.baseUrl, place);
    return {
      workspace_id: workspaceId,
      name: input.name,
      kind: input.kind,
      base_url: url.href.replace(/\/+$/, ""),
      local: place === "this-machine" ? 1 : 0,
      secret_ref: null,
      prices: input.prices === undefined ? null : JSON.stringify(input.prices),
      mapping,
      created_at: new Date().toISOString(),
    };
  }

  async #replace(row: ProvidersTable, apiKey: string | undefined): Promise<Provider> {
    // The key first, under a name of its own; the row then switches from the old key to it in one commit.
    if (apiKey !== undefined) {
      row.secret_ref = `${secretPrefix(row)}${randomUUID()}`;
      await this.#secrets.set(row.secret_ref, checkedKey(apiKey));
    }
    const former = await this.#store.db.transaction().execute(async (transaction) => {
      const { workspace_id, name, ...columns } = row;
      const former = await transaction
        .selectFrom("providers")
        .selectAll()
        .where("workspace_id", "=", workspace_id)
        .where("name", "=", name)
        .executeTakeFirst();
      if (former && (hostOf(former) !== hostOf(row) || former.local !== row.local)) {
        await endConsents(transaction, row);
      }
      await transaction
        .insertInto("providers")
        .values(row)
        .onConflict((conflict) => conflict.columns(["workspace_id", "name"]).doUpdateSet(columns))
        .execute();
      return former;
    });
    await this.#store.flush();
    this.#hostsOf(row.workspace_id).set(row.name, hostOf(row));
    if (former?.secret_ref || row.secret_ref !== null) await this.#dropKeys(row, row.secret_ref);
    return toProvider(row);
  }

  async #change<Result>(change: () => Promise<Result>): Promise<Result> {
    const turn = this.#lastChange.then(change);
    this.#lastChange = turn.catch(() => undefined);
    return turn;
  }

  #hostsOf(workspaceId: string): Map<string, string> {
    const hosts = this.#hosts.get(workspaceId) ?? new Map<string, string>();
    this.#hosts.set(workspaceId, hosts);
    return hosts;
  }

  async #rows(workspaceId: string): Promise<ProvidersTable[]> {
    const rows = await this.#store.db
      .selectFrom("providers")
      .selectAll()
      .where("workspace_id", "=", workspaceId)
      .orderBy("name")
      .execute();
    this.#hosts.set(workspaceId, new Map(rows.map((row) => [row.name, hostOf(row)])));
    return rows;
  }

  async #row(workspaceId: string, name: string, modelId?: string): Promise<ProvidersTable> {
    const row = await this.#store.db
      .selectFrom("providers")
      .selectAll()
      .where("workspace_id", "=", workspaceId)
      .where("name", "=", name)
      .executeTakeFirst();
    if (row) {
      this.#hostsOf(workspaceId).set(name, hostOf(row));
      return row;
    }
    this.#hostsOf(workspaceId).delete(name);
    throw new BenchtopError(
      "PROVIDER_NOT_CONFIGURED",
      `There is no provider named “${name}”. Add it in the settings or with: benchtop providers add ${name} …`,
      { phase: "settings", providerId: name, ...(modelId !== undefined && { modelId }) },
    );
  }

  async #listing(row: ProvidersTable) {
    const { workspace_id: workspaceId, name, base_url: baseUrl } = row;
    const provider = { workspaceId, name, kind: row.kind as WireKind, baseUrl, local: row.local === 1 };
    return { ...provider, apiKey: await this.#key(row), entry: await this.#entry(row) };
  }

  async #entry(row: ProvidersTable): Promise<CatalogueProvider | undefined> {
    // The servers that are known by more than their protocol have this one as well.
    const kind = isServerKind(row.kind) ? "openai-chat" : (row.kind as WireKind);
    const provider = { kind, baseUrl: row.base_url, local: row.local === 1 };
    return entryFor(await this.#catalogue(), provider);
  }

  async #key(row: ProvidersTable): Promise<Secret | undefined> {
    if (row.secret_ref === null) return undefined;
    const key = await this.#secrets.get(row.secret_ref);
    if (key) return key;
    throw new BenchtopError(
      "PROVIDER_AUTH_FAILED",
      `The API key of “${row.name}” is not in ${this.#secrets.location} any more. Add the provider again with its key.`,
      { phase: "settings", providerId: row.name },
    );
  }

  /** All keys ever kept for the provider but one: the former, and what a crash between key and row left behind. */
  async #dropKeys(row: ProvidersTable, keep: string | null): Promise<void> {
    const prefix = secretPrefix(row);
    for (const key of await this.#secrets.names()) {
      if (key.startsWith(prefix) && key !== keep) await this.#secrets.delete(key);
    }
  }
}

const namePattern = /^[a-z0-9][a-z0-9-]{0,39}$/;
const testTimeoutMs = 20_000;
const listTimeoutMs = 5_000;

/** The keys of the first workspace are named as they were before there were others, whose ids (`ws_…`) name no provider. */
function secretPrefix({ workspace_id, name }: ProvidersTable): string {
  return workspace_id === firstWorkspaceId ? `provider/${name}/` : `provider/${workspace_id}/${name}/`;
}

/** What was agreed to in a workspace, for its workbenches and for prompts that belong to none (kept under its own id). */
async function endConsents(transaction: Transaction, { workspace_id, name }: ProvidersTable): Promise<void> {
  const workbenches = transaction.selectFrom("workbenches").select("id").where("workspace_id", "=", workspace_id);
  await transaction
    .deleteFrom("consents")
    .where("provider_id", "=", name)
    .where((where) => where.or([where("workbench_id", "=", workspace_id), where("workbench_id", "in", workbenches)]))
    .execute();
}

type Transaction = Parameters<Parameters<ReturnType<Store["db"]["transaction"]>["execute"]>[0]>[0];

function hostOf(row: ProvidersTable): string {
  return new URL(row.base_url).host;
}

/** A model of this machine costs nothing unless its owner says otherwise, so a cost ceiling holds for it too. */
const free: Prices = { inputPerMillion: 0, outputPerMillion: 0 };

function pricesOf(row: ProvidersTable): Prices | null {
  return row.prices === null ? null : (JSON.parse(row.prices) as Prices);
}

function toProvider(row: ProvidersTable): Provider {
  return {
    name: row.name,
    kind: row.kind as ProviderKind,
    baseUrl: row.base_url,
    local: row.local === 1,
    hasApiKey: row.secret_ref !== null,
    prices: pricesOf(row),
    createdAt: row.created_at,
  };
}

function toModel(
  row: ProvidersTable,
  modelId: string,
  entry: CatalogueProvider | undefined,
  limits?: ModelFacts["capabilities"],
): Model {
  const { contextTokens, maxOutputTokens, capabilities, prices } = withLimits(factsOf(entry, modelId), limits) ?? {};
  const counted = pricesOf(row) ?? prices;
  return {
    ref: `${row.name}/${modelId}`,
    providerId: row.name,
    modelId,
    local: row.local === 1,
    ...(contextTokens !== undefined && { contextTokens }),
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    ...(counted && { prices: counted }),
    ...(capabilities && { capabilities }),
  };
}

function withLimits(
  facts: ModelFacts | undefined,
  limits: ModelFacts["capabilities"] | undefined,
): ModelFacts | undefined {
  return limits ? { ...facts, capabilities: { ...facts?.capabilities, ...limits } } : facts;
}

function ofMachine(modelId: string, { contextTokens, maxOutputTokens, capabilities }: ModelFacts): Model {
  return {
    ref: `${machineProvider}/${modelId}`,
    providerId: machineProvider,
    modelId,
    local: true,
    prices: free,
    ...(contextTokens !== undefined && { contextTokens }),
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    ...(capabilities && { capabilities }),
  };
}

async function ofThisMachine(workspaceId: string, modelId: string, machine: MachineModels): Promise<ResolvedModel> {
  const model = await machine.resolve(modelId);
  const where = { workspaceId, providerId: machineProvider, modelId, local: true, host: "this machine" };
  return { ...where, prices: free, facts: model.facts, adapter: () => model.adapter() };
}

/** As the gate checks it, with what the operator can do about it. */
function checkedUrl(baseUrl: string, place: Place): URL {
  try {
    return checkProviderUrl(baseUrl, place);
  } catch (thrown) {
    throw withApproval(thrown);
  }
}

/** What can be a header value. Space around a key comes from the file it was read from. */
function checkedKey(apiKey: string): string {
  const key = apiKey.trim();
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw invalid(
    key === "" ? "The API key is empty." : "The API key holds a space, a line break or a character that no key has.",
  );
}

function knownByProtocol({ name, kind }: ProvidersTable): BenchtopError {
  return invalid(
    `“${name}” was added by its protocol, ${kind}, which tells nothing of the server behind it. ` +
      `Where that is one of ${serverKinds.join(", ")}, add it again with that as its kind.`,
    name,
  );
}

function invalid(message: string, providerId?: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", message, {
    phase: "settings",
    ...(providerId !== undefined && { providerId }),
  });
}
