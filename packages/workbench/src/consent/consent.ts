import { createHash } from "node:crypto";
import type { ConsentPort, ConsentQuestion } from "@benchtop/egress";
import type { Providers, ResolvedModel } from "@benchtop/models";
import { BenchtopError } from "@benchtop/protocol";
import type { Catalogue, WorkbenchRow } from "../catalogue/catalogue.ts";
import { contextItemsOf, itemHash } from "../context-items/context-items.ts";
import { now, type Environment, type Transaction } from "../environment.ts";
import type { Manifest } from "../files/manifest.ts";
import { countMemories } from "../memory/memory.ts";
import type { Turns } from "../workshop/conversation/turns.ts";

/** What would be sent, to whom, and whether a person has agreed. */
export interface ConsentStatus {
  readonly providerId: string;
  readonly modelId: string;
  readonly required: boolean;
  readonly consented: boolean;
  readonly persisted: boolean;
  readonly scopeHash: string;
  readonly fileCount: number;
  readonly totalBytes: number;
  readonly memories: number;
  readonly contextItems: number;
  readonly files: { readonly path: string; readonly bytes: number }[];
  readonly host: string;
}

export interface ConsentChoice {
  readonly mode: "once" | "always";
  /** What the person was shown; absent, whatever the scope is now. */
  readonly scopeHash?: string | undefined;
  /** The models that were agreed to, `provider/model`; absent, the one that is asked first, and no other. */
  readonly models?: readonly string[] | undefined;
}

/** What a run may show a model. Frozen when the run starts. */
export interface Scope {
  readonly hash: string;
  readonly fileCount: number;
  readonly totalBytes: number;
}

/** What a model is told besides the files. */
export interface ToldBesides {
  /** Its agents remember. */
  readonly memory: boolean;
  /** Of the context items, in their order. */
  readonly items: readonly string[];
}

/**
 * Everything in the published files, the context items and, where its agents remember, what they remember: whoever agreed to
 * the files alone is asked again when memory is turned on. What is remembered changes with every run, so it is not part of
 * the hash.
 */
export function workbenchScope(manifest: Manifest, { memory, items }: ToldBesides): Scope {
  const contextItems = [...items, ...(memory ? ["memory"] : [])];
  return {
    hash: hashOf({ contextItems, manifest: manifest.hash, version: 1 }),
    fileCount: manifest.entries.length,
    totalBytes: manifest.totalBytes,
  };
}

/** What is attached to a bare prompt and to the earlier ones of its conversation. The same files are the same scope. */
export function promptScope(attachments: readonly { readonly sha256: string; readonly bytes: number }[] = []): Scope {
  const sizes = new Map(attachments.map(({ sha256, bytes }) => [sha256, bytes]));
  return {
    hash: hashOf({ attachments: [...sizes.keys()].toSorted(), version: 1 }),
    fileCount: sizes.size,
    totalBytes: [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0),
  };
}

const maxListedFiles = 500;

/** By path; the largest first where there are more than a person could read. */
function listedFiles({ entries }: Manifest): { path: string; bytes: number }[] {
  const files = entries.map(({ path, bytes }) => ({ path, bytes }));
  if (files.length <= maxListedFiles) return files;
  return files.toSorted((a, b) => b.bytes - a.bytes).slice(0, maxListedFiles);
}

function hashOf(scope: object): string {
  return createHash("sha256").update(JSON.stringify(scope)).digest("hex");
}

interface Grant {
  readonly workspaceId: string;
  /** Undefined for prompts that belong to none. */
  readonly workbenchId: string | undefined;
  readonly providerId: string;
  readonly modelId: string;
  readonly scopeHash: string;
}

/**
 * Who agreed to show what to which model. Consent is for one workspace, workbench (or none), provider, model and scope; any
 * other value of any of them is no consent. `once` lives as long as its run, a session's until the daemon stops, `always` in the database.
 */
export class Consent implements ConsentPort {
  readonly #environment: Environment;
  readonly #catalogue: Catalogue;
  readonly #providers: Providers;
  readonly #turns: Turns;
  /** By run: one for each model that it may ask. */
  readonly #once = new Map<string, readonly Grant[]>();
  /** Each with the provider's row as it was, so that a provider that was replaced is not the one that was agreed to. */
  readonly #session = new Map<string, Grant & { provider: string }>();

  constructor(environment: Environment, catalogue: Catalogue, providers: Providers, turns: Turns) {
    this.#environment = environment;
    this.#catalogue = catalogue;
    this.#providers = providers;
    this.#turns = turns;
  }

  /** Of the model of the conversation, unless told. */
  async status(input: { workbenchId: string; model?: string | undefined }): Promise<ConsentStatus> {
    const row = await this.#catalogue.find(input.workbenchId);
    const { workspace_id: workspaceId } = row;
    const model = await this.#providers.resolve(workspaceId, input.model ?? (await this.#currentModel(row)));
    const scope = await this.scopeOf(row);
    const { providerId, modelId, local, host } = model;
    const grant = { workspaceId, workbenchId: row.id, providerId, modelId, scopeHash: scope.hash };
    const persisted = await this.#isPersisted(grant);
    return {
      providerId,
      modelId,
      required: !local,
      consented: local || persisted || (await this.#isInSession(grant)),
      persisted,
      scopeHash: scope.hash,
      fileCount: scope.fileCount,
      totalBytes: scope.totalBytes,
      contextItems: (await contextItemsOf(this.#environment.store.db, row.id)).length,
      memories: row.memory === 1 ? await countMemories(this.#environment.store, row.id) : 0,
      files: listedFiles(await this.#environment.manifests.load(row.manifest_hash)),
      host,
    };
  }

  /** Refused when the scope is no longer the one that the person was shown. */
  async grant(input: {
    workbenchId: string;
    providerId: string;
    modelId: string;
    scopeHash: string;
    persist: boolean;
    userId: string;
  }): Promise<void> {
    const row = await this.#catalogue.find(input.workbenchId);
    const { workspace_id: workspaceId } = row;
    const { providerId, modelId } = input;
    await this.#providers.resolve(workspaceId, `${providerId}/${modelId}`);
    const scope = await this.scopeOf(row);
    if (scope.hash !== input.scopeHash) {
      throw new BenchtopError(
        "VALIDATION_FAILED",
        "The files changed since you were asked. Look at what would be sent now, then agree again.",
        { phase: "settings", actions: ["grant_consent"], workbenchId: row.id },
      );
    }
    const grant: Grant = { workspaceId, workbenchId: row.id, providerId, modelId, scopeHash: scope.hash };
    if (input.persist) await this.#persist(grant, input.userId);
    else this.#session.set(keyOf(grant), { ...grant, provider: await this.#providerRow(grant) });
  }

  /** Takes back every consent of a workbench, those of runs that are going included. */
  async revoke(input: { workbenchId: string }): Promise<void> {
    const { id } = await this.#catalogue.find(input.workbenchId);
    for (const [key, grant] of this.#session) if (grant.workbenchId === id) this.#session.delete(key);
    for (const [runId, grants] of this.#once) {
      if (grants.some((grant) => grant.workbenchId === id)) this.#once.delete(runId);
    }
    await this.#environment.store.db.deleteFrom("consents").where("workbench_id", "=", id).execute();
    await this.#environment.store.flush();
  }

  /** Asked by the gate before every call, and by a run before its first. */
  async isConsented({ runId, ...question }: ConsentQuestion): Promise<boolean> {
    const grant: Grant = { ...question, workbenchId: question.workbenchId };
    const { scopeHash } = grant;
    const once = runId === undefined ? [] : (this.#once.get(runId) ?? []);
    if (once.some((given) => keyOf(given) === keyOf(grant) && given.scopeHash === scopeHash)) return true;
    return (await this.#isInSession(grant)) || (await this.#isPersisted(grant));
  }

  /**
   * Takes the choice that came with a run, and says whether the run may call this model. A choice that was made for another
   * scope, or for other models, grants nothing.
   */
  async admit(
    run: { runId: string; workbenchId: string | undefined; userId: string },
    model: ResolvedModel,
    scope: Scope,
    choice: ConsentChoice | undefined,
  ): Promise<boolean> {
    if (model.local) return true;
    const { runId, workbenchId, userId } = run;
    const { workspaceId, providerId, modelId } = model;
    const grant: Grant = { workspaceId, workbenchId, providerId, modelId, scopeHash: scope.hash };
    if (choice && covers(choice, grant)) {
      if (choice.mode === "always") await this.#persist(grant, userId);
      else this.#once.set(runId, [...(this.#once.get(runId) ?? []), grant]);
    }
    const asked = { workspaceId, providerId, modelId, scopeHash: scope.hash, runId };
    return await this.isConsented({ ...asked, ...(workbenchId !== undefined && { workbenchId }) });
  }

  /** Whether a run that began now could call this model, with this choice. Nothing is taken or kept. */
  async wouldAdmit(
    row: WorkbenchRow,
    model: ResolvedModel,
    scope: Scope,
    choice: ConsentChoice | undefined,
  ): Promise<boolean> {
    const { workspaceId, providerId, modelId } = model;
    const grant: Grant = { workspaceId, workbenchId: row.id, providerId, modelId, scopeHash: scope.hash };
    return (
      model.local ||
      (choice !== undefined && covers(choice, grant)) ||
      (await this.isConsented({ ...grant, workbenchId: row.id }))
    );
  }

  /** The run has ended: what was agreed to for it alone is over. */
  forget(runId: string): void {
    this.#once.delete(runId);
  }

  /**
   * The workbench's own publish moves kept consents to the new scope, in the same commit, but only where it shows the model
   * nothing that is new to it: an added file asks again.
   */
  async followPublish(
    transaction: Transaction,
    { workbenchId, from, to, counts }: { workbenchId: string; from: Manifest; to: Manifest; counts: { added: number } },
  ): Promise<void> {
    if (counts.added > 0) return;
    const items = (await contextItemsOf(transaction, workbenchId)).map(itemHash);
    for (const memory of [false, true]) {
      await transaction
        .updateTable("consents")
        .set({ scope_hash: workbenchScope(to, { memory, items }).hash })
        .where("workbench_id", "=", workbenchId)
        .where("scope_hash", "=", workbenchScope(from, { memory, items }).hash)
        .execute();
    }
  }

  /** What a run that began now might show a model. */
  async scopeOf({ id, manifest_hash, memory }: WorkbenchRow): Promise<Scope> {
    const { manifests, store } = this.#environment;
    const items = (await contextItemsOf(store.db, id)).map(itemHash);
    return workbenchScope(await manifests.load(manifest_hash), { memory: memory === 1, items });
  }

  /** That of the conversation: its newest turn's, or the one that was switched to. */
  async #currentModel({
    id: workbenchId,
    workspace_id: workspaceId,
    session_id: sessionId,
  }: WorkbenchRow): Promise<string> {
    const model = await this.#turns.currentModel({ workspaceId, sessionId });
    if (model !== undefined) return model;
    throw new BenchtopError("PROVIDER_NOT_CONFIGURED", "No agent has worked in this workbench yet. Name a model.", {
      phase: "workshop",
      workbenchId,
    });
  }

  async #persist(grant: Grant, userId: string): Promise<void> {
    const { providerId, modelId, scopeHash } = grant;
    const { store } = this.#environment;
    const row = { scope_hash: scopeHash, user_id: userId, created_at: now() };
    await store.db
      .insertInto("consents")
      .values({ workbench_id: placeOf(grant), provider_id: providerId, model_id: modelId, ...row })
      .onConflict((conflict) => conflict.columns(["workbench_id", "provider_id", "model_id"]).doUpdateSet(row))
      .execute();
    await store.flush();
  }

  async #isPersisted(grant: Grant): Promise<boolean> {
    const row = await this.#environment.store.db
      .selectFrom("consents")
      .select("scope_hash")
      .where("workbench_id", "=", placeOf(grant))
      .where("provider_id", "=", grant.providerId)
      .where("model_id", "=", grant.modelId)
      .executeTakeFirst();
    return row?.scope_hash === grant.scopeHash;
  }

  async #isInSession(grant: Grant): Promise<boolean> {
    const kept = this.#session.get(keyOf(grant));
    if (kept?.scopeHash !== grant.scopeHash) return false;
    return kept.provider === (await this.#providerRow(grant));
  }

  async #providerRow({ workspaceId, providerId }: Grant): Promise<string> {
    const row = await this.#environment.store.db
      .selectFrom("providers")
      .select(["base_url", "local", "created_at"])
      .where("workspace_id", "=", workspaceId)
      .where("name", "=", providerId)
      .executeTakeFirst();
    return JSON.stringify(row ?? null);
  }
}

/** What is told instead of sending anything. */
export function consentRequired(
  { providerId, modelId, host }: ResolvedModel,
  scope: Scope,
  workbenchId: string | undefined,
  choice: ConsentChoice | undefined,
): BenchtopError {
  const { fileCount, totalBytes } = scope;
  const shown = choice?.scopeHash;
  const kind = workbenchId === undefined ? "attached file" : "file";
  const files = `${fileCount} ${kind}${fileCount === 1 ? "" : "s"} (${totalBytes} bytes)`;
  const prompt = fileCount === 0 ? "this prompt" : `this prompt and ${files}`;
  const what = workbenchId === undefined ? prompt : files;
  const message =
    shown !== undefined && shown !== scope.hash
      ? "The files changed since you agreed. Look at what would be sent now, then agree again."
      : `Nothing was sent: showing ${what} to ${modelId} at ${host} needs your consent.`;
  return new BenchtopError("EGRESS_CONSENT_REQUIRED", message, {
    phase: "workshop",
    providerId,
    modelId,
    ...(workbenchId !== undefined && { workbenchId }),
    detail: { scopeHash: scope.hash, fileCount, totalBytes, host },
  });
}

function covers({ scopeHash, models }: ConsentChoice, grant: Grant): boolean {
  if (models && !models.includes(`${grant.providerId}/${grant.modelId}`)) return false;
  return scopeHash === undefined || scopeHash === grant.scopeHash;
}

/** What the rows of consent name: the workbench, or the workspace for what belongs to no workbench. Ids of the two differ. */
function placeOf({ workspaceId, workbenchId }: Grant): string {
  return workbenchId ?? workspaceId;
}

function keyOf({ workspaceId, workbenchId, providerId, modelId }: Grant): string {
  return JSON.stringify([workspaceId, workbenchId ?? null, providerId, modelId]);
}
