import {
  BenchtopError,
  type EventInput,
  type EventOf,
  type Failure,
  type JournalWriter,
  type RunEvent,
  type RunInit,
  type RunTotals,
} from "@benchtop/protocol";
import { activeTimes } from "../replay/active-times.ts";
import { RecordedPast, type Past, type RecordedSubRun } from "../replay/past.ts";
import type { Ceilings } from "./contract.ts";
import { OpenWork } from "./open-work.ts";
import type { ControlHandle, Hint, RunBody, RunOutcome, RunResult, RunScope } from "./scope.ts";
import { RunSuspended } from "./suspension.ts";
import { round, TotalsRecorder } from "./totals.ts";

/** Hints that may wait at once; a program that never reads them must not grow without end. */
const maxWaitingHints = 100;
const longestTimerMs = 2 ** 31 - 1;

/** What a run is continued from. */
export interface Recorded {
  /** The journal so far, and after it the events of `prefix` as they will be read. */
  readonly events: readonly RunEvent[];
  /** What the journal has to be given before the run does anything new. */
  readonly prefix: readonly EventInput[];
  readonly onDivergence: "refuse" | "accept";
  /** What becomes of a run whose program fails before it does anything new: left as it was, or ended with the failure. */
  readonly onFailure: "leave" | "end";
  /** What it is told as it goes on. */
  readonly hints?: readonly Hint[];
}

/** A run between its two ends: what its program works with, and what a person controls it by. */
export class ActiveRun implements RunScope, ControlHandle {
  readonly init: RunInit;
  readonly ceilings: Ceilings;
  readonly totals: TotalsRecorder;
  readonly #writer: JournalWriter;
  readonly #abort = new AbortController();
  readonly #open = new OpenWork();
  readonly #activeBeforeMs: number;
  readonly #live = Promise.withResolvers<void>();
  readonly #past: RecordedPast | undefined;
  readonly #endsOnFailure: boolean;
  #prefix: readonly EventInput[];
  #hints: Hint[];
  #journalFailure: BenchtopError | undefined;
  #timeUp = false;
  #ended = false;

  constructor(init: RunInit, ceilings: Ceilings, writer: JournalWriter, recorded?: Recorded) {
    const times = activeTimes(recorded?.events ?? []);
    const startedAt = performance.now() - times.totalMs;
    this.init = init;
    this.ceilings = ceilings;
    this.#writer = writer;
    this.#activeBeforeMs = times.totalMs;
    this.#prefix = recorded?.prefix ?? [];
    this.#hints = [...(recorded?.hints ?? [])];
    this.#endsOnFailure = recorded?.onFailure === "end";
    this.totals = new TotalsRecorder(init.queuedMs ?? 0, startedAt);
    this.#past =
      recorded &&
      new RecordedPast(recorded.events, {
        onDivergence: recorded.onDivergence,
        passed: (event) => this.#passed(event, startedAt + times.at(event.seq)),
      });
    this.#live.promise.catch(() => undefined);
  }

  /** Drives the program to its end, and writes what it came to. Never rejects. */
  async drive(body: RunBody, signal: AbortSignal | undefined): Promise<RunResult> {
    const stopClock = this.#startClock();
    const stopListening = this.#abortWith(signal);
    try {
      const outcome = await body(this);
      return await this.#complete(outcome);
    } catch (thrown) {
      if (thrown instanceof RunSuspended && !this.#journalFailure) return await this.#suspend(thrown.suspended);
      const failure = this.#failureOf(thrown);
      return this.#isToBeLeft(failure) ? await this.#leave(failure) : await this.#fail(failure);
    } finally {
      stopClock();
      stopListening();
    }
  }

  get runId(): string {
    return this.init.runId;
  }

  get traceId(): string {
    return this.init.traceId;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get pending(): number {
    return this.#writer.pending;
  }

  get hasHints(): boolean {
    return this.#hints.length > 0;
  }

  get past(): Past | undefined {
    return this.#isInPast ? this.#past : undefined;
  }

  decisionsOn(callId: string): readonly EventOf<"Resumed">[] {
    return this.#past?.decisionsOn(callId) ?? [];
  }

  subRun(name: string, callId?: string): RecordedSubRun | undefined {
    return this.#past?.subRun(name, callId);
  }

  /** Resolves when the run does something that is not recorded yet; rejects when it never comes to that. */
  get live(): Promise<void> {
    return this.#live.promise;
  }

  write(event: EventInput): void {
    if (this.#ended) throw new BenchtopError("RUN_INTERRUPTED", "This run has ended.", { runId: this.runId });
    if (this.#isInPast) this.#past?.match(event);
    else this.#append(event);
  }

  async committed(): Promise<void> {
    if (this.#isInPast) return;
    if (this.#journalFailure) throw this.#journalFailure;
    try {
      this.#goLive();
      await this.#writer.committed();
      this.#live.resolve();
    } catch (thrown) {
      throw this.#journalFailed(thrown);
    }
  }

  async emit(event: EventInput): Promise<void> {
    this.write(event);
    await this.committed();
  }

  takeHints(): readonly Hint[] {
    const hints = this.#hints;
    this.#hints = [];
    return hints;
  }

  abort(reason?: string): boolean {
    if (this.#ended || this.signal.aborted) return false;
    const message = reason === undefined ? "The run was canceled." : `The run was canceled: ${reason}`;
    this.#abort.abort(new BenchtopError("USER_CANCELED", message));
    return true;
  }

  inject(text: string, userId?: string): boolean {
    if (this.#ended || this.signal.aborted || this.#hints.length >= maxWaitingHints) return false;
    this.#hints.push({ text, ...(userId !== undefined && { userId }) });
    return true;
  }

  get #isInPast(): boolean {
    return this.#past !== undefined && !this.#past.isOver;
  }

  /** True for a failure in what is recorded, unless it is the recorded one. */
  #isToBeLeft({ code }: BenchtopError): boolean {
    if (!this.#isInPast || this.signal.aborted || this.#endsOnFailure) return false;
    return code === "REPLAY_DIVERGED" || this.#past?.isClosing !== true;
  }

  async #complete(outcome: RunOutcome): Promise<RunResult> {
    const { output, finishReason = "stop", result } = outcome;
    const said = { output, finishReason, ...(result !== undefined && { result }) };
    if (this.#isInPast) this.#past?.match({ type: "Completed", ...said, totals: this.totals.snapshot() });
    this.#ended = true;
    this.#closeOpenWork(new BenchtopError("INTERNAL", "The run's program ended without closing this."));
    const totals = this.totals.snapshot();
    this.#append({ type: "Completed", ...said, totals });
    await this.committed();
    await this.#writer.close();
    return { runId: this.runId, status: "success", ...said, totals, recorded: true };
  }

  /** The program waits for a person: everything is in the journal, and whoever resumes the run takes it from there. */
  async #suspend(suspended: EventInput<"Suspended">): Promise<RunResult> {
    this.#ended = true;
    const totals = this.totals.snapshot();
    await this.#release();
    this.#live.resolve();
    return { runId: this.runId, status: "suspended", output: "", suspended, totals, recorded: true };
  }

  /** Driven again, the program came to nothing new. The journal stays as it was, for another attempt. */
  async #leave(error: BenchtopError): Promise<RunResult> {
    this.#ended = true;
    const totals = this.totals.snapshot();
    await this.#release();
    this.#live.reject(error);
    return { runId: this.runId, status: "error", output: "", error, totals, recorded: false };
  }

  async #fail(error: BenchtopError): Promise<RunResult> {
    this.#ended = true;
    this.#past?.passAll();
    const { workbenchId } = this.init;
    const ended = error.at({ runId: this.runId, ...(workbenchId !== undefined && { workbenchId }) });
    const totals = this.totals.snapshot();
    const recorded = await this.#recordFailure(ended, totals);
    this.#live.resolve();
    return {
      runId: this.runId,
      status: ended.code === "BUDGET_CAP_REACHED" ? "budget_exceeded" : "error",
      output: "",
      error: this.#journalFailure?.at({ runId: this.runId }) ?? ended,
      totals,
      recorded,
    };
  }

  async #recordFailure(error: BenchtopError, totals: RunTotals): Promise<boolean> {
    if (this.#journalFailure) {
      await this.#release();
      return false;
    }
    try {
      this.#closeOpenWork(error);
      if (this.#timeUp) this.#appendTimeUp();
      this.#append({ type: "Error", error: { message: error.message, ...error.info }, totals });
      await this.committed();
      await this.#writer.close();
      return true;
    } catch (thrown) {
      this.#journalFailed(thrown);
      await this.#release();
      return false;
    }
  }

  #append(event: EventInput): void {
    this.#goLive();
    this.#put(event);
    this.#count(event);
  }

  /** Before anything new: what says that, and why, the run goes on. */
  #goLive(): void {
    if (this.#prefix.length === 0) return;
    const prefix = this.#prefix;
    this.#prefix = [];
    for (const event of prefix) this.#put(event);
  }

  #put(event: EventInput): void {
    if (this.#journalFailure) throw this.#journalFailure;
    try {
      this.#writer.write(event);
    } catch (thrown) {
      throw this.#journalFailed(thrown);
    }
  }

  /** What a fork began with was paid for by its origin. */
  #passed(event: RunEvent, at: number): void {
    if (!this.#past?.isOfOrigin(event)) this.totals.record(event, at);
    this.#open.record(event, at);
  }

  #count(event: EventInput): void {
    this.totals.record(event);
    this.#open.record(event);
  }

  #closeOpenWork(error: BenchtopError): void {
    const failure: Failure = { message: error.message, ...error.info };
    for (const event of this.#open.closing(this.signal.aborted, failure)) this.#append(event);
  }

  /** What the body threw, or what it was aborted for when that is all it says. */
  #failureOf(thrown: unknown): BenchtopError {
    if (this.#journalFailure) return this.#journalFailure;
    const error = BenchtopError.from(thrown);
    if (!this.signal.aborted || error.code !== "USER_CANCELED") return error;
    return BenchtopError.from(this.signal.reason);
  }

  /** The journal takes nothing more: the body must stop, for nothing it does from now on would be recorded. */
  #journalFailed(thrown: unknown): BenchtopError {
    this.#journalFailure ??= BenchtopError.from(thrown);
    this.#live.reject(this.#journalFailure);
    if (!this.signal.aborted) this.#abort.abort(this.#journalFailure);
    return this.#journalFailure;
  }

  async #release(): Promise<void> {
    try {
      await this.#writer.close();
    } catch (thrown) {
      this.#journalFailed(thrown);
    }
  }

  #startClock(): () => void {
    const { maxDurationMs } = this.ceilings;
    const limitMs = Math.min(Math.max(0, maxDurationMs - this.#activeBeforeMs), longestTimerMs);
    const timer = setTimeout(() => {
      if (this.signal.aborted) return;
      this.#timeUp = true;
      this.#abort.abort(
        new BenchtopError("BUDGET_CAP_REACHED", `The run took longer than its ${maxDurationMs / 1000} seconds.`, {
          detail: { limit: "maxDurationMs", allowed: maxDurationMs },
        }),
      );
    }, limitMs);
    return () => clearTimeout(timer);
  }

  #appendTimeUp(): void {
    const allowed = this.ceilings.maxDurationMs;
    this.#append({ type: "TimedOut", scope: "run", limitMs: allowed });
    this.#append({ type: "BudgetExceeded", limit: "maxDurationMs", allowed, actual: round(this.totals.elapsedMs) });
  }

  #abortWith(signal: AbortSignal | undefined): () => void {
    if (!signal) return () => {};
    const abort = () => this.abort();
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    return () => signal.removeEventListener("abort", abort);
  }
}
