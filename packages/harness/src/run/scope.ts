import type {
  BenchtopError,
  EventInput,
  EventOf,
  FinishReason,
  Json,
  RunEvent,
  RunInit,
  RunStatus,
  RunTotals,
} from "@benchtop/protocol";
import type { Past, RecordedSubRun } from "../replay/past.ts";
import type { Ceilings } from "./contract.ts";
import type { TotalsRecorder } from "./totals.ts";

/** The program of a run. What it throws becomes the `Error` event; it never writes a terminal event itself. */
export type RunBody = (run: RunScope) => Promise<RunOutcome>;

export interface RunOutcome {
  readonly output: string;
  readonly finishReason?: FinishReason;
  readonly result?: Json;
}

/** What the program of a run works with. */
export interface RunScope {
  readonly runId: string;
  readonly traceId: string;
  /** What was asked for. */
  readonly init: RunInit;
  /** Every ceiling, as enforced: the asked contract with the defaults filled in. */
  readonly ceilings: Ceilings;
  /** Aborts when a person cancels the run or its time is up; `reason` is the `BenchtopError` the run will end with. */
  readonly signal: AbortSignal;
  /** Writes one event and waits until it and all before it are committed. */
  emit(event: EventInput): Promise<void>;
  /** Queues one event and returns at once. */
  write(event: EventInput): void;
  /** Resolves once everything written is committed. Rejects when the journal cannot commit; the run is lost then. */
  committed(): Promise<void>;
  /** Text written and not yet committed, in UTF-16 units: wait for `committed()` when it grows. */
  readonly pending: number;
  /** Hints that arrived since the last call; each is handed out once. */
  takeHints(): readonly Hint[];
  readonly hasHints: boolean;
  /** What of this run has happened already, while it is driven again from its journal; undefined once everything recorded is passed. */
  readonly past: Past | undefined;
  /** What persons decided about a tool call of this run, oldest first. */
  decisionsOn(callId: string): readonly EventOf<"Resumed">[];
  /** A run that this one, or that call of it, started under this name before it was driven again. */
  subRun(name: string, callId?: string): RecordedSubRun | undefined;
  readonly totals: TotalsRecorder;
}

/** What a person tells a run while it goes. */
export interface Hint {
  readonly text: string;
  readonly userId?: string;
}

export interface ControlHandle {
  /** Cancels the run: requests and tools are aborted, what was said so far stays. False when the run has ended already. */
  abort(reason?: string): boolean;
  /** Tells the run something before its next turn. False when the run has ended or too many hints wait. */
  inject(text: string, userId?: string): boolean;
}

/** A run that has started. Iterating gives its committed events from the first one on; it can be iterated again. */
export interface RunHandle extends AsyncIterable<RunEvent> {
  readonly runId: string;
  readonly traceId: string;
  readonly control: ControlHandle;
  /** Never rejects. */
  readonly result: Promise<RunResult>;
}

export interface RunResult {
  readonly runId: string;
  /** `suspended`: the run has not ended; it waits for the decision that `suspended` asks for. */
  readonly status: Extract<RunStatus, "success" | "error" | "budget_exceeded"> | "suspended";
  readonly output: string;
  readonly finishReason?: FinishReason;
  readonly result?: Json;
  readonly error?: BenchtopError;
  readonly suspended?: EventInput<"Suspended">;
  readonly totals: RunTotals;
  /** False when the journal failed, so that this result is in no journal: `error` says why. */
  readonly recorded: boolean;
}
