import { newId, type Contract, type Journal, type Message, type RunEvent } from "@benchtop/protocol";
import { Conversation, type HistoryLimits } from "../context/conversation.ts";
import { messagesFromEvents } from "../context/from-events.ts";
import type { Harness } from "../harness/harness.ts";
import { parseModelRef, type ModelPlan, type ModelRef, type Prices } from "../model/model.ts";
import type { ProviderAdapter } from "../provider/provider.ts";
import { RunBuilder } from "../run/run-builder.ts";
import type { RunHandle } from "../run/scope.ts";

export interface SessionConfig {
  /** `provider/model`, or a plan whose first candidate is used. */
  readonly model: string | ModelRef | ModelPlan;
  readonly instructions?: string;
  /** Earlier turns, oldest first, to continue a conversation of before. */
  readonly history?: readonly Message[];
  readonly limits?: Partial<HistoryLimits>;
  readonly contract?: Contract;
  readonly prices?: Prices;
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
  readonly model: ModelRef;
  readonly provider: ProviderAdapter;
  readonly #harness: Harness;
  #messages: readonly Message[];
  #turn: Promise<unknown> = Promise.resolve();

  constructor(harness: Harness, config: SessionConfig) {
    this.id = config.sessionId ?? newId("session");
    this.config = config;
    this.model = modelOf(config.model);
    this.provider = harness.providerOf(this.model);
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

function modelOf(model: string | ModelRef | ModelPlan): ModelRef {
  if (typeof model === "string") return parseModelRef(model);
  return "candidates" in model ? model.candidates[0] : model;
}

async function eventsOf(journal: Journal, runId: string): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for (;;) {
    const page = await journal.read(runId, { after: events.at(-1)?.seq ?? -1, limit: 1000 });
    if (page.length === 0) return events;
    events.push(...page);
  }
}
