import { newId, type Attachment, type Contract, type Journal, type Message, type RunEvent } from "@benchtop/protocol";
import { Conversation, type HistoryLimits } from "../context/conversation.ts";
import { messagesFromEvents } from "../context/from-events.ts";
import type { Harness } from "../harness/harness.ts";
import type { ContextPolicy } from "../context/policy.ts";
import type { Candidate } from "../model/candidates.ts";
import type { ModelPlan, ModelRef, Prices } from "../model/model.ts";
import type { OutputSchema, ProviderRequest } from "../provider/provider.ts";
import type { ReliabilityOptions } from "../reliability/policy.ts";
import { agentLoop, type LoopConfig } from "../run/agent-loop.ts";
import { RunBuilder } from "../run/run-builder.ts";
import type { RunBody, RunHandle } from "../run/scope.ts";

export interface SessionConfig {
  /** `provider/model`, or a plan: its candidates are asked in their order until one answers. */
  readonly model: string | ModelRef | ModelPlan;
  readonly instructions?: string;
  /** Earlier turns, oldest first, to continue a conversation of before. */
  readonly history?: readonly Message[];
  readonly limits?: Partial<HistoryLimits>;
  readonly contract?: Contract;
  /** What is known of the models, for those of whom the harness was not told. */
  readonly prices?: Prices;
  /** The answer has to be JSON of this schema. */
  readonly output?: OutputSchema;
  readonly context?: ContextPolicy;
  readonly recall?: LoopConfig["recall"];
  readonly reliability?: ReliabilityOptions;
  readonly seed?: number;
  readonly reasoningEffort?: ProviderRequest["reasoningEffort"];
  readonly maxOutputTokens?: number;
  readonly temperature?: number;
  readonly sessionId?: string;
  readonly userId?: string;
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
  #messages: readonly Message[];
  #turn: Promise<unknown> = Promise.resolve();

  constructor(harness: Harness, config: SessionConfig) {
    this.id = config.sessionId ?? newId("session");
    this.config = config;
    this.candidates = withPrices(harness.candidatesOf(config.model), config.prices);
    const [{ provider, modelId }] = this.candidates;
    this.model = { providerId: provider.id, modelId };
    this.#harness = harness;
    this.#messages = config.history ?? [];
  }

  /** What was said in the runs that have ended, as far back as the limits of the session reach. */
  get messages(): readonly Message[] {
    return this.#messages;
  }

  /** The same, once every run that was started has ended. */
  async history(): Promise<readonly Message[]> {
    await this.#turn;
    return this.#messages;
  }

  /** The program of one run of this conversation: what it does again when it is resumed, replayed or forked. */
  program(input: string, attachments: readonly Attachment[] = []): RunBody {
    const { gates, reliability, breaker, tools } = this.#harness;
    const { model, limits, history: _, ...config } = this.config;
    const constraints = typeof model === "object" && "candidates" in model ? model.constraints : undefined;
    return agentLoop({
      ...config,
      candidates: this.candidates,
      ...(constraints && { constraints }),
      input,
      attachments,
      history: this.#messages,
      ...(limits && { context: { ...limits, ...config.context } }),
      tools,
      gates,
      reliability: { ...reliability, ...config.reliability },
      breaker,
    });
  }

  run(input: string): RunBuilder {
    return new RunBuilder(this.#harness, this, input);
  }

  /** Runs `start` when every run before it has ended, and holds the next one back until this one has. */
  async inTurn(start: () => Promise<RunHandle>): Promise<RunHandle> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    try {
      const handle = await start();
      void this.#remember(handle).then(resolve, resolve);
      return handle;
    } catch (thrown) {
      resolve();
      throw thrown;
    }
  }

  async #remember(handle: RunHandle): Promise<void> {
    await handle.result;
    const conversation = new Conversation(this.config.limits);
    conversation.addHistory([
      ...this.#messages,
      ...messagesFromEvents(await eventsOf(this.#harness.journal, handle.runId)),
    ]);
    conversation.trim();
    this.#messages = conversation.messages;
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

async function eventsOf(journal: Journal, runId: string): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for (;;) {
    const page = await journal.read(runId, { after: events.at(-1)?.seq ?? -1, limit: 1000 });
    if (page.length === 0) return events;
    events.push(...page);
  }
}
