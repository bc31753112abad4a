import {
  BenchtopError,
  newId,
  newTraceId,
  type Contract,
  type Journal,
  type Memory,
  type SessionStore,
} from "@benchtop/protocol";
import type { Gate } from "../gates/gate.ts";
import { memoryJournal } from "../journal/memory.ts";
import type { Candidate } from "../model/candidates.ts";
import { formatModelRef, parseModelRef, type ModelInfo, type ModelPlan, type ModelRef } from "../model/model.ts";
import type { ProviderAdapter, ProviderId } from "../provider/provider.ts";
import { CircuitBreaker } from "../reliability/circuit-breaker.ts";
import type { ReliabilityOptions } from "../reliability/policy.ts";
import { callsToUndo, undoRun } from "../compensation/undo-run.ts";
import { readEvents } from "../replay/read-events.ts";
import type { ReplayReport } from "../replay/replay-run.ts";
import { initOf, type ResumeOptions } from "../replay/resume-run.ts";
import type { RunHandle } from "../run/scope.ts";
import { startRun } from "../run/start-run.ts";
import { Session, type SessionConfig, type SessionForkOptions } from "../session/session.ts";
import { ToolRegistry } from "../tools/registry.ts";
import type { Tool } from "../tools/tool.ts";

/**
 * Providers, tools and a journal, put together once and used for any number of conversations.
 *
 *     const harness = Harness.builder().provider(openaiResponses({ … })).build();
 *     const handle = await harness.session({ model: "openai/gpt-5.2" }).run("Hello").start();
 */
export class Harness {
  readonly journal: Journal;
  readonly tools: ToolRegistry;
  readonly contract: Contract;
  readonly gates: readonly Gate[];
  readonly reliability: ReliabilityOptions;
  /** Shared by every run of this harness, so that one learns from another's failures. */
  readonly breaker: CircuitBreaker;
  /** What its runs remember with; undefined when they remember nothing. */
  readonly memory: Memory | undefined;
  /** Which runs make up a session, for those that go on in another process. */
  readonly sessions: SessionStore | undefined;
  readonly #providers: ReadonlyMap<ProviderId, ProviderAdapter>;
  readonly #models: ReadonlyMap<string, ModelInfo>;

  constructor(parts: {
    readonly providers: ReadonlyMap<ProviderId, ProviderAdapter>;
    readonly models: ReadonlyMap<string, ModelInfo>;
    readonly journal: Journal;
    readonly tools: ToolRegistry;
    readonly contract: Contract;
    readonly gates: readonly Gate[];
    readonly reliability: ReliabilityOptions;
    readonly breaker: CircuitBreaker;
    readonly memory: Memory | undefined;
    readonly sessions: SessionStore | undefined;
  }) {
    this.#providers = parts.providers;
    this.#models = parts.models;
    this.journal = parts.journal;
    this.tools = parts.tools;
    this.contract = parts.contract;
    this.gates = parts.gates;
    this.reliability = parts.reliability;
    this.breaker = parts.breaker;
    this.memory = parts.memory;
    this.sessions = parts.sessions;
  }

  static builder(): HarnessBuilder {
    return new HarnessBuilder();
  }

  /** A conversation. Throws `PROVIDER_NOT_CONFIGURED` when no provider of this harness serves its model. */
  session(config: SessionConfig): Session {
    return new Session(this, config);
  }

  /** Continues a run of a session: after a crash, or with the decision that it waits for. Rejects as `resumeRun` does. */
  async resume(runId: string, config: SessionConfig, options: ResumeOptions = {}): Promise<RunHandle> {
    return await (await this.#sessionOf(runId, config)).resume(runId, options);
  }

  /** Drives a run of a session again from its journal alone, and says where it differs first. */
  async replay(runId: string, config: SessionConfig): Promise<ReplayReport> {
    return await (await this.#sessionOf(runId, config)).replay(runId);
  }

  /** Starts a run that begins with what one of a session did, and goes its own way. Rejects as `forkRun` does. */
  async fork(runId: string, config: SessionConfig, options: SessionForkOptions = {}): Promise<RunHandle> {
    return await (await this.#sessionOf(runId, config)).fork(runId, options);
  }

  /**
   * Takes back what the tools of a run did, the newest call first: a run of its own, which tells of each call. `after` leaves
   * what was done up to that event. Rejects with `NOT_FOUND`.
   */
  async undo(runId: string, options: UndoOptions = {}): Promise<RunHandle> {
    const { after, userId, signal } = options;
    const events = await readEvents(this.journal, runId);
    const origin = initOf(events[0]);
    const init = {
      runId: options.runId ?? newId("run"),
      traceId: newTraceId(),
      kind: "undo",
      userId: userId ?? origin.userId,
      parentRunId: runId,
      contract: this.contract,
      input: { runId, ...(after !== undefined && { after }) },
    };
    return await startRun(this.journal, init, undoRun(callsToUndo(events, after), this.tools), signal);
  }

  /** The session that a run belongs to, with a configuration as it had then. */
  async #sessionOf(runId: string, config: SessionConfig): Promise<Session> {
    const { sessionId } = initOf((await this.journal.read(runId, { limit: 1 }))[0]);
    return this.session({ ...config, ...(sessionId !== undefined && { sessionId }) });
  }

  /** Who may serve what is asked of this model or plan, best first. Throws `PROVIDER_NOT_CONFIGURED`, `VALIDATION_FAILED`. */
  candidatesOf(model: string | ModelRef | ModelPlan): readonly [Candidate, ...Candidate[]] {
    const asked = typeof model === "string" ? parseModelRef(model) : model;
    const [first, ...others] = "candidates" in asked ? asked.candidates : ([asked] as const);
    return [this.#candidate(first), ...others.map((other) => this.#candidate(other))];
  }

  #candidate(ref: ModelRef): Candidate {
    return { provider: this.providerOf(ref), modelId: ref.modelId, ...this.#models.get(formatModelRef(ref)) };
  }

  /** Throws `PROVIDER_NOT_CONFIGURED`. */
  providerOf(model: ModelRef): ProviderAdapter {
    const provider = this.#providers.get(model.providerId);
    if (provider) return provider;
    throw new BenchtopError("PROVIDER_NOT_CONFIGURED", `There is no provider "${model.providerId}". Add it first.`, {
      providerId: model.providerId,
      modelId: model.modelId,
    });
  }
}

export interface UndoOptions {
  /** Leaves what was done up to and including this event. */
  readonly after?: number;
  /** Id of the undo. */
  readonly runId?: string;
  /** Who asks for it; the run's own person when absent. */
  readonly userId?: string;
  readonly signal?: AbortSignal;
}

export class HarnessBuilder {
  readonly #providers = new Map<ProviderId, ProviderAdapter>();
  readonly #tools: Tool[] = [];
  #journal: Journal | undefined;
  #contract: Contract = {};
  readonly #models = new Map<string, ModelInfo>();
  readonly #gates: Gate[] = [];
  #reliability: ReliabilityOptions = {};
  #breaker: CircuitBreaker | undefined;
  #memory: Memory | undefined;
  #sessions: SessionStore | undefined;

  /** Says what is known of a model (`provider/model`): its prices, its context, what it can do. */
  model(ref: string, info: ModelInfo): this {
    this.#models.set(formatModelRef(parseModelRef(ref)), info);
    return this;
  }

  /** Adds gates that every run asks, in this order. */
  gates(gates: readonly Gate[]): this {
    this.#gates.push(...gates);
    return this;
  }

  /** Retries and timeouts of every run that does not say its own. */
  reliability(options: ReliabilityOptions): this {
    this.#reliability = options;
    return this;
  }

  /** When a failing provider is left alone; after five failures in a row for half a minute when nothing is said. */
  circuitBreaker(breaker: CircuitBreaker): this {
    this.#breaker = breaker;
    return this;
  }

  /** Adds a provider; a second one of the same id takes its place. */
  provider(adapter: ProviderAdapter): this {
    this.#providers.set(adapter.id, adapter);
    return this;
  }

  tools(tools: readonly Tool[]): this {
    this.#tools.push(...tools);
    return this;
  }

  /** Where runs are recorded; in memory when nothing is said. */
  journal(journal: Journal): this {
    this.#journal = journal;
    return this;
  }

  /** Where the runs of a session are found, so that `session({ sessionId })` goes on with one of before: the ledger of a store. */
  sessions(sessions: SessionStore): this {
    this.#sessions = sessions;
    return this;
  }

  /** What runs remember with: what it holds for their question joins the prompt. (`memoryTools` lets a model use it by itself.) */
  memory(memory: Memory): this {
    this.#memory = memory;
    return this;
  }

  /** Ceilings of every run that does not set its own. */
  contract(contract: Contract): this {
    this.#contract = contract;
    return this;
  }

  /** Throws `VALIDATION_FAILED` when a tool cannot be used. */
  build(): Harness {
    const inMemory = memoryJournal();
    return new Harness({
      providers: new Map(this.#providers),
      journal: this.#journal ?? inMemory,
      tools: new ToolRegistry(this.#tools),
      contract: this.#contract,
      models: new Map(this.#models),
      gates: [...this.#gates],
      reliability: this.#reliability,
      breaker: this.#breaker ?? new CircuitBreaker(),
      memory: this.#memory,
      sessions: this.#sessions ?? (this.#journal ? undefined : inMemory.sessions),
    });
  }
}
