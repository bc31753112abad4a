import {
  BenchtopError,
  isTerminal,
  type Journal,
  type Message,
  type RunEvent,
  type SessionStore,
} from "@benchtop/protocol";
import { estimateMessageTokens } from "../context/estimate.ts";
import { continued, runMessages, type RunMessages } from "../context/from-events.ts";
import { contextLimits, type ContextPolicy, type ContextTarget } from "../context/policy.ts";

/**
 * What was said in the runs of a session, read from their journals: those of before, when the session goes on in another
 * process, and each run of this one once it has ended.
 */
export class SessionHistory {
  readonly #journal: Journal;
  readonly #before: readonly Message[];
  /** Runs that had ended when they were read. */
  #settled: readonly Message[];
  /** Runs that had not, as one that waits for a person: they are read again before the next. */
  #unsettled: readonly string[] = [];
  #messages: readonly Message[];

  constructor(journal: Journal, before: readonly Message[]) {
    this.#journal = journal;
    this.#before = before;
    this.#settled = before;
    this.#messages = before;
  }

  get messages(): readonly Message[] {
    return this.#messages;
  }

  /**
   * Continues a session of before: reads its newest runs, and no more of them than a prompt can hold. What is left out then
   * is older than what the next run will drop, which says so.
   */
  async load(
    sessions: SessionStore,
    sessionId: string,
    policy: ContextPolicy = {},
    target: Partial<ContextTarget> = {},
  ): Promise<void> {
    const limits = contextLimits(policy, target);
    const share = policy.overflow === "summarize" ? 2 : 1;
    let messagesLeft = limits.maxMessages * share;
    let tokensLeft = limits.tokenLimit * share;
    const newestFirst = (await sessions.runs(sessionId, mostRuns)).toReversed();
    const runs: { readonly runId: string; readonly said: RunMessages; readonly ended: boolean }[] = [];
    let isWhole = newestFirst.length < mostRuns;
    for (const runId of newestFirst) {
      const events = await sessionEvents(this.#journal, runId);
      const said = runMessages(events);
      runs.unshift({ runId, said, ended: hasEnded(events) });
      messagesLeft = Math.min(messagesLeft - said.messages.length, said.keptHistory ?? Number.POSITIVE_INFINITY);
      tokensLeft -= said.messages.reduce((tokens, message) => tokens + estimateMessageTokens(message), 0);
      if (said.keptHistory === 0 || messagesLeft < 0 || tokensLeft < 0) {
        isWhole &&= runs.length === newestFirst.length;
        break;
      }
    }
    // Where there is a gap, what came before the first run does not belong in front of it.
    const before = isWhole ? this.#before : this.#before.filter(({ role }) => role === "system");
    const firstOpen = runs.findIndex(({ ended }) => !ended);
    const settled = firstOpen < 0 ? runs : runs.slice(0, firstOpen);
    this.#settled = settled.reduce((history, { said }) => continued(history, said), before);
    this.#unsettled = runs.slice(settled.length).map(({ runId }) => runId);
    await this.refresh();
  }

  /** Adds a run of this session, or what became of one that is there. */
  async add(runId: string): Promise<void> {
    if (!this.#unsettled.includes(runId)) this.#unsettled = [...this.#unsettled, runId];
    await this.refresh();
  }

  /** Reads again what had not ended when it was read. */
  async refresh(): Promise<void> {
    let messages = this.#settled;
    let open: readonly string[] = [];
    for (const runId of this.#unsettled) {
      const events = await sessionEvents(this.#journal, runId);
      messages = continued(messages, runMessages(events));
      if (open.length > 0 || !hasEnded(events)) open = [...open, runId];
      else this.#settled = messages;
    }
    this.#unsettled = open;
    this.#messages = messages;
  }
}

/** All events of a run; none when its journal was deleted. */
export async function sessionEvents(journal: Journal, runId: string): Promise<readonly RunEvent[]> {
  const events: RunEvent[] = [];
  try {
    for (;;) {
      const page = await journal.read(runId, { after: events.at(-1)?.seq ?? -1, limit: 1000 });
      if (page.length === 0) return events;
      events.push(...page);
    }
  } catch (thrown) {
    if (BenchtopError.is(thrown) && thrown.code === "NOT_FOUND") return [];
    throw thrown;
  }
}

/** Runs of one session that are looked at. */
export const mostRuns = 500;

/** A run without events was deleted; there is nothing to wait for. */
function hasEnded(events: readonly RunEvent[]): boolean {
  const last = events.at(-1);
  return last === undefined || isTerminal(last);
}
