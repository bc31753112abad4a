import {
  BenchtopError,
  type EventInput,
  type EventOf,
  type Failure,
  type RunEvent,
  type RunEventType,
  type ToolCall,
} from "@benchtop/protocol";
import { canonicalJson } from "../provider/canonical-json.ts";
import { diverged } from "./divergence.ts";

/**
 * What a run has done already, while its program is driven again from its journal: to resume it, to replay it, to fork it.
 *
 * Each effect of a program (a provider call, a tool call, a gate, a retrieval) asks here first, and does nothing where it
 * is told what came of it then. Everything is handed out once, in the order of the journal; a program that asks for
 * something else than what comes next has diverged.
 */
export interface Past {
  /** Type of what comes next; undefined in front of the end that came from outside the program. */
  readonly next: RunEventType | undefined;
  /** True while what comes next was done by the run that this one is a fork of. */
  readonly isOrigins: boolean;
  /** The next event, which has to be of this type. Throws `REPLAY_DIVERGED` when it is another. */
  take<Type extends RunEventType>(type: Type): EventOf<Type>;
  /** The next event if it is of this type, and the one that is meant. */
  takeIf<Type extends RunEventType>(type: Type, isMeant?: (event: EventOf<Type>) => boolean): EventOf<Type> | undefined;
  /** The next provider call, whole. Throws `REPLAY_DIVERGED` when another request was made, or none. */
  takeProviderCall(asked: AskedCall): EventOf<"ProviderCallFinished">;
  /** A tool call by its id; without `finished` where a crash came between. Throws `REPLAY_DIVERGED` when another was made, or none. */
  takeToolCall(asked: AskedToolCall): RecordedToolCall | undefined;
  /** Says that a recorded event (the next one, where none is given) was met by something else. Throws `REPLAY_DIVERGED`, unless that is accepted here. */
  differs(recorded: RunEvent | undefined, field: string, expected: unknown, actual: unknown): void;
}

export type AskedCall = Pick<
  EventOf<"ProviderCallStarted">,
  "providerId" | "modelId" | "attempt" | "requestHash" | "requestParts" | "purpose"
>;

export type AskedToolCall = Pick<ToolCall, "callId" | "name" | "arguments">;

export interface RecordedToolCall {
  readonly requested: EventOf<"ToolCallRequested">;
  readonly finished?: EventOf<"ToolCallFinished">;
}

/** A run that this one started: by its name in the run or in one of its tool calls, so that a fork finds it too. */
export interface RecordedSubRun {
  readonly childRunId: string;
  readonly finished?: EventOf<"SubRunFinished">;
}

/**
 * What a program does not ask for: text that `ProviderCallFinished` holds whole, what tools reported while they ran, what
 * was recorded around the program and not by it. `Suspended` and `Resumed` are found by their call instead.
 */
const passedOver: ReadonlySet<RunEventType> = new Set([
  "RunStarted",
  "OutputDelta",
  "TimedOut",
  "DraftChanged",
  "CheckpointCreated",
  "ArtifactWritten",
  "MemoryWritten",
  "PhaseChanged",
  "MetricLogged",
  "SubRunStarted",
  "SubRunFinished",
  "Suspended",
  "Resumed",
]);

export interface PastOptions {
  /** `accept` goes on where only the content differs, and remembers the first such place; `refuse` throws. */
  readonly onDivergence: "refuse" | "accept";
  /** Told of every event, in order, as it is passed. */
  readonly passed?: (event: RunEvent) => void;
  /** Told that the journal ends in the middle of a provider call; where it returns, that is a divergence. */
  readonly cutOff?: () => void;
}

/** A past made of a journal's events. Deltas need not be among them. */
export class RecordedPast implements Past {
  readonly #events: readonly RunEvent[];
  readonly #options: PastOptions;
  readonly #requested = new Map<string, EventOf<"ToolCallRequested">>();
  readonly #finished = new Map<string, EventOf<"ToolCallFinished">>();
  readonly #subRuns = new Map<string, RecordedSubRun>();
  readonly #subRunKeys = new Map<string, string>();
  /** Where a fork left its origin: what is before was done by another program, and stands for what it was. */
  readonly #forkedAt: number;
  /** Spans of tool calls: what carries one was reported by the tool. */
  readonly #toolSpans = new Set<string>();
  /** Provider calls that are for something else than the run's own answer. */
  readonly #purposes = new Map<string, EventOf<"ProviderCallStarted">["purpose"]>();
  readonly #decisions = new Map<string, EventOf<"Resumed">[]>();
  /** Sequence numbers of tool events that were handed out before their turn: concurrent calls end in any order. */
  readonly #ahead = new Set<number>();
  readonly #ending: Ending | undefined;
  #place = 0;
  #divergence: BenchtopError | undefined;

  constructor(events: readonly RunEvent[], options: PastOptions) {
    this.#ending = endingOf(events);
    this.#events = this.#ending ? events.slice(0, this.#ending.place) : events;
    this.#options = options;
    this.#forkedAt = forkedAt(events);
    for (const event of this.#events) this.#index(event);
  }

  /** True once everything recorded has been passed: what the program does from now on is new. */
  get isOver(): boolean {
    return this.#peek() === undefined && this.#ending === undefined;
  }

  /** True when nothing is left but what closes the work of a program that failed: only its end is not recorded. */
  get isClosing(): boolean {
    return this.#events.slice(this.#place).every((event) => closing.has(event.type) || this.#isPassedOver(event));
  }

  /** The first place where an accepted program did something else than is recorded. */
  get divergence(): BenchtopError | undefined {
    return this.#divergence;
  }

  get next(): RunEventType | undefined {
    return this.#peek()?.type;
  }

  get isOrigins(): boolean {
    const next = this.#peek();
    return next !== undefined && this.isOfOrigin(next);
  }

  take<Type extends RunEventType>(type: Type): EventOf<Type> {
    return this.#expect(type, { type });
  }

  takeIf<Type extends RunEventType>(
    type: Type,
    isMeant: (event: EventOf<Type>) => boolean = () => true,
  ): EventOf<Type> | undefined {
    const next = this.#peek();
    return next?.type === type && isMeant(next as EventOf<Type>) ? this.take(type) : undefined;
  }

  takeProviderCall(asked: AskedCall): EventOf<"ProviderCallFinished"> {
    const started = this.#expect("ProviderCallStarted", { type: "ProviderCallStarted", ...asked });
    for (const field of ["providerId", "modelId", "attempt", "purpose"] as const) {
      if (started[field] !== asked[field]) this.differs(started, field, started[field], asked[field]);
    }
    if (started.requestHash !== asked.requestHash) {
      this.differs(started, differingParts(started, asked), started.requestHash, asked.requestHash);
    }
    for (;;) {
      const event = this.#events[this.#place];
      if (!event) this.#options.cutOff?.();
      if (!event) throw diverged(started, "callId", "a provider call that ends", "one that does not");
      this.#pass(event);
      if (event.type === "ProviderCallFinished" && event.callId === started.callId) return event;
    }
  }

  takeToolCall(asked: AskedToolCall): RecordedToolCall | undefined {
    const requested = this.#requested.get(asked.callId);
    if (!requested) {
      const next = this.#peek();
      if (next) throw diverged(next, "type", next.type, `ToolCallRequested (${asked.name})`);
      this.#throwEnding();
      return undefined;
    }
    if (requested.name !== asked.name) throw diverged(requested, "name", requested.name, asked.name);
    if (canonicalJson(requested.arguments) !== canonicalJson(asked.arguments)) {
      this.differs(requested, "arguments", "", "");
    }
    const finished = this.#finished.get(asked.callId);
    this.#handOutAhead(requested);
    if (finished) this.#handOutAhead(finished);
    return { requested, ...(finished && { finished }) };
  }

  differs(recorded: RunEvent | undefined, field: string, expected: unknown, actual: unknown): void {
    const at = recorded ?? this.#peek();
    if (at && this.isOfOrigin(at)) return;
    const error = diverged(at, field, shown(expected), shown(actual));
    if (this.#options.onDivergence === "refuse") throw error;
    this.#divergence ??= error;
  }

  /** True for what a fork began with. */
  isOfOrigin(event: RunEvent): boolean {
    return event.seq < this.#forkedAt;
  }

  subRun(name: string, callId?: string): RecordedSubRun | undefined {
    return this.#subRuns.get(subRunKey(name, callId));
  }

  decisionsOn(callId: string): readonly EventOf<"Resumed">[] {
    return this.#decisions.get(callId) ?? [];
  }

  /** Passes an event that the program writes: the next one recorded has to say the same, times left aside. */
  match(written: EventInput): void {
    const recorded = this.#expect(written.type, written);
    const field = firstDifference(recorded, written);
    if (field !== undefined) this.differs(recorded, field, valueOf(recorded, field), valueOf(written, field));
  }

  /** Passes everything that is left, for a run that is ended without its program. */
  passAll(): void {
    while (this.#place < this.#events.length) this.#pass(this.#events[this.#place] as RunEvent);
  }

  #index(event: RunEvent): void {
    switch (event.type) {
      case "ToolCallRequested":
        this.#requested.set(event.callId, event);
        this.#toolSpans.add(event.spanId);
        return;
      case "ToolCallFinished":
        this.#finished.set(event.callId, event);
        return;
      case "ProviderCallStarted":
        if (event.purpose) this.#purposes.set(event.callId, event.purpose);
        return;
      case "SubRunStarted": {
        const key = subRunKey(event.name, event.callId);
        this.#subRunKeys.set(event.childRunId, key);
        this.#subRuns.set(key, { childRunId: event.childRunId });
        return;
      }
      case "SubRunFinished": {
        const key = this.#subRunKeys.get(event.childRunId);
        if (key !== undefined) this.#subRuns.set(key, { childRunId: event.childRunId, finished: event });
        return;
      }
      case "Resumed":
        if (event.callId === undefined || event.decision === undefined) return;
        this.#decisions.set(event.callId, [...this.decisionsOn(event.callId), event]);
        return;
      default:
    }
  }

  #peek(): RunEvent | undefined {
    for (;;) {
      const event = this.#events[this.#place];
      if (!event || !this.#isPassedOver(event)) return event;
      this.#pass(event);
    }
  }

  #isPassedOver(event: RunEvent): boolean {
    if (event.type === "ToolCallRequested" || event.type === "ToolCallFinished") return this.#ahead.has(event.seq);
    if (event.type === "GateDecided" && event.point === "tool-result") return true;
    // What came of a gate's provider call is in the gate's decision.
    if (this.#purposeOf(event) === "gate") return true;
    return passedOver.has(event.type) || this.#toolSpans.has(event.spanId);
  }

  #purposeOf(event: RunEvent): EventOf<"ProviderCallStarted">["purpose"] {
    if ("purpose" in event) return event.purpose;
    return "callId" in event && event.callId !== undefined ? this.#purposes.get(event.callId) : undefined;
  }

  /** A fork may have a model that reads more than its origin's: what was trimmed then is not trimmed now. */
  #passUnneededTrim(asked: RunEventType): void {
    for (let event = this.#peek(); event && event.type !== asked && this.isOfOrigin(event); event = this.#peek()) {
      if (event.type !== "ContextTrimmed" && this.#purposeOf(event) !== "compaction") return;
      this.#pass(event);
    }
  }

  #expect<Type extends RunEventType>(type: Type, asked: { readonly type: Type }): EventOf<Type> {
    this.#passUnneededTrim(type);
    const event = this.#peek();
    if (!event) {
      this.#throwEnding();
      throw diverged(this.#events.at(-1), "type", "nothing more", asked.type);
    }
    if (event.type !== type) throw diverged(event, "type", event.type, asked.type);
    this.#pass(event);
    return event as EventOf<Type>;
  }

  #pass(event: RunEvent): void {
    this.#place += 1;
    if (!this.#ahead.delete(event.seq)) this.#options.passed?.(event);
  }

  #handOutAhead(event: RunEvent): void {
    if (event === this.#events[this.#place]) return this.#pass(event);
    this.#ahead.add(event.seq);
    this.#options.passed?.(event);
  }

  #throwEnding(): void {
    if (this.#ending) throw BenchtopError.of(this.#ending.failure);
  }
}

/** Place of the event that says where a fork left its origin; of a fork of a fork the last one. */
export function forkedAt(events: readonly RunEvent[]): number {
  return events.findLast((event) => event.type === "Resumed" && event.reason === "fork")?.seq ?? -1;
}

/** The parts of a request that are another, as a field: `requestHash` where they are not known. */
function differingParts({ requestParts: recorded }: AskedCall, { requestParts: asked }: AskedCall): string {
  const parts = ["instructions", "messages", "tools", "settings"] as const;
  const differing = recorded && asked ? parts.filter((part) => recorded[part] !== asked[part]) : [];
  return differing.length === 0 ? "requestHash" : differing.map((part) => `request.${part}`).join(", ");
}

function subRunKey(name: string, callId = ""): string {
  return JSON.stringify([name, callId]);
}

/** How a recorded run was ended from outside its program: where that begins in the journal, and the failure. */
interface Ending {
  readonly place: number;
  readonly failure: Failure;
}

/**
 * A cancellation, a crash or a full disk ends a program at a moment that nothing in it explains. Driven again it is ended at
 * the same moment: after the last thing it did, in front of the events that closed what was open.
 */
function endingOf(events: readonly RunEvent[]): Ending | undefined {
  const last = events.at(-1);
  if (last?.type !== "Error" || !isFromOutside(last, events.at(-2))) return undefined;
  let place = events.length - 1;
  while (place > 0 && closes.has((events[place - 1] as RunEvent).type)) place -= 1;
  return { place, failure: last.error };
}

/** True for a journal whose last event nothing in its program explains. */
export function isEndedFromOutside(events: readonly RunEvent[]): boolean {
  return endingOf(events) !== undefined;
}

const fromOutside: ReadonlySet<string> = new Set(["USER_CANCELED", "RUN_INTERRUPTED", "DISK_FULL"]);
/** `ProviderCallFinished` and `ToolCallFinished` stay: the program learns from them that its call was ended. */
const closes: ReadonlySet<RunEventType> = new Set(["StepFinished", "TimedOut", "BudgetExceeded"]);

/** What a run writes before its end for what a failure left open. */
export const closing: ReadonlySet<RunEventType> = new Set([
  ...closes,
  "ProviderCallFinished",
  "ToolCallFinished",
  "SubRunFinished",
]);

function isFromOutside({ error }: EventOf<"Error">, before: RunEvent | undefined): boolean {
  if (before?.type === "BudgetExceeded" && before.limit === "maxDurationMs") return true;
  return fromOutside.has(error.error_code);
}

/** What differs from one execution to the next although the program did the same. */
const timesAndPlaces: ReadonlySet<string> = new Set([
  "runId",
  "seq",
  "at",
  "traceId",
  "spanId",
  "durationMs",
  "firstTokenMs",
  "delayMs",
  "totals",
]);

function firstDifference(recorded: RunEvent, written: EventInput): string | undefined {
  const fields = new Set([...Object.keys(recorded), ...Object.keys(written)]);
  for (const field of fields) {
    if (timesAndPlaces.has(field)) continue;
    if (canonicalJson(valueOf(recorded, field)) !== canonicalJson(valueOf(written, field))) return field;
  }
  return undefined;
}

function valueOf(event: object, field: string): unknown {
  return (event as Record<string, unknown>)[field];
}

/** Numbers, hashes and names may be told; anything longer could be content. */
function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = typeof value === "string" ? value : canonicalJson(value);
  return text.length <= 80 ? text : "something else";
}
