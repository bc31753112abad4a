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
import { EgressExceptions } from "./egress-exceptions.ts";
import type { EgressLog } from "./egress-log.ts";
import { listModels } from "./model-list.ts";
import type { Secret } from "./secret.ts";
import type { Secrets } from "./secrets.ts";

/** The protocols that a provider may speak, and what speaks them. */
const adapters = {
  "openai-responses": openaiResponses,
  "openai-chat": openaiChat,
  "anthropic-messages": anthropicMessages,
} as const satisfies Record<string, (options: ProviderOptions) => ProviderAdapter>;
export type ProviderKind = keyof typeof adapters;
export const providerKinds = Object.keys(adapters) as readonly ProviderKind[];

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
  }) {
    this.#store = options.store;
    this.#secrets = options.secrets;
    this.#egress = options.egress;
    this.#catalogue = options.catalogue ?? (async () => ({ providers: [] }));
    this.#exceptions = new EgressExceptions(options);
    this.#egressLog = options.egressLog;
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
    });
  }

  /** Asks for the provider's list of models: proves host, certificate and key without sending any content. */
  async test(workspaceId: string, name: string): Promise<{ ok: true; models: string[]; latencyMs: number }> {
    const row = await this.#row(workspaceId, name);
    const started = performance.now();
    const models = await listModels(this.#egress, await this.#listing(row), "provider-test", testTimeoutMs);
    return { ok: true, models, latencyMs: Math.round(performance.now() - started) };
  }

  /** Models of every provider that answers in time; the others are named with the reason. */
  async models(workspaceId: string): Promise<ModelList> {
    const rows = await this.#rows(workspaceId);
    const answers = await Promise.all(
      rows.map(async (row) => {
        try {
          const entry = await this.#entry(row);
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
      items: answers.flatMap((answer) => answer.items),
      unavailable: answers.flatMap((answer) => answer.unavailable),
    };
  }

  /**
   * The model that `provider/model` names in a workspace, ready to be called. Whether the provider has it shows with the first call.
   * Throws `VALIDATION_FAILED` for a malformed reference, `PROVIDER_NOT_CONFIGURED`, or what the secrets file throws.
   */
  async resolve(workspaceId: string, modelRef: string): Promise<ResolvedModel> {
    const { providerId, modelId } = parseModelRef(modelRef);
    const row = await this.#row(workspaceId, providerId, modelId);
    const apiKey = await this.#key(row);
    const local = row.local === 1;
    const entry = await this.#entry(row);
    const facts = factsOf(entry, modelId);
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
          return adapters[row.kind as ProviderKind]({
            id: providerId,
            baseUrl: row.base_url,
            ...credentialOf(row.kind as ProviderKind, entry, apiKey?.reveal()),
            fetch: this.#egress.bind({ ...context, ...where }),
          });
        }),
    };
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
    if (!providerKinds.includes(input.kind)) throw invalid(`A provider's kind is one of ${providerKinds.join(", ")}.`);
    if (input.apiKey !== undefined) checkedKey(input.apiKey);
    const url = checkedUrl(input.baseUrl, place);
    return {
      workspace_id: workspaceId,
      name: input.name,
      kind: input.kind,
      base_url: url.href.replace(/\/+$/, ""),
      local: place === "this-machine" ? 1 : 0,
      secret_ref: null,
      prices: input.prices === undefined ? null : JSON.stringify(input.prices),
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
    const provider = { workspaceId, name, kind: row.kind as ProviderKind, baseUrl, local: row.local === 1 };
    return { ...provider, apiKey: await this.#key(row), entry: await this.#entry(row) };
  }

  async #entry(row: ProvidersTable): Promise<CatalogueProvider | undefined> {
    const provider = { kind: row.kind as ProviderKind, baseUrl: row.base_url, local: row.local === 1 };
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

function toModel(row: ProvidersTable, modelId: string, entry: CatalogueProvider | undefined): Model {
  const { contextTokens, maxOutputTokens, capabilities, prices } = factsOf(entry, modelId) ?? {};
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

function invalid(message: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", message, { phase: "settings" });
}
