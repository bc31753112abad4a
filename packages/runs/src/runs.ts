import { setTimeout as wait } from "node:timers/promises";
import {
  callsToUndo,
  endAcquired,
  endRun,
  forkRun,
  initOf,
  interruption,
  readEvents,
  replayRun,
  resumeRun,
  RunSuspended,
  startRun,
  undoRun,
  type ForkOptions,
  type ReplayReport,
  type ResumeOptions,
  type RunBody,
  type RunHandle,
  type RunOutcome,
  type ToolRegistry,
} from "@benchtop/harness";
import {
  BenchtopError,
  firstWorkspaceId,
  newId,
  newTraceId,
  type Json,
  type RunInit,
  type RunRecord,
} from "@benchtop/protocol";
import type { Store } from "@benchtop/store";

/** What a caller says of a run, its workspace above all; the id and the trace are made where it gives none. */
export type RunStart = Omit<RunInit, "runId" | "traceId" | "workspaceId"> & {
  readonly runId?: string;
  readonly traceId?: string;
  readonly workspaceId: string;
};

/** Whose a run is. Journals that were begun before there were workspaces do not say so: they are of the first. */
export function workspaceOf({ workspaceId }: { readonly workspaceId?: string | null }): string {
  return workspaceId ?? firstWorkspaceId;
}

export interface RecoveredRun {
  readonly runId: string;
  readonly kind: string;
  readonly outcome: "interrupted" | "completed" | "resumed";
}

/**
 * Asked for each run that a crash or a full disk left open: what it had in truth achieved, where something outside the
 * journal knows (a publish whose files and rows were committed), or undefined when it did not come to its end.
 */
export type Settle = (run: RunRecord) => Promise<RunOutcome | undefined>;

/** What a run does, and what has to be let go of once it stops or when it never begins. */
export interface Program {
  readonly body: RunBody;
  readonly ended?: () => Promise<void>;
}

/** The program of a run that a crash left open; undefined where runs of its kind cannot go on. */
export type ProgramOf = (run: RunInit) => Promise<Program | undefined>;

/**
 * Told of each run that fails, before its journal says so; what it answers is the `detail_ref` of the run's `Error`. Must not
 * throw.
 */
export type ReportFailure = (run: RunInit, error: BenchtopError) => Promise<string | undefined>;

/** A run that crashes its process this often without a further step is not resumed once more. */
const maxResumes = 3;

/**
 * The runs of one process: starts them on the durable journal, reaches the ones that are going, and drives again those that
 * a crash or a question to a person has stopped. What a run was and did is read from the journal and the ledger, never from here.
 */
export class Runs {
  readonly #store: Store;
  readonly #active = new Map<string, RunHandle>();
  readonly #reportFailure: ReportFailure | undefined;
  #settle: Settle | undefined;
  #closing = false;

  constructor(options: { readonly store: Store; readonly reportFailure?: ReportFailure }) {
    this.#store = options.store;
    this.#reportFailure = options.reportFailure;
  }

  /**
   * Starts a run; resolves once `RunStarted` is on disk. Rejects with `RUN_REPLAYED` when the id is taken (the
   * attempt becomes a ledger row of its own) and with `DISK_FULL` when nothing could be written.
   */
  async start(start: RunStart, program: RunBody | Program): Promise<RunHandle> {
    const init: RunInit = { ...start, runId: start.runId ?? newId("run"), traceId: start.traceId ?? newTraceId() };
    const driven = typeof program === "function" ? { body: program } : program;
    return await this.#drive(driven, (body) => this.#startOrRecordReplay(init, body));
  }

  /** Continues a run that waits for a person, or that was interrupted. Rejects as `resumeRun` does; the run is then as it was. */
  async resume(runId: string, program: Program, options: ResumeOptions = {}): Promise<RunHandle> {
    return await this.#drive(program, (body) => resumeRun(this.#store.journal, runId, body, options));
  }

  /** Starts a run in the same workspace that begins with what this one did up to an event. Rejects with `NOT_FOUND`. */
  async fork(runId: string, program: Program, options: Omit<ForkOptions, "workspaceId"> = {}): Promise<RunHandle> {
    const events = await readEvents(this.#store.journal, runId);
    const inPlace = { ...options, workspaceId: workspaceOf(initOf(events[0])) };
    return await this.#drive(program, (body) => forkRun(this.#store.journal, events, body, inPlace));
  }

  /** Drives a run again without models, tools or clock and compares; a run of its own, whose result is the report. */
  async replay(
    runId: string,
    body: RunBody,
    userId: string,
  ): Promise<{ readonly replayRunId: string; readonly report: ReplayReport }> {
    const events = await readEvents(this.#store.journal, runId);
    const handle = await this.start(this.#about("replay", initOf(events[0]), userId, {}), async () => {
      const report = await replayRun(events, body);
      const { divergence } = report;
      const output = divergence ? divergence.message : `Identical: ${report.events} events were passed.`;
      return { output, result: report as unknown as Json };
    });
    const { result, error } = await handle.result;
    if (error) throw error;
    return { replayRunId: handle.runId, report: result as unknown as ReplayReport };
  }

  /** Takes back what a run's tools did after an event, the newest first; a run of its own. Rejects with `NOT_FOUND`. */
  async undo(
    runId: string,
    tools: ToolRegistry,
    options: {
      readonly runId: string;
      readonly after?: number;
      readonly userId: string;
      readonly ended?: () => Promise<void>;
    },
  ): Promise<RunHandle> {
    const { after, userId, ended } = options;
    const events = await readEvents(this.#store.journal, runId);
    const about = this.#about("undo", initOf(events[0]), userId, { ...(after !== undefined && { after }) });
    const start = { ...about, runId: options.runId };
    const body = undoRun(callsToUndo(events, after), tools);
    return await this.#drive({ body, ...(ended && { ended }) }, (whole) => this.#startOrRecordReplay(start, whole));
  }

  /** Ids of the runs that are going in this process. */
  active(): readonly string[] {
    return [...this.#active.keys()];
  }

  /** Asks a run to stop; one that waits for a person ends at once. False when it has ended already; `NOT_FOUND` when there is no such run. */
  async abort(runId: string, reason?: string): Promise<boolean> {
    const handle = await this.#find(runId);
    if (handle?.control.abort(reason)) return true;
    await handle?.result;
    const message = reason === undefined ? "The run was canceled." : `The run was canceled: ${reason}`;
    return await endRun(this.#store.journal, runId, new BenchtopError("USER_CANCELED", message));
  }

  /** Hands a hint to a run. False when it takes no more (it ended, or too many wait); `NOT_FOUND` when there is no such run. */
  async hint(runId: string, text: string, userId?: string): Promise<boolean> {
    const handle = await this.#find(runId);
    return handle?.control.inject(text, userId) ?? false;
  }

  /**
   * Takes care of the runs that a process which is gone left open: completed where they had come to their end, resumed where
   * their kind can be, closed otherwise. Those that another live process drives are left to it, those that wait for a
   * person wait on, and those that another open run started are left to that. Call it once, before any run is started.
   */
  async recover(settle?: Settle, programOf?: ProgramOf): Promise<RecoveredRun[]> {
    this.#settle = settle;
    const open = await this.#store.journal.unfinished();
    const openIds = new Set(open.map(({ runId }) => runId));
    const recovered: RecoveredRun[] = [];
    for (const { runId, suspended } of open) {
      if (suspended) continue;
      const record = await this.#store.ledger.get(runId);
      if (record?.parentRunId != null && openIds.has(record.parentRunId)) continue;
      const outcome = await this.#recoverRun(runId, programOf);
      if (outcome) recovered.push({ runId, kind: record?.kind ?? "unknown", outcome });
    }
    return recovered;
  }

  /** Aborts every run and waits until each has its terminal event. No run starts afterwards. */
  async shutdown(): Promise<void> {
    this.#closing = true;
    const handles = [...this.#active.values()];
    for (const handle of handles) handle.control.abort("Benchtop is shutting down.");
    await Promise.all(handles.map((handle) => handle.result));
  }

  async #drive(program: Program, begin: (whole: RunBody) => Promise<RunHandle>): Promise<RunHandle> {
    let began = false;
    // Letting go is part of the run, so that whoever sees its last event finds everything as it says.
    const whole: RunBody = async (run) => {
      began = true;
      try {
        return await program.body(run);
      } catch (thrown) {
        throw await this.#reported(run.init, thrown);
      } finally {
        await program.ended?.();
      }
    };
    try {
      this.#refuseWhileClosing();
      const handle = await begin(whole);
      this.#active.set(handle.runId, handle);
      void this.#forgetOnceEnded(handle);
      return handle;
    } catch (thrown) {
      if (!began) await program.ended?.();
      throw thrown;
    }
  }

  /** What a run ends with, with the report that was made of it. A run that waits for a person has not failed. */
  async #reported(init: RunInit, thrown: unknown): Promise<unknown> {
    if (thrown instanceof RunSuspended || this.#reportFailure === undefined) return thrown;
    const error = BenchtopError.from(thrown);
    const detailRef = await this.#reportFailure(init, error);
    return detailRef === undefined ? thrown : error.at({ detailRef });
  }

  /** What a run about another one is: its id, trace and owner, and the place of the other. */
  #about(kind: string, target: RunInit, userId: string, input: { [key: string]: Json }): RunStart & RunInit {
    const { runId, workbenchId, sessionId } = target;
    return {
      runId: newId("run"),
      traceId: newTraceId(),
      kind,
      userId,
      workspaceId: workspaceOf(target),
      ...(workbenchId !== undefined && { workbenchId }),
      ...(sessionId !== undefined && { sessionId }),
      parentRunId: runId,
      contract: {},
      input: { runId, ...input },
    };
  }

  #refuseWhileClosing(): void {
    if (!this.#closing) return;
    throw new BenchtopError("RUN_INTERRUPTED", "Benchtop is shutting down; start it again and retry.");
  }

  async #startOrRecordReplay(init: RunInit, body: RunBody): Promise<RunHandle> {
    try {
      return await startRun(this.#store.journal, init, body);
    } catch (thrown) {
      const error = BenchtopError.from(thrown);
      if (error.code === "RUN_REPLAYED") await this.#store.ledger.recordReplay(init);
      throw error;
    }
  }

  async #forgetOnceEnded({ runId, result }: RunHandle): Promise<void> {
    const { recorded, error } = await result;
    this.#active.delete(runId);
    if (!recorded && error) await this.#closeOnceThereIsRoom(runId, error);
  }

  /**
   * A full disk leaves a run open: even its terminal event found no room. It is written as soon as there is, true to what
   * the run achieved; should the process end before, or the journal refuse for another reason, the next start does it.
   */
  async #closeOnceThereIsRoom(runId: string, error: BenchtopError): Promise<void> {
    for (let delayMs = 500; error.code === "DISK_FULL" && !this.#closing; delayMs = Math.min(delayMs * 2, 30_000)) {
      await wait(delayMs, undefined, { ref: false });
      try {
        await this.#close(runId, error, await this.#settledAs(runId));
        return;
      } catch (thrown) {
        if (BenchtopError.from(thrown).code !== "DISK_FULL") return;
      }
    }
  }

  async #find(runId: string): Promise<RunHandle | undefined> {
    const handle = this.#active.get(runId);
    if (!handle && !(await this.#store.ledger.get(runId))) {
      throw new BenchtopError("NOT_FOUND", `There is no run ${runId}.`);
    }
    return handle;
  }

  async #recoverRun(runId: string, programOf: ProgramOf | undefined): Promise<RecoveredRun["outcome"] | undefined> {
    const settled = await this.#settledAs(runId);
    if (settled) return (await this.#close(runId, interruption(), settled)) ? "completed" : undefined;
    const reason = await this.#resumeInterrupted(runId, programOf);
    if (reason === "resumed") return "resumed";
    return (await this.#close(runId, reason)) ? "interrupted" : undefined;
  }

  /** Resumes a run after a crash, or says why it cannot be. */
  async #resumeInterrupted(runId: string, programOf: ProgramOf | undefined): Promise<"resumed" | BenchtopError> {
    if (!programOf) return interruption();
    const events = await readEvents(this.#store.journal, runId);
    const lastStep = events.findLastIndex(({ type }) => type === "StepFinished" || type === "ToolCallFinished");
    const resumes = events.slice(lastStep + 1).filter((event) => event.type === "Resumed" && event.reason === "crash");
    if (resumes.length >= maxResumes) return interruption();
    try {
      const program = await programOf(initOf(events[0]));
      if (!program) return interruption();
      await this.resume(runId, program);
      return "resumed";
    } catch (thrown) {
      return whyNotResumed(BenchtopError.from(thrown));
    }
  }

  async #settledAs(runId: string): Promise<RunOutcome | undefined> {
    const record = await this.#store.ledger.get(runId);
    return record && (await this.#settle?.(record));
  }

  /** Ends what is open in a journal, then the run: with the failure, or with what it is known to have achieved. */
  async #close(runId: string, failure: BenchtopError, settled?: RunOutcome): Promise<boolean> {
    try {
      const writer = await this.#store.journal.acquire(runId);
      await endAcquired(this.#store.journal, writer, settled ?? failure);
      return true;
    } catch (thrown) {
      const error = BenchtopError.from(thrown);
      if (error.code === "RUN_INTERRUPTED") return false;
      throw error;
    }
  }
}

/** The interruption, and what stood in the way of going on: a consent that ended with the process, a provider that is gone. */
function whyNotResumed({ code, message, info }: BenchtopError): BenchtopError {
  return new BenchtopError(
    "RUN_INTERRUPTED",
    `Benchtop stopped while this run was going, and it could not go on: ${message}`,
    {
      actions: ["resume", "retry"],
      ...(info.provider_id !== undefined && { providerId: info.provider_id }),
      ...(info.model_id !== undefined && { modelId: info.model_id }),
      detail: { reason: code },
    },
  );
}
