import { newId, type Attachment, type Contract, type Message } from "@benchtop/protocol";
import type { Harness } from "../harness/harness.ts";
import type { ContextPolicy } from "../context/policy.ts";
import { memoryScopesOf, recallForRun, type MemoryScopes } from "../memory/recall.ts";
import type { Candidate } from "../model/candidates.ts";
import { formatModelRef, type ModelPlan, type ModelRef, type Prices } from "../model/model.ts";
import type { OutputSchema, ProviderRequest } from "../provider/provider.ts";
import type { ReliabilityOptions } from "../reliability/policy.ts";
import { agentLoop, type LoopConfig } from "../run/agent-loop.ts";
import { promptInput, RunBuilder } from "../run/run-builder.ts";
import type { RunBody, RunHandle } from "../run/scope.ts";
import { forkRun, type ForkOptions } from "../replay/fork-run.ts";
import { replayRun, type ReplayReport } from "../replay/replay-run.ts";
import { resumeRun, type ResumeOptions } from "../replay/resume-run.ts";
import { mostRuns, SessionHistory } from "./history.ts";
import { pastRun, type PastRun } from "./past-run.ts";

export interface SessionConfig {
  /** `provider/model`, or a plan: its candidates are asked in their order until one answers. */
  readonly model: string | ModelRef | ModelPlan;
  readonly instructions?: string;
  /** Turns from before the first run of this session, oldest first. */
  readonly history?: readonly Message[];
  readonly contract?: Contract;
  /** What is known of the models, for those of whom the harness was not told. */
  readonly prices?: Prices;
  /** The answer has to be JSON of this schema. */
  readonly output?: OutputSchema;
  readonly context?: ContextPolicy;
  /** Whose memory the runs use, where the harness has one: notes of this session, and texts of its person when absent. */
  readonly memory?: Partial<MemoryScopes>;
  readonly reliability?: ReliabilityOptions;
  readonly seed?: number;
  readonly reasoningEffort?: ProviderRequest["reasoningEffort"];
  readonly maxOutputTokens?: number;
  readonly temperature?: number;
  readonly topP?: number;
  /** Of a session of before, to go on with it: what was said in its runs is read from their journals. */
  readonly sessionId?: string;
  readonly userId?: string;
}

/** `input` is asked in place of what the run was asked. */
export interface SessionForkOptions extends Omit<ForkOptions, "input" | "model" | "sessionId"> {
  readonly input?: string;
}

/**
 * A conversation: runs that share history. One run goes at a time; a run that is started while another goes waits for
 * it (`queuedMs`), so that each sees everything that was said before.
 */
export class Session {
  readonly id: string;
  readonly config: SessionConfig;
  /** The model that is asked first. */
  readonly model: ModelRef;
  readonly candidates: readonly [Candidate, ...Candidate[]];
  readonly #harness: Harness;
  readonly #history: SessionHistory;
  #loading: Promise<void> | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  /** Of this process; a harness that knows its sessions asks there. */
  readonly #runIds: string[] = [];

  constructor(harness: Harness, config: SessionConfig) {
    this.id = config.sessionId ?? newId("session");
    this.config = config;
    this.candidates = withPrices(harness.candidatesOf(config.model), config.prices);
    const [{ provider, modelId }] = this.candidates;
    this.model = { providerId: provider.id, modelId };
    this.#harness = harness;
    this.#history = new SessionHistory(harness.journal, config.history ?? []);
    if (config.sessionId === undefined) this.#loading = Promise.resolve();
  }

  /** What was said in the runs that have ended; of a session of before, once its first run has started or `history` has resolved. */
  get messages(): readonly Message[] {
    return this.#history.messages;
  }

  /** The same, once every run that was started has ended. */
  async history(): Promise<readonly Message[]> {
    await this.#turn;
    await this.#load();
    return this.#history.messages;
  }

  /** The program of a run of this conversation: of the next one, unless a history says that it is one of before. */
  program(
    input: string,
    attachments: readonly Attachment[] = [],
    history: readonly Message[] = this.messages,
  ): RunBody {
    const { gates, reliability, breaker, tools } = this.#harness;
    const { model, history: _, memory: __, ...config } = this.config;
    const constraints = typeof model === "object" && "candidates" in model ? model.constraints : undefined;
    return agentLoop({
      ...config,
      candidates: this.candidates,
      ...(constraints && { constraints }),
      input,
      attachments,
      history,
      recall: this.#recall(input),
      tools,
      gates,
      reliability: { ...reliability, ...config.reliability },
      breaker,
    });
  }

  run(input: string): RunBuilder {
    return new RunBuilder(this.#harness, this, input);
  }

  /**
   * Continues a run of this conversation: after a crash, or with the decision that it waits for. Resolves once it goes on;
   * the next run waits for it. Rejects as `resumeRun` does.
   */
  resume(runId: string, options: ResumeOptions = {}): Promise<RunHandle> {
    return this.inTurn(async () => {
      const { input, attachments, history } = await this.#pastRun(runId);
      const body = this.program(input, attachments, history);
      return await resumeRun(this.#harness.journal, runId, body, options);
    });
  }

  /**
   * Drives a run of this conversation again from its journal, without asking a model or executing a tool, and says where it
   * differs first. Nothing is recorded. Rejects with `NOT_FOUND`.
   */
  async replay(runId: string): Promise<ReplayReport> {
    const { events, input, attachments, history } = await this.#pastRun(runId);
    return await replayRun(events, this.program(input, attachments, history));
  }

  /**
   * Starts a run that begins with what one of this conversation did, up to an event, and goes on by itself: told or asked
   * something else, or with another model where this session's is another. It is no turn of the conversation. Rejects as
   * `forkRun` does.
   */
  async fork(runId: string, options: SessionForkOptions = {}): Promise<RunHandle> {
    const { input: prompt, ...others } = options;
    const { events, input, attachments, history } = await this.#pastRun(runId);
    const body = this.program(prompt ?? input, attachments, history);
    const asked = prompt !== undefined && { input: promptInput(prompt, attachments) };
    return await forkRun(this.#harness.journal, events, body, {
      ...others,
      ...asked,
      model: formatModelRef(this.model),
    });
  }

  /** Runs `start` when every run before it has ended, and holds the next one back until this one has. */
  async inTurn(start: () => Promise<RunHandle>): Promise<RunHandle> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    try {
      await this.#load();
      await this.#history.refresh();
      const handle = await start();
      if (!this.#runIds.includes(handle.runId)) this.#runIds.push(handle.runId);
      void this.#remember(handle).then(resolve, resolve);
      return handle;
    } catch (thrown) {
      resolve();
      throw thrown;
    }
  }

  async #remember(handle: RunHandle): Promise<void> {
    await handle.result;
    await this.#history.add(handle.runId);
  }

  /** Once, however often it is asked; again only after it failed. */
  #load(): Promise<void> {
    this.#loading ??= this.#loadHistory().catch((thrown: unknown) => {
      this.#loading = undefined;
      throw thrown;
    });
    return this.#loading;
  }

  async #loadHistory(): Promise<void> {
    const { sessions } = this.#harness;
    const [{ provider, modelId, contextTokens }] = this.candidates;
    if (!sessions) return;
    await this.#history.load(sessions, this.id, this.config.context, {
      providerId: provider.id,
      modelId,
      contextTokens,
    });
  }

  async #pastRun(runId: string): Promise<PastRun> {
    const { journal, sessions } = this.#harness;
    const runIds = sessions ? await sessions.runs(this.id, mostRuns) : this.#runIds;
    return await pastRun(journal, runId, { runIds, before: this.config.history ?? [] });
  }

  #recall(input: string): LoopConfig["recall"] {
    const { memory } = this.#harness;
    if (!memory) return undefined;
    return (run) => recallForRun(run, memory, { ...memoryScopesOf(run.init), ...this.config.memory }, input);
  }
}

function withPrices(
  candidates: readonly [Candidate, ...Candidate[]],
  prices: Prices | undefined,
): readonly [Candidate, ...Candidate[]] {
  if (!prices) return candidates;
  const [first, ...others] = candidates;
  return [{ prices, ...first }, ...others.map((other) => ({ prices, ...other }))];
}
