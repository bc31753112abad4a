import {
  BenchtopError,
  isTerminal,
  type ErrorCode,
  type EventInput,
  type EventOf,
  type Json,
  type RunEvent,
  type RunEventType,
  type RunInit,
} from "@benchtop/protocol";
import { canonicalJson } from "../provider/canonical-json.ts";
import { ceilingsOf, type Ceilings } from "../run/contract.ts";
import type { Hint, RunBody, RunOutcome, RunScope } from "../run/scope.ts";
import { RunSuspended } from "../run/suspension.ts";
import { TotalsRecorder } from "../run/totals.ts";
import { activeTimes } from "./active-times.ts";
import { diverged } from "./divergence.ts";
import {
  isEndedFromOutside,
  RecordedPast,
  type AskedCall,
  type AskedToolCall,
  type Past,
  type RecordedSubRun,
  type RecordedToolCall,
} from "./past.ts";
import { initOf } from "./resume-run.ts";

/** What came of driving a run again. */
export interface ReplayReport {
  readonly runId: string;
  readonly outcome: "identical" | "diverged";
  /** Events of the journal that were passed, deltas not counted. */
  readonly events: number;
  /** The first place where the program did something else than is recorded. */
  readonly divergence?: Divergence;
}

export interface Divergence {
  readonly seq: number;
  /** Type of the recorded event. */
  readonly event: string;
  readonly field: string;
  readonly expected: string;
  readonly actual: string;
  readonly message: string;
}

/**
 * Drives a run's program again from its journal: no model is asked, no tool executed, nothing written, and no clock is looked
 * at. Every request, tool call, decision and the end have to be what is recorded; the report names the first that is not.
 *
 * A journal that has not ended is replayed as far as it goes. Rejects only when the journal is none.
 */
export async function replayRun(events: readonly RunEvent[], body: RunBody): Promise<ReplayReport> {
  const init = initOf(events[0]);
  const run = new ReplayedRun(init, events);
  try {
    const error = compareEnd(events, await endOf(run, body));
    return run.report(error);
  } catch (thrown) {
    const error = BenchtopError.from(thrown);
    if (error.code !== "REPLAY_DIVERGED") throw error;
    return run.report(error);
  }
}

/** How the program ended this time. */
type End = { readonly outcome: RunOutcome } | { readonly error: BenchtopError } | "suspended" | "journal ended";

async function endOf(run: ReplayedRun, body: RunBody): Promise<End> {
  try {
    return { outcome: await body(run) };
  } catch (thrown) {
    if (thrown instanceof RunSuspended) return "suspended";
    if (thrown instanceof EndOfJournal) return "journal ended";
    const error = BenchtopError.from(thrown);
    if (error.code === "REPLAY_DIVERGED") throw error;
    return { error };
  }
}

function compareEnd(events: readonly RunEvent[], end: End): BenchtopError | undefined {
  const last = events.at(-1) as RunEvent;
  // How the program ends is not recorded yet; that nothing recorded is left over is seen elsewhere.
  if (!isTerminal(last)) return undefined;
  if (typeof end === "string") return unexpected(last, end);
  // What a canceled call was ended for is said by the end of the run alone.
  if ("error" in end && end.error.code === "USER_CANCELED" && isEndedFromOutside(events)) return undefined;
  if ("error" in end) return compareErrors(last, end.error.code);
  if (last.type !== "Completed") return unexpected(last, end);
  return compareOutcomes(last, end.outcome);
}

function compareErrors(last: RunEvent, code: ErrorCode): BenchtopError | undefined {
  const recorded = last.type === "Error" ? last.error.error_code : last.type;
  return recorded === code ? undefined : diverged(last, "error_code", recorded, code);
}

function compareOutcomes(last: EventOf<"Completed">, outcome: RunOutcome): BenchtopError | undefined {
  const { output, finishReason = "stop", result } = outcome;
  if (last.output !== output) return diverged(last, "output", "", "");
  if (last.finishReason !== finishReason) return diverged(last, "finishReason", last.finishReason, finishReason);
  return sameJson(last.result, result) ? undefined : diverged(last, "result", "", "");
}

function sameJson(left: Json | undefined, right: Json | undefined): boolean {
  return canonicalJson(left) === canonicalJson(right);
}

function unexpected(last: RunEvent, end: End): BenchtopError {
  const actual = typeof end === "string" ? end : "error" in end ? `Error (${end.error.code})` : "Completed";
  return diverged(last, "type", last.type, actual);
}

/** Thrown through a program that came to the end of a journal that has not ended. */
class EndOfJournal extends Error {}

/** A run without a journal to write to: everything it does is compared with what is recorded. */
class ReplayedRun implements RunScope {
  readonly init: RunInit;
  readonly ceilings: Ceilings;
  readonly signal = new AbortController().signal;
  readonly totals: TotalsRecorder;
  readonly pending = 0;
  readonly hasHints = false;
  readonly past: Past;
  readonly #past: RecordedPast;
  readonly #hasEnded: boolean;
  #passed = 0;

  constructor(init: RunInit, events: readonly RunEvent[]) {
    const times = activeTimes(events);
    const last = events.at(-1) as RunEvent;
    const isOwnEnd = last.type === "Completed" || (last.type === "Error" && !isEndedFromOutside(events));
    this.init = init;
    this.ceilings = ceilingsOf(init.contract);
    this.totals = new TotalsRecorder(init.queuedMs ?? 0, 0);
    this.#hasEnded = isTerminal(last);
    this.#past = new RecordedPast(isOwnEnd ? events.slice(0, -1) : events, {
      onDivergence: "refuse",
      cutOff: () => this.#endOfJournal(),
      passed: (event) => {
        if (event.type !== "OutputDelta") this.#passed += 1;
        if (!this.#past.isOfOrigin(event)) this.totals.record(event, times.at(event.seq));
      },
    });
    this.past = new EndedPast(this.#past, () => this.#endOfJournal());
  }

  get runId(): string {
    return this.init.runId;
  }

  get traceId(): string {
    return this.init.traceId;
  }

  write(event: EventInput): void {
    if (this.#past.isOver) this.#endOfJournal();
    this.#past.match(event);
  }

  emit(event: EventInput): Promise<void> {
    this.write(event);
    return Promise.resolve();
  }

  committed(): Promise<void> {
    return Promise.resolve();
  }

  takeHints(): readonly Hint[] {
    return [];
  }

  decisionsOn(callId: string): readonly EventOf<"Resumed">[] {
    return this.#past.decisionsOn(callId);
  }

  /** One that has not ended is where a journal stops that has not ended either. */
  subRun(name: string, callId?: string): RecordedSubRun {
    const recorded = this.#past.subRun(name, callId);
    if (recorded?.finished) return recorded;
    this.#endOfJournal();
    throw diverged(undefined, "type", "no such run", `SubRunStarted (${name})`);
  }

  report(error: BenchtopError | undefined): ReplayReport {
    const left = error ?? this.#leftOver();
    const { runId } = this;
    const events = this.#passed;
    if (!left) return { runId, outcome: "identical", events };
    return { runId, outcome: "diverged", events, divergence: divergenceOf(left) };
  }

  /** What is recorded and was not done this time. A program that failed leaves open what others closed after it. */
  #leftOver(): BenchtopError | undefined {
    const { next } = this.#past;
    if (next === undefined || next === "StepFinished" || next === "ToolCallFinished") return undefined;
    return diverged(undefined, "type", next, "the end of the run");
  }

  #endOfJournal(): void {
    if (!this.#hasEnded) throw new EndOfJournal();
  }
}

/** A past after which nothing is done: where it has nothing to say, the journal is at its end. */
class EndedPast implements Past {
  readonly #past: RecordedPast;
  readonly #ended: () => void;

  constructor(past: RecordedPast, ended: () => void) {
    this.#past = past;
    this.#ended = ended;
  }

  get next(): RunEventType | undefined {
    return this.#past.next;
  }

  get isOrigins(): boolean {
    return this.#past.isOrigins;
  }

  take<Type extends RunEventType>(type: Type): EventOf<Type> {
    if (this.#past.isOver) this.#ended();
    return this.#past.take(type);
  }

  takeIf<Type extends RunEventType>(
    type: Type,
    isMeant?: (event: EventOf<Type>) => boolean,
  ): EventOf<Type> | undefined {
    return this.#past.takeIf(type, isMeant);
  }

  takeProviderCall(asked: AskedCall): EventOf<"ProviderCallFinished"> {
    if (this.#past.isOver) this.#ended();
    return this.#past.takeProviderCall(asked);
  }

  takeToolCall(asked: AskedToolCall): RecordedToolCall {
    const recorded = this.#past.takeToolCall(asked);
    if (recorded?.finished) return recorded;
    this.#ended();
    throw diverged(recorded?.requested, "type", "nothing more", `ToolCallRequested (${asked.name})`);
  }

  differs(recorded: RunEvent | undefined, field: string, expected: unknown, actual: unknown): void {
    this.#past.differs(recorded, field, expected, actual);
  }
}

function divergenceOf({ message, info }: BenchtopError): Divergence {
  const { seq = 0, event = "", field = "", expected = "", actual = "" } = info.detail ?? {};
  return {
    seq: Number(seq),
    event: String(event),
    field: String(field),
    expected: String(expected),
    actual: String(actual),
    message,
  };
}
