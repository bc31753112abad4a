import { readdir } from "node:fs/promises";
import { CircuitBreaker, type Gate, type ReliabilityOptions, type RunOutcome } from "@benchtop/harness";
import type { Providers } from "@benchtop/models";
import { BenchtopError, type RunInit, type RunRecord } from "@benchtop/protocol";
import type { Program, Runs } from "@benchtop/runs";
import type { Store } from "@benchtop/store";
import { Catalogue, type Workbench } from "./catalogue/catalogue.ts";
import { Consent } from "./consent/consent.ts";
import { ContextItems } from "./context-items/context-items.ts";
import { Agents } from "./draft/agents.ts";
import { ByHand, type EditInput } from "./draft/by-hand.ts";
import { Decisions, type DecisionsInput } from "./draft/decisions.ts";
import { Drafts } from "./draft/drafts.ts";
import { folderOf, type Environment } from "./environment.ts";
import { Evals } from "./evals/evals.ts";
import { Files } from "./files/files.ts";
import { HostReader } from "./files/host-reader.ts";
import { Manifests } from "./files/manifest.ts";
import { Uploads } from "./files/uploads.ts";
import { Origins } from "./files/write-back.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import { WorkbenchMemory } from "./memory/memory.ts";
import type { PageInput } from "./page.ts";
import { codeOf } from "./path/folder.ts";
import { createCheckpoint, listCheckpoints, removeCheckpoint } from "./publish/checkpoints.ts";
import { Publishing } from "./publish/publishing.ts";
import { Locks } from "./published/locks.ts";
import { OutsideChanges } from "./published/outside.ts";
import { isSettled, recoverFolders } from "./published/recovery.ts";
import { Review } from "./review/review.ts";
import { documentsThread } from "./review/document-reader.ts";
import { Thread } from "./threads/thread.ts";
import { conversation } from "./workshop/conversation/conversation.ts";
import { exportConversation } from "./workshop/conversation/export.ts";
import { Programs } from "./workshop/programs.ts";
import { Turns } from "./workshop/conversation/turns.ts";
import { Workshop } from "./workshop/workshop.ts";

type In<Method extends (...input: never) => unknown> = Parameters<Method>[0];

/**
 * Everything that people and agents do with files. Each method is one operation of the API; it takes and returns that
 * operation's shapes, with `userId` beside them where a run is started, and with `workspaceId` where nothing in it belongs to
 * a workspace already. Ids that it takes are of the caller's workspace: whoever calls has seen to it.
 *
 * `recover()` once before anything else, `close()` at the end.
 */
export class Workbenches {
  readonly #environment: Environment;
  readonly #catalogue: Catalogue;
  readonly #agents = new Agents();
  readonly #drafts: Drafts;
  readonly #uploads: Uploads;
  readonly #files: Files;
  readonly #origins: Origins;
  readonly #outside: OutsideChanges;
  readonly #review: Review;
  readonly #decisions: Decisions;
  readonly #byHand: ByHand;
  readonly #publishing: Publishing;
  readonly #workshop: Workshop;
  readonly #turns: Turns;
  readonly contextItems: ContextItems;
  /** For the egress gate. */
  readonly consent: Consent;
  readonly evals: Evals;
  readonly memory: WorkbenchMemory;

  constructor(options: {
    readonly store: Store;
    readonly runs: Runs;
    readonly providers: Providers;
    /** `$BENCHTOP_HOME`, absolute. */
    readonly home: string;
    readonly limits?: Partial<Limits>;
    /** What agents and prompts have to pass. */
    readonly gates?: readonly Gate[];
    /** Retries and timeouts of agents and prompts. */
    readonly reliability?: ReliabilityOptions;
  }) {
    const { store, runs, providers, home } = options;
    this.#environment = {
      store,
      runs,
      home,
      limits: { ...defaultLimits, ...options.limits },
      manifests: new Manifests(store.blobs),
      locks: new Locks(),
      disk: new Thread(),
      compute: new Thread(),
      documents: documentsThread(),
    };
    const environment = this.#environment;
    const agents = this.#agents;
    const reader = new HostReader(environment);
    const catalogue = (this.#catalogue = new Catalogue(environment));
    this.memory = new WorkbenchMemory(environment, catalogue);
    const drafts = (this.#drafts = new Drafts(environment));
    const turns = (this.#turns = new Turns(environment));
    this.contextItems = new ContextItems(environment, catalogue, agents);
    const consent = (this.consent = new Consent(environment, catalogue, providers, turns));
    const { gates = [], reliability = {} } = options;
    const breakers = new Map<string, CircuitBreaker>();
    const breakerOf = (workspaceId: string): CircuitBreaker => {
      const breaker = breakers.get(workspaceId) ?? new CircuitBreaker();
      breakers.set(workspaceId, breaker);
      return breaker;
    };
    const programs = new Programs({ environment, catalogue, drafts, turns, consent, gates, breakerOf, reliability });
    this.evals = new Evals(environment, { consent, providers, programs });
    const uploads = (this.#uploads = new Uploads(environment));
    this.#files = new Files(environment, { catalogue, drafts, agents, reader, uploads });
    this.#origins = new Origins(environment, { catalogue, files: this.#files, reader });
    this.#outside = new OutsideChanges(environment, catalogue, agents, reader);
    this.#review = new Review(environment, catalogue, drafts);
    this.#decisions = new Decisions(environment, { catalogue, drafts, agents });
    this.#byHand = new ByHand(environment, { catalogue, drafts, agents, uploads });
    this.#publishing = new Publishing(environment, { catalogue, drafts, agents, consent, reader, turns });
    const workshop = { catalogue, drafts, agents, uploads, consent, providers, programs, turns };
    this.#workshop = new Workshop(environment, workshop);
  }

  create(input: { name: string; userId: string; workspaceId: string }) {
    return this.#catalogue.create(input);
  }

  /** The id of a workbench of a workspace, by id or by name. Throws `NOT_FOUND`; everything else here takes ids. */
  idOf(ref: string, workspaceId: string): Promise<string> {
    return this.#catalogue.idOf(ref, workspaceId);
  }

  list(input: PageInput & { workspaceId: string }) {
    return this.#catalogue.list(input);
  }

  open(input: { workbenchId: string }): Promise<Workbench> {
    return this.#catalogue.open(input.workbenchId);
  }

  rename(input: { workbenchId: string; name: string }) {
    return this.#catalogue.rename(input);
  }

  async delete(input: { workbenchId: string }): Promise<Record<string, never>> {
    await this.#files.change(input.workbenchId, async (row) => {
      await this.#outside.refuseForeign(row);
      await this.#catalogue.delete(row);
    });
    return {};
  }

  filesList(input: In<Files["list"]>) {
    return this.#files.list(input);
  }

  upload(input: In<Uploads["receive"]>) {
    return this.#uploads.receive(input);
  }

  filesAdd(input: In<Files["add"]>) {
    return this.#files.add(input);
  }

  addFromHost(input: In<Files["addFromHost"]>) {
    return this.#files.addFromHost(input);
  }

  remove(input: In<Files["remove"]>) {
    return this.#files.remove(input);
  }

  extract(input: In<Files["extract"]>) {
    return this.#files.extract(input);
  }

  origins(input: { workbenchId: string }) {
    return this.#origins.list(input.workbenchId);
  }

  writeBack(input: In<Origins["writeBack"]>) {
    return this.#origins.writeBack(input);
  }

  readFile(input: In<Files["read"]>) {
    return this.#files.read(input);
  }

  outsideChanges(input: { workbenchId: string }) {
    return this.#outside.list(input.workbenchId);
  }

  resolveOutsideChanges(input: In<OutsideChanges["resolve"]>) {
    return this.#outside.resolve(input);
  }

  async draftState(input: { workbenchId: string }) {
    return await this.#drafts.state((await this.#catalogue.find(input.workbenchId)).id);
  }

  changeSet(input: { workbenchId: string }) {
    return this.#review.changeSet(input.workbenchId);
  }

  textDiff(input: In<Review["textDiff"]>) {
    return this.#review.textDiff(input);
  }

  documentDiff(input: In<Review["documentDiff"]>) {
    return this.#review.documentDiff(input);
  }

  documentPage(input: In<Review["page"]>) {
    return this.#review.page(input);
  }

  /** Accepts and rejects; answers what is left of the files that were decided on. */
  async decide(input: DecisionsInput) {
    return await this.#review.changesAt(input.workbenchId, await this.#decisions.decide(input));
  }

  /** A person's own change of one file. */
  async editDraft(input: EditInput) {
    const { draft, changes } = await this.#review.changesAt(input.workbenchId, [await this.#byHand.edit(input)]);
    return { draft, change: changes[0] ?? null };
  }

  async confirmDeletions(input: { workbenchId: string; paths: readonly string[] }) {
    return await this.#drafts.confirmDeletions((await this.#catalogue.find(input.workbenchId)).id, input.paths);
  }

  publish(input: In<Publishing["publish"]>) {
    return this.#publishing.publish(input);
  }

  discard(input: In<Publishing["discard"]>) {
    return this.#publishing.discard(input);
  }

  async checkpoints(input: PageInput & { workbenchId: string }) {
    const { id } = await this.#catalogue.find(input.workbenchId);
    return await listCheckpoints(this.#environment, id, input);
  }

  createCheckpoint(input: { workbenchId: string; message?: string | undefined }) {
    return createCheckpoint(this.#environment, this.#catalogue, input);
  }

  async removeCheckpoint(input: { workbenchId: string; checkpointId: string }): Promise<Record<string, never>> {
    await removeCheckpoint(this.#environment, this.#catalogue, input);
    return {};
  }

  restore(input: In<Publishing["restore"]>) {
    return this.#publishing.restore(input);
  }

  runAgent(input: In<Workshop["runAgent"]>) {
    return this.#workshop.runAgent(input);
  }

  sendUserMessage(input: In<Workshop["sendUserMessage"]>) {
    return this.#workshop.sendUserMessage(input);
  }

  regenerate(input: In<Workshop["regenerate"]>) {
    return this.#workshop.regenerate(input);
  }

  undoToMessage(input: In<Workshop["undoToMessage"]>) {
    return this.#workshop.undoToMessage(input);
  }

  switchModel(input: In<Workshop["switchModel"]>) {
    return this.#workshop.switchModel(input);
  }

  contextUse(input: In<Workshop["contextUse"]>) {
    return this.#workshop.contextUse(input);
  }

  runPrompt(input: In<Workshop["runPrompt"]>) {
    return this.#workshop.runPrompt(input);
  }

  runChat(input: In<Workshop["runChat"]>) {
    return this.#workshop.runChat(input);
  }

  resume(input: In<Workshop["resume"]>) {
    return this.#workshop.resume(input);
  }

  fork(input: In<Workshop["fork"]>) {
    return this.#workshop.fork(input);
  }

  replay(input: In<Workshop["replay"]>) {
    return this.#workshop.replay(input);
  }

  undo(input: In<Workshop["undo"]>) {
    return this.#workshop.undo(input);
  }

  async conversation(input: PageInput & { workbenchId: string }) {
    const row = await this.#catalogue.find(input.workbenchId);
    const { workspace_id: workspaceId, session_id: sessionId } = row;
    return await conversation(this.#environment.store, this.#turns, { workspaceId, sessionId }, input);
  }

  async exportConversation(input: { workbenchId: string }) {
    const row = await this.#catalogue.find(input.workbenchId);
    const { workspace_id: workspaceId, session_id: sessionId } = row;
    const content = await exportConversation(this.#environment.store, this.#turns, { workspaceId, sessionId }, row);
    return { name: row.name, content };
  }

  consentStatus(input: In<Consent["status"]>) {
    return this.consent.status(input);
  }

  async grantConsent(input: In<Consent["grant"]>): Promise<Record<string, never>> {
    await this.consent.grant(input);
    return {};
  }

  async revokeConsent(input: { workbenchId: string }): Promise<Record<string, never>> {
    await this.consent.revoke(input);
    return {};
  }

  /**
   * Finishes or undoes what a crash left: half-deleted workbenches, folders between two states. Before `Runs.recover`, which
   * then asks `settle` how an interrupted publish or restore ended.
   */
  async recover(): Promise<void> {
    const { store } = this.#environment;
    const rows = await store.db.selectFrom("workbenches").select(["id", "deleting"]).execute();
    const intents = await store.db.selectFrom("publish_intents").select("workbench_id").execute();
    const open = new Set(intents.map((intent) => intent.workbench_id));
    for (const { id, deleting } of rows) {
      if (deleting === 1) await this.#catalogue.finishDeletion(id);
      else if (open.has(id) || !isSettled(await this.#names(id))) await recoverFolders(this.#environment, id);
    }
  }

  /** For `Runs.recover`. */
  async settle(run: RunRecord): Promise<RunOutcome | undefined> {
    return (await this.#publishing.settle(run)) ?? (await this.#workshop.settle(run));
  }

  /** For `Runs.recover`, too. */
  interrupted(init: RunInit): Promise<Program | undefined> {
    return this.#workshop.interrupted(init);
  }

  /** Waits for what is going on and ends the threads. Stop the runs first. */
  async close(): Promise<void> {
    await this.#environment.locks.idle();
    const { disk, compute, documents } = this.#environment;
    await Promise.all([disk.close(), compute.close(), documents.close()]);
  }

  async #names(id: string): Promise<string[]> {
    try {
      return await readdir(folderOf(this.#environment, id));
    } catch (thrown) {
      if (codeOf(thrown) === "ENOENT") return [];
      throw new BenchtopError("FILE_READ_FAILED", `The folder of a workbench cannot be read (${codeOf(thrown)}).`, {
        phase: "workbench",
        workbenchId: id,
        cause: thrown,
      });
    }
  }
}
