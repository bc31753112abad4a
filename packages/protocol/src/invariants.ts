import { isTerminal, type RunEvent } from "./events.ts";

/**
 * The rules that hold for every journal, whoever wrote it:
 *
 * 1. `seq` is dense from 0, in order.
 * 2. `RunStarted` is first, and only first.
 * 3. All events share run id and trace id.
 * 4. A run that has ended has exactly one terminal event (`Completed` or `Error`), and nothing after it.
 * 5. Every `ToolCallRequested` has one `ToolCallFinished`, after it and before the terminal event.
 * 6. Every `ProviderCallStarted` has one `ProviderCallFinished`, before the terminal event; deltas belong to an
 *    open call.
 * 7. Steps do not overlap: `StepFinished` closes the step that `StepStarted` opened, before the terminal event.
 */
export class InvariantCheck {
  readonly violations: string[] = [];
  readonly #open = { tools: new Set<string>(), calls: new Set<string>() };
  #first: RunEvent | undefined;
  #expectedSeq = 0;
  #openStep: number | undefined;
  #terminal: RunEvent | undefined;

  /** The next event, in the order in which the journal gives them. */
  add(event: RunEvent): void {
    if (event.seq !== this.#expectedSeq) this.#violated(event, `expected seq ${this.#expectedSeq}`);
    this.#expectedSeq = event.seq + 1;
    if (this.#terminal) this.#violated(event, `comes after the terminal ${this.#terminal.type}`);
    this.#checkIdentity(event);
    this.#checkCalls(event);
    this.#checkSteps(event);
    if (isTerminal(event)) this.#end(event);
  }

  /** What is wrong, in words; empty when nothing is. `ended` says that the run is known to be over. */
  finish(ended: boolean): readonly string[] {
    if (!this.#first) this.violations.push("The journal is empty.");
    if (ended && !this.#terminal) this.violations.push("The run has ended, but there is no terminal event.");
    return this.violations;
  }

  #checkIdentity(event: RunEvent): void {
    if (!this.#first) {
      this.#first = event;
      if (event.type !== "RunStarted") this.#violated(event, "is first; RunStarted should be");
      return;
    }
    if (event.type === "RunStarted") this.#violated(event, "is not first");
    if (event.runId !== this.#first.runId) this.#violated(event, `belongs to run ${event.runId}`);
    if (event.traceId !== this.#first.traceId) this.#violated(event, `belongs to trace ${event.traceId}`);
  }

  #checkCalls(event: RunEvent): void {
    switch (event.type) {
      case "ToolCallRequested":
        return this.#opens(event, "tools", event.callId);
      case "ToolCallFinished":
        return this.#closes(event, "tools", event.callId);
      case "ProviderCallStarted":
        return this.#opens(event, "calls", event.callId);
      case "ProviderCallFinished":
        return this.#closes(event, "calls", event.callId);
      case "OutputDelta":
        if (!this.#open.calls.has(event.callId)) this.#violated(event, `belongs to no open call (${event.callId})`);
        return;
      default:
    }
  }

  #opens(event: RunEvent, kind: "tools" | "calls", callId: string): void {
    if (this.#open[kind].has(callId)) this.#violated(event, `begins call ${callId}, which is open`);
    this.#open[kind].add(callId);
  }

  #closes(event: RunEvent, kind: "tools" | "calls", callId: string): void {
    if (!this.#open[kind].delete(callId)) this.#violated(event, `ends a call that is not open (${callId})`);
  }

  #checkSteps(event: RunEvent): void {
    if (event.type === "StepStarted") {
      if (this.#openStep !== undefined) this.#violated(event, `starts while step ${this.#openStep} is open`);
      this.#openStep = event.step;
    }
    if (event.type === "StepFinished") {
      if (this.#openStep !== event.step) this.#violated(event, `ends step ${event.step}, which is not open`);
      this.#openStep = undefined;
    }
  }

  #end(event: RunEvent): void {
    for (const callId of this.#open.tools) this.#violated(event, `leaves tool call ${callId} without an outcome`);
    for (const callId of this.#open.calls) this.#violated(event, `leaves provider call ${callId} without an outcome`);
    if (this.#openStep !== undefined) this.#violated(event, `leaves step ${this.#openStep} open`);
    this.#terminal = event;
  }

  #violated(event: RunEvent, what: string): void {
    this.violations.push(`Event ${event.seq} (${event.type}) ${what}.`);
  }
}

/** Checks a whole journal; empty when nothing is wrong. */
export function checkInvariants(events: Iterable<RunEvent>, options: { readonly ended: boolean }): readonly string[] {
  const check = new InvariantCheck();
  for (const event of events) check.add(event);
  return check.finish(options.ended);
}
