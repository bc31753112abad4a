import {
  BenchtopError,
  type EventInput,
  isTerminal,
  type Failure,
  type Journal,
  type JournalWriter,
  type RunEvent,
  type RunInit,
  type RunTotals,
} from "@benchtop/protocol";
import { ceilingsOf, type Ceilings } from "./contract.ts";
import { OpenWork } from "./open-work.ts";
import type { ControlHandle, Hint, RunBody, RunHandle, RunOutcome, RunResult, RunScope } from "./scope.ts";
import { round, TotalsRecorder } from "./totals.ts";

/**
 * Starts a run and returns as soon as `RunStarted` is durable: the body runs on its own, then exactly one terminal
 * event is written, after everything the body left open is closed.
 *
 * Rejects only when nothing was started: `RUN_REPLAYED` when the id is taken, `DISK_FULL`. Whatever goes wrong later is
 * the run's `Error` event and its result. Should the journal itself fail, the body is aborted, nothing more is written,
 * and the result carries that failure with `recorded: false`.
 */
export async function startRun(
  journal: Journal,
  init: RunInit,
  body: RunBody,
  signal?: AbortSignal,
): Promise<RunHandle> {
  const ceilings = ceilingsOf(init.contract);
  const writer = await journal.create({ ...init, contract: ceilings });
  const run = new ActiveRun(init, ceilings, writer);
  const unrecorded = new AbortController();
  const result = run.drive(body, signal).then((result) => {
    if (!result.recorded) unrecorded.abort();
    return result;
  });
  return {
    runId: init.runId,
    traceId: init.traceId,
    control: run,
    result,
    [Symbol.asyncIterator]: () => committedEvents(journal, init.runId, unrecorded.signal),
  };
}

/** Hints that may wait at once; a program that never reads them must not grow without end. */
const maxWaitingHints = 100;
const longestTimerMs = 2 ** 31 - 1;

class ActiveRun implements RunScope, ControlHandle {
  readonly init: RunInit;
  readonly ceilings: Ceilings;
  readonly totals: TotalsRecorder;
  readonly #writer: JournalWriter;
  readonly #abort = new AbortController();
  readonly #open = new OpenWork();
  #hints: Hint[] = [];
  #journalFailure: BenchtopError | undefined;
  #timeUp = false;
  #ended = false;

  constructor(init: RunInit, ceilings: Ceilings, writer: JournalWriter) {
    this.init = init;
    this.ceilings = ceilings;
    this.#writer = writer;
    this.totals = new TotalsRecorder(init.queuedMs ?? 0);
  }

  async drive(body: RunBody, signal: AbortSignal | undefined): Promise<RunResult> {
    const stopClock = this.#startClock();
    const stopListening = this.#abortWith(signal);
    try {
      const outcome = await body(this);
      return await this.#complete(outcome);
    } catch (thrown) {
      return await this.#fail(this.#failureOf(thrown));
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

  write(event: EventInput): void {
    if (this.#ended) throw new BenchtopError("RUN_INTERRUPTED", "This run has ended.", { runId: this.runId });
    this.#append(event);
  }

  async committed(): Promise<void> {
    if (this.#journalFailure) throw this.#journalFailure;
    try {
      await this.#writer.committed();
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

  async #complete(outcome: RunOutcome): Promise<RunResult> {
    const { output, finishReason = "stop", result } = outcome;
    const said = { output, finishReason, ...(result !== undefined && { result }) };
    this.#ended = true;
    this.#closeOpenWork(new BenchtopError("INTERNAL", "The run's program ended without closing this."));
    const totals = this.totals.snapshot();
    this.#append({ type: "Completed", ...said, totals });
    await this.committed();
    await this.#writer.close();
    return { runId: this.runId, status: "success", ...said, totals, recorded: true };
  }

  async #fail(error: BenchtopError): Promise<RunResult> {
    this.#ended = true;
    const { workbenchId } = this.init;
    const ended = error.at({ runId: this.runId, ...(workbenchId !== undefined && { workbenchId }) });
    const totals = this.totals.snapshot();
    const recorded = await this.#recordFailure(ended, totals);
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
      await this.#releaseLostWriter();
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
      return false;
    }
  }

  #append(event: EventInput): void {
    if (this.#journalFailure) throw this.#journalFailure;
    try {
      this.#writer.write(event);
    } catch (thrown) {
      throw this.#journalFailed(thrown);
    }
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
    if (!this.signal.aborted) this.#abort.abort(this.#journalFailure);
    return this.#journalFailure;
  }

  async #releaseLostWriter(): Promise<void> {
    try {
      await this.#writer.close();
    } catch (thrown) {
      this.#journalFailed(thrown);
    }
  }

  #startClock(): () => void {
    const limitMs = Math.min(this.ceilings.maxDurationMs, longestTimerMs);
    const timer = setTimeout(() => {
      if (this.signal.aborted) return;
      this.#timeUp = true;
      this.#abort.abort(
        new BenchtopError("BUDGET_CAP_REACHED", `The run took longer than its ${limitMs / 1000} seconds.`, {
          detail: { limit: "maxDurationMs", allowed: limitMs },
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

/** Committed events to the terminal one; for a run whose journal failed, to the last that was committed. */
async function* committedEvents(journal: Journal, runId: string, unrecorded: AbortSignal): AsyncGenerator<RunEvent> {
  let after = -1;
  for await (const event of journal.follow(runId, {}, unrecorded)) {
    after = event.seq;
    yield event;
    if (isTerminal(event)) return;
  }
  for (;;) {
    const page = await journal.read(runId, { after });
    if (page.length === 0) return;
    for (const event of page) {
      after = event.seq;
      yield event;
    }
  }
}
