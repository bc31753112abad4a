import { isTerminal, type EventOf, type RunEvent, type RunEventType } from "./events.ts";

/**
 * The rules that hold for every journal, whoever wrote it:
 *
 *  1. `seq` is dense from 0, in order.
 *  2. `RunStarted` is first, and only first.
 *  3. All events share run id and trace id.
 *  4. A run that has ended has exactly one terminal event (`Completed` or `Error`), and nothing after it.
 *  5. Every `ToolCallRequested` has one `ToolCallFinished`, after it and before the terminal event.
 *  6. Every `ProviderCallStarted` has one `ProviderCallFinished`, before the terminal event. Deltas belong to an open call
 *     that no crash interrupted.
 *  7. Steps do not overlap: `StepFinished` closes the step that `StepStarted` opened, before the terminal event.
 *  8. `RetryScheduled` names a provider call that ended in an error, the last of its purpose, and what it announces is the
 *     next call of that purpose: the attempt, and the candidate where it is named. Until then no step, tool or retry begins, and the
 *     run does not complete. A call that nothing announced is the first attempt.
 *  9. A run that is `Suspended` goes on with `Resumed`, or ends: then what is open is closed, and `Error` follows. It waits
 *     for an approval before the call is requested, for an unknown outcome while it is open.
 * 10. A decision answers the call that the run waited for. In the journal of a fork, `Resumed` says once where it leaves the
 *     way of its origin; no other journal says that.
 * 11. A tool call that a person or an enforcing gate denied was not executed. One that was open when the run stopped is executed again
 *     only if it is idempotent, or a person decided so.
 * 12. Every `SubRunStarted` has one `SubRunFinished`, before the terminal event.
 * 13. `ContextTrimmed.summaryCallId` names the last provider call that ended well.
 *
 * Memory is bounded by what is open at one time, whatever the length of the journal.
 */
export class InvariantCheck {
  /** What is wrong, in words; of a journal that breaks many rules the first thousand. */
  readonly violations: string[] = [];
  readonly #rules: readonly Rule[] = [
    new Order(),
    new OneRun(),
    new OpenWork(),
    new Retries(),
    new Suspensions(),
    new Doubts(),
    new Summaries(),
  ];
  #isEmpty = true;
  #terminal: RunEventType | undefined;

  /** The next event, in the order in which the journal gives them. */
  add(event: RunEvent): void {
    const violated = (what: string): void => {
      if (this.violations.length < mostViolations) {
        this.violations.push(`Event ${event.seq} (${event.type}) ${what}.`);
      }
    };
    this.#isEmpty = false;
    if (this.#terminal) violated(`comes after the terminal ${this.#terminal}`);
    for (const rule of this.#rules) rule.add(event, violated);
    if (isTerminal(event)) this.#terminal = event.type;
  }

  /** What is wrong, in words; empty when nothing is. `ended` says that the run is known to be over. */
  finish(ended: boolean): readonly string[] {
    if (this.#isEmpty) this.violations.push("The journal is empty.");
    if (ended && !this.#terminal) this.violations.push("The run has ended, but there is no terminal event.");
    return this.violations;
  }
}

/** Checks a whole journal; empty when nothing is wrong. */
export function checkInvariants(events: Iterable<RunEvent>, options: { readonly ended: boolean }): readonly string[] {
  const check = new InvariantCheck();
  for (const event of events) check.add(event);
  return check.finish(options.ended);
}

const mostViolations = 1000;

type Violated = (what: string) => void;

interface Rule {
  add(event: RunEvent, violated: Violated): void;
}

/** Rule 1. */
class Order implements Rule {
  #expected = 0;

  add({ seq }: RunEvent, violated: Violated): void {
    if (seq !== this.#expected) violated(`expected seq ${this.#expected}`);
    this.#expected = seq + 1;
  }
}

/** Rules 2 and 3. */
class OneRun implements Rule {
  #first: RunEvent | undefined;

  add(event: RunEvent, violated: Violated): void {
    if (!this.#first) {
      this.#first = event;
      if (event.type !== "RunStarted") violated("is first; RunStarted should be");
      return;
    }
    if (event.type === "RunStarted") violated("is not first");
    if (event.runId !== this.#first.runId) violated(`belongs to run ${event.runId}`);
    if (event.traceId !== this.#first.traceId) violated(`belongs to trace ${event.traceId}`);
  }
}

/** Rules 5, 6, 7 and 12. */
class OpenWork implements Rule {
  readonly #tools = new Set<string>();
  /** Open provider calls; true for one that a crash interrupted. */
  readonly #calls = new Map<string, boolean>();
  readonly #children = new Set<string>();
  #step: number | undefined;

  add(event: RunEvent, violated: Violated): void {
    switch (event.type) {
      case "OutputDelta":
        if (this.#calls.get(event.callId) === undefined) violated(`belongs to no open call (${event.callId})`);
        if (this.#calls.get(event.callId) === true) violated(`belongs to the interrupted call ${event.callId}`);
        return;
      case "ProviderCallStarted":
        if (this.#calls.has(event.callId)) violated(`begins call ${event.callId}, which is open`);
        this.#calls.set(event.callId, false);
        return;
      case "ProviderCallFinished":
        if (!this.#calls.delete(event.callId)) violated(`ends a call that is not open (${event.callId})`);
        return;
      case "ToolCallRequested":
        if (this.#tools.has(event.callId)) violated(`begins call ${event.callId}, which is open`);
        this.#tools.add(event.callId);
        return;
      case "ToolCallFinished":
        if (!this.#tools.delete(event.callId)) violated(`ends a call that is not open (${event.callId})`);
        return;
      case "SubRunStarted":
        if (this.#children.has(event.childRunId)) violated(`begins run ${event.childRunId}, which is open`);
        this.#children.add(event.childRunId);
        return;
      case "SubRunFinished":
        if (!this.#children.delete(event.childRunId)) violated(`ends a run that is not open (${event.childRunId})`);
        return;
      case "StepStarted":
        if (this.#step !== undefined) violated(`starts while step ${this.#step} is open`);
        this.#step = event.step;
        return;
      case "StepFinished":
        if (this.#step !== event.step) violated(`ends step ${event.step}, which is not open`);
        this.#step = undefined;
        return;
      case "Resumed":
        for (const callId of this.#calls.keys()) this.#calls.set(callId, true);
        return;
      case "Completed":
      case "Error":
        for (const callId of this.#tools) violated(`leaves tool call ${callId} without an outcome`);
        for (const callId of this.#calls.keys()) violated(`leaves provider call ${callId} without an outcome`);
        for (const runId of this.#children) violated(`leaves run ${runId} without an outcome`);
        if (this.#step !== undefined) violated(`leaves step ${this.#step} open`);
        return;
      default:
    }
  }
}

type Purpose = EventOf<"ProviderCallStarted">["purpose"];

/** Rule 8. */
class Retries implements Rule {
  readonly #open = new Map<string, EventOf<"ProviderCallStarted">>();
  /** Of each purpose, the last call that ended. */
  readonly #last = new Map<Purpose, { readonly call: EventOf<"ProviderCallStarted">; readonly failed: boolean }>();
  #announced: { readonly purpose: Purpose; readonly as: Partial<EventOf<"RetryScheduled">> } | undefined;
  /** The process that would have made the next call is gone: whoever goes on may count anew. */
  #hasResumed = false;

  add(event: RunEvent, violated: Violated): void {
    switch (event.type) {
      case "ProviderCallStarted":
        this.#open.set(event.callId, event);
        return this.#started(event, violated);
      case "ProviderCallFinished": {
        const call = this.#open.get(event.callId);
        this.#open.delete(event.callId);
        if (call) this.#last.set(call.purpose, { call, failed: event.outcome === "error" });
        return;
      }
      case "RetryScheduled":
        return this.#scheduled(event, violated);
      case "StepStarted":
      case "ToolCallRequested":
      case "Completed":
        if (this.#announced) violated(`comes where attempt ${this.#announced.as.attempt} was announced`);
        this.#announced = undefined;
        return;
      case "Resumed":
        this.#hasResumed = true;
        if (this.#announced && (event.reason === "fork" || this.#announced.purpose === "gate")) {
          this.#announced = { ...this.#announced, as: {} };
        }
        return;
      default:
    }
  }

  #started(event: EventOf<"ProviderCallStarted">, violated: Violated): void {
    if (this.#announced && this.#announced.purpose === event.purpose) {
      const { attempt = event.attempt, providerId = event.providerId, modelId = event.modelId } = this.#announced.as;
      if (event.attempt !== attempt) violated(`is attempt ${event.attempt}; ${attempt} was announced`);
      if (event.providerId !== providerId || event.modelId !== modelId) {
        violated(`asks ${event.providerId}/${event.modelId}; ${providerId}/${modelId} was announced`);
      }
      this.#announced = undefined;
    } else if (event.attempt !== 1 && !this.#hasResumed) {
      violated(`is attempt ${event.attempt}, which nothing announced`);
    }
    this.#hasResumed = false;
  }

  #scheduled(event: EventOf<"RetryScheduled">, violated: Violated): void {
    if (this.#announced) violated(`comes where attempt ${this.#announced.as.attempt} was announced`);
    const last = [...this.#last.values()].find(({ call }) => call.callId === event.callId);
    if (!last?.failed) violated(`names a call that is not the last that failed (${event.callId})`);
    const { callId: _, ...as } = event;
    this.#announced = { purpose: last?.call.purpose, as };
    if (!last) return;
    const { attempt, providerId, modelId } = last.call;
    const { providerId: nextProvider = providerId, modelId: nextModel = modelId } = event;
    const isSame = nextProvider === providerId && nextModel === modelId;
    if (event.reason !== "fallback" && isSame && event.attempt !== attempt + 1) {
      violated(`announces attempt ${event.attempt} after attempt ${attempt}`);
    }
    if (event.reason === "retry" && !isSame) violated("announces another model as a retry");
  }
}

/** What the end of a run that waits may still write. */
const closingTypes: ReadonlySet<RunEventType> = new Set([
  "ProviderCallFinished",
  "ToolCallFinished",
  "SubRunFinished",
  "StepFinished",
  "TimedOut",
  "BudgetExceeded",
  "Error",
]);

/** Rules 9 and 10. */
class Suspensions implements Rule {
  readonly #tools = new Set<string>();
  #waiting: EventOf<"Suspended"> | undefined;
  #isEnding = false;
  /** This is a fork, and nothing has said yet where it begins to go its own way. */
  #isFork = false;

  add(event: RunEvent, violated: Violated): void {
    if (event.type === "RunStarted") this.#isFork = event.forkedFrom !== undefined;
    if (event.type === "Resumed" && event.reason === "fork") {
      if (!this.#isFork) violated("says that this is a fork");
      this.#isFork = false;
    }

    if (event.type === "Resumed") this.#resumed(event, violated);
    else if (this.#isEnding && !closingTypes.has(event.type)) violated("comes where the run was ending");
    else if (this.#waiting) this.#comesWhileWaiting(event, violated);

    if (event.type === "ToolCallRequested") this.#tools.add(event.callId);
    if (event.type === "ToolCallFinished") this.#tools.delete(event.callId);
    if (event.type === "Suspended") this.#suspended(event, violated);
  }

  #resumed({ reason, callId }: EventOf<"Resumed">, violated: Violated): void {
    if (this.#isEnding) violated("comes where the run was ending");
    if (reason === "decision" && !this.#waiting) violated("answers what nobody asked");
    if (reason === "decision" && this.#waiting && callId !== this.#waiting.callId) {
      violated(`decides about ${callId}; the run waits for ${this.#waiting.callId}`);
    }
    this.#waiting = undefined;
  }

  #comesWhileWaiting({ type }: RunEvent, violated: Violated): void {
    if (closingTypes.has(type)) this.#isEnding = true;
    else violated("comes while the run waits for a person");
    this.#waiting = undefined;
  }

  #suspended(event: EventOf<"Suspended">, violated: Violated): void {
    const isOpen = this.#tools.has(event.callId);
    if (event.reason === "approval" && isOpen) violated(`asks about ${event.callId}, which has begun`);
    if (event.reason !== "approval" && !isOpen) violated(`asks about ${event.callId}, which is not open`);
    this.#waiting = event;
  }
}

/** Rule 11. */
class Doubts implements Rule {
  readonly #open = new Map<string, { readonly idempotent: boolean }>();
  /** Calls that must not have been executed, or not once more, and why. */
  readonly #forbidden = new Map<string, string>();
  /** The open call whose tool waits for an answer: it is executed again with it. */
  #asking: string | undefined;

  add(event: RunEvent, violated: Violated): void {
    switch (event.type) {
      case "ToolCallRequested":
        this.#open.set(event.callId, { idempotent: event.idempotent });
        return;
      case "ToolCallFinished": {
        const reason = this.#forbidden.get(event.callId);
        this.#open.delete(event.callId);
        this.#forbidden.delete(event.callId);
        if (reason !== undefined && (event.outcome === "success" || event.outcome === "error")) {
          violated(`ends ${event.callId} with ${event.outcome}, ${reason}`);
        }
        return;
      }
      case "GateDecided":
        return this.#judged(event);
      case "StepStarted":
        for (const callId of this.#forbidden.keys()) if (!this.#open.has(callId)) this.#forbidden.delete(callId);
        return;
      case "Suspended":
        if (event.reason === "outcome-unknown") this.#forbidden.set(event.callId, "whose outcome was not known");
        else if (this.#open.has(event.callId)) this.#asking = event.callId;
        return;
      case "Resumed":
        for (const [callId, { idempotent }] of this.#open) {
          if (idempotent || callId === this.#asking || this.#forbidden.has(callId)) continue;
          this.#forbidden.set(callId, "whose outcome was not known");
        }
        return this.#decided(event);
      default:
    }
  }

  #judged({ callId, point, mode, decision }: EventOf<"GateDecided">): void {
    if (callId === undefined || point !== "tool-call" || mode !== "enforcing" || decision !== "deny") return;
    this.#forbidden.set(callId, "which a gate denied");
  }

  #decided({ callId, decision }: EventOf<"Resumed">): void {
    const isAnswer = callId === this.#asking;
    this.#asking = undefined;
    if (callId === undefined || isAnswer) return;
    if (decision === "retry") this.#forbidden.delete(callId);
    if (decision === "deny") this.#forbidden.set(callId, "which was denied");
  }
}

/** Rule 13. */
class Summaries implements Rule {
  #lastCallId: string | undefined;

  add(event: RunEvent, violated: Violated): void {
    if (event.type === "ProviderCallFinished" && event.outcome === "success") this.#lastCallId = event.callId;
    if (event.type !== "ContextTrimmed" || event.summaryCallId === undefined) return;
    if (event.summaryCallId !== this.#lastCallId) violated(`names a summary that was not written last`);
  }
}
